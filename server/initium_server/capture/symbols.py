"""Symbolic values of tensors: what is known about every element without computing any.

A leaf says how all elements are made: a number, draws, numbers that can be computed, or operations on such leaves
element by element. Boxes are leaves in their places. Every leaf knows which elements of what it is made of it has, in
its own order (`Layout`), so that views and copies of it are followed exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

from initium_law.draw import MAX_DEPTH, MAX_NODES
from initium_server.capture.boxes import Box, box_in, part, whole
from initium_server.capture.layouts import Layout
from initium_server.capture.recording import Drawn, Place, Ref

Number = float | int | bool | complex
Trail = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Const:
    """Every element is this number."""

    value: Number


@dataclass(frozen=True, slots=True)
class Origin:
    """The recorded write that made the values."""

    cell: int
    event: int


@dataclass(frozen=True, slots=True)
class Draw:
    """Values that a fill makes at once: independent draws, or a structure over a whole tensor."""

    fill: Drawn
    origin: Origin
    layout: Layout
    """Of what was drawn."""
    size: tuple[int, ...]
    """Shape of what was drawn."""
    trail: Trail = field(compare=False)


@dataclass(frozen=True, slots=True)
class Factor:
    """What a QR decomposition of standard normal draws gave: `q`, `r`, and the `sign` of r's diagonal."""

    kind: str
    origin: Origin
    layout: Layout
    size: tuple[int, int]
    """Shape of q."""
    trail: Trail = field(compare=False)


@dataclass(frozen=True, slots=True)
class Norms:
    """Euclidean norms of a tensor of this shape over all axes but one."""

    of: Leaf
    shape: tuple[int, ...]
    axis: int
    layout: Layout
    """Of the index along `axis`."""
    trail: Trail = field(compare=False)


