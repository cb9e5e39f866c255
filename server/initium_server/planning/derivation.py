"""How the numbers of an initializer come about: `fan = 64 x 3 x 3 = 576`, `std = gain / sqrt(fan) = 0.0589`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction

from initium.contract.canonical import parse_hex_float
from initium.contract.reference import formulas
from initium_server.planning.assign import Assignment

_LARGEST = 1000
"""Numerator and denominator of the fractions that numbers are recognized as."""


def derivation(made: Assignment) -> Iterator[str]:
    """A line for each number that the initializer resolved, in its order.

    Formulas are those of the initializer's comment in the contract.
    """
    written = formulas(made.initializer)
    for name, text in made.numbers.items():
        yield " = ".join(filter(None, (name, written.get(name), *_value(name, text, made.tensor.shape))))


def _value(name: str, text: str, shape: Sequence[int]) -> Iterator[str]:
    """A number, behind what it is made of where that can be told."""
    with suppress(ValueError):
        value = parse_hex_float(text)
        yield exact_words(value)
        yield repr(value)
        return
    if name.rpartition(".")[2].startswith("fan") and text.isdecimal():
        yield _product(int(text), shape, first_axis=name.endswith("out"))
    yield text


def _product(fan: int, shape: Sequence[int], first_axis: bool) -> str:
    """The extents whose product a fan is: those of all axes but one."""
    for axis in (1, 0, *range(2, len(shape))) if first_axis else range(len(shape)):
        rest = [extent for i, extent in enumerate(shape) if i != axis]
        if len(rest) > 1 and math.prod(rest) == fan:
            return " x ".join(map(str, rest))
    return ""


def exact_words(value: float) -> str:
    """A number as `5/3`, `sqrt(2)` or `sqrt(2/3)` if it is that, correctly rounded, and no short decimal itself."""
    if value <= 0 or len(repr(value)) < 10:
        return ""
    whole = Fraction(value).limit_denominator(_LARGEST)
    if whole.numerator <= _LARGEST and whole.numerator / whole.denominator == value:
        return str(whole)
    square = Fraction(value * value).limit_denominator(_LARGEST)
    if square.numerator <= _LARGEST and math.sqrt(square.numerator / square.denominator) == value:
        return f"sqrt({square})"
    return ""
