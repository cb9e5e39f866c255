"""The law once more, slowly and plainly in NumPy: what the compiled kernels are compared with.

It follows the texts of `initium_law`, shares only the coefficients and the binary64 `phi`, and rounds to narrow
dtypes with ml_dtypes and NumPy.
"""

from __future__ import annotations

import hashlib
import math

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_law.grammar import Constant, Normal, TruncNormal, Uniform
from initium_law.maps import far as far_map
from initium_law.maps import normal, phi

F32 = np.float32
Single = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]
NUMPY = {
    "F64": np.float64,
    "F32": np.float32,
    "BF16": ml_dtypes.bfloat16,
    "F16": np.float16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
}


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


def minus_log2(g: Single) -> Single:
    """L of a positive normal number."""
    bits = g.view(np.int32)
    exponent = (bits - np.int32(0x3F3504F3)) >> 23
    d = (bits - (exponent << 23)).view(F32) - F32(1)
    q = d * d
    n = normal
    high = (n.P6 * q + (n.P5 * d + n.P4)) * (q * q)
    return d * (high + ((n.P3 * d + n.P2) * q + (n.P1 * d + n.P0))) - exponent.astype(F32)


def ratio(log: Single) -> Single:
    """N(L) / D(L)."""
    n, l2 = normal, log * log
    numerator = (n.N5 * log + n.N4) * (l2 * l2) + ((n.N3 * log + n.N2) * l2 + (n.N1 * log + n.N0))
    denominator = (n.D5 * log + n.D4) * (l2 * l2) + ((n.D3 * log + n.D2) * l2 + (n.D1 * log + n.D0))
    return numerator / denominator


def constant(number: float) -> Single:
    """An f32 constant: rounded once, with -0 replaced by +0."""
    return F32(number) + F32(0)


def uniform_values(word: Words, fill: Uniform) -> Single:
    middle, half = fill.high / 2 + fill.low / 2, fill.high / 2 - fill.low / 2
    near = constant(middle)
    rest = constant(middle - float(near))
    v = (word.view(np.int32).astype(F32) + F32(0.5)) * F32(2.0**-31)
    return (constant(half) * v + rest) + near


Side = tuple[float, float, float]
"""stride, step, outer."""


def around(word: Words, mean: float, threshold: int, below: Side, above: Side) -> Single:
    """The map of an interval that holds the mean."""
    u = (word ^ np.uint32(2**31)).astype(np.int64)
    low = u < threshold
    stride, step, outer = (np.where(low, F32(b), F32(a)) for b, a in zip(below, above, strict=True))
    k = np.where(low, u, 2**32 - 1 - u).astype(F32) + F32(0.5)
    j = np.where(low, threshold - 1 - u, u - threshold).astype(F32) + F32(0.5)
    t = step * k + outer
    return (stride * j) * ratio(minus_log2(t * (F32(2) - t))) + constant(mean)


def normal_values(word: Words, fill: Normal) -> Single:
    stride = fill.std * 2.0**-31
    return around(word, fill.mean, 2**31, (-stride, 2.0**-31, 0.0), (stride, 2.0**-31, 0.0))


def trunc_values(word: Words, fill: TruncNormal) -> Single:
    std = fill.std
    alpha, beta = (fill.a - fill.mean) / std, (fill.b - fill.mean) / std
    if beta <= 0:
        return far(word, fill.mean, -std, -beta, -alpha)
    if alpha >= 0:
        return far(word, fill.mean, std, alpha, beta)
    a, b = phi.centre(-alpha), phi.centre(beta)
    split = min(round(2.0**32 * (a / (a + b))), 2**32 - 1)
    below, above = 2 * a / max(split, 1), 2 * b / (2.0**32 - split)
    sides = (-std * below, below, 2 * phi.tail(-alpha)), (std * above, above, 2 * phi.tail(beta))
    return around(word, fill.mean, split, *sides)


def far(word: Words, mean: float, std: float, alpha: float, beta: float) -> Single:
    """The map of an interval above the mean, or, with negative std, mirrored below it."""
    u = (word ^ np.uint32(2**31)).astype(np.int64)
    near, end = 2 * phi.tail(alpha), 2 * phi.tail(beta)
    mass = near - end if alpha >= 2 else 2 * (phi.centre(beta) - phi.centre(alpha))
    scale = max(0, -math.frexp(near)[1])
    k = (2**32 - 1 - u).astype(F32) + F32(0.5)
    t = F32(math.ldexp(mass / 2.0**32, scale)) * k + F32(math.ldexp(end, scale))
    x = F32(mass / 2.0**32) * (u.astype(F32) + F32(0.5)) + F32(2 * phi.centre(alpha))
    y = np.sqrt(minus_log2(t * (F32(1) + x)) + F32(16 + scale)) - F32(4)
    n, y2 = far_map, y * y
    numerator = (n.M6 * y2 + (n.M5 * y + n.M4)) * (y2 * y2) + ((n.M3 * y + n.M2) * y2 + (n.M1 * y + n.M0))
    denominator = (y + n.E4) * (y2 * y2) + ((n.E3 * y + n.E2) * y2 + (n.E1 * y + n.E0))
    return F32(std) * (x * (numerator / denominator)) + constant(mean)


def inside(low: float, high: float, dtype: str) -> tuple[float, float]:
    """The first and last value of the dtype in [low, high], found by stepping from the nearest."""
    kind = np.float32 if dtype == "F64" else NUMPY[dtype]
    top = float(ml_dtypes.finfo(kind).max)
    first, last = kind(min(max(low, -top), top)), kind(max(min(high, top), -top))
    if float(first) < low:
        first = np.nextafter(first, kind(top))
    if float(last) > high:
        last = np.nextafter(last, kind(-top))
    return float(first) + 0.0, float(last) + 0.0


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
