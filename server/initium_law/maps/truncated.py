"""The map of `TruncNormal`: one word makes one value, without rejection.

The bounds in standard deviations are alpha = (a - mean) / std and beta = (b - mean) / std, in binary64. If beta <= 0
the interval is mirrored: (alpha, beta) becomes (-beta, -alpha) and std becomes -std. So alpha < 0 < beta (the interval
holds the mean: `around`, drawn as `normal` says) or 0 <= alpha < beta (it lies above: `beyond`, drawn as `far` says).
Where neither bound can be reached, every word gives the value of `Normal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from initium_law.jit import jit
from initium_law.maps.normal import HALF, TWO
from initium_law.maps.phi import centre, tail
from initium_law.maps.philox import LENGTH

WORDS = 2.0**32
_FLIP = np.uint32(0x80000000)
_ONES = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the mean, as `normal` has it; binary64 numbers, each rounded to binary32 for the map."""

    stride: float
    step: float
    outer: float

    def is_mirror_of(self, other: Side) -> bool:
        """Whether the two sides differ in sign only."""
        return (-self.stride, self.step, self.outer) == (other.stride, other.step, other.outer)


@dataclass(frozen=True, slots=True)
class Around:
    """How the words are laid along an interval that holds the mean."""

    threshold: int
    """T, less than 2^32."""
    below: Side
    above: Side

    @property
    def is_symmetric(self) -> bool:
        """Whether `symmetric_block` serves it."""
        return self.threshold == 2**31 and self.below.is_mirror_of(self.above)

    def params(self) -> list[float]:
        """In the order in which `sided_block` takes them after lower, upper and mean."""
        sides = (self.above,) if self.is_symmetric else (self.below, self.above)
        return [number for side in sides for number in (side.stride, side.step, side.outer)]


def around(alpha: float, beta: float, std: float) -> Around:
    """The interval from alpha < 0 to beta > 0.

    With A = P(alpha < Z < 0) and B = P(0 < Z < beta), in binary64 and in the order of the code: T = 2^32 A / (A + B) to
    nearest even, at most 2^32 - 1; below the mean outer = 2 P(Z < alpha), step = 2 A / T, stride = -std step; above it
    outer = 2 P(Z > beta), step = 2 B / (2^32 - T), stride = std step. All but T are then rounded to binary32.
    """
    below, above = centre(-alpha), centre(beta)
    total = below + above
    threshold = min(round(WORDS * (below / total)), 2**32 - 1) if total > 0.0 else 2**31
    step_below = 2.0 * below / max(threshold, 1)
    step_above = 2.0 * above / (WORDS - threshold)
    return Around(
        threshold=threshold,
        below=Side(-std * step_below, step_below, 2.0 * tail(-alpha)),
        above=Side(std * step_above, step_above, 2.0 * tail(beta)),
    )


@jit
def sided_block(words: Any, xs: Any, gs: Any, params: Any, threshold: Any) -> None:
    """From words, x and g = t (2 - t) of each; params: lower, upper, mean, then the two sides of `Around`."""
    stride0, step0, outer0 = params[3], params[4], params[5]
    stride1, step1, outer1 = params[6], params[7], params[8]
    for j in range(LENGTH):
        u = np.uint32(words[j] ^ _FLIP)
        below = u < threshold
        k = np.float32(u if below else np.uint32(u ^ _ONES)) + HALF
        # threshold - 1 - u below, u - threshold above
        from_mean = np.uint32(u - threshold)
        k_mean = np.float32(np.uint32(from_mean ^ _ONES) if below else from_mean) + HALF
        t = (step0 if below else step1) * k + (outer0 if below else outer1)
        gs[j] = t * (TWO - t)
        xs[j] = (stride0 if below else stride1) * k_mean
