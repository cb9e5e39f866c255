"""Initializers that look at another tensor of the model, or at the tensor's base shape."""

from __future__ import annotations

import math
from typing import Any

from initium.contract.canonical import hex_float
from initium_law import grammar as fills
from initium_server.planning.fans import width
from initium_server.planning.fields import At, at
from initium_server.planning.initializers.registry import Resolution, initializer, required
from initium_server.planning.inventory import FanAxes, InventoryTensor
from initium_server.planning.target import Target


@initializer(torch=False)
def norm_of(args: Any, target: Target) -> Resolution:
    """torch.nn.utils.weight_norm's g of its v."""
    other, fill = _other(args, target)
    if other.dtype != "F32":
        raise At("tensor", f"{other.name} is built in {other.dtype}; norms are those of F32 tensors")
    axis, count = args.axis if args.HasField("axis") else 0, len(other.shape)
    if not -count <= axis < count:
        raise At("axis", f"{axis} is no axis of {other.name} {list(other.shape)}")
    axis %= count
    if other.shape[axis] != target.numel:
        raise ValueError(
            f"{other.name} {list(other.shape)} has {other.shape[axis]} norms along axis {axis}; {target.shown}"
        )
    return Resolution(fills.NormOf(other.name, other.shape, fill, axis))


@initializer
def copy(args: Any, target: Target) -> Resolution:
    other, fill = _other(args, target)
    if not target.whole:
        raise ValueError(
            "it stands for a whole tensor, and this is a part; copy the whole, or give the part an initializer"
        )
    if (other.shape, other.dtype) != (target.shape, target.tensor.dtype):
        raise At(
            "tensor",
            f"{other.name} is {other.dtype} {list(other.shape)}, not {target.tensor.dtype} {list(target.shape)}",
        )
    return Resolution(fills.Copy(other.name, fill))


def _other(args: Any, target: Target) -> tuple[InventoryTensor, fills.Fill]:
    if not args.tensor:
        raise At("tensor", "required: the full dotted name of a tensor of the model")
    with at("tensor"):
        return target.model.made(args.tensor)


@initializer(torch=False)
def mup(args: Any, target: Target) -> Resolution:
    """Yang et al. 2022, arXiv 2203.03466, table 8, as mup.init: its corrected fans are those of the base shape."""
    base, wide = target.base, width(target)
    if len(base) != len(target.shape):
        raise ValueError(f"the base shape {list(base)} has {len(base)} axes; {target.shown}")
    wider = [axis for axis, (own, narrow) in enumerate(zip(target.shape, base, strict=True)) if own != narrow]
    made = required(args, target.at_base())
    scale = 1.0
    if len(wider) >= 2:
        _check_hidden(wider, target)
        scale = 1.0 / math.sqrt(wide)
    fill = _scaled(made.fill, scale)
    numbers = {"width": hex_float(wide), "infinite": str(len(wider)), "scale": hex_float(scale)}
    return Resolution(fill, {f"base.{key}": value for key, value in made.numbers.items()} | numbers)


def _check_hidden(wider: list[int], target: Target) -> None:
    axes = target.fan_axes or FanAxes((1,), (0,))
    if len(wider) > 2 or not {*wider} & {*axes.fan_in} or not {*wider} & {*axes.fan_out}:
        raise ValueError(
            f"axes {wider} are wider than the base {list(target.base)}; mup is defined for one axis, "
            f"or one of the inputs and one of the outputs; {target.shown}"
        )


def _scaled(fill: fills.Fill, scale: float) -> fills.Fill:
    match fill:
        case fills.Uniform(low, high) if scale == 1.0 or low == -high:
            return fills.Uniform(low * scale, high * scale)
        case fills.Normal(mean, std) if scale == 1.0 or mean == 0:
            return fills.Normal(mean, std * scale)
        case fills.TruncNormal(mean, std, a, b) if scale == 1.0 or (mean == 0 and a == -b):
            return fills.TruncNormal(mean, std * scale, a * scale, b * scale)
        case fills.Constant(value) if scale == 1.0 or value == 0:
            return fill
    raise At(
        "of",
        "mup takes constants, uniform, normal and truncated normal distributions; those of hidden weights of mean 0",
    )
