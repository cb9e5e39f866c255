"""Computed arguments: the names that expressions of `InitRule.computed` may use, and what they are for a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from initium.contract.canonical import hex_float
from initium.contract.wording import suggestion
from initium.errors import Violation
from initium.v1 import init_pb2
from initium_server.planning.arithmetic import Expression, parse
from initium_server.planning.fans import GAINS, calculate_gain, fans, width
from initium_server.planning.fields import At
from initium_server.planning.target import Target


def _block(target: Target) -> int:
    return _in_stack(target.owner.block, target)


def _blocks(target: Target) -> int:
    return _in_stack(target.owner.blocks, target)


def _in_stack(value: int | None, target: Target) -> int:
    if value is None:
        raise ValueError(f"{target.owner.name} lies in no stack of blocks, so it has no block and blocks")
    return value


_NAMES: Mapping[str, Callable[[Target], float]] = {
    "fan_in": lambda target: fans(target)[0],
    "fan_out": lambda target: fans(target)[1],
    "block": _block,
    "blocks": _blocks,
    "numel": lambda target: target.numel,
    "base_fan_in": lambda target: fans(target.at_base())[0],
    "base_fan_out": lambda target: fans(target.at_base())[1],
    "width": width,
}
_GAIN_NAMES = (*_NAMES, *GAINS, "leaky_relu")


def _value(name: str, index: int | None, target: Target) -> float:
    if index is not None:
        if index >= len(target.shape):
            raise ValueError(f"{name}[{index}] is beyond the last axis; {target.shown}")
        return float(target.shape[index])
    of_tensor = _NAMES.get(name)
    return float(of_tensor(target)) if of_tensor else calculate_gain(name, 0.01)


def _parsed(argument: str, text: str) -> Expression:
    if argument == "gain":
        return parse(text, _GAIN_NAMES, ("shape",), "leaky_relu")
    return parse(text, tuple(_NAMES), ("shape",))


def violations(rule: init_pb2.InitRule, path: str) -> Iterator[Violation]:
    """What is wrong with the computed arguments of the rule at `path`, as far as no tensor is needed to see it."""
    args = getattr(rule, rule.WhichOneof("initializer") or "library_default")
    numbers = {field.name for field in args.DESCRIPTOR.fields if _is_number(field)}
    for argument, text in sorted(rule.computed.items()):
        where = f"{path}.computed.{argument}"
        if argument not in numbers:
            has = suggestion(argument, sorted(numbers), "arguments that are numbers")
            yield Violation(where, f"the initializer has no argument {argument!r} that is a number; {has}")
        elif args.HasField(argument):
            yield Violation(where, f"{argument} is given by value, too; keep one")
        else:
            try:
                _parsed(argument, text)
            except ValueError as error:
                yield Violation(where, f"{error}, in {text[:60]!r}")


def _is_number(field: Any) -> bool:
    return bool(field.type == FieldDescriptor.TYPE_DOUBLE and not field.is_repeated)


def arguments(rule: init_pb2.InitRule, target: Target) -> tuple[Any, dict[str, str]]:
    """The arguments of the rule's initializer for a tensor, and the computed ones among them as exact floats.

    Errors: `At` the argument.
    """
    args = getattr(rule, rule.WhichOneof("initializer") or "")
    if not rule.computed:
        return args, {}
    given, numbers = type(args)(), {}
    given.CopyFrom(args)
    for argument, text in sorted(rule.computed.items()):
        value = _computed(argument, text, target)
        setattr(given, argument, value)
        numbers[argument] = hex_float(value)
    return given, numbers


def _computed(argument: str, text: str, target: Target) -> float:
    try:
        value = _parsed(argument, text)(lambda name, index: _value(name, index, target))
    except (ValueError, OverflowError) as error:
        raise At(argument, f"{target.name}: {error}, in {text!r}") from None
    assert math.isfinite(value)
    return value
