"""One recorded operator, as the handlers in `operators` see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils._pytree import tree_map

from initium_server.capture.boxes import part
from initium_server.capture.layouts import contiguous, layout_of
from initium_server.capture.recording import Drawn, Event, Place, Ref
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Draw,
    Leaf,
    Opaque,
    Origin,
    Symbol,
    opaque,
    through,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One operator at work, as its handler sees it."""

    event: Event
    origin: Origin
    value: Callable[[Ref], Symbol]
    """The symbolic value of an argument (`Evaluator.value`)."""

    @property
    def size(self) -> tuple[int, ...]:
        return self.event.place.size

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or name."""
        args, kwargs = self.event.args, self.event.kwargs
        return args[position] if position < len(args) else kwargs.get(name, default)

    def symbol(self, argument: object) -> Symbol:
        """An argument's symbolic value; numbers are constants."""
        if isinstance(argument, Ref):
            return self.value(argument)
        return Const(argument) if isinstance(argument, int | float | complex) else Opaque((type(argument).__name__,))

    def made(self, fill: Drawn) -> Symbol:
        """What a fill makes of the whole of what was written."""
        size = self.event.place.size
        return Draw(fill, self.origin, layout_of(contiguous(size)), size, (self.event.name,))

    def constant(self, value: Any) -> Symbol:
        """A constant stored in the written tensor's dtype. Floats keep the exact number that the author gave."""
        if not isinstance(value, int | float | complex):
            return Opaque((self.event.name,))
        dtype = self.event.place.dtype
        stored = torch.tensor(value).to(dtype).item()
        return Const(value if dtype.is_floating_point and isinstance(value, int | float) else stored)

    def elementwise(self, change: Callable[..., Leaf], *operands: object) -> Symbol | None:
        """A function of operands element by element, in binary32; None if torch would work in another format.

        Operands are broadcast to the result, and cut where one of them is in boxes.
        """
        refs = [operand for operand in operands if isinstance(operand, Ref)]
        dtypes = {ref.place.dtype for ref in refs if not isinstance(self.symbol(ref), Const)}
        if self.event.place.dtype != torch.float32 or any(d.is_floating_point and d.itemsize > 4 for d in dtypes):
            return None
        symbols = [self.spread(operand) for operand in operands]

        def changed(*leaves: Any) -> Leaf:
            values = dict(zip(map(id, operands), leaves, strict=True))
            return self._one(values) if all(isinstance(leaf, Const) for leaf in leaves) else change(*leaves)

        boxed = [k for k, symbol in enumerate(symbols) if isinstance(symbol, Boxes)]
        if not boxed:
            return changed(*symbols)
        if len(boxed) > 1:
            return opaque(self.event.name, *symbols)
        place, (k,) = contiguous(self.size), boxed

        def inside(leaf: Leaf, cut: Place) -> Leaf:
            return changed(*(leaf if j == k else through(other, cut, place) for j, other in enumerate(symbols)))

        boxes = symbols[k]
        assert isinstance(boxes, Boxes)
        parts = tuple((box, inside(leaf, part(place, box))) for box, leaf in boxes.parts)
        return Boxes(inside(boxes.base, place), parts)

    def spread(self, operand: object) -> Symbol:
        """An operand as large as the result."""
        if not isinstance(operand, Ref) or operand.place.size == self.size:
            return self.symbol(operand)
        missing = len(self.size) - len(operand.place.size)
        size = (1,) * missing + operand.place.size
        stride = (0,) * missing + operand.place.stride
        steps = tuple(0 if n == 1 else s for n, s in zip(size, stride, strict=True))
        return self.value(replace(operand, place=replace(operand.place, size=self.size, stride=steps)))

    def constants(self) -> Symbol:
        """Any pointwise operator on constants, computed on one element; everything else is opaque."""
        refs = self.event.refs()
        inputs = [self.symbol(ref) for ref in refs]
        if torch.Tag.pointwise not in self.event.func.tags or not all(isinstance(each, Const) for each in inputs):
            return opaque(self.event.name, *inputs)
        return self._one(dict(zip(map(id, refs), inputs, strict=True)))

    def _one(self, values: Mapping[int, Symbol]) -> Leaf:
        """The operator on single elements; `values` has the constant for each argument, by `id`."""

        def element(argument: Any) -> Any:
            if not isinstance(argument, Ref):
                return argument
            symbol = values[id(argument)]
            assert isinstance(symbol, Const)
            shape = (1,) if argument.place.size else ()
            return torch.full(shape, symbol.value, dtype=argument.place.dtype)

        with torch.no_grad():
            result = self.event.func(*tree_map(element, self.event.args), **tree_map(element, dict(self.event.kwargs)))
        return Const(result.to(self.event.place.dtype).item()) if isinstance(result, torch.Tensor) else Opaque(())
