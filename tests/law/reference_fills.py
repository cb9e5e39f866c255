"""Every kind of fill once more, slowly and plainly in NumPy, after `proto/stream-v1.md`: whole tensors only."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_law import grammar as fills
from initium_law.dtypes import FLOATS, encode

from . import functions_reference as functions
from .reference import NUMPY, Words, inside, philox, values

Array = npt.NDArray[np.generic]
Single = npt.NDArray[np.float32]


class Place(NamedTuple):
    """A tensor, and the box of it that a fill covers."""

    seed: int
    name: str
    whole: tuple[int, ...]
    start: tuple[int, ...]
    stop: tuple[int, ...]
    literals: Mapping[str, bytes]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(high - low for low, high in zip(self.start, self.stop, strict=True))

    def indices(self) -> list[int]:
        """Of the box's elements in the whole tensor."""
        every = np.arange(math.prod(self.whole)).reshape(self.whole)
        return every[tuple(map(slice, self.start, self.stop))].ravel().tolist()

    def words(self, law: bytes = b"stream-v1") -> Words:
        d = hashlib.sha256(law + b"\0" + self.seed.to_bytes(8, "little") + self.name.encode()).digest()
        key0, key1, c2, c3 = (int.from_bytes(d[k : k + 4], "little") for k in (0, 4, 8, 12))
        made = [philox([i // 4 % 2**32, i // 4 >> 32, c2, c3], [key0, key1])[i % 4] for i in self.indices()]
        return np.array(made, np.uint32)


def tensor(
    fill: fills.Fill, seed: int, name: str, shape: tuple[int, ...], dtype: str, literals: Mapping[str, bytes]
) -> bytes:
    """All bytes of a tensor."""
    return elements(fill, Place(seed, name, shape, (0,) * len(shape), shape, literals), dtype).tobytes()


def elements(fill: fills.Fill, place: Place, dtype: str) -> Array:
    """The elements of the box, in its shape; of narrow floats and integers their bit patterns."""
    match fill:
        case fills.Constant(value):
            return exact(np.full(place.shape, value), dtype)
        case fills.Literal(digest):
            return np.frombuffer(place.literals[digest], bits(dtype)).reshape(place.shape)
        case fills.Copy(name, inner):
            return elements(inner, place._replace(name=name), dtype)
        case fills.Broadcast(axes, inner):
            return _broadcast(axes, inner, place, dtype)
        case fills.Stored():
            return _stored(fill, place, dtype)
        case fills.Parts(base, parts):
            return _parts(base, parts, place, dtype)
        case fills.Uniform(low, high) if low == high:
            return exact(np.full(place.shape, low), dtype)
        case fills.Normal(mean, std) if std == 0.0:
            return exact(np.full(place.shape, mean), dtype)
        case fills.TruncNormal(mean, std, a, b) if std == 0.0 or a >= mean + 37 * std or b <= mean - 37 * std:
            low, high = inside(a, b, dtype)
            return exact(np.full(place.shape, min(max(mean, low), high)), dtype)
        case fills.Uniform() | fills.Normal() | fills.TruncNormal():
            return rendered(values(place.words(), fill, dtype).reshape(place.shape), dtype)
        case fills.Pointwise() | fills.Orthogonal() | fills.Sparse() | fills.NormOf():
            return rendered(single(fill, place), dtype)
        case _:
            return exact(numbers(fill, place), dtype)


def bits(dtype: str) -> str:
    """NumPy's name of the unsigned integers that a dtype's elements are kept in."""
    return f"<u{len(encode(0.0, dtype))}"


def exact(numbers: npt.NDArray[np.float64], dtype: str) -> Array:
    """binary64 numbers, rounded one by one."""
    data = b"".join(encode(float(number), dtype) for number in numbers.ravel())
    return np.frombuffer(data, bits(dtype)).reshape(numbers.shape)


def rendered(value: Single, dtype: str) -> Array:
    """binary32 values in a dtype, NaN and infinities included."""
    kind, form = np.dtype(NUMPY[dtype]), FLOATS[dtype]
    top = np.float32(min(float(ml_dtypes.finfo(kind).max), float(np.finfo(np.float32).max)))
    finite = np.where(np.isfinite(value), np.clip(value, -top, top), np.float32(0))
    out = finite.astype(kind).view(bits(dtype)).copy()
    sign = 0 if form.infinity is None else 1 << (8 * kind.itemsize - 1)
    infinity = form.nan if form.infinity is None else form.infinity
    out[value == np.inf], out[value == -np.inf], out[np.isnan(value)] = infinity, infinity | sign, form.nan
    return out


def _broadcast(axes: tuple[int, ...], fill: fills.Fill, place: Place, dtype: str) -> Array:
    def short(extents: tuple[int, ...], on_axes: int) -> tuple[int, ...]:
        return tuple(on_axes if axis in axes else extent for axis, extent in enumerate(extents))

    inner = place._replace(whole=short(place.whole, 1), start=short(place.start, 0), stop=short(place.stop, 1))
    return np.broadcast_to(elements(fill, inner, dtype), place.shape)


@np.errstate(all="ignore")
def _stored(fill: fills.Stored, place: Place, dtype: str) -> Array:
    order, start = fill.axes or tuple(range(len(fill.shape))), fill.start or (0,) * len(fill.shape)
    source = np.frombuffer(place.literals[fill.digest], bits(fill.dtype)).reshape(fill.shape).transpose(order)
    box = tuple(slice(low, low + extent) for low, extent in zip(start, place.shape, strict=True))
    taken = np.ascontiguousarray(source[box])
    if fill.dtype == dtype:
        return taken
    wide = taken.view(NUMPY[fill.dtype]).astype(np.float64)
    special = rendered(np.where(np.isfinite(wide), 0.0, wide).astype(np.float32), dtype)
    return np.where(np.isfinite(wide), exact(np.where(np.isfinite(wide), wide, 0.0), dtype), special)


def _parts(base: fills.Fill, parts: tuple[fills.Part, ...], place: Place, dtype: str) -> Array:
    out = elements(base, place, dtype).copy()
    for part in parts:
        start = tuple(a + b for a, b in zip(place.start, part.start, strict=True))
        stop = tuple(a + b for a, b in zip(place.start, part.stop, strict=True))
        inner = place._replace(start=start, stop=stop)
        out[tuple(map(slice, part.start, part.stop))] = elements(part.fill, inner, dtype)
    return out


def numbers(fill: fills.Fill, place: Place) -> npt.NDArray[np.float64]:
    """The exact numbers of a fill that has them."""
    shape = place.shape
    out = np.zeros(shape)
    match fill:
        case fills.Eye():
            out[np.arange(min(shape)), np.arange(min(shape))] = 1.0
        case fills.Dirac(groups):
            per = shape[0] // groups
            for g in range(groups):
                for c in range(min(per, shape[1])):
                    out[(g * per + c, c, *(extent // 2 for extent in shape[2:]))] = 1.0
        case fills.Arange(start, step, axis):
            out += along([start + step * i for i in range(shape[axis])], axis, len(shape))
        case fills.Linspace(start, end, axis):
            n = shape[axis]
            step = (end - start) / (n - 1) if n > 1 else 0.0
            line = [start + step * i if i < max(n // 2, 1) else end - step * (n - 1 - i) for i in range(n)]
            out += along(line, axis, len(shape))
        case fills.Permutation():
            words = place.words(b"stream-v1/choice").tolist()
            out[:] = sorted(range(len(words)), key=lambda index: (words[index], index))
    return out


def along(line: list[float], axis: int, axes: int) -> npt.NDArray[np.float64]:
    """A line of numbers that lies along an axis."""
    return np.array(line).reshape([-1 if k == axis else 1 for k in range(axes)])


@np.errstate(all="ignore")
def single(fill: fills.Fill, place: Place) -> Single:
    """The canonical values of a fill, as binary32."""
    match fill:
        case fills.Pointwise(op, operands):
            return functions.OPERATIONS[op](*(single(operand, place) for operand in operands))
        case fills.Orthogonal(gain):
            return (gain * _orthogonal(place)).astype(np.float32).reshape(place.shape)
        case fills.Sparse(sparsity, std):
            return _sparse(sparsity, std, place)
        case fills.NormOf(name, shape, inner, axis):
            other = Place(place.seed, name, shape, (0,) * len(shape), shape, place.literals)
            sums = [0.0] * shape[axis]
            for index, value in np.ndenumerate(single(inner, other)):
                sums[index[axis]] += float(value) * float(value)
            return np.sqrt(np.array(sums)).astype(np.float32).reshape(place.shape)
        case _:
            return elements(fill, place, "F32").view("<f4")


def _sparse(sparsity: float, std: float, place: Place) -> Single:
    out = single(fills.Normal(0.0, std), place).copy()
    words = place.words(b"stream-v1/choice").reshape(place.shape)
    for column in range(place.shape[1]):
        order = sorted((int(words[row, column]), row) for row in range(place.shape[0]))
        for _, row in order[: math.ceil(sparsity * place.shape[0])]:
            out[row, column] = 0.0
    return out


def _orthogonal(place: Place) -> npt.NDArray[np.float64]:
    """The matrix, by scalars of binary64 in the order of the law."""
    if not math.prod(place.shape):
        return np.zeros(place.shape)
    normals = single(fills.Normal(0.0, 1.0), place).astype(np.float64).reshape(place.shape[0], -1)
    wide = normals.shape[0] < normals.shape[1]
    matrix = _reflected((normals.T if wide else normals).tolist())
    return np.array(matrix.T if wide else matrix)


def _reflected(x: list[list[float]]) -> npt.NDArray[np.float64]:
    m, n = len(x), len(x[0])
    v = [[x[i][k] if i > k else 0.0 for k in range(n)] for i in range(m)]
    tau, q = [0.0] * n, [[0.0] * n for _ in range(m)]
    for k in range(n):
        s = _sum(x[i][k] * x[i][k] for i in range(k, m))
        sigma = -1.0 if x[k][k] < 0 else 1.0
        v[k][k] = x[k][k] + sigma * math.sqrt(s)
        tau[k], q[k][k] = 1.0 / (s + abs(x[k][k]) * math.sqrt(s)), -sigma
    for first in reversed(range(0, n, 32)):
        panel = range(first, min(n, first + 32))
        g = {(a, b): _sum(v[i][a] * v[i][b] for i in range(first, m)) for a in panel for b in panel if a < b}
        for j in range(n):
            w = {k: _sum(v[i][k] * q[i][j] for i in range(first, m)) for k in panel}
            y: dict[int, float] = {}
            for k in reversed(panel):
                rest = w[k]
                for b in range(k + 1, panel.stop):
                    rest -= g[k, b] * y[b]
                y[k] = tau[k] * rest
            for i in range(first, m):
                for k in panel:
                    q[i][j] -= v[i][k] * y[k]
    return np.array(q)


def _sum(terms: object) -> float:
    total = 0.0
    for term in terms:  # type: ignore[attr-defined]
        total += term
    return total