@dataclass(frozen=True, slots=True)
class Computed:
    """Numbers that no random one went into: elements of what the storage of `ref` has then."""

    ref: Ref
    layout: Layout
    trail: Trail = field(compare=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of other leaves in binary32, element by element: one of `POINTWISE`, or `erfinv`."""

    op: str
    operands: tuple[Leaf, ...]
    nodes: int
    depth: int
    trail: Trail = field(compare=False)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Values that the grammar of fills cannot express; the trail says how they were made."""

    trail: Trail
    why: str = ""
    """What the trail does not tell."""


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Allocated and never written."""

    call: str


@dataclass(frozen=True, slots=True)
class Boxes:
    """A value everywhere but in some boxes; later boxes win."""

    base: Leaf
    parts: tuple[tuple[Box, Leaf], ...]


Leaf = Const | Draw | Factor | Norms | Computed | Apply | Opaque | Unwritten
Symbol = Leaf | Boxes

_TRAIL = 8
_NODES = MAX_NODES // 2
_DEPTH = MAX_DEPTH - 4
"""A draw may come in a copy and a broadcast of its own, and all of them in parts."""


def leaves_of(symbol: Symbol) -> tuple[Leaf, ...]:
    """The base and the parts, or the one leaf."""
    return (symbol.base, *(leaf for _, leaf in symbol.parts)) if isinstance(symbol, Boxes) else (symbol,)


def atoms(leaf: Leaf) -> Iterator[Leaf]:
    """What operations were applied to, in the order in which it stands."""
    if isinstance(leaf, Apply):
        for operand in leaf.operands:
            yield from atoms(operand)
    else:
        yield leaf


def depth_of(leaf: Leaf) -> int:
    """How many operations made a leaf of what was drawn or computed."""
    match leaf:
        case Apply():
            return leaf.depth
        case Norms():
            return 1 + depth_of(leaf.of)
    return 0


def trail_of(symbol: Symbol) -> Trail:
    """The operations that made the values, as far as they are worth telling."""
    match symbol:
        case Const():
            return ()
        case Unwritten():
            return (symbol.call,)
        case Boxes():
            return max(map(trail_of, reversed(leaves_of(symbol))), key=len)
    return symbol.trail


def _longer(operation: str, *inputs: Symbol) -> Trail:
    longest = max((trail_of(symbol) for symbol in inputs), key=len, default=())
    return (*longest, operation)[-_TRAIL:]


def opaque(operation: str, *inputs: Symbol) -> Opaque:
    """What an operation makes of values when the result cannot be expressed."""
    reasons = (leaf.why for symbol in inputs for leaf in leaves_of(symbol) if isinstance(leaf, Opaque))
    return Opaque(_longer(operation, *inputs), next(filter(None, reasons), ""))


def told(symbol: Symbol) -> str:
    """How the values were made, for a message."""
    reasons = (leaf.why for leaf in leaves_of(symbol) if isinstance(leaf, Opaque))
    return ": ".join(filter(None, (" > ".join(trail_of(symbol)), *list(filter(None, reasons))[:1])))


def apply(op: str, call: str, *operands: Leaf) -> Leaf:
    """A function of leaves; opaque where one of them is, or where the expression outgrows what the law draws.

    `call` is what the library called, for messages.
    """
    for leaf in operands:
        if isinstance(leaf, Unwritten):
            return leaf
    if any(isinstance(leaf, Opaque | Factor) for leaf in operands):
        return opaque(call, *operands)
    nodes = 1 + sum(leaf.nodes if isinstance(leaf, Apply) else 1 for leaf in operands)
    depth = 1 + max(map(depth_of, operands))
    if nodes > _NODES or depth > _DEPTH:
        return Opaque(_longer(call, *operands), f"an expression of more than {_NODES} values, or {_DEPTH} deep")
    return Apply(op, operands, nodes, depth, _longer(call, *operands))


def norms(of: Leaf, shape: tuple[int, ...], axis: int, call: str) -> Leaf:
    """Euclidean norms over all axes but one of a leaf of this shape."""
    if isinstance(of, Opaque | Unwritten | Factor):
        return opaque(call, of)
    return Norms(of, shape, axis, Layout(((shape[axis], 1),) if shape[axis] > 1 else (), 0), _longer(call, of))


def leafwise(symbol: Symbol, change: Callable[[Leaf], Leaf]) -> Symbol:
    """The symbol with every leaf changed."""
    if not isinstance(symbol, Boxes):
        return change(symbol)
    return Boxes(change(symbol.base), tuple((box, change(leaf)) for box, leaf in symbol.parts))


def through(symbol: Symbol, view: Place, outer: Place) -> Symbol:
    """The values that `view` shows, where `outer`, a view of the same storage, shows those of the symbol."""
    if view == outer:
        return symbol
    if not isinstance(symbol, Boxes):
        return _leaf_through(symbol, view, outer)
    if view.repeats:
        return _repeated(symbol, view, outer)
    inside = box_in(view, outer)
    base, parts = _leaf_through(symbol.base, view, outer), list[tuple[Box, Leaf]]()
    for box, leaf in symbol.parts:
        common = box.intersect(inside) if inside is not None else box
        if common is None:
            continue
        shown = box_in(part(outer, common), view)
        if shown is None:
            return opaque("view", symbol)
        seen = _leaf_through(leaf, part(view, shown), part(outer, box))
        if shown == whole(view.size):
            base, parts = seen, []
        else:
            parts.append((shown, seen))
    return Boxes(base, tuple(parts)) if parts else base


def _repeated(symbol: Boxes, view: Place, outer: Place) -> Symbol:
    """An expanded view: what is in a box is in it all along the axes that are repeated."""
    steps = list(zip(view.size, view.stride, strict=True))
    once = replace(view, size=tuple(1 if stride == 0 else extent for extent, stride in steps))
    short = through(symbol, once, outer)
    if not isinstance(short, Boxes):
        return _leaf_through(short, view, once)
    parts = list[tuple[Box, Leaf]]()
    for box, leaf in short.parts:
        stop = tuple(n if s == 0 else b for b, (n, s) in zip(box.stop, steps, strict=True))
        long = Box(box.start, stop)
        parts.append((long, _leaf_through(leaf, part(view, long), part(once, box))))
    return Boxes(_leaf_through(short.base, view, once), tuple(parts))


def _leaf_through(leaf: Leaf, view: Place, outer: Place) -> Leaf:
    match leaf:
        case Draw() | Factor() | Norms() | Computed():
            layout = leaf.layout.through(view, outer)
            return opaque("view", leaf) if layout is None else replace(leaf, layout=layout)
        case Apply():
            seen = tuple(_leaf_through(operand, view, outer) for operand in leaf.operands)
            lost = any(isinstance(operand, Opaque) for operand in seen)
            return opaque("view", leaf) if lost else replace(leaf, operands=seen)
    return leaf


def overlay(base: Symbol, box: Box, top: Symbol) -> Boxes:
    """`base` with the values in a box replaced; `top` is indexed from the box's corner."""
    boxes = base if isinstance(base, Boxes) else Boxes(base, ())
    seen = tuple(part for part in boxes.parts if not box.contains(part[0]))
    if not isinstance(top, Boxes):
        return replace(boxes, parts=(*seen, (box, top)))
    inner = tuple((part.shift(box.start), leaf) for part, leaf in top.parts)
    below = () if covers(top, box.shape) else ((box, top.base),)
    return replace(boxes, parts=(*seen, *below, *inner))


def merge(boxes: Boxes, size: tuple[int, ...]) -> Symbol:
    """The number where all that is seen is one number."""
    leaves = [leaf for _, leaf in boxes.parts]
    first = leaves[0]
    if not isinstance(first, Const) or any(leaf != first for leaf in leaves):
        return boxes
    return first if boxes.base == first or covers(boxes, size) else boxes


def covers(boxes: Boxes, size: tuple[int, ...]) -> bool:
    """Whether the boxes fill the tensor: as slabs along one axis, or without common elements."""
    full, parts = whole(size), [box for box, _ in boxes.parts]
    for axis in range(len(size)):
        reached = 0
        for box in sorted((box for box in parts if _is_slab(box, full, axis)), key=lambda box: box.start[axis]):
            if box.start[axis] <= reached:
                reached = max(reached, box.stop[axis])
        if reached == size[axis]:
            return True
    fit = sum(math.prod(box.shape) for box in parts) == math.prod(size)
    return fit and not any(one.intersect(other) for one, other in combinations(parts, 2))


def _is_slab(box: Box, full: Box, axis: int) -> bool:
    others = [k for k in range(len(full.stop)) if k != axis]
    return all(box.start[k] == 0 and box.stop[k] == full.stop[k] for k in others)
