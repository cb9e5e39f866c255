"""What a constructor does to its tensors: the operations on every storage, in order.

A `Recorder` is a dispatch mode over fake tensors. Views need no records of their own: whatever a tensor's history of
views, its size, stride and offset say which elements of its storage it means. So the record of a model is, for every
storage (a `Cell`), the list of writes to it (`Event`), each with the values that it read (`Ref`: a place in a cell at a
version). Nothing is computed and nothing is allocated, except where a constructor asks for a value (`.item()`): then
the operations behind that value are replayed for real, provided that no random or unwritten number is among them.

Source of the idea: `torch.distributed._tools` and torchdistX's deferred initialization record likewise, to replay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any

import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
    UnsupportedOperatorException,
)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

from initium_law.grammar import Dirac, Eye, Normal, Orthogonal, Permutation, Sparse, TruncNormal, Uniform

Drawn = Uniform | Normal | TruncNormal | Eye | Dirac | Orthogonal | Sparse | Permutation
"""Fills that one write makes."""

_UNKNOWABLE = (DataDependentOutputException, DynamicOutputShapeException, UnsupportedOperatorException)

_aten = torch.ops.aten
_FILLS = frozenset((_aten.uniform_.default, _aten.normal_.default, _aten.fill_.Scalar, _aten.zero_.default))
"""Of each tensor a model has one or more, and running them for fakes takes half of all the time."""


class CaptureError(Exception):
    """A constructor asked for a value that only a real construction has."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which elements of a storage a tensor means; offset and strides count elements of `dtype`."""

    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype

    @property
    def numel(self) -> int:
        return math.prod(self.size)

    @property
    def span(self) -> tuple[int, int]:
        """First element and one past the last, in elements of the storage."""
        if self.numel == 0:
            return self.offset, self.offset
        reach = sum((n - 1) * s for n, s in zip(self.size, self.stride, strict=True))
        return self.offset, self.offset + reach + 1

    @property
    def repeats(self) -> bool:
        """Whether some element is meant more than once (an expanded view)."""
        return any(n > 1 and s == 0 for n, s in zip(self.size, self.stride, strict=True))


@dataclass(eq=False, slots=True)
class Cell:
    """One storage and everything written to it."""

    index: int
    storage: torch.UntypedStorage
    events: list[Event] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Ref:
    """The values at a place of a cell after its first `version` writes."""

    cell: Cell
    version: int
    place: Place


@dataclass(frozen=True, slots=True)
class Event:
    """One write. Exactly one of `func`, `fill` and `data` is set."""

    place: Place
    """What was written."""
    func: Any = None
    """The operator (a `torch._ops.OpOverload`) that wrote it."""
    args: tuple[Any, ...] = ()
    """Its arguments, with a `Ref` for every tensor."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    output: int | None = None
    """Which of the operator's (flattened) results this is; None for a write in place."""
    fill: Drawn | None = None
    """The fill of an initializer that was recorded as one call."""
    called: Callable[..., Any] | None = None
    """That initializer."""
    data: torch.Tensor | None = None
    """Values that came from outside: numbers of the program or of numpy."""
    serial: int = field(default_factory=count().__next__)
    """Ascending in the order of writing, over all storages."""

    @property
    def name(self) -> str:
        """The operation in a message, e.g. `normal_`."""
        if self.func is not None:
            return str(self.func._schema.name).partition("::")[2]
        if self.called is not None:
            return self.called.__name__.removeprefix("_no_grad").strip("_") + "_"
        return "torch.tensor"

    def refs(self) -> list[Ref]:
        """Every value that the operator took, written ones included."""
        return [leaf for leaf in tree_flatten((self.args, dict(self.kwargs)))[0] if isinstance(leaf, Ref)]

    def read(self) -> list[Ref]:
        """The values that matter to the result: not those of a tensor that only gave its shape."""
        by_shape = self.func is not None and (self.name.endswith("_like") or self.name.startswith("new_"))
        return self.refs()[1:] if by_shape else self.refs()


def place_of(tensor: torch.Tensor) -> Place:
    """Where a strided tensor lies in its storage."""
    return Place(tuple(tensor.size()), tuple(tensor.stride()), int(tensor.storage_offset()), tensor.dtype)


