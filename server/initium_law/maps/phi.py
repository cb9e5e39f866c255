"""The normal distribution function at a bound, in binary64 by a fixed sequence of correctly rounded operations.

Computed once per truncated tensor, so clear rather than fast: no table, no fitted coefficient, and nothing from the
platform's mathematical library. Any language with binary64 arithmetic repeats it to the bit.
"""

from __future__ import annotations

import math

FAR = 37.0
"""Bounds at least this many standard deviations away have no tail: binary64 could not hold it with full precision."""

LOG2_E = float.fromhex("0x1.71547652b82fep+0")
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
_INV_SQRT_2PI = float.fromhex("0x1.9884533d43651p-2")
_SERIES_TERMS = 40
_FRACTION_DEPTH = 100


def exp(y: float) -> float:
    """e^y for -700 <= y <= 0, within about one unit in the last place.

    y = n ln 2 + r; n is y log2(e) rounded to the nearest integer, ties to even; e^r is its Taylor sum to degree 16.
    """
    n = round(y * LOG2_E)
    r = (y - n * LN2_HIGH) - n * LN2_LOW
    total = 1.0
    for k in range(16, 0, -1):
        total = 1.0 + r * total / k
    return math.ldexp(total, n)


def density(x: float) -> float:
    """The normal density at x, |x| <= 37."""
    return _INV_SQRT_2PI * exp(-0.5 * (x * x))


def centre(x: float) -> float:
    """P(0 < Z < x) for x >= 0: below 2 the series density(x) (x + x^3/3 + x^5/(3 5) + ...), of positive terms."""
    if x >= 2.0:
        return 0.5 - tail(x)
    square, term, total = x * x, x, x
    for k in range(1, _SERIES_TERMS + 1):
        term = term * square / (2 * k + 1)
        total = total + term
    return density(x) * total


def tail(x: float) -> float:
    """P(Z > x) for x >= 0: from 2 on the fraction density(x) / (x + 1/(x + 2/(x + 3/(x + ...)))); 0 from FAR on."""
    if x < 2.0:
        return 0.5 - centre(x)
    if x >= FAR:
        return 0.0
    fraction = x
    for k in range(_FRACTION_DEPTH, 0, -1):
        fraction = x + k / fraction
    return density(x) / fraction
