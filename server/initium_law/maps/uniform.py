"""The map of `Uniform`: one word makes one value on [low, high].

With i the word as a two's complement number, converted to binary32:

    v = (i + 1/2) 2^-31                 -1 <= v <= 1
    value = (half v + rest) + middle    then clamped and rendered (see `render`)

every operation rounded by itself to binary32. half = (high - low) / 2 and middle = (high + low) / 2 are computed in
binary64 as high/2 - low/2 and high/2 + low/2 and rounded to binary32; `rest` is the binary64 middle less the rounded
one, again rounded to binary32. So symmetric bounds give symmetric values that are fine near zero, and bounds that are
a few units in the last place apart still give every value between them its share.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_law.dtypes import FLOATS, rounded
from initium_law.jit import jit
from initium_law.maps.philox import LENGTH

_HALF = np.float32(0.5)
_ULP31 = np.float32(2.0**-31)


def uniform_params(low: float, high: float) -> list[float]:
    """middle, rest and half, each a binary32 number."""
    middle = high * 0.5 + low * 0.5
    near = rounded(middle, FLOATS["F32"], round)
    rest, half = (rounded(number, FLOATS["F32"], round) for number in (middle - near, high * 0.5 - low * 0.5))
    return [near, rest, half]


@jit
def uniform_block(words: Any, values: Any, params: Any) -> None:
    """The values of a block; params: lower, upper, middle, rest, half."""
    lower, upper, middle, rest, half = params[0], params[1], params[2], params[3], params[4]
    for j in range(LENGTH):
        v = (np.float32(np.int32(words[j])) + _HALF) * _ULP31
        value = (half * v + rest) + middle
        value = lower if value < lower else value
        values[j] = upper if value > upper else value