@cache
def written_arguments(func: Any) -> tuple[tuple[int, str], ...]:
    """Position and name of every argument that the operator's schema says it writes to."""
    return tuple(
        (position, argument.name)
        for position, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    )


def _is_tensor(leaf: object) -> bool:
    return isinstance(leaf, torch.Tensor)


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch annotates no subclass hook
    """Records every write while it is active. Enter it inside `fake` (see `initium_server.capture.fills`)."""

    def __init__(self, fake: FakeTensorMode, ask: Callable[..., Any]) -> None:
        """`ask(func, args, kwargs)` computes a question about values for real (`replay`)."""
        super().__init__()  # type: ignore[no-untyped-call]  # torch annotates no constructor here
        self.fake, self._ask = fake, ask
        self._cells: dict[int, Cell] = {}
        self._checked: set[Any] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        frozen_args = tuple(map(self._frozen, args))
        frozen_kwargs = {key: self._frozen(value) for key, value in kwargs.items()}
        try:
            result = self._run(func, args, kwargs)
        except _UNKNOWABLE:
            return self._answer(func, frozen_args, frozen_kwargs)
        self._note_writes(func, frozen_args, frozen_kwargs)
        self._note_results(func, frozen_args, frozen_kwargs, result)
        return result

    def _run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The fake result. A fill in place changes nothing but the record, so one with the same numbers is run once."""
        if func not in _FILLS or not isinstance(args[0], FakeTensor):
            return func(*args, **kwargs)
        key = func, args[0].dtype, args[1:], *kwargs.items()
        if key not in self._checked:
            func(*args, **kwargs)  # It refuses numbers that it does not take.
            self._checked.add(key)
        return args[0]

    def ref(self, tensor: torch.Tensor) -> Ref:
        """The values that a recorded tensor has now."""
        cell = self.cell(tensor)
        return Ref(cell, len(cell.events), place_of(tensor))

    def cell(self, tensor: torch.Tensor) -> Cell:
        """The record of the tensor's storage. Cells keep their storage alive, so that addresses stay distinct."""
        storage = tensor.untyped_storage()
        cell = self._cells.get(storage._cdata)
        if cell is None:
            cell = self._cells[storage._cdata] = Cell(len(self._cells), storage)
        return cell

    def write(self, tensor: torch.Tensor, fill: Drawn, called: Callable[..., Any]) -> None:
        """Records an initializer as one call."""
        self.cell(tensor).events.append(Event(place_of(tensor), fill=fill, called=called))

    def give(self, tensor: torch.Tensor, data: torch.Tensor) -> None:
        """Records that the tensor has these real values."""
        self.cell(tensor).events.append(Event(place_of(tensor), data=data))

    def _frozen(self, argument: Any) -> Any:
        """The argument with a Ref for every tensor; walking a tree takes longer than most arguments are worth."""
        return tree_map(self._freeze, argument) if isinstance(argument, list | tuple) else self._freeze(argument)

    def _freeze(self, leaf: Any) -> Any:
        if not _is_tensor(leaf):
            return leaf
        if not isinstance(leaf, FakeTensor) and not self.cell(leaf).events:
            with _disable_current_modes():
                self.give(leaf, leaf.detach().clone(memory_format=torch.preserve_format))
        return self.ref(leaf)

    def _note_writes(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if torch.Tag.inplace_view in func.tags:  # It changes how memory is seen, and writes nothing.
            return
        for position, name in written_arguments(func):
            written = args[position] if position < len(args) else kwargs.get(name)
            for leaf in [written] if isinstance(written, Ref) else tree_flatten(written)[0]:
                if isinstance(leaf, Ref):
                    leaf.cell.events.append(Event(leaf.place, func, args, kwargs))

    def _note_results(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        for index, leaf in enumerate([result] if _is_tensor(result) else tree_flatten(result)[0]):
            if _is_tensor(leaf) and not self.cell(leaf).events:
                self.cell(leaf).events.append(Event(place_of(leaf), func, args, kwargs, output=index))

    def _answer(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Has a question about values computed, e.g. `.item()`, and wraps what comes out."""
        with _disable_current_modes():
            return tree_map(self._wrap, self._ask(func, args, kwargs))

    def _wrap(self, leaf: Any) -> Any:
        if not _is_tensor(leaf):
            return leaf
        fake = self.fake.from_tensor(leaf)
        self.give(fake, leaf)
        return fake
