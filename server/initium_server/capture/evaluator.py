"""From recorded operations to symbolic values.

The value at a place of a storage is found backwards: the last write that covers the place is the base, later writes
inside it are boxes, and everything before is dropped. Each operator that means something for constants or distributions
is one small function in `operators`; whatever is not there is `Opaque`, never guessed.
"""

from __future__ import annotations

from dataclasses import replace

from initium_law.draw import MAX_PARTS
from initium_law.grammar import Dirac, Eye, Normal, TruncNormal, Uniform
from initium_server.capture.boxes import Box, box_in, whole
from initium_server.capture.operators import OPERATORS
from initium_server.capture.recording import Event, Place, Ref
from initium_server.capture.steps import Step
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Draw,
    Leaf,
    Opaque,
    Origin,
    Symbol,
    Unwritten,
    Whole,
    leafwise,
    merge,
    opaque,
    overlay,
    restrict,
)


class Evaluator:
    """Symbolic values of refs; each is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, Place], Symbol] = {}

    def value(self, ref: Ref) -> Symbol:
        """The symbolic value at `ref`, indexed as its place is."""
        key = (ref.cell.index, ref.version, ref.place)
        if key not in self._known:
            self._known[key] = self._value(ref)
        return self._known[key]

    def _value(self, ref: Ref) -> Symbol:
        if ref.place.repeats:
            return self._repeated(ref)
        later: list[tuple[Event, Box | None, Symbol]] = []
        for index in range(ref.version - 1, -1, -1):
            event = ref.cell.events[index]
            if _apart(event.place, ref.place):
                continue
            if (inside := box_in(ref.place, event.place)) is not None:
                return _stack(ref.place, self._base(ref, index, inside), later)
            later.append((event, box_in(event.place, ref.place), self._written(ref, index)))
            if len(later) > MAX_PARTS:
                return Opaque((f"more than {MAX_PARTS} writes",))
        return _stack(ref.place, Unwritten("memory"), later)

    def _repeated(self, ref: Ref) -> Symbol:
        """An expanded view: constants stay constant, but repeated draws are not independent."""
        pairs = zip(ref.place.size, ref.place.stride, strict=True)
        once = replace(ref.place, size=tuple(1 if s == 0 else n for n, s in pairs))
        symbol = self.value(replace(ref, place=once))
        return symbol if isinstance(symbol, Const) else opaque("expand", symbol)

    def _base(self, ref: Ref, index: int, inside: Box) -> Symbol:
        """What the covering write left at the ref's place."""
        event = ref.cell.events[index]
        symbol = self._written(ref, index)
        if isinstance(symbol, Boxes | Whole) and ref.place != event.place:
            if inside.shape != ref.place.size:
                return opaque("view", symbol)
            symbol = restrict(symbol, inside) if inside != whole(event.place.size) else symbol
        return leafwise(symbol, lambda leaf: _narrow(leaf, ref, index))

    def _written(self, ref: Ref, index: int) -> Symbol:
        """What the event wrote, indexed as its own place is."""
        event = ref.cell.events[index]
        key = (ref.cell.index, -index - 1, event.place)
        if key not in self._known:
            span = Origin(ref.cell.index, index, *event.place.span)
            self._known[key] = self._effect(event, span)
        return self._known[key]

    def _effect(self, event: Event, origin: Origin) -> Symbol:
        if event.fill is not None:
            return _called(event, origin)
        if event.data is not None:
            return _given(event)
        step = Step(event, origin, self.value)
        handler = OPERATORS.get(event.name.removesuffix("_"))
        symbol = handler(step) if handler is not None else None
        return symbol if symbol is not None else step.pointwise()


def _called(event: Event, origin: Origin) -> Symbol:
    match event.fill:
        case Eye() | Dirac():
            return Whole(event.fill)
        case Uniform() | Normal() | TruncNormal():
            return Draw(event.fill, frozenset({origin}), (event.call,))
    return Opaque((event.call,))


def _given(event: Event) -> Symbol:
    """Numbers of the program: constant if they are all equal."""
    assert event.data is not None
    flat = event.data.reshape(-1)
    if flat.numel() and bool((flat == flat[0]).all()):
        return Const(flat[0].item())
    return Opaque((event.name,))


def _narrow(leaf: Leaf, ref: Ref, index: int) -> Leaf:
    """Draws made by this very write: only the elements at the ref's place matter."""
    if not isinstance(leaf, Draw):
        return leaf
    own = {o for o in leaf.origins if (o.cell, o.event) == (ref.cell.index, index)}
    narrowed = {Origin(o.cell, o.event, *ref.place.span) for o in own}
    return replace(leaf, origins=(leaf.origins - own) | narrowed)


def _apart(written: Place, place: Place) -> bool:
    """Whether a write cannot touch the place."""
    scale, other = written.dtype.itemsize, place.dtype.itemsize
    return written.span[1] * scale <= place.span[0] * other or place.span[1] * other <= written.span[0] * scale


def _stack(place: Place, base: Symbol, later: list[tuple[Event, Box | None, Symbol]]) -> Symbol:
    """The base with the later writes on top, the latest first in `later`."""
    symbol = base
    for event, box, top in reversed(later):
        if box is None or (isinstance(top, Boxes | Whole) and box.shape != event.place.size):
            return opaque(f"{event.name} of a part", symbol, top)
        symbol = overlay(symbol, box, top)
    return merge(symbol, place.size) if isinstance(symbol, Boxes) else symbol
