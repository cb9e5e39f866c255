"""Symbolic values of tensors: what is known about every element without computing any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

from initium_law.grammar import Dirac, Eye, Normal, TruncNormal, Uniform
from initium_server.capture.boxes import Box, whole

Number = float | int | bool | complex
Trail = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Const:
    """Every element is this number."""

    value: Number


@dataclass(frozen=True, slots=True)
class Origin:
    """Which draw, and which elements of it (a span of its storage)."""

    cell: int
    event: int
    low: int
    high: int

    def overlaps(self, other: Origin) -> bool:
        return (self.cell, self.event) == (other.cell, other.event) and self.low < other.high and other.low < self.high


@dataclass(frozen=True, slots=True)
class Draw:
    """Independent draws of one distribution."""

    fill: Uniform | Normal | TruncNormal
    origins: frozenset[Origin]
    trail: Trail


@dataclass(frozen=True, slots=True)
class Whole:
    """A fill with structure over the whole tensor."""

    fill: Eye | Dirac


@dataclass(frozen=True, slots=True)
class Opaque:
    """Values that the grammar of fills cannot express; the trail says how they were made."""

    trail: Trail


@dataclass(frozen=True, slots=True)
class Unwritten:
    """Allocated and never written."""

    call: str


@dataclass(frozen=True, slots=True)
class Boxes:
    """A value everywhere but in some boxes; later boxes win."""

    base: Leaf
    parts: tuple[tuple[Box, Leaf], ...]


Leaf = Const | Draw | Whole | Opaque | Unwritten
Symbol = Leaf | Boxes

_TRAIL = 8


def trail_of(symbol: Symbol) -> Trail:
    """The operations that made the values, as far as they are worth telling."""
    match symbol:
        case Draw() | Opaque():
            return symbol.trail
        case Unwritten():
            return (symbol.call,)
        case Boxes():
            trails = [trail_of(leaf) for leaf in (symbol.base, *(leaf for _, leaf in symbol.parts))]
            return max(trails, key=len)
    return ()


def opaque(operation: str, *inputs: Symbol) -> Opaque:
    """What an operation makes of values when the result cannot be expressed."""
    trail = max((trail_of(symbol) for symbol in inputs), key=len, default=())
    return Opaque((*trail, operation)[-_TRAIL:])


def leafwise(symbol: Symbol, change: Callable[[Leaf], Leaf]) -> Symbol:
    """The symbol with every leaf changed."""
    if not isinstance(symbol, Boxes):
        return change(symbol)
    return Boxes(change(symbol.base), tuple((box, change(leaf)) for box, leaf in symbol.parts))


def restrict(symbol: Symbol, box: Box) -> Symbol:
    """The values in a box, indexed from its corner."""
    if isinstance(symbol, Whole):
        return Opaque(("a part of " + type(symbol.fill).__name__.lower(),))
    if not isinstance(symbol, Boxes):
        return symbol
    base, parts = symbol.base, list[tuple[Box, Leaf]]()
    for part, leaf in symbol.parts:
        if part.contains(box):
            base, parts = leaf, []
        elif (common := part.intersect(box)) is not None:
            parts.append((common.shift(box.start, -1), leaf))
    return Boxes(base, tuple(parts)) if parts else base


def overlay(base: Symbol, box: Box, top: Symbol) -> Boxes:
    """`base` with the values in a box replaced; `top` is indexed from the box's corner."""
    boxes = base if isinstance(base, Boxes) else Boxes(base, ())
    seen = tuple(part for part in boxes.parts if not box.contains(part[0]))
    if not isinstance(top, Boxes):
        return replace(boxes, parts=(*seen, (box, top)))
    inner = tuple((part.shift(box.start), leaf) for part, leaf in top.parts)
    return replace(boxes, parts=(*seen, (box, top.base), *inner))


def merge(boxes: Boxes, size: tuple[int, ...]) -> Symbol:
    """One leaf instead of boxes where all hold the same: equal constants, or draws of one distribution."""
    parts = boxes.parts
    if _covered(parts, size) and isinstance(boxes.base, Unwritten):
        boxes = Boxes(parts[0][1], parts[1:])
    leaves = [boxes.base, *(leaf for _, leaf in boxes.parts)]
    first = leaves[0]
    if all(leaf == first for leaf in leaves) and isinstance(first, Const):
        return first
    draws = [leaf for leaf in leaves if isinstance(leaf, Draw)]
    alike = len(draws) == len(leaves) and all(draw.fill == draws[0].fill for draw in draws)
    if alike and not shares_draws(draws):
        return replace(draws[0], origins=frozenset().union(*(draw.origins for draw in draws)))
    return boxes


def shares_draws(draws: list[Draw]) -> bool:
    """Whether two of the values contain the same draws."""
    spans = sorted((o.cell, o.event, o.low, o.high) for draw in draws for o in draw.origins)
    return any(a[:2] == b[:2] and b[2] < a[3] for a, b in pairwise(spans))


def _covered(parts: tuple[tuple[Box, Leaf], ...], size: tuple[int, ...]) -> bool:
    """Whether the boxes fill the tensor: sure if they are slabs along one axis that follow each other."""
    full = whole(size)
    for axis in range(len(size)):
        slabs = [box for box, _ in parts if _is_slab(box, full, axis)]
        reached = 0
        for box in sorted(slabs, key=lambda box: box.start[axis]):
            if box.start[axis] <= reached:
                reached = max(reached, box.stop[axis])
        if reached == size[axis]:
            return True
    return False


def _is_slab(box: Box, full: Box, axis: int) -> bool:
    others = [k for k in range(len(full.stop)) if k != axis]
    return all(box.start[k] == 0 and box.stop[k] == full.stop[k] for k in others)
