"""What an initializer fills: a tensor, or a part of one, and what it may know of the rest of the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from initium.contract.wording import did_you_mean, joined
from initium_law.grammar import Fill
from initium_server.planning.inventory import FanAxes, InventoryTensor, Owner

Shape = tuple[int, ...]


def _no_others(name: str) -> tuple[InventoryTensor, Fill]:
    raise ValueError(f"the model has no tensor {name!r}")


@dataclass(frozen=True, slots=True)
class Model:
    """What an initializer may know of the model beside its tensor."""

    literals: dict[str, bytes] = field(default_factory=dict)
    """Bytes of literal fills by digest; initializers add theirs."""
    base: Mapping[str, Shape] = field(default_factory=dict)
    """Base shapes by the names of tensors."""
    made: Callable[[str], tuple[InventoryTensor, Fill]] = _no_others
    """A tensor by any of its names, and the fill that rules and defaults give it, in the dtype that it was built in.

    ValueError if there is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """A tensor under the name by which a rule matched it, or a part of it."""

    tensor: InventoryTensor
    owner: Owner
    model: Model
    shape: Shape
    fan_axes: FanAxes | None
    whole: bool = True
    """Whether it is a tensor and not a part."""
    _base: Shape | None = None

    @classmethod
    def of(cls, tensor: InventoryTensor, owner: Owner | None = None, model: Model | None = None) -> Target:
        """A whole tensor."""
        model = model or Model()
        base = model.base.get(tensor.name)
        return cls(tensor, owner or tensor.owners[0], model, tensor.shape, tensor.fan_axes, True, base)

    @property
    def name(self) -> str:
        """The tensor's name."""
        return self.tensor.name

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def base(self) -> Shape:
        """The base shape. ValueError where there is none."""
        if self._base is None:
            raise ValueError(f"{self.name} has no base shape; give one in init.base")
        return self._base

    @property
    def shown(self) -> str:
        """`fc.weight has shape [8, 4]`, for messages."""
        return f"{self.name} has{'' if self.whole else ' a part of'} shape {list(self.shape)}"

    def resized(self, shape: Shape) -> Target:
        """A part of this shape with as many axes."""
        return replace(self, shape=shape, whole=False, _base=self._scaled(shape))

    def at_base(self) -> Target:
        """The same as if it had its base shape."""
        return replace(self, shape=self.base, whole=False)

    def without(self, axes: tuple[int, ...]) -> Target:
        """A part without some axes."""
        kept = [axis for axis in range(len(self.shape)) if axis not in axes]
        shape, base = (self._only(kept, extents) for extents in (self.shape, self._base))
        assert shape is not None
        return replace(self, shape=shape, whole=False, _base=base, fan_axes=_renumbered(self.fan_axes, kept))

    @staticmethod
    def _only(kept: list[int], extents: Shape | None) -> Shape | None:
        return None if extents is None else tuple(extents[axis] for axis in kept)

    def _scaled(self, shape: Shape) -> Shape | None:
        """The base shape of a part: the same share of every axis. None where that is no whole number."""
        if self._base is None:
            return None
        shares = [divmod(part * base, own or 1) for part, own, base in zip(shape, self.shape, self._base, strict=True)]
        return None if any(rest for _, rest in shares) else tuple(extent for extent, _ in shares)


def _renumbered(axes: FanAxes | None, kept: list[int]) -> FanAxes | None:
    if axes is None:
        return None
    sides = (axes.fan_in, axes.fan_out, axes.batch)
    fan_in, fan_out, batch = (tuple(kept.index(axis) for axis in side if axis in kept) for side in sides)
    return FanAxes(fan_in, fan_out, batch)


def axis_of(axis: int, target: Target) -> int:
    """The axis counted from the first. ValueError where the target has none such."""
    count = len(target.shape)
    if not -count <= axis < count:
        raise ValueError(f"axis {axis} is none of the {count}; {target.shown}")
    return axis % count


def default_fill(tensor: InventoryTensor) -> Fill:
    """The library's own fill. ValueError where there is none."""
    if tensor.default is None:
        raise ValueError(tensor.default_error or "its library gives it no fill")
    return tensor.default


def unknown_tensor(name: str, known: Mapping[str, object]) -> str:
    """The text for a name that no tensor has."""
    return joined(f"the model has no tensor {name!r}", did_you_mean(name, known))
