"""The registry of initializers, and how the message of a rule becomes a fill by them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, overload

from initium.v1 import init_pb2
from initium_law import grammar as fills
from initium_server.planning import computed
from initium_server.planning.fields import At, at
from initium_server.planning.target import Target, default_fill

LIBRARY_DEFAULT = "library_default"


@dataclass(frozen=True, slots=True)
class Resolution:
    """A fill, and the numbers that explain it (exact floats, integers and words as text)."""

    fill: fills.Fill
    numbers: Mapping[str, str] = field(default_factory=dict)


Initializer = Callable[[Any, Target], Resolution]

INITIALIZERS: dict[str, Initializer] = {}

NOT_OF_TORCH: set[str] = set()
"""Those that torch.nn.init does not have, so that generator `torch` cannot run them."""


@overload
def initializer(function: Initializer) -> Initializer: ...
@overload
def initializer(*, torch: bool) -> Callable[[Initializer], Initializer]: ...
def initializer(function: Initializer | None = None, *, torch: bool = True) -> Any:
    """Registers a function under its own name, which is its field in `InitRule.initializer`.

    `torch`: whether generator `torch` can run it. Registered functions raise ValueError, whose text says what is wrong
    with the arguments or the tensor.
    """

    def register(function: Initializer) -> Initializer:
        INITIALIZERS[function.__name__] = function
        if not torch:
            NOT_OF_TORCH.add(function.__name__)
        return function

    return register if function is None else register(function)


def resolve_rule(rule: init_pb2.InitRule, target: Target) -> Resolution:
    """The fill that a rule, or one inside another, gives the target. Errors: `At`, with a field of the rule."""
    name = rule.WhichOneof("initializer") or ""
    with at("computed"):
        args, numbers = computed.arguments(rule, target)
    with at(name):
        if name == LIBRARY_DEFAULT:
            return Resolution(_default(target))
        made = INITIALIZERS[name](args, target)
    return replace(made, numbers={**numbers, **made.numbers}) if numbers else made


def _default(target: Target) -> fills.Fill:
    if not target.whole:
        raise ValueError("a part of a tensor has no default fill of its own; give another initializer")
    try:
        return default_fill(target.tensor)
    except ValueError as error:
        shown = f"{target.name} {list(target.shape)}"
        raise ValueError(f"{shown} has no default to keep: {error}; give another initializer") from None


def inner(rule: init_pb2.InitRule, target: Target, field: str) -> Resolution:
    """The fill that a rule at `field` of an initializer's arguments gives the target."""
    with at(field):
        return resolve_rule(rule, target)


def required(args: Any, target: Target, name: str = "of") -> Resolution:
    """`inner`, for a field that must be given."""
    if not args.HasField(name):
        raise At(name, "required: an initializer, e.g. {normal: {std: 0.02}}")
    return inner(getattr(args, name), target, name)


def below(prefix: str, made: Resolution) -> dict[str, str]:
    """The numbers of a part, under its name."""
    return {f"{prefix}.{key}": value for key, value in made.numbers.items()}


def number(args: Any, name: str, default: float | None = None) -> float:
    """A finite argument, or its default. ValueError if it has none, or is not finite."""
    if not args.HasField(name):
        if default is None:
            raise ValueError(f"{name} is required")
        return default
    value = float(getattr(args, name))
    if not math.isfinite(value):
        raise ValueError(f"{name} is {value}; it must be finite")
    return value


def non_negative(args: Any, name: str, default: float) -> float:
    """`number`, of 0 or more."""
    value = number(args, name, default)
    if value < 0:
        raise ValueError(f"{name} is {value}; it must be 0 or more")
    return value
