"""The writer of a fill that is a function of other fills' values, element by element."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from initium_law.backends import numba_kernel
from initium_law.dtypes import Bytes, Singles
from initium_law.fills import functions
from initium_law.fills.writer import Writer, in_slabs
from initium_law.maps.render import render


def _clamp(x: Singles, low: Singles, high: Singles) -> Singles:
    """low where x < low, then high where that is > high; NaN stays NaN."""
    x = np.where(x < low, low, x)
    return np.where(x > high, high, x)


OPERATIONS: dict[str, Callable[..., Singles]] = {
    "add": np.add,
    "multiply": np.multiply,
    "divide": np.divide,
    "clamp": _clamp,
    "sqrt": np.sqrt,
    "exp": functions.exp,
    "log": functions.log,
    "expm1": functions.expm1,
    "cos": functions.cos,
    "sine": functions.sine,
}
"""Binary32 arrays to a binary32 array: single IEEE 754 operations, or fixed sequences of them."""


def pointwise(op: str, operands: Sequence[Writer], dtype: str, size: int) -> Writer:
    """`op` of operands that write binary32; the result is rendered in `dtype`, of `size` bytes an element."""
    operation = OPERATIONS[op]

    def write(start: int, out: Bytes) -> None:
        numba_kernel.refuse_flush_to_zero()
        values = [_values(operand, start, len(out) // size) for operand in operands]
        with np.errstate(all="ignore"):
            out[:] = render(operation(*values), dtype)

    return in_slabs(write, size)


def _values(write: Writer, start: int, count: int) -> Singles:
    out = np.zeros(4 * count, np.uint8)
    write(start, out)
    return out.view("<f4")
