"""From a fill to a `Drawer`, which writes any range of one tensor's elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from initium_law import grammar
from initium_law.dtypes import FLOATS, ITEM_SIZE, Bytes
from initium_law.engine import ENGINE, Engine
from initium_law.fills import whole
from initium_law.fills.broadcast import broadcast
from initium_law.fills.parts import Layer, layered
from initium_law.fills.place import Place
from initium_law.fills.pointwise import pointwise
from initium_law.fills.ranges import arange, linspace
from initium_law.fills.stored import stored
from initium_law.fills.structured import constant, dirac, eye, literal
from initium_law.fills.whole import TooLargeError as TooLargeError
from initium_law.fills.writer import Writer
from initium_law.grammar import Fill

MAX_ELEMENTS = 1 << 62
"""The longest tensor; the counter itself would reach 2^66 elements."""

MAX_AXES = 64
"""The most axes of a tensor."""

MAX_PARTS = 1024
"""The most parts of one fill."""

MAX_DEPTH = 16
"""How deep fills may stand in one another."""

MAX_NODES = 64
"""Fills under one pointwise fill, itself included."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """One tensor, ready to be drawn. Immutable; any number of threads may draw from it at once."""

    elements: int
    item_size: int
    """Bytes of one element."""
    whole_elements: int
    """Elements that its fills make at once, all together, when the first of them is drawn."""
    cheap: bool
    """Whether drawing takes little more than a copy."""
    _write: Writer = field(repr=False)

    def draw(self, start: int, out: Bytes) -> None:
        """Write elements [start, start + len(out) / item_size), little-endian and row-major, into `out`.

        `out` is contiguous writable uint8 of any alignment. Memory beyond it is a few blocks, and the interpreter lock
        is free while values are made. ValueError for a buffer of another kind or a range outside the tensor;
        RuntimeError if the calling thread flushes subnormal floats to zero.
        """
        if out.dtype != np.uint8 or out.ndim != 1 or not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError(f"draw needs a contiguous writable 1-D uint8 array, not {out.dtype} of shape {out.shape}")
        count, odd = divmod(len(out), self.item_size)
        if odd or start < 0 or start + count > self.elements:
            raise ValueError(
                f"{len(out)} bytes from element {start} are not a range of a tensor of {self.elements} elements "
                f"of {self.item_size} bytes"
            )
        if count:
            self._write(start, out)


def prepare(
    fill: Fill,
    seed: int,
    name: str,
    shape: Sequence[int],
    dtype: str,
    literals: Mapping[str, bytes] | None = None,
    engine: Engine = ENGINE,
) -> Drawer:
    """Resolve everything about one tensor that does not depend on the element.

    `name` is the tensor's full name, `dtype` a safetensors name, `literals` the bytes of literal fills by digest.
    ValueError, with what is wrong and what would be right, if the fill cannot be drawn for this tensor.
    """
    if dtype not in ITEM_SIZE:
        raise ValueError(f"dtype {dtype!r} is not one of {', '.join(ITEM_SIZE)}")
    _check_shape(shape)
    place = Place(engine, seed, name, tuple(shape), (0,) * len(shape), tuple(shape), dtype, literals or {})
    write = _writer(fill, place)
    return Drawer(place.elements, place.size, sum(place.whole_elements), isinstance(fill, _CHEAP), write)


_CHEAP = (grammar.Constant, grammar.Literal, grammar.Eye, grammar.Dirac)


def _check_shape(shape: Sequence[int]) -> None:
    # Not even the product of many extents is free, and extents beside a zero must be countable, too.
    if len(shape) > MAX_AXES:
        raise ValueError(f"a shape of {len(shape)} axes; {MAX_AXES} are the most")
    if min(shape, default=1) < 0 or max(shape, default=0) > MAX_ELEMENTS or math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"shape {list(shape)} does not have between 0 and 2^62 elements")


def warm() -> None:
    """Compile every kernel, or load it from numba's cache, so that no request waits for it."""
    first_column = grammar.Part((0, 0), (2, 1), grammar.Normal(0.0, 1.0))
    norms = grammar.NormOf("", (2, 2), grammar.Orthogonal(1.0), 0)
    last = grammar.Part((0, 1), (2, 2), grammar.Sparse(0.5, 1.0))
    fill = grammar.Parts(
        grammar.Pointwise("add", (grammar.Constant(0.0), grammar.Uniform(0.0, 1.0))), (first_column, last)
    )
    for each, shape in ((fill, (2, 2)), (norms, (2,))):
        prepare(each, 0, "", shape, "F32").draw(0, np.empty(4 * math.prod(shape), np.uint8))


def _writer(fill: Fill, place: Place) -> Writer:
    if place.depth >= MAX_DEPTH:
        raise ValueError(f"fills stand in one another more than {MAX_DEPTH} deep")
    return _MAKERS[type(fill)](fill, replace(place, depth=place.depth + 1))


