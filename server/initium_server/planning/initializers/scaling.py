"""Initializers that scale with fans.

Formulas: torch.nn.init; Glorot & Bengio 2010 (xavier); He et al. 2015 (kaiming); LeCun et al. 1998 (lecun).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from initium.contract.canonical import hex_float
from initium.contract.wording import suggestion
from initium_law import grammar as fills
from initium_server.planning.fans import calculate_gain, counted
from initium_server.planning.initializers.plain import corrected
from initium_server.planning.initializers.registry import Resolution, initializer, non_negative, number
from initium_server.planning.target import Target


@initializer
def xavier_uniform(args: Any, target: Target) -> Resolution:
    return _uniform(*_xavier(args, target))


@initializer
def xavier_normal(args: Any, target: Target) -> Resolution:
    return _normal(*_xavier(args, target))


@initializer
def kaiming_uniform(args: Any, target: Target) -> Resolution:
    return _uniform(*_kaiming(args, target))


@initializer
def kaiming_normal(args: Any, target: Target) -> Resolution:
    return _normal(*_kaiming(args, target))


def _uniform(std: float, numbers: dict[str, str]) -> Resolution:
    bound = math.sqrt(3.0) * std
    return Resolution(fills.Uniform(-bound, bound), numbers | {"bound": hex_float(bound)})


def _normal(std: float, numbers: dict[str, str]) -> Resolution:
    return Resolution(fills.Normal(0.0, std), numbers | {"std": hex_float(std)})


def _xavier(args: Any, target: Target) -> tuple[float, dict[str, str]]:
    gain = non_negative(args, "gain", 1.0)
    fan_in, fan_out, convention = counted(args, target)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out or 1))
    return std, _both(fan_in, fan_out, convention) | {"gain": hex_float(gain)}


def _kaiming(args: Any, target: Target) -> tuple[float, dict[str, str]]:
    gain = calculate_gain(args.nonlinearity or "leaky_relu", number(args, "a", 0.0))
    fan, numbers = _fan(args, target, ("fan_in", "fan_out"))
    return gain / math.sqrt(fan or 1), numbers | {"gain": hex_float(gain)}


def _both(fan_in: int, fan_out: int, convention: str) -> dict[str, str]:
    return {"fan_in": str(fan_in), "fan_out": str(fan_out), "fans": convention}


def _fan(args: Any, target: Target, modes: Sequence[str]) -> tuple[float, dict[str, str]]:
    """The fan that `mode` names, and what explains it."""
    mode = args.mode or modes[0]
    if mode not in modes:
        raise ValueError(f"mode is {mode!r}; {suggestion(mode, modes, 'modes')}")
    fan_in, fan_out, convention = counted(args, target)
    fan = _MODES[mode](fan_in, fan_out)
    shown = str(fan) if isinstance(fan, int) else hex_float(fan)
    return fan, {"fan": shown, "mode": mode, "fans": convention}


_MODES: Mapping[str, Callable[[int, int], int | float]] = {
    "fan_in": lambda fan_in, fan_out: fan_in,
    "fan_out": lambda fan_in, fan_out: fan_out,
    "fan_avg": lambda fan_in, fan_out: (fan_in + fan_out) / 2,
    "fan_geo_avg": lambda fan_in, fan_out: math.sqrt(fan_in * fan_out),
}


@initializer(torch=False)
def variance_scaling(args: Any, target: Target) -> Resolution:
    """jax.nn.initializers.variance_scaling, whose names Keras and Flax share."""
    scale = non_negative(args, "scale", 1.0)
    fan, numbers = _fan(args, target, tuple(_MODES))
    return _scaled(scale, fan, args.distribution or "truncated_normal", numbers | {"scale": hex_float(scale)})


@initializer(torch=False)
def lecun_uniform(args: Any, target: Target) -> Resolution:
    return _lecun(args, target, "uniform")


@initializer(torch=False)
def lecun_normal(args: Any, target: Target) -> Resolution:
    return _lecun(args, target, "truncated_normal")


def _lecun(args: Any, target: Target, distribution: str) -> Resolution:
    fan_in, _, convention = counted(args, target)
    return _scaled(1.0, fan_in, distribution, {"fan": str(fan_in), "mode": "fan_in", "fans": convention})


def _scaled(scale: float, fan: float, distribution: str, numbers: dict[str, str]) -> Resolution:
    """The distribution of mean 0 and variance scale / fan."""
    if distribution not in _DISTRIBUTIONS:
        raise ValueError(
            f"distribution is {distribution!r}; {suggestion(distribution, _DISTRIBUTIONS, 'distributions')}"
        )
    return _DISTRIBUTIONS[distribution](scale / (fan or 1), numbers)


def _truncated_of(variance: float, numbers: dict[str, str]) -> Resolution:
    std = math.sqrt(variance)
    made = corrected(0.0, std, 2.0)
    return Resolution(made.fill, {**numbers, "std": hex_float(std), **made.numbers})


def _uniform_of(variance: float, numbers: dict[str, str]) -> Resolution:
    """JAX, Keras and timm take the root of the product; torch multiplies roots."""
    bound = math.sqrt(3.0 * variance)
    return Resolution(fills.Uniform(-bound, bound), {**numbers, "bound": hex_float(bound)})


_DISTRIBUTIONS: Mapping[str, Callable[[float, dict[str, str]], Resolution]] = {
    "truncated_normal": _truncated_of,
    "normal": lambda variance, numbers: _normal(math.sqrt(variance), numbers),
    "uniform": _uniform_of,
}


# --- for certain networks ----------------------------------------------------------------------------------------


@initializer(torch=False)
def siren(args: Any, target: Target) -> Resolution:
    """Sitzmann et al. 2020, arXiv 2006.09661, section 3.2, and first_layer_sine_init of their code."""
    omega = number(args, "omega", 30.0)
    if omega <= 0:
        raise ValueError(f"omega is {omega}; it must be more than 0")
    fan_in, _, convention = counted(args, target)
    bound = 1 / (fan_in or 1) if args.first else math.sqrt(6.0 / (fan_in or 1)) / omega
    numbers = {"fan_in": str(fan_in), "fans": convention, "bound": hex_float(bound)}
    return Resolution(fills.Uniform(-bound, bound), numbers)


@initializer(torch=False)
def spectral(args: Any, target: Target) -> Resolution:
    """Yang et al. 2023, arXiv 2310.17813, as nanotron's SpectralMupParametrizator."""
    gain = non_negative(args, "gain", 1.0)
    fan_in, fan_out, convention = counted(args, target)
    std = gain * (1.0 / math.sqrt(fan_in or 1)) * min(1.0, math.sqrt(fan_out / (fan_in or 1)))
    return _normal(std, _both(fan_in, fan_out, convention) | {"gain": hex_float(gain)})
