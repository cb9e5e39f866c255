"""The law once more, slowly and plainly in NumPy: what the compiled kernels are compared with.

It follows the texts of `initium_server.law`, shares only the coefficients and the binary64 `phi`, and rounds to narrow
dtypes with ml_dtypes and NumPy.
"""

from __future__ import annotations

import hashlib
import math

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_server.core.fills import Constant, Normal, TruncNormal, Uniform
from initium_server.law import normal, phi

F32 = np.float32
Single = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]
NUMPY = {"F64": np.float64, "F32": np.float32, "BF16": ml_dtypes.bfloat16, "F16": np.float16}


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Random123's philox4x32 with 10 rounds, in Python integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c3 ^ k1, a & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return [c0, c1, c2, c3]


def words(seed: int, name: str, start: int, count: int) -> Words:
    """The words of elements start to start + count."""
    digest = hashlib.sha256(b"stream-v1\0" + seed.to_bytes(8, "little") + name.encode("utf-8")).digest()
    key0, key1, c2, c3 = (int.from_bytes(digest[k : k + 4], "little") for k in (0, 4, 8, 12))
    groups = range(start // 4, -(-(start + count) // 4))
    flat = [w for c in groups for w in philox([c & 0xFFFFFFFF, c >> 32, c2, c3], [key0, key1])]
    return np.array(flat[start % 4 :][:count], np.uint32)


def quantile(t: Single, x: Single, offset: float) -> Single:
    """z from the probabilities of being further away and nearer."""
    g = t * (F32(1) + np.abs(x))
    bits = g.view(np.int32)
    exponent = (bits - np.int32(0x3F3504F3)) >> 23
    d = (bits - (exponent << 23)).view(F32) - F32(1)
    d2 = d * d
    n = normal
    high = (n.P7 * d + n.P6) * d2 + (n.P5 * d + n.P4)
    low = (n.P3 * d + n.P2) * d2 + (n.P1 * d + n.P0)
    log = d * (high * (d2 * d2) + low) + (F32(offset) - exponent.astype(F32))
    y = np.sqrt(log) - F32(4)
    y2 = y * y
    numerator = (n.N6 * y2 + (n.N5 * y + n.N4)) * (y2 * y2) + ((n.N3 * y + n.N2) * y2 + (n.N1 * y + n.N0))
    denominator = (y + n.D4) * (y2 * y2) + ((n.D3 * y + n.D2) * y2 + (n.D1 * y + n.D0))
    return x * numerator / denominator


def signed(word: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The magnitude n of `normal`, and whether the word is negative."""
    i = word.view(np.int32).astype(np.int64)
    return np.where(i < 0, -1 - i, i), i < 0


def uniform_values(word: Words, fill: Uniform) -> Single:
    middle, half = fill.high / 2 + fill.low / 2, fill.high / 2 - fill.low / 2
    near = F32(middle)
    rest = F32(middle - float(near))
    v = (word.view(np.int32).astype(F32) + F32(0.5)) * F32(2.0**-31)
    return (F32(half) * v + rest) + near


def normal_values(word: Words, fill: Normal) -> Single:
    n, negative = signed(word)
    x = (n.astype(F32) + F32(0.5)) * F32(2.0**-31)
    t = ((2**31 - 1 - n).astype(F32) + F32(0.5)) * F32(2.0**-31)
    z = quantile(t, np.where(negative, -x, x), 16.0)
    return F32(fill.std) * z + F32(fill.mean)


def trunc_values(word: Words, fill: TruncNormal) -> Single:
    std = fill.std
    alpha, beta = (fill.a - fill.mean) / std, (fill.b - fill.mean) / std
    if beta <= 0:
        alpha, beta, std = -beta, -alpha, -std
    u = (word ^ np.uint32(2**31)).astype(np.int64)
    z = around(u, alpha, beta) if alpha < 0 else beyond(u, alpha, beta)
    return F32(std) * z + F32(fill.mean)


def around(u: npt.NDArray[np.int64], alpha: float, beta: float) -> Single:
    """z on an interval that holds the mean."""
    low, high = phi.centre(-alpha), phi.centre(beta)
    split = min(round(2.0**32 * (low / (low + high))), 2**32 - 1)
    below = u < split
    step = np.where(below, F32(2 * low / max(split, 1)), F32(2 * high / (2.0**32 - split)))
    outer = np.where(below, F32(2 * phi.tail(-alpha)), F32(2 * phi.tail(beta)))
    k = np.where(below, u, 2**32 - 1 - u).astype(F32) + F32(0.5)
    inner = np.where(below, split - 1 - u, u - split).astype(F32) + F32(0.5)
    x = np.where(below, -step, step) * inner
    return quantile(step * k + outer, x, 16.0)


def beyond(u: npt.NDArray[np.int64], alpha: float, beta: float) -> Single:
    """z on an interval above the mean."""
    near, far = 2 * phi.tail(alpha), 2 * phi.tail(beta)
    mass = near - far if alpha >= 2 else 2 * (phi.centre(beta) - phi.centre(alpha))
    scale = max(0, -math.frexp(near)[1])
    k = (2**32 - 1 - u).astype(F32) + F32(0.5)
    t = F32(math.ldexp(mass / 2.0**32, scale)) * k + F32(math.ldexp(far, scale))
    x = F32(mass / 2.0**32) * (u.astype(F32) + F32(0.5)) + F32(2 * phi.centre(alpha))
    return quantile(t, x, 16.0 + scale)


def inside(low: float, high: float, dtype: str) -> tuple[float, float]:
    """The first and last value of the dtype in [low, high], found by stepping from the nearest."""
    kind = np.float32 if dtype == "F64" else NUMPY[dtype]
    top = float(ml_dtypes.finfo(kind).max)
    first, last = kind(min(max(low, -top), top)), kind(max(min(high, top), -top))
    if float(first) < low:
        first = np.nextafter(first, kind(top))
    if float(last) > high:
        last = np.nextafter(last, kind(-top))
    return float(first), float(last)


def values(word: Words, fill: Uniform | Normal | TruncNormal, dtype: str) -> Single:
    """The binary32 value of each word, clamped as the dtype needs."""
    match fill:
        case Uniform():
            raw, bounds = uniform_values(word, fill), inside(fill.low, fill.high, dtype)
        case Normal():
            raw, bounds = normal_values(word, fill), inside(-math.inf, math.inf, dtype)
        case TruncNormal():
            raw, bounds = trunc_values(word, fill), inside(fill.a, fill.b, dtype)
    return np.clip(raw, F32(bounds[0]), F32(bounds[1]))


def rendered(value: Single, dtype: str) -> bytes:
    """Little-endian elements, rounded to nearest even."""
    return value.astype(NUMPY[dtype]).tobytes()


def draw(
    fill: Constant | Uniform | Normal | TruncNormal, seed: int, name: str, dtype: str, start: int, n: int
) -> bytes:
    """The bytes of elements start to start + n of a tensor."""
    if isinstance(fill, Constant):
        return np.full(n, fill.value, NUMPY[dtype]).tobytes()
    return rendered(values(words(seed, name, start, n), fill, dtype), dtype)
