"""Fans: how many inputs and outputs a weight has, by each convention of init.proto; gains; widths against a base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from initium.contract.wording import suggestion
from initium_server.planning.fields import At
from initium_server.planning.inventory import FanAxes
from initium_server.planning.target import Target, axis_of

CONVENTIONS = ("torch", "transposed", "grouped")

GAINS = {
    "linear": 1.0,
    **{f"conv{transpose}{n}d": 1.0 for transpose in ("", "_transpose") for n in (1, 2, 3)},
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}
"""torch.nn.init.calculate_gain, but for leaky_relu, which has a slope."""


def calculate_gain(nonlinearity: str, negative_slope: float) -> float:
    """torch.nn.init.calculate_gain. ValueError for an unknown name, as there."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + negative_slope**2))
    if nonlinearity not in GAINS:
        hint = suggestion(nonlinearity, sorted([*GAINS, "leaky_relu"]), "nonlinearities")
        raise ValueError(f"no gain is known for nonlinearity {nonlinearity!r}; {hint}")
    return GAINS[nonlinearity]


def fans(target: Target, axes: FanAxes | None = None) -> tuple[int, int]:
    """(fan_in, fan_out) by these axes, by those that the tensor declares, or as torch.nn.init computes them.

    Errors: ValueError for fewer than two dimensions without axes. A fan is 0 for a tensor without elements.
    """
    shape = target.shape
    axes = axes or target.fan_axes
    if len(shape) < 2 and axes is None:
        raise ValueError(
            f"fans need 2 or more dimensions; {target.shown}. "
            "Match weights only, e.g. with `tensor: [weight]` or `ndim`"
        )
    axes = axes or FanAxes(fan_in=(1,), fan_out=(0,))
    listed = {*axes.fan_in, *axes.fan_out, *axes.batch}
    receptive = math.prod(extent for axis, extent in enumerate(shape) if axis not in listed)
    fan_in, fan_out = (math.prod(shape[axis] for axis in side) * receptive for side in (axes.fan_in, axes.fan_out))
    return fan_in, fan_out


def counted(args: Any, target: Target) -> tuple[int, int, str]:
    """(fan_in, fan_out) by the arguments `fans` and `axes` of an initializer, and the convention in a word."""
    if args.HasField("axes"):
        if args.fans:
            raise At("fans", "`axes` are given, too; keep one")
        return *fans(target, _axes(args.axes, target)), "axes"
    word = args.fans or "torch"
    if word not in CONVENTIONS:
        raise At("fans", f"{word!r} is no way to count fans; {suggestion(word, CONVENTIONS, 'words')}")
    fan_in, fan_out = fans(target)
    if word == "transposed":
        return fan_out, fan_in, word
    if word == "grouped":
        return fan_in, fan_out // _groups(target), word
    return fan_in, fan_out, "declared" if target.fan_axes else word


def _groups(target: Target) -> int:
    groups = target.owner.groups
    if groups is None:
        raise At(
            "fans", f"{target.owner.name} belongs to no convolution, so it has no groups; give `axes`, or leave it out"
        )
    return groups


def _axes(message: Any, target: Target) -> FanAxes:
    seen: set[int] = set()
    sides: list[Sequence[int]] = []
    for field in ("fan_in", "fan_out", "batch"):
        side = []
        for axis in getattr(message, field):
            try:
                counted_axis = axis_of(axis, target)
            except ValueError as error:
                raise At(f"axes.{field}", str(error)) from None
            if counted_axis in seen:
                raise At(f"axes.{field}", f"axis {axis} is listed twice")
            seen.add(counted_axis)
            side.append(counted_axis)
        if not side and field != "batch":
            raise At(f"axes.{field}", "required: at least one axis")
        sides.append(side)
    return FanAxes(*map(tuple, sides))


def width(target: Target) -> float:
    """How many times wider the target is than its base shape: the ratio of fan_in, or where that is 1 of fan_out.

    A tensor of less than two dimensions has its extent for both.
    """
    base = target.at_base()
    if len(target.shape) < 2 and target.fan_axes is None:
        return _ratio(target.numel, base.numel)
    ratios = [_ratio(own, narrow) for own, narrow in zip(fans(target), fans(base), strict=True)]
    return ratios[0] if ratios[0] != 1.0 else ratios[1]


def _ratio(own: int, base: int) -> float:
    if not base:
        raise ValueError("its base shape has no elements")
    return own / base
