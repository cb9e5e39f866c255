"""Recorded operations, run for real: for buffers and constants that no random number went into.

The values are those that the library computes itself, with torch's own kernels on this CPU. Memory that was allocated
without being written is filled with two different patterns in two runs, so that a result that depends on it is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map

from initium_law.grammar import Dirac, Eye
from initium_server.capture.recording import CaptureError, Cell, Event, Place, Ref, written_arguments

REPLAY_BYTES = 512 << 20
"""Most memory that one computation may take: a hostile model must not make the worker compute for ever."""

OVERWRITES = frozenset({"fill_", "zero_", "copy_", "normal_", "uniform_", "eye", "full", "ones", "zeros", "arange"})
"""Operators that, written in place, do not depend on what was there before."""

_PATTERNS = (0x55, 0x2A)  # Finite and different as float16, bfloat16, float32 and float64.


def is_random(event: Event) -> bool:
    """Whether the event draws numbers."""
    if event.func is not None:
        return torch.Tag.nondeterministic_seeded in event.func.tags
    return event.fill is not None and not isinstance(event.fill, Eye | Dirac)


def is_dense(place: Place) -> bool:
    """Whether the elements fill their span without gap or overlap."""
    expected = 1
    for stride, extent in sorted(zip(place.stride, place.size, strict=True)):
        if extent == 1:
            continue
        if stride != expected:
            return False
        expected *= extent
    return True


def _replaces_all(event: Event, cell: Cell) -> bool:
    whole = event.place.numel * event.place.dtype.itemsize == cell.storage.nbytes() and is_dense(event.place)
    return whole and (event.func is None or event.output is not None or event.name in OVERWRITES)


def first_event(cell: Cell, version: int) -> int:
    """Index of the last write before `version` that replaced the whole storage; nothing before it matters."""
    for index in range(version - 1, -1, -1):
        if _replaces_all(cell.events[index], cell):
            return index
    return 0


class Replay:
    """One real computation; results are kept, so that shared parts are computed once."""

    def __init__(self) -> None:
        self._done: dict[tuple[int, int], torch.UntypedStorage] = {}
        self._known: dict[tuple[int, int], str] = {}
        self._bytes = 0
        self._pattern = _PATTERNS[0]
        self._touched_empty = False

    def obstacle(self, ref: Ref) -> str:
        """Name of a random operation that the values depend on; empty if they are deterministic."""
        events, first = ref.cell.events, first_event(ref.cell, ref.version)
        index = ref.version
        while index > first and (ref.cell.index, index) not in self._known:
            index -= 1
        found = self._known.get((ref.cell.index, index), "") if index > first else ""
        for k in range(index, ref.version):
            self._known[ref.cell.index, k + 1] = ""  # While it is sought: an operator may read what it writes to.
            found = found or self._obstacle_in(events[k], ref.cell, k)
            self._known[ref.cell.index, k + 1] = found
        return found

    def _obstacle_in(self, event: Event, cell: Cell, index: int) -> str:
        if is_random(event):
            return event.name
        others = (ref for ref in event.read() if (ref.cell, ref.version) != (cell, index))
        return next(filter(None, map(self.obstacle, others)), "")

    def values(self, ref: Ref) -> torch.Tensor:
        """The real values at `ref`.

        Errors: CaptureError if they depend on random or unwritten numbers, or take more than REPLAY_BYTES.
        """
        if found := self.obstacle(ref):
            raise CaptureError(f"the values depend on the random operation {found}")
        first = self._run(ref, _PATTERNS[0])
        if self._touched_empty and not torch.equal(first, self._run(ref, _PATTERNS[1])):
            raise CaptureError("the values depend on memory that was never written")
        return first

    def ask(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The real result of an operator on recorded values. Errors: CaptureError as `values` does."""
        name = func._schema.name.partition("::")[2]
        try:
            return func(*tree_map(self._real, args), **tree_map(self._real, dict(kwargs)))
        except CaptureError as error:
            raise CaptureError(f"the constructor asks for a value ({name}), but {error}") from error

    def _real(self, leaf: Any) -> Any:
        return self.values(leaf) if isinstance(leaf, Ref) else leaf

    def _run(self, ref: Ref, pattern: int) -> torch.Tensor:
        self._done.clear()
        self._bytes, self._pattern = 0, pattern
        with torch.no_grad():
            return self._view(self._storage(ref.cell, ref.version), ref.place).clone()

    def _storage(self, cell: Cell, version: int) -> torch.UntypedStorage:
        key = (cell.index, version)
        if key not in self._done:
            self._done[key] = self._compute(cell, version)
        return self._done[key]

    def _compute(self, cell: Cell, version: int) -> torch.UntypedStorage:
        storage = self._allocate(cell)
        for index in range(first_event(cell, version), version):
            self._apply(cell.events[index], cell, index, storage)
        return storage

    def _allocate(self, cell: Cell) -> torch.UntypedStorage:
        self._bytes += cell.storage.nbytes()
        if self._bytes > REPLAY_BYTES:
            raise CaptureError(f"computing them takes {self._bytes} bytes or more; the limit is {REPLAY_BYTES}")
        return torch.full((cell.storage.nbytes(),), self._pattern, dtype=torch.uint8).untyped_storage()

    def _apply(self, event: Event, cell: Cell, index: int, storage: torch.UntypedStorage) -> None:
        target = self._view(storage, event.place)
        if event.data is not None:
            target.copy_(event.data)
        elif isinstance(event.fill, Eye):
            torch.nn.init.eye_(target)
        elif isinstance(event.fill, Dirac):
            torch.nn.init.dirac_(target, event.fill.groups)
        elif event.name.startswith(("empty", "new_empty")):
            self._touched_empty = True
        else:
            self._apply_operator(event, cell, index, storage)

    def _apply_operator(self, event: Event, cell: Cell, index: int, storage: torch.UntypedStorage) -> None:
        needed = event.read()
        many = len(written_arguments(event.func)) > 1 or event.name.startswith("_foreach")

        def real(leaf: Any) -> Any:
            if not isinstance(leaf, Ref):
                return leaf
            if leaf not in needed:
                return torch.empty_strided(leaf.place.size, leaf.place.stride, dtype=leaf.place.dtype)
            if (leaf.cell, leaf.version) == (cell, index):
                return self._view(storage, leaf.place)
            other = self._view(self._storage(leaf.cell, leaf.version), leaf.place)
            return other.clone() if many else other

        result = event.func(*tree_map(real, event.args), **tree_map(real, dict(event.kwargs)))
        if event.output is not None:
            self._view(storage, event.place).copy_(tree_flatten(result)[0][event.output])

    @staticmethod
    def _view(storage: torch.UntypedStorage, place: Place) -> torch.Tensor:
        flat = torch.empty(0, dtype=place.dtype)
        return flat.set_(storage, place.offset, place.size, place.stride)
