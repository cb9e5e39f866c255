"""Captured fills held against real construction, byte for byte, on PyTorch's own generator.

Every random operation of the record is done again in its order, each by the routine that the library called, with the
numbers of the *final fill* that stands for it; what ends in no tensor is done as it was recorded. The final fills are
evaluated on these draws with torch's operators. So a fill with another number, operand, box, axis, order or identity
gives other bytes than the library's own construction under the same seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from initium_law.grammar import (
    Broadcast,
    Constant,
    Copy,
    Dirac,
    Eye,
    Fill,
    Literal,
    Normal,
    NormOf,
    Orthogonal,
    Parts,
    Permutation,
    Pointwise,
    Sparse,
    TruncNormal,
    Uniform,
)
from initium_server.capture import Capture
from initium_server.capture.boxes import Box, whole
from initium_server.capture.identities import Claim, Spot, spot
from initium_server.capture.recording import Event, Ref
from initium_server.capture.replay import is_random
from initium_server.capture.symbols import Origin

DRAWN = Uniform | Normal | TruncNormal | Orthogonal | Sparse | Permutation
FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "multiply": torch.mul,
    "divide": torch.div,
    "clamp": torch.clamp,
    "sqrt": torch.sqrt,
    "exp": torch.exp,
    "log": torch.log,
    "expm1": torch.expm1,
    "cos": torch.cos,
    "sine": torch.sin,
}


class Wrong(AssertionError):
    """A fill does not say what the library does."""


@dataclass(frozen=True)
class Scene:
    """Where a fill stands."""

    identity: str
    shape: tuple[int, ...]
    box: Box
    dtype: torch.dtype

    def spot(self) -> Spot:
        return spot(self.shape, self.box)

    def narrow(self, axes: tuple[int, ...]) -> Scene:
        ends = dict.fromkeys(axes, 1)
        start = tuple(0 if axis in ends else low for axis, low in enumerate(self.box.start))
        stop = tuple(ends.get(axis, high) for axis, high in enumerate(self.box.stop))
        shape = tuple(ends.get(axis, extent) for axis, extent in enumerate(self.shape))
        return replace(self, shape=shape, box=Box(start, stop))


Leaves = Callable[[Fill, Scene], torch.Tensor]


def evaluate(fill: Fill, scene: Scene, leaf: Leaves) -> torch.Tensor:
    """The values of a fill in its box; `leaf` gives those of draws and literals."""
    size, within = scene.box.shape, partial(evaluate, leaf=leaf)
    single = replace(scene, dtype=torch.float32)
    match fill:
        case Constant():
            return torch.full(size, fill.value, dtype=scene.dtype)
        case Eye():
            return torch.eye(*size, dtype=scene.dtype)
        case Dirac():
            return nn.init.dirac_(torch.empty(size, dtype=scene.dtype), fill.groups)
        case Pointwise():
            return FUNCTIONS[fill.op](*(within(operand, single) for operand in fill.operands)).to(scene.dtype)
        case Copy():
            return within(fill.fill, replace(scene, identity=fill.name))
        case Broadcast():
            return within(fill.fill, scene.narrow(fill.axes)).expand(size).contiguous()
        case NormOf():
            other = Scene(fill.name, fill.shape, whole(fill.shape), torch.float32)
            return torch.norm_except_dim(within(fill.fill, other), 2, fill.axis).reshape(size).to(scene.dtype)
        case Parts():
            made = within(fill.base, scene).clone()
            for part in fill.parts:
                low = tuple(a + b for a, b in zip(scene.box.start, part.start, strict=True))
                high = tuple(a + b for a, b in zip(scene.box.start, part.stop, strict=True))
                inside = tuple(slice(a, b) for a, b in zip(part.start, part.stop, strict=True))
                made[inside] = within(part.fill, replace(scene, box=Box(low, high)))
            return made
    return leaf(fill, scene)


class Oracle:
    """One capture and its final fills, drawn again."""

    def __init__(self, captured: Capture, fills: Mapping[str, Fill], literals: Mapping[str, bytes]) -> None:
        self._fills, self._literals = fills, literals
        self._claims: dict[str, list[Claim]] = {}
        for claim in captured.identities.claims:
            self._claims.setdefault(claim.identity, []).append(claim)
        cells = captured.recorder._cells.values()
        found = [(event.serial, Origin(cell.index, k), event) for cell in cells for k, event in enumerate(cell.events)]
        self._events = {o: event for _, o, event in sorted(found, key=lambda f: f[0]) if is_random(event)}
        self.numbers: dict[Origin, DRAWN] = {}
        """The final fill of each draw."""
        self._values: dict[Origin, torch.Tensor] = {}

    def tensors(
        self, shapes: Mapping[str, tuple[tuple[int, ...], torch.dtype]], seed: int
    ) -> Iterator[tuple[str, Any]]:
        """Name and values of every tensor, as soon as they are drawn."""
        scenes = {name: Scene(name, size, whole(size), dtype) for name, (size, dtype) in shapes.items()}
        needs = {name: self._needed(fill, scenes[name]) for name, fill in self._fills.items()}
        torch.manual_seed(seed)
        yield from self._ready(needs, scenes)
        for origin, event in self._events.items():
            made = self._drawn(origin, event)
            if any(origin in needed for needed in needs.values()):
                self._values[origin] = made
            yield from self._ready(needs, scenes)

    def _ready(self, needs: dict[str, set[Origin]], scenes: Mapping[str, Scene]) -> Iterator[tuple[str, Any]]:
        for name in [name for name, needed in needs.items() if needed <= self._values.keys()]:
            yield name, evaluate(self._fills[name], scenes[name], self._leaf)
            done = needs.pop(name)
            for origin in done.difference(*needs.values()):
                del self._values[origin]

    def _needed(self, fill: Fill, scene: Scene) -> set[Origin]:
        """The draws of a tensor, whose numbers are noted."""
        needed: set[Origin] = set()

        def leaf(fill: Fill, scene: Scene) -> torch.Tensor:
            for _, claim in self._claimed(scene) if isinstance(fill, DRAWN) else ():
                origin = claim.draw.origin
                if self.numbers.setdefault(origin, fill) != fill:
                    raise Wrong(f"{scene.identity}: {fill} and {self.numbers[origin]} for one draw")
                needed.add(origin)
            return torch.empty(scene.box.shape, dtype=scene.dtype, device="meta")

        with torch.device("meta"):
            evaluate(fill, scene, leaf)
        return needed

    def _claimed(self, scene: Scene) -> list[tuple[Box, Claim]]:
        """The draws that stand in a scene, with the boxes of the scene that they are in: later ones win."""
        claims = self._claims.get(scene.identity, [])
        exact = [(whole(scene.box.shape), claim) for claim in claims if claim.spot == scene.spot()]
        inside = [
            (box.shift(scene.box.start, -1), claim)
            for claim in claims
            if claim.spot.space == scene.shape
            and (box := whole(scene.shape) if claim.spot.shape != scene.shape else claim.spot.box)
            and scene.box.contains(box)
        ]
        if not exact and not inside:
            raise Wrong(f"no draws were recorded for {scene.identity} in {scene.box}")
        return exact[:1] or inside

    def _leaf(self, fill: Fill, scene: Scene) -> torch.Tensor:
        if isinstance(fill, Literal):
            return torch.frombuffer(bytearray(self._literals[fill.digest]), dtype=scene.dtype).reshape(scene.box.shape)
        made = torch.full(scene.box.shape, math.nan if scene.dtype.is_floating_point else -1, dtype=scene.dtype)
        for box, claim in self._claimed(scene):
            layout = claim.draw.layout
            size, stride = (tuple(axis[k] for axis in layout.axes) for k in (0, 1))
            seen = self._values[claim.draw.origin].as_strided(size, stride, layout.offset)
            made[tuple(map(slice, box.start, box.stop))] = seen.reshape(box.shape).to(scene.dtype)
        return made

    def _drawn(self, origin: Origin, event: Event) -> torch.Tensor:
        """The values of one random operation, flat and in the order of its indices."""
        place, fill = event.place, self.numbers.get(origin, event.fill)
        tensor = torch.empty_strided(place.size, place.stride, dtype=place.dtype)
        with torch.no_grad():
            made = _as_recorded(event, tensor) if fill is None else _with_numbers(event, fill, tensor)
        return made.contiguous().view(-1)


def _as_recorded(event: Event, tensor: torch.Tensor) -> torch.Tensor:
    def real(leaf: Any) -> Any:
        if not isinstance(leaf, Ref):
            return leaf
        return torch.empty_strided(leaf.place.size, leaf.place.stride, dtype=leaf.place.dtype).zero_()

    result = event.func(*tree_map(real, event.args), **tree_map(real, dict(event.kwargs)))
    return result if isinstance(result, torch.Tensor) else tensor


def _with_numbers(event: Event, fill: Any, tensor: torch.Tensor) -> torch.Tensor:
    match fill:
        case Uniform():
            return tensor.uniform_(fill.low, fill.high)
        case Normal():
            return tensor.normal_(fill.mean, fill.std)
        case Permutation():
            return torch.randperm(tensor.numel())
        case Orthogonal():
            return _orthogonal(tensor, fill.gain)
        case TruncNormal() if event.called is None:
            return _through_erfinv(tensor, fill)
        case TruncNormal():
            return event.called(tensor, fill.mean, fill.std, fill.a, fill.b)
        case Sparse():
            return event.called(tensor, fill.sparsity, fill.std)
    raise Wrong(f"no routine draws {fill}")


def _through_erfinv(tensor: torch.Tensor, fill: TruncNormal) -> torch.Tensor:
    low, high = ((1.0 + math.erf((end - fill.mean) / fill.std / math.sqrt(2.0))) / 2.0 for end in (fill.a, fill.b))
    tensor.uniform_(2 * low - 1, 2 * high - 1).erfinv_().mul_(fill.std * math.sqrt(2.0))
    return tensor.add_(fill.mean).clamp_(fill.a, fill.b)


def _orthogonal(tensor: torch.Tensor, gain: float) -> torch.Tensor:
    tensor.normal_()
    q, r = torch.linalg.qr(tensor.t() if tensor.size(0) < tensor.size(1) else tensor)
    return q * torch.diag(r).sign() * gain


def differences(
    captured: Capture, fills: Mapping[str, Fill], literals: Mapping[str, bytes], model: nn.Module, seed: int
) -> list[str]:
    """The tensors, by name, whose bytes are not those of the model that was really built under this seed."""
    real = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    shapes = {name: (tuple(real[name].shape), real[name].dtype) for name in fills}
    oracle, found, seen = Oracle(captured, fills, literals), [], set()
    for name, made in oracle.tensors(shapes, seed):
        seen.add(name)
        if _bytes(made) != _bytes(real[name].detach()):
            found.append(name)
    return found + sorted(fills.keys() - seen)


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
