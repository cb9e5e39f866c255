"""Ranges, tables and permutations."""

from __future__ import annotations

import math
from typing import Any

from initium_law import grammar as fills
from initium_law.dtypes import encode
from initium_server.planning.casts import add_literal
from initium_server.planning.initializers.registry import Resolution, initializer, number
from initium_server.planning.target import Target, axis_of

MAX_VALUES = 65_536
"""Numbers of one table; a recipe is no place for more."""


@initializer(torch=False)
def arange(args: Any, target: Target) -> Resolution:
    return Resolution(_arange(args, target, 0.0))


@initializer(torch=False)
def linspace(args: Any, target: Target) -> Resolution:
    return Resolution(fills.Linspace(number(args, "start"), number(args, "end"), _axis(args, target)))


@initializer(torch=False)
def log_arange(args: Any, target: Target) -> Resolution:
    """Gu & Dao 2023 (Mamba): A_log = log(1 ... n)."""
    inside = _arange(args, target, 1.0)
    last = inside.start + inside.step * max(target.shape[inside.axis] - 1, 0)
    if min(inside.start, last) <= 0:
        raise ValueError(f"the logarithm of {min(inside.start, last):g}; the range must be more than 0")
    return Resolution(fills.Pointwise("log", (inside,)))


@initializer
def values(args: Any, target: Target) -> Resolution:
    table = list(args.values)
    if len(table) > MAX_VALUES:
        raise ValueError(f"{len(table):,} values; a table of a recipe has at most {MAX_VALUES:,}")
    if len(table) != target.numel:
        raise ValueError(f"{len(table):,} values for {target.numel:,} elements; {target.shown}")
    wrong = next((i for i, value in enumerate(table) if not math.isfinite(value)), None)
    if wrong is not None:
        raise ValueError(f"values[{wrong}] is {table[wrong]}; it must be finite")
    data = b"".join(encode(value, target.tensor.dtype) for value in table)
    return Resolution(fills.Literal(add_literal(data, target.model.literals)))


@initializer(torch=False)
def permutation(args: Any, target: Target) -> Resolution:
    if len(target.shape) != 1:
        raise ValueError(f"permutation needs 1 dimension; {target.shown}")
    return Resolution(fills.Permutation())


def _arange(args: Any, target: Target, start: float) -> fills.Arange:
    return fills.Arange(number(args, "start", start), number(args, "step", 1.0), _axis(args, target))


def _axis(args: Any, target: Target) -> int:
    return axis_of(args.axis if args.HasField("axis") else -1, target)
