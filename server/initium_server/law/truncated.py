"""The map of `TruncNormal`: one word makes one value, without rejection.

The bounds in standard deviations are alpha = (a - mean) / std and beta = (b - mean) / std, in binary64. If beta <= 0
the interval is mirrored: (alpha, beta) becomes (-beta, -alpha) and std becomes -std. So alpha < 0 < beta (the interval
holds the mean) or 0 <= alpha < beta (it lies above). In either case the 2^32 equally likely u = word xor 2^31 are laid
along the interval: the first T of them below the mean, the others above. On each side, with k the distance of u from
that side's outer end and k' its distance from the inner end, both unsigned integers converted to binary32,

    t = outer + step (k + 1/2)         2^K P(|Z| > |z|)
    x = inner + stride (k' + 1/2)      P(|Z| < |z|), negative below the mean

so that both the far tail and the neighbourhood of the mean keep their precision; `normal` makes z of them. For an
interval above the mean t is scaled by 2^K, the power of two that brings it near to 1, so that a tail at 30 standard
deviations is as fine as one at 3. Where neither bound can be reached, every word gives the value of `Normal`. An
interval that begins 37 standard deviations from the mean or further holds its nearest bound only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from initium_server.law.jit import jit
from initium_server.law.normal import HALF, logarithm
from initium_server.law.phi import centre, tail
from initium_server.law.philox import LENGTH

WORDS = 2.0**32
_FLIP = np.uint32(0x80000000)
_ONES = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the mean; see the text above."""

    outer: float = 0.0
    step: float = 0.0
    stride: float = 0.0


@dataclass(frozen=True, slots=True)
class Interval:
    """How the words are laid along an interval above the mean or around it."""

    threshold: int
    """T, less than 2^32."""
    below: Side
    above: Side
    inner: float
    scale: int
    """K."""

    @property
    def is_symmetric(self) -> bool:
        """Whether both sides of the mean are mirror images, so that `normal_block` serves them."""
        mirrored = Side(self.below.outer, self.below.step, -self.below.stride)
        return self.threshold == 2**31 and self.above == mirrored and self.inner == 0.0 and self.scale == 0

    def params(self) -> list[float]:
        """In the order in which `truncated_block` takes them after lower, upper, mean, std."""
        sides = [v for side in (self.below, self.above) for v in (side.outer, side.step, side.stride)]
        return [*sides, self.inner, 16.0 + self.scale]


def around(alpha: float, beta: float) -> Interval:
    """The interval from alpha < 0 to beta > 0.

    With A = P(alpha < Z < 0) and B = P(0 < Z < beta), in binary64 and in the order of the code: T = 2^32 A / (A + B) to
    nearest even, less than 2^32; below the mean outer = 2 P(Z < alpha), step = 2 A / T, stride = -step; above it
    outer = 2 P(Z > beta), step = stride = 2 B / (2^32 - T); inner = 0, K = 0. All but T are then rounded to binary32.
    """
    below, above = centre(-alpha), centre(beta)
    total = below + above
    threshold = min(round(WORDS * (below / total)), 2**32 - 1) if total > 0.0 else 2**31
    step_below = 2.0 * below / max(threshold, 1)
    step_above = 2.0 * above / (WORDS - threshold)
    return Interval(
        threshold=threshold,
        below=Side(2.0 * tail(-alpha), step_below, -step_below),
        above=Side(2.0 * tail(beta), step_above, step_above),
        inner=0.0,
        scale=0,
    )


def beyond(alpha: float, beta: float) -> Interval:
    """The interval from alpha to beta, 0 <= alpha < beta, alpha < FAR.

    With M = 2 P(alpha < Z < beta), in binary64 and in the order of the code: T = 0; 2^K P(|Z| > alpha) is in [1/2, 1),
    or K = 0; outer = 2^K P(|Z| > beta), step = 2^K M / 2^32, stride = M / 2^32, inner = P(|Z| < alpha). All but T are
    then rounded to binary32; a stride that vanishes there is harmless, since inner is then 1.
    """
    near, far = 2.0 * tail(alpha), 2.0 * tail(beta)
    mass = near - far if alpha >= 2.0 else 2.0 * (centre(beta) - centre(alpha))
    scale = max(0, -math.frexp(near)[1])
    step = math.ldexp(mass / WORDS, scale)
    above = Side(math.ldexp(far, scale), step, mass / WORDS)
    return Interval(threshold=0, below=Side(), above=above, inner=2.0 * centre(alpha), scale=scale)


@jit
def truncated_block(words: Any, xs: Any, logs: Any, params: Any, threshold: Any) -> None:
    """From the words of a block, x and L of each; params: 4 of `normal`, then those of `Interval`."""
    outer0, step0, stride0 = params[4], params[5], params[6]
    outer1, step1, stride1 = params[7], params[8], params[9]
    inner, offset = params[10], params[11]
    for j in range(LENGTH):
        u = np.uint32(words[j] ^ _FLIP)
        below = u < threshold
        k = np.float32(u if below else np.uint32(u ^ _ONES)) + HALF
        # threshold - 1 - u below, u - threshold above
        from_inner = np.uint32(u - threshold)
        k_inner = np.float32(np.uint32(from_inner ^ _ONES) if below else from_inner) + HALF
        t = (step0 if below else step1) * k + (outer0 if below else outer1)
        x = (stride0 if below else stride1) * k_inner + inner
        xs[j] = x
        logs[j] = logarithm(t, x, offset)
