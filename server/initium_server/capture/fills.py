"""The default fill of every tensor of a model, captured from the library's own constructor.

The constructor runs under fake tensors: it allocates nothing, whatever the model's size, and every operation on its
parameters is recorded (`recording`), read symbolically (`evaluator`) and, where no random number is involved, computed
for real (`replay`). What neither can express is an error of that tensor, with the operations named.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from initium.plan.limits import LITERAL_BYTES
from initium_law.grammar import Constant, Copy, Fill, Literal, Part, Parts
from initium_server.capture.calls import fake_copies, whole_calls
from initium_server.capture.evaluator import Evaluator
from initium_server.capture.recording import CaptureError, Recorder, Ref
from initium_server.capture.replay import Replay
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Draw,
    Leaf,
    Origin,
    Symbol,
    Unwritten,
    Whole,
    shares_draws,
    trail_of,
)

_EXACT_INTEGER = 1 << 53
_RECURSION = 10_000


class Inexpressible(Exception):
    """A tensor's values cannot be expressed as a fill; the message says why."""


@contextmanager
def quiet() -> Iterator[None]:
    """Library warnings are about code that the client did not write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass(slots=True)
class Capture:
    """A model built of fake tensors, and the fills of its tensors."""

    model: nn.Module
    recorder: Recorder
    literals: dict[str, bytes] = field(default_factory=dict)
    _evaluator: Evaluator = field(default_factory=Evaluator)
    _replay: Replay = field(default_factory=Replay)
    _drawn: dict[tuple[int, int], list[tuple[Origin, str]]] = field(default_factory=dict)
    _first: dict[tuple[frozenset[Origin], Fill], str] = field(default_factory=dict)

    def fill(self, name: str, tensor: torch.Tensor) -> tuple[Fill | None, str]:
        """The tensor's fill, or None and the reason. Ask in inventory order: copies name the first."""
        if tensor.numel() == 0:
            return Constant(0.0), ""
        try:
            return self._fill(name, self.recorder.ref(tensor)), ""
        except RecursionError:
            return None, "cannot express the values: their computation is too long a chain of operations"
        except (Inexpressible, CaptureError) as error:
            return None, str(error)

    def _fill(self, name: str, ref: Ref) -> Fill:
        symbol = self._evaluator.value(ref)
        try:
            fill = as_fill(symbol, ref.place.dtype)
        except Inexpressible as error:
            if self._replay.obstacle(ref) or isinstance(symbol, Unwritten):
                raise
            return self._computed(ref, str(error))
        return self._claimed(name, symbol, fill)

    def _computed(self, ref: Ref, otherwise: str) -> Fill:
        """Values that no random number went into: a constant if all are equal, else a literal."""
        size = ref.place.numel * ref.place.dtype.itemsize
        self._check_room(size, 0)
        try:
            values = self._replay.values(ref).contiguous().reshape(-1)
        except CaptureError as error:
            raise Inexpressible(f"{otherwise} ({error})") from error
        if bool((values == values[0]).all()) and is_exact(values[0].item()):
            return Constant(float(values[0].item()))
        data = values.view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.literals:
            self._check_room(size, sum(map(len, self.literals.values())))
            self.literals[digest] = data
        return Literal(digest)

    @staticmethod
    def _check_room(size: int, taken: int) -> None:
        if size + taken > LITERAL_BYTES:
            limit = f"the literals of a model may take {LITERAL_BYTES} bytes in all, and {taken} are taken"
            raise Inexpressible(f"computed values of {size} bytes: {limit}")

    def _claimed(self, name: str, symbol: Symbol, fill: Fill) -> Fill:
        """`fill`, or a copy where the tensor holds the very draws of an earlier one; Inexpressible if only some."""
        if isinstance(symbol, Draw):
            first = self._first.setdefault((symbol.origins, symbol.fill), name)
            if first != name:
                return Copy(first, symbol.fill)
        origins = [origin for draw in draws_of(symbol) for origin in draw.origins]
        for origin in origins:
            for other, owner in self._drawn.get((origin.cell, origin.event), ()):
                if origin.overlaps(other):
                    raise Inexpressible(f"cannot express values that share draws with {owner}")
        for origin in origins:
            self._drawn.setdefault((origin.cell, origin.event), []).append((origin, name))
        return fill


def capture(construct: Callable[[], nn.Module]) -> Capture:
    """Runs a constructor under fake tensors and records it. Raises what the constructor raises, and CaptureError."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    recorder = Recorder(fake, lambda *asked: Replay().ask(*asked))
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION))
    with quiet(), fake, recorder, whole_calls(recorder), fake_copies():
        model = construct()
    return Capture(model, recorder)


def draws_of(symbol: Symbol) -> list[Draw]:
    """All draws in a symbol."""
    leaves = (symbol.base, *(leaf for _, leaf in symbol.parts)) if isinstance(symbol, Boxes) else (symbol,)
    return [leaf for leaf in leaves if isinstance(leaf, Draw)]


def is_exact(value: object) -> bool:
    """Whether a binary64 number holds the constant: finite, real, and no integer beyond 2^53."""
    return isinstance(value, int | float) and abs(value) <= (
        _EXACT_INTEGER if isinstance(value, int) else sys.float_info.max
    )


def as_fill(symbol: Symbol, dtype: torch.dtype) -> Fill:
    """The fill that a symbol stands for. Errors: Inexpressible."""
    if shares_draws(draws_of(symbol)):
        raise Inexpressible("cannot express " + " > ".join((*trail_of(symbol), "the same draws twice")))
    if not isinstance(symbol, Boxes):
        return _leaf(symbol, dtype)
    if isinstance(symbol.base, Unwritten):
        raise Inexpressible(f"partly uninitialized: {symbol.base.call}")
    base = _leaf(symbol.base, dtype)
    return Parts(base, tuple(Part(box.start, box.stop, _leaf(leaf, dtype)) for box, leaf in symbol.parts))


def _leaf(leaf: Leaf, dtype: torch.dtype) -> Fill:
    match leaf:
        case Const() if is_exact(leaf.value):
            assert not isinstance(leaf.value, complex)
            return Constant(float(leaf.value))
        case Const():
            raise Inexpressible(f"cannot express the constant {leaf.value}")
        case Draw() if dtype.is_floating_point:
            _check_finite(leaf)
            return leaf.fill
        case Whole():
            return leaf.fill
        case Unwritten():
            raise Inexpressible(f"uninitialized: {leaf.call}")
    raise Inexpressible("cannot express " + " > ".join(trail_of(leaf)))


def _check_finite(draw: Draw) -> None:
    numbers = [getattr(draw.fill, name) for name in draw.fill.__slots__]
    if not all(is_exact(number) for number in numbers):
        raise Inexpressible(f"cannot express {' > '.join(draw.trail)} with the numbers {numbers}")
