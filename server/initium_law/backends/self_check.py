"""Whether a device computes as the law says, found out before it serves anybody.

A device that contracts, divides approximately or flushes subnormal numbers gives other bytes; it is refused. The check
draws with every map and rendering, so it also compiles every variant of a kernel while nobody waits.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from initium_law.backends import numba_kernel
from initium_law.dtypes import ITEM_SIZE, Bytes
from initium_law.grammar import Normal, TruncNormal, Uniform
from initium_law.maps.random_fills import Backend, Draw, resolve
from initium_law.maps.render import RENDERINGS

START, COUNT = 4 * (2**32 - 200) + 5, 4003
"""The elements that are compared: the counter's low word overflows among them, and neither end is a whole counter's."""

_IDENTITY = np.array([0x12345678, 0xFEDCBA98, 0x80000001, 0x7FFFFFFF], np.uint32)

_FILLS: Mapping[str, Uniform | Normal | TruncNormal] = {
    "uniform": Uniform(-0.1, 0.3),
    "uniform, subnormal values": Uniform(-(2.0**-128), 2.0**-127),
    "normal": Normal(0.0, 0.02),
    "normal, tiny values": Normal(0.0, 1e-6),
    "truncated normal around the mean": TruncNormal(0.5, 1.0, 0.25, 4.0),
    "truncated normal, symmetric": TruncNormal(0.0, 0.02, -0.04, 0.04),
    "truncated normal beyond the mean": TruncNormal(0.0, 1.0, 5.0, 6.0),
    "truncated normal below the mean": TruncNormal(1.0, 2.0, -60.0, -9.0),
}


def check(draw: Backend, device: str) -> None:
    """OSError if `draw` does not give the bytes of the CPU's compiled kernels."""
    for name, fill in _FILLS.items():
        for dtype in RENDERINGS:
            made = resolve(fill, _IDENTITY, dtype)
            if isinstance(made, Draw):
                _compare(draw, made, device, f"{name} as {dtype}", ITEM_SIZE[dtype])


def _compare(draw: Backend, made: Draw, device: str, name: str, size: int) -> None:
    # Different rubbish, so that an element that is never written is found.
    want, got = np.zeros(COUNT * size, np.uint8), np.full(COUNT * size, 0xAA, np.uint8)
    numba_kernel.draw(made, START, want)
    draw(made, START, got)
    differ = np.flatnonzero((want != got).reshape(COUNT, size).any(axis=1))
    if len(differ):
        at = slice(int(differ[0]) * size, int(differ[0] + 1) * size)
        raise OSError(
            f"device {device} does not compute as IEEE 754 says: {len(differ)} of {COUNT} elements of {name} differ, "
            f"the first is {START + int(differ[0])}: {_hex(got[at])} instead of {_hex(want[at])}; use --device cpu"
        )


def _hex(element: Bytes) -> str:
    return "0x" + element[::-1].tobytes().hex()