def _literal(fill: grammar.Literal, place: Place) -> Writer:
    data = place.literals.get(fill.digest)
    if data is None:
        raise ValueError(f"the plan has no literal {fill.digest}")
    size = place.elements * place.size
    if len(data) != size:
        raise ValueError(
            f"literal {fill.digest} has {len(data)} bytes, and shape {list(place.shape)} of {place.dtype} takes {size}"
        )
    return place.local(literal(data, place.dtype))


def _copy(fill: grammar.Copy, place: Place) -> Writer:
    return _writer(fill.fill, replace(place, name=fill.name))


def _broadcast(fill: grammar.Broadcast, place: Place) -> Writer:
    axes = len(place.whole)
    if not fill.axes or list(fill.axes) != sorted(set(fill.axes)) or not 0 <= min(fill.axes) <= max(fill.axes) < axes:
        raise ValueError(
            f"broadcast needs axes of its {axes}-D tensor, ascending and one at least, not {list(fill.axes)}"
        )
    ends = dict.fromkeys(fill.axes, 1)
    whole = tuple(ends.get(axis, extent) for axis, extent in enumerate(place.whole))
    start = tuple(0 if axis in ends else low for axis, low in enumerate(place.start))
    stop = tuple(ends.get(axis, high) for axis, high in enumerate(place.stop))
    inner = _writer(fill.fill, replace(place, whole=whole, start=start, stop=stop))
    return broadcast(inner, place.whole, fill.axes, place.size)


def _stored(fill: grammar.Stored, place: Place) -> Writer:
    _check_shape(fill.shape)
    return stored(fill, place)


def _parts(fill: grammar.Parts, place: Place) -> Writer:
    if len(fill.parts) > MAX_PARTS:
        raise ValueError(f"a fill of {len(fill.parts)} parts; {MAX_PARTS} are the most")
    layers = [Layer(place.box, _writer(fill.base, place))]
    for part in fill.parts:
        inner = place.inside(part.start, part.stop)
        layers.append(Layer(inner.box, _writer(part.fill, inner)))
    return layered(layers, place.size)


def _pointwise(fill: grammar.Pointwise, place: Place) -> Writer:
    wanted = grammar.POINTWISE.get(fill.op)
    if wanted is None:
        raise ValueError(f"{fill.op!r} is not one of the pointwise functions {', '.join(grammar.POINTWISE)}")
    if len(fill.operands) != wanted:
        raise ValueError(f"{fill.op} takes {wanted} operands, and this fill has {len(fill.operands)}")
    if _nodes(fill, MAX_NODES) > MAX_NODES:
        raise ValueError(f"a pointwise fill holds more than {MAX_NODES} fills")
    if place.dtype not in FLOATS:
        raise ValueError(f"a pointwise fill needs one of the dtypes {', '.join(FLOATS)}, not {place.dtype}")
    single = replace(place, dtype="F32")
    operands = [_writer(operand, single) for operand in fill.operands]
    return pointwise(fill.op, operands, place.dtype, place.size)


def _nodes(fill: Fill, most: int) -> int:
    """How many fills stand in a fill, itself included; counting ends beyond `most`."""
    count = 1
    for each in grammar.inner_fills(fill):
        if count > most:
            break
        count += _nodes(each, most - count)
    return count


def _norm_of(fill: grammar.NormOf, place: Place) -> Writer:
    _check_shape(fill.shape)
    origin = (0,) * len(fill.shape)
    other = replace(place, name=fill.name, whole=fill.shape, start=origin, stop=fill.shape, dtype="F32")
    return whole.norm_of(fill, place, _writer(fill.fill, other))


_MAKERS: Mapping[type[Fill], Callable[[Any, Place], Writer]] = {
    grammar.Constant: lambda fill, place: constant(fill.value, place.dtype),
    **dict.fromkeys((grammar.Uniform, grammar.Normal, grammar.TruncNormal), lambda fill, place: place.random(fill)),
    grammar.Literal: _literal,
    grammar.Copy: _copy,
    grammar.Eye: lambda fill, place: place.local(eye(place.shape, place.dtype)),
    grammar.Dirac: lambda fill, place: place.local(dirac(place.shape, fill.groups, place.dtype)),
    grammar.Arange: lambda fill, place: place.local(arange(fill, place.shape, place.dtype)),
    grammar.Linspace: lambda fill, place: place.local(linspace(fill, place.shape, place.dtype)),
    grammar.Pointwise: _pointwise,
    grammar.Orthogonal: whole.orthogonal,
    grammar.Sparse: whole.sparse,
    grammar.Permutation: whole.permutation,
    grammar.NormOf: _norm_of,
    grammar.Broadcast: _broadcast,
    grammar.Stored: _stored,
    grammar.Parts: _parts,
}
"""Kind of fill -> what makes its writer."""
