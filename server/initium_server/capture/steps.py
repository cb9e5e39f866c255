"""One recorded operator, as the handlers in `operators` see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._pytree import tree_map

from initium_law.grammar import Normal, TruncNormal, Uniform
from initium_server.capture.recording import Event, Ref
from initium_server.capture.symbols import Boxes, Const, Draw, Leaf, Opaque, Origin, Symbol, leafwise, opaque


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

    def draw(self, fill: Uniform | Normal | TruncNormal) -> Symbol:
        """Fresh draws."""
        return Draw(fill, frozenset({self.origin}), (self.event.name,))

    def constant(self, value: Any) -> Symbol:
        """A constant stored in the written tensor's dtype. Floats keep the exact number that the author gave."""
        if not isinstance(value, int | float | complex):
            return Opaque((self.event.name,))
        dtype = self.event.place.dtype
        stored = torch.tensor(value).to(dtype).item()
        return Const(value if dtype.is_floating_point and isinstance(value, int | float) else stored)

    def map(self, change: Callable[[Leaf], Leaf | None]) -> Symbol | None:
        """Changes the leaves of the one operand that is not a constant, which must be as large as the result."""
        varied = [ref for ref in self.event.refs() if not isinstance(self.symbol(ref), Const)]
        if len(set(varied)) != 1 or varied[0].place.numel != self.event.place.numel:
            return None
        symbol = self.symbol(varied[0])
        if isinstance(symbol, Boxes) and varied[0].place.size != self.size:
            return None
        return leafwise(symbol, lambda leaf: change(leaf) or self.one(varied[0], leaf))

    def pointwise(self) -> Symbol:
        """Any pointwise operator on constants, computed on one element; everything else is opaque."""
        inputs = [self.symbol(ref) for ref in self.event.refs()]
        if torch.Tag.pointwise not in self.event.func.tags:
            return opaque(self.event.name, *inputs)
        if all(isinstance(symbol, Const) for symbol in inputs):
            return self.one(None, None)
        return self.map(lambda leaf: None) or opaque(self.event.name, *inputs)

    def one(self, varied: Ref | None, leaf: Leaf | None) -> Leaf:
        """The operator on single elements, with a constant leaf in place of the varied operand."""
        if leaf is not None and not isinstance(leaf, Const):
            return opaque(self.event.name, leaf)

        def element(argument: Any) -> Any:
            if not isinstance(argument, Ref):
                return argument
            symbol = leaf if argument == varied else self.symbol(argument)
            assert isinstance(symbol, Const)
            shape = (1,) if argument.place.size else ()
            return torch.full(shape, symbol.value, dtype=argument.place.dtype)

        with torch.no_grad():
            result = self.event.func(*tree_map(element, self.event.args), **tree_map(element, dict(self.event.kwargs)))
        return Const(result.to(self.event.place.dtype).item()) if isinstance(result, torch.Tensor) else Opaque(())
