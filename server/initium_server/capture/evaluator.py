"""From recorded operations to symbolic values.

The value at a place of a storage is found backwards: the last write that covers the place is the base, later writes
inside it are boxes, and everything before is dropped. Each operator that means something for constants or distributions
is one small function in `operators`; whatever is not there is computed if no random number is involved, and otherwise
`Opaque`, never guessed.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from initium_law.draw import MAX_PARTS
from initium_server.capture.boxes import box_in, part
from initium_server.capture.layouts import holds, layout_of
from initium_server.capture.operators import OPERATORS
from initium_server.capture.recording import Cell, Place, Ref
from initium_server.capture.replay import Replay
from initium_server.capture.steps import Step
from initium_server.capture.symbols import (
    Apply,
    Boxes,
    Computed,
    Const,
    Opaque,
    Origin,
    Symbol,
    Unwritten,
    leaves_of,
    merge,
    opaque,
    overlay,
    through,
    trail_of,
)


class Evaluator:
    """Symbolic values of refs; each is worked out once."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._known: dict[tuple[int, int, Place], Symbol] = {}

    def value(self, ref: Ref) -> Symbol:
        """The symbolic value at `ref`, indexed as its place is."""
        key = (ref.cell.index, ref.version, ref.place)
        if key not in self._known:
            symbol = self._value(ref)
            several = any(isinstance(leaf, Opaque | Computed | Apply) for leaf in leaves_of(symbol))
            if several and not self._replay.obstacle(ref):
                symbol = Computed(ref, layout_of(ref.place), trail_of(symbol))
            self._known[key] = symbol
        return self._known[key]

    def _value(self, ref: Ref) -> Symbol:
        if ref.place.repeats:
            pairs = zip(ref.place.size, ref.place.stride, strict=True)
            once = replace(ref.place, size=tuple(1 if s == 0 else n for n, s in pairs))
            return through(self.value(replace(ref, place=once)), ref.place, once)
        later: list[tuple[Place, Symbol]] = []
        for index in range(ref.version - 1, -1, -1):
            place = ref.cell.events[index].place
            if _apart(place, ref.place):
                continue
            symbol = self._written(ref.cell, index)
            if holds(place, ref.place):
                return _stack(ref.place, through(symbol, ref.place, place), later)
            later.append((place, symbol))
            if len(later) > MAX_PARTS:
                return Opaque((), f"more than {MAX_PARTS} writes")
        return _stack(ref.place, Unwritten("memory"), later)

    def _written(self, cell: Cell, index: int) -> Symbol:
        """What an event wrote, indexed as its own place is."""
        event = cell.events[index]
        key = (cell.index, -index - 1, event.place)
        if key not in self._known:
            self._known[key] = _effect(Step(event, Origin(cell.index, index), self.value))
        return self._known[key]


def _effect(step: Step) -> Symbol:
    event = step.event
    if event.fill is not None:
        return step.made(event.fill)
    if event.data is not None:
        return _given(event.data)
    handler = OPERATORS.get(event.name.removesuffix("_"))
    symbol = handler(step) if handler is not None else None
    return step.constants() if symbol is None else symbol


def _given(data: torch.Tensor) -> Symbol:
    """Numbers of the program: constant if they are all equal."""
    flat = data.reshape(-1)
    equal = flat.numel() and bool((flat == flat[0]).all())
    return Const(flat[0].item()) if equal else Opaque(("torch.tensor",))


def _apart(written: Place, place: Place) -> bool:
    """Whether a write cannot touch the place."""
    scale, other = written.dtype.itemsize, place.dtype.itemsize
    return written.span[1] * scale <= place.span[0] * other or place.span[1] * other <= written.span[0] * scale


def _stack(place: Place, base: Symbol, later: list[tuple[Place, Symbol]]) -> Symbol:
    """The base with the later writes on top, the latest first in `later`."""
    symbol = base
    for written, top in reversed(later):
        box = box_in(written, place)
        if box is None:
            return opaque("a write to scattered elements", symbol, top)
        symbol = overlay(symbol, box, through(top, part(place, box), written))
    return merge(symbol, place.size) if isinstance(symbol, Boxes) else symbol
