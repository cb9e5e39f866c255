"""The default fill of every tensor of a model, captured from the library's own constructor.

The constructor runs under fake tensors: it allocates nothing, whatever the model's size, and every operation on its
parameters is recorded (`recording`), read symbolically (`evaluator`) and, where no random number is involved, computed
for real (`replay`). What neither can express is an error of that tensor, with the operations named.
"""

from __future__ import annotations

import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from initium.plan.limits import LITERAL_BYTES
from initium_law.grammar import Constant, Fill, Literal
from initium_server.capture.calls import fake_copies, whole_calls
from initium_server.capture.evaluator import Evaluator
from initium_server.capture.expressions import Expression, is_exact
from initium_server.capture.identities import Identities, Inexpressible
from initium_server.capture.layouts import layout_of
from initium_server.capture.recording import CaptureError, Place, Recorder, Ref
from initium_server.capture.replay import Replay
from initium_server.capture.symbols import Computed, Symbol, Unwritten, depth_of, leaves_of, trail_of

Fills = dict[str, tuple[Fill | None, str]]

_RECURSION = 10_000


@contextmanager
def quiet() -> Iterator[None]:
    """Library warnings are about code that the client did not write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Literals:
    """Computed values, each once."""

    def __init__(self, replay: Replay) -> None:
        self.data: dict[str, bytes] = {}
        self._replay, self._taken = replay, 0

    def fill(self, computed: Computed, dtype: torch.dtype) -> Fill:
        """A constant if all values are equal, else a literal in this dtype. Errors: Inexpressible."""
        layout, ref = computed.layout, computed.ref
        size = layout.numel * dtype.itemsize
        self._check_room(size, 0)
        place = Place(
            tuple(n for n, _ in layout.axes), tuple(s for _, s in layout.axes), layout.offset, ref.place.dtype
        )
        values = self._values(Ref(ref.cell, ref.version, place), computed.trail).to(dtype).contiguous().reshape(-1)
        if bool((values == values[0]).all()) and is_exact(values[0].item()):
            return Constant(float(values[0].item()))
        data = values.view(torch.uint8).numpy().tobytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self.data:
            self._check_room(size, self._taken)
            self.data[digest] = data
            self._taken += size
        return Literal(digest)

    def _values(self, ref: Ref, trail: tuple[str, ...]) -> torch.Tensor:
        try:
            return self._replay.values(ref)
        except CaptureError as error:
            raise Inexpressible(f"cannot express {' > '.join(trail)} ({error})") from error

    @staticmethod
    def _check_room(size: int, taken: int) -> None:
        if size + taken > LITERAL_BYTES:
            limit = f"the literals of a model may take {LITERAL_BYTES} bytes in all, and {taken} are taken"
            raise Inexpressible(f"computed values of {size} bytes: {limit}")


@dataclass(slots=True)
class Capture:
    """A model built of fake tensors, and the fills of its tensors."""

    model: nn.Module
    recorder: Recorder
    replay: Replay = field(default_factory=Replay)
    identities: Identities = field(default_factory=Identities)

    def fills(self, tensors: Sequence[tuple[str, torch.Tensor]]) -> tuple[Fills, dict[str, bytes]]:
        """By names every tensor's fill, or None and the reason; and by digests the literals of all fills.

        Draws belong to the first tensor that holds them by themselves, else to the first that holds them at all.
        """
        evaluator, literals = Evaluator(self.replay), Literals(self.replay)
        found: Fills = {}
        values = [(name, tensor, *_told(evaluator.value, self.recorder.ref(tensor))) for name, tensor in tensors]
        for name, tensor, symbol, error in sorted(values, key=lambda value: _depth(value[2])):
            made = Expression(name, tuple(tensor.shape), tensor.dtype, self.identities, literals.fill)
            if tensor.numel() == 0:
                found[name] = Constant(0.0), ""
            elif symbol is None:
                found[name] = None, error
            else:
                found[name] = _told(partial(self._fill, made, literals, symbol), self.recorder.ref(tensor))
        return found, literals.data

    def _fill(self, made: Expression, literals: Literals, symbol: Symbol, ref: Ref) -> Fill:
        """The fill that a symbol stands for, or else the values, computed for real."""
        try:
            return made.fill(symbol)
        except Inexpressible as error:
            if isinstance(symbol, Unwritten | Computed) or self.replay.obstacle(ref):
                raise
            try:
                return literals.fill(Computed(ref, layout_of(ref.place), trail_of(symbol)), ref.place.dtype)
            except Inexpressible as reason:
                raise Inexpressible(f"{error} ({reason})") from reason


Given = TypeVar("Given")
Made = TypeVar("Made")


def _told(make: Callable[[Given], Made], given: Given) -> tuple[Made | None, str]:
    """What is made, or None and why it cannot be."""
    try:
        return make(given), ""
    except RecursionError:
        return None, "cannot express the values: their computation is too long a chain of operations"
    except (Inexpressible, CaptureError) as error:
        return None, str(error)


def _depth(symbol: Symbol | None) -> int:
    """How many operations after drawing made the values."""
    leaves = () if symbol is None else leaves_of(symbol)
    return max((depth_of(leaf) for leaf in leaves), default=0)


def capture(construct: Callable[[], nn.Module]) -> Capture:
    """Runs a constructor under fake tensors and records it. Raises what the constructor raises, and CaptureError."""
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    recorder = Recorder(fake, lambda *asked: Replay().ask(*asked))
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION))
    with quiet(), fake, recorder, whole_calls(recorder), fake_copies():
        model = construct()
    return Capture(model, recorder)
