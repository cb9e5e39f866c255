"""Plain distributions and constants: torch.nn.init's, and truncated normals as JAX, TensorFlow and timm have them."""

from __future__ import annotations

import math
from typing import Any

from initium.contract.canonical import hex_float
from initium_law import grammar as fills
from initium_law.maps import phi
from initium_server.planning.initializers.registry import Resolution, initializer, non_negative, number
from initium_server.planning.target import Target


@initializer
def uniform(args: Any, target: Target) -> Resolution:
    low, high = number(args, "a", 0.0), number(args, "b", 1.0)
    if low > high:
        raise ValueError(f"a = {low} is greater than b = {high}; swap them")
    return Resolution(fills.Uniform(low, high))


@initializer
def normal(args: Any, target: Target) -> Resolution:
    return Resolution(fills.Normal(number(args, "mean", 0.0), non_negative(args, "std", 1.0)))


@initializer
def trunc_normal(args: Any, target: Target) -> Resolution:
    mean, std = number(args, "mean", 0.0), non_negative(args, "std", 1.0)
    a, b = number(args, "a", -2.0), number(args, "b", 2.0)
    if a >= b:
        raise ValueError(f"a = {a} is not less than b = {b}; the bounds are absolute values, not multiples of std")
    if std == 0 and not a <= mean <= b:
        raise ValueError(f"std is 0 and mean = {mean} lies outside [{a}, {b}]")
    return Resolution(fills.TruncNormal(mean, std, a, b))


@initializer
def constant(args: Any, target: Target) -> Resolution:
    return Resolution(fills.Constant(number(args, "val")))


@initializer
def ones(args: Any, target: Target) -> Resolution:
    return Resolution(fills.Constant(1.0))


@initializer
def zeros(args: Any, target: Target) -> Resolution:
    return Resolution(fills.Constant(0.0))


@initializer(torch=False)
def trunc_normal_tf(args: Any, target: Target) -> Resolution:
    """timm.layers.trunc_normal_tf_, jax.nn.initializers.truncated_normal: the bounds are multiples of std."""
    mean, std = number(args, "mean", 0.0), non_negative(args, "std", 1.0)
    a, b = number(args, "a", -2.0), number(args, "b", 2.0)
    if a >= b:
        raise ValueError(f"a = {a} is not less than b = {b}; the bounds are multiples of std")
    return Resolution(_between(mean, std, mean + a * std, mean + b * std))


@initializer(torch=False)
def corrected_trunc_normal(args: Any, target: Target) -> Resolution:
    mean, std, cut = number(args, "mean", 0.0), non_negative(args, "std", 1.0), number(args, "cut", 2.0)
    if not 0.1 <= cut < phi.FAR:
        raise ValueError(f"cut is {cut}; it is in standard deviations, from 0.1 to less than {phi.FAR:g}")
    return corrected(mean, std, cut)


def corrected(mean: float, std: float, cut: float) -> Resolution:
    """A truncated normal whose values have the standard deviation `std`: what is cut off at +-cut is made up for.

    The variance of a normal cut at c deviations is 1 - 2 c density(c) / P(|Z| < c); its root is 0.8796 for c = 2.
    """
    if std == 0:
        return Resolution(fills.Constant(mean))
    lost = math.sqrt(1.0 - 2.0 * cut * phi.density(cut) / (2.0 * phi.centre(cut)))
    wide = std / lost
    return Resolution(_between(mean, wide, mean - cut * wide, mean + cut * wide), {"correction": hex_float(lost)})


def _between(mean: float, std: float, a: float, b: float) -> fills.Fill:
    """A constant where std is so small against the mean that no interval is left."""
    return fills.TruncNormal(mean, std, a, b) if a < b else fills.Constant(mean)
