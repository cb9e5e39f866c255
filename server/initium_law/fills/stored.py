"""The writer of values that a store holds: read where they lie in order, and else made whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from initium_law.backends import numba_kernel
from initium_law.dtypes import DTYPES, FLOATS, ITEM_SIZE, Bytes, exact
from initium_law.engine import Reader
from initium_law.fills.place import Place
from initium_law.fills.whole import cached, check_size
from initium_law.fills.writer import Writer, in_slabs
from initium_law.grammar import Stored
from initium_law.maps.render import render

_DIGEST = re.compile("[0-9a-f]{64}")


def stored(fill: Stored, place: Place) -> Writer:
    """Ranges of the source that lie in order are read when they are asked for; a transpose or a slice is made once."""
    if not _DIGEST.fullmatch(fill.digest):
        raise ValueError(f"digest {fill.digest[:80]!r} is not 64 lower-case hexadecimal digits")
    convert = _conversion(fill.dtype, place.dtype)
    order = fill.axes or tuple(range(len(fill.shape)))
    source = _source(fill, order, place)
    in_order = source.box.contiguous and order == tuple(range(len(order)))
    read = place.engine.stores.reader(fill)
    if in_order:
        return place.local(_ranges(read, source, place.size, convert if fill.dtype != place.dtype else None))
    check_size(fill, place.shape, place)
    row: npt.DTypeLike = f"<u{source.size}"

    def make() -> npt.NDArray[np.unsignedinteger]:
        taken = source.gather(lambda first, out: read(first * source.size, out)).view(row)
        return np.ascontiguousarray(taken.reshape(source.shape).transpose(order)).reshape(-1)

    return cached(fill, place, make, lambda values: convert(values.view(np.uint8)))


def _source(fill: Stored, order: tuple[int, ...], place: Place) -> Place:
    """What the box takes of the source, as a box of it in the source's own order of axes."""
    axes, shape = len(fill.shape), place.shape
    if sorted(order) != list(range(axes)):
        raise ValueError(f"axes {list(fill.axes)} are not those of the source's shape {list(fill.shape)}, each once")
    start = fill.start or (0,) * axes
    if not len(shape) == len(start) == axes:
        text = f"the source has {axes} axes, start {len(start)} and this tensor {len(shape)}; all must have as many"
        raise ValueError(text)
    low, high = [0] * axes, [0] * axes
    for first, extent, axis in zip(start, shape, order, strict=True):
        low[axis], high[axis] = first, first + extent
    return replace(place, whole=fill.shape, start=tuple(low), stop=tuple(high), dtype=fill.dtype)


def _ranges(read: Reader, source: Place, size: int, convert: Callable[[Bytes], Bytes] | None) -> Writer:
    """The writer of a box whose elements lie one after the other in the source; without `convert` as they are."""
    first, item = source.box.first, source.size
    if convert is None:
        return lambda start, out: read((first + start) * item, out)

    def write(start: int, out: Bytes) -> None:
        data = np.empty(len(out) // size * item, np.uint8)
        read((first + start) * item, data)
        out[:] = convert(data)

    return in_slabs(write, size)


def _conversion(source: str, target: str) -> Callable[[Bytes], Bytes]:
    """From elements of one dtype to those of another, each rounded once. ValueError where numbers could be lost."""
    if source not in ITEM_SIZE:
        raise ValueError(f"the source's dtype {source!r} is not one of {', '.join(ITEM_SIZE)}")
    if source == target:
        return lambda data: data
    if source not in FLOATS or target not in FLOATS:
        text = f"the source is {source}, and is needed as {target}; only {', '.join(FLOATS)} become one another"
        raise ValueError(text)
    return lambda data: _converted(data, source, target)


def _converted(data: Bytes, source: str, target: str) -> Bytes:
    numba_kernel.refuse_flush_to_zero()
    values = data.view(DTYPES[source].numpy)
    with np.errstate(all="ignore"):
        singles = render(values.astype(np.float32), target)
        if source != "F64":
            return singles
        finite, row = np.isfinite(values), f"<u{ITEM_SIZE[target]}"
        once = exact(np.where(finite, values, 0.0), target)
        return np.where(finite, once.view(row), singles.view(row)).view(np.uint8)
