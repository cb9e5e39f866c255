"""Initializers: torch.nn.init's names, arguments and fan rules, as functions from a tensor to a fill.

Each takes the arguments of its message in init.proto and the tensor, and returns the fill with the numbers it resolved.
To add one: add the message to init.proto and a function to this file.

Formulas: torch.nn.init; Glorot & Bengio 2010 (xavier); He et al. 2015 (kaiming).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

from initium.contract.canonical import hex_float
from initium.contract.wording import suggestion
from initium_law import grammar as fills
from initium_law.maps import phi
from initium_server.planning.inventory import FanAxes, InventoryTensor


@dataclass(frozen=True, slots=True)
class Resolution:
    """A fill, and the numbers that explain it (exact floats and integers as text)."""

    fill: fills.Fill
    numbers: Mapping[str, str] = field(default_factory=dict)


Initializer = Callable[[Any, InventoryTensor], Resolution]

INITIALIZERS: dict[str, Initializer] = {}

NOT_OF_TORCH: set[str] = set()
"""Those that torch.nn.init does not have, so that generator `torch` cannot run them."""


@overload
def initializer(function: Initializer) -> Initializer: ...
@overload
def initializer(*, torch: bool) -> Callable[[Initializer], Initializer]: ...
def initializer(function: Initializer | None = None, *, torch: bool = True) -> Any:
    """Registers a function under its own name, which is its field in `InitRule.initializer`.

    `torch`: whether torch.nn.init has it. Registered functions raise ValueError, whose text says what is wrong with the
    arguments or the tensor.
    """

    def register(function: Initializer) -> Initializer:
        INITIALIZERS[function.__name__] = function
        if not torch:
            NOT_OF_TORCH.add(function.__name__)
        return function

    return register if function is None else register(function)


def _number(args: Any, name: str, default: float | None = None) -> float:
    if not args.HasField(name):
        if default is None:
            raise ValueError(f"{name} is required")
        return default
    value = float(getattr(args, name))
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}; it must be finite")
    return value


def _non_negative(args: Any, name: str, default: float) -> float:
    value = _number(args, name, default)
    if value < 0:
        raise ValueError(f"{name} is {value}; it must be 0 or more")
    return value


# --- plain fills -------------------------------------------------------------------------------------------------


@initializer
def uniform(args: Any, tensor: InventoryTensor) -> Resolution:
    low, high = _number(args, "a", 0.0), _number(args, "b", 1.0)
    if low > high:
        raise ValueError(f"a = {low} is greater than b = {high}; swap them")
    return Resolution(fills.Uniform(low, high))


@initializer
def normal(args: Any, tensor: InventoryTensor) -> Resolution:
    return Resolution(fills.Normal(_number(args, "mean", 0.0), _non_negative(args, "std", 1.0)))


@initializer
def trunc_normal(args: Any, tensor: InventoryTensor) -> Resolution:
    mean, std = _number(args, "mean", 0.0), _non_negative(args, "std", 1.0)
    a, b = _number(args, "a", -2.0), _number(args, "b", 2.0)
    if a >= b:
        raise ValueError(f"a = {a} is not less than b = {b}; the bounds are absolute values, not multiples of std")
    if std == 0 and not a <= mean <= b:
        raise ValueError(f"std is 0 and mean = {mean} lies outside [{a}, {b}]")
    return Resolution(fills.TruncNormal(mean, std, a, b))


@initializer
def constant(args: Any, tensor: InventoryTensor) -> Resolution:
    return Resolution(fills.Constant(_number(args, "val")))


@initializer
def ones(args: Any, tensor: InventoryTensor) -> Resolution:
    return Resolution(fills.Constant(1.0))


@initializer
def zeros(args: Any, tensor: InventoryTensor) -> Resolution:
    return Resolution(fills.Constant(0.0))


@initializer
def eye(args: Any, tensor: InventoryTensor) -> Resolution:
    if len(tensor.shape) != 2:
        raise ValueError(f"eye needs 2 dimensions; {_shape(tensor)}")
    return Resolution(fills.Eye())


@initializer
def dirac(args: Any, tensor: InventoryTensor) -> Resolution:
    groups = args.groups if args.HasField("groups") else 1
    if len(tensor.shape) not in (3, 4, 5):
        raise ValueError(f"dirac needs 3 to 5 dimensions; {_shape(tensor)}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"groups = {groups} must be 1 or more and divide the first extent; {_shape(tensor)}")
    return Resolution(fills.Dirac(groups))


# --- random matrices and corrected variance -----------------------------------------------------------------------


@initializer
def orthogonal(args: Any, tensor: InventoryTensor) -> Resolution:
    if len(tensor.shape) < 2:
        raise ValueError(f"orthogonal needs 2 dimensions or more; {_shape(tensor)}")
    return Resolution(fills.Orthogonal(_number(args, "gain", 1.0)))


@initializer(torch=False)
def delta_orthogonal(args: Any, tensor: InventoryTensor) -> Resolution:
    """Zeros, and an orthogonal matrix at the centre tap, as jax has it: Xiao et al. 2018, arXiv 1806.05393."""
    shape = tensor.shape
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"delta_orthogonal needs 3 to 5 dimensions; {_shape(tensor)}")
    if shape[0] < shape[1]:
        raise ValueError(f"delta_orthogonal needs as many output channels as input channels, or more; {_shape(tensor)}")
    centre = tuple(max(extent - 1, 0) // 2 for extent in shape[2:])
    box = (0, 0, *centre), (*shape[:2], *(min(k + 1, extent) for k, extent in zip(centre, shape[2:], strict=True)))
    part = fills.Part(*box, fills.Orthogonal(_number(args, "gain", 1.0)))
    return Resolution(fills.Parts(fills.Constant(0.0), (part,)))


@initializer
def sparse(args: Any, tensor: InventoryTensor) -> Resolution:
    sparsity = _number(args, "sparsity")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparsity is {sparsity}; it is the share of zeros in a column, from 0 to 1")
    if len(tensor.shape) != 2:
        raise ValueError(f"sparse needs 2 dimensions; {_shape(tensor)}")
    return Resolution(fills.Sparse(sparsity, _non_negative(args, "std", 0.01)))


@initializer(torch=False)
def corrected_trunc_normal(args: Any, tensor: InventoryTensor) -> Resolution:
    """A truncated normal whose values have the standard deviation `std`: what is cut off at +-cut is made up for.

    The variance of a normal cut at c deviations is 1 - 2 c density(c) / P(|Z| < c); its root is 0.8796 for c = 2.
    """
    mean, std, cut = _number(args, "mean", 0.0), _non_negative(args, "std", 1.0), _number(args, "cut", 2.0)
    if not 0.1 <= cut < phi.FAR:
        raise ValueError(f"cut is {cut}; it is in standard deviations, from 0.1 to less than {phi.FAR:g}")
    if std == 0:
        return Resolution(fills.Constant(mean))
    lost = math.sqrt(1.0 - 2.0 * cut * phi.density(cut) / (2.0 * phi.centre(cut)))
    wide = std / lost
    fill = fills.TruncNormal(mean, wide, mean - cut * wide, mean + cut * wide)
    return Resolution(fill, {"correction": hex_float(lost)})


# --- variance scaling --------------------------------------------------------------------------------------------


@initializer
def xavier_uniform(args: Any, tensor: InventoryTensor) -> Resolution:
    return _uniform(*_xavier(args, tensor))


@initializer
def xavier_normal(args: Any, tensor: InventoryTensor) -> Resolution:
    return _normal(*_xavier(args, tensor))


@initializer
def kaiming_uniform(args: Any, tensor: InventoryTensor) -> Resolution:
    return _uniform(*_kaiming(args, tensor))


@initializer
def kaiming_normal(args: Any, tensor: InventoryTensor) -> Resolution:
    return _normal(*_kaiming(args, tensor))


def _uniform(std: float, numbers: dict[str, str]) -> Resolution:
    bound = math.sqrt(3.0) * std
    return Resolution(fills.Uniform(-bound, bound), numbers | {"bound": hex_float(bound)})


def _normal(std: float, numbers: dict[str, str]) -> Resolution:
    return Resolution(fills.Normal(0.0, std), numbers | {"std": hex_float(std)})


def _xavier(args: Any, tensor: InventoryTensor) -> tuple[float, dict[str, str]]:
    gain = _non_negative(args, "gain", 1.0)
    fan_in, fan_out = fans(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out or 1))
    return std, {"fan_in": str(fan_in), "fan_out": str(fan_out), "gain": hex_float(gain)}


def _kaiming(args: Any, tensor: InventoryTensor) -> tuple[float, dict[str, str]]:
    mode = args.mode or "fan_in"
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is {mode!r}; {suggestion(mode, ('fan_in', 'fan_out'), 'modes')}")
    gain = calculate_gain(args.nonlinearity or "leaky_relu", _number(args, "a", 0.0))
    fan = fans(tensor)[mode == "fan_out"]
    return gain / math.sqrt(fan or 1), {"fan": str(fan), "gain": hex_float(gain)}


_GAINS = {
    "linear": 1.0,
    **{f"conv{transpose}{n}d": 1.0 for transpose in ("", "_transpose") for n in (1, 2, 3)},
    "sigmoid": 1.0,
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity: str, negative_slope: float) -> float:
    """torch.nn.init.calculate_gain. ValueError for an unknown name, as there."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + negative_slope**2))
    if nonlinearity not in _GAINS:
        hint = suggestion(nonlinearity, sorted([*_GAINS, "leaky_relu"]), "nonlinearities")
        raise ValueError(f"no gain is known for nonlinearity {nonlinearity!r}; {hint}")
    return _GAINS[nonlinearity]


def fans(tensor: InventoryTensor) -> tuple[int, int]:
    """(fan_in, fan_out) as torch.nn.init computes them, or by the tensor's own declared axes.

    Errors: ValueError for fewer than two dimensions without declared axes. A fan is 0 for a tensor without elements.
    """
    shape = tensor.shape
    if len(shape) < 2 and tensor.fan_axes is None:
        raise ValueError(
            f"fans need 2 or more dimensions; {_shape(tensor)}. "
            "Match weights only, e.g. with `tensor: [weight]` or `ndim`"
        )
    axes = tensor.fan_axes or FanAxes(fan_in=(1,), fan_out=(0,))
    listed = {*axes.fan_in, *axes.fan_out, *axes.batch}
    receptive = math.prod(extent for axis, extent in enumerate(shape) if axis not in listed)
    fan_in, fan_out = (math.prod(shape[axis] for axis in side) * receptive for side in (axes.fan_in, axes.fan_out))
    return fan_in, fan_out


def _shape(tensor: InventoryTensor) -> str:
    return f"{tensor.name} has shape {list(tensor.shape)}"
