"""The map of an interval on one side of the mean: 0 <= alpha < beta standard deviations, also far in the tail.

With u = word xor 2^31, k = 2^32 - 1 - u and k' = u as unsigned integers converted to binary32,

    t = step (k + 1/2) + outer         2^K P(|Z| > |z|)
    x = stride (k' + 1/2) + inner      P(|Z| < |z|)
    L = -log2(t (1 + x))
    y = sqrt(L + offset) - 4           offset = 16 + K
    z = x (M(y) / E(y))
    value = std z + mean               then clamped and rendered (see `render`)

every operation rounded by itself to binary32. t is scaled by 2^K, the power of two that brings it near to 1, so that a
tail at 30 standard deviations is as fine as one at 3. An interval that begins 37 standard deviations from the mean or
further holds its nearest bound only.

M / E is a minimax fit to z / x over 0 <= L + K <= 1043, that is up to 37 standard deviations (relative error 4e-6);
every coefficient is positive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from initium_law.jit import jit
from initium_law.maps.normal import HALF, _f32
from initium_law.maps.phi import centre, tail
from initium_law.maps.philox import LENGTH

M0, M1, M2, M3 = map(_f32, ("0x1.8c9e86p+3", "0x1.636034p+4", "0x1.c826cap+4", "0x1.9e76ccp+4"))
M4, M5, M6 = map(_f32, ("0x1.188caep+4", "0x1.511e44p+3", "0x1.2d8c6ep+0"))
E0, E1, E2, E3 = map(_f32, ("0x1.3c74d4p+3", "0x1.aeb658p+1", "0x1.83b1aap+3", "0x1.1e7538p+2"))
E4 = _f32("0x1.3f55bep+2")

_ONE = np.float32(1)
_ROOT_OFFSET = np.float32(4)
_FLIP = np.uint32(0x80000000)
_LOW31 = np.uint32(0x7FFFFFFF)


@dataclass(frozen=True, slots=True)
class Beyond:
    """How the words are laid along an interval above the mean; binary64 numbers, each rounded to binary32."""

    stride: float
    inner: float
    step: float
    outer: float
    scale: int
    """K."""

    def params(self, std: float) -> list[float]:
        """In the order in which `far_block` takes them after lower, upper and mean."""
        return [std, self.stride, self.inner, self.step, self.outer, 16.0 + self.scale]


def beyond(alpha: float, beta: float) -> Beyond:
    """The interval from alpha to beta, 0 <= alpha < beta, alpha < FAR.

    With M = 2 P(alpha < Z < beta), in binary64 and in the order of the code: 2^K P(|Z| > alpha) is in [1/2, 1), or
    K = 0; outer = 2^K P(|Z| > beta), step = 2^K M / 2^32, stride = M / 2^32, inner = P(|Z| < alpha). All but K are then
    rounded to binary32; a stride that vanishes there is harmless, since inner is then 1.
    """
    near, far = 2.0 * tail(alpha), 2.0 * tail(beta)
    mass = near - far if alpha >= 2.0 else 2.0 * (centre(beta) - centre(alpha))
    scale = max(0, -math.frexp(near)[1])
    stride = mass / 2.0**32
    return Beyond(stride, 2.0 * centre(alpha), math.ldexp(stride, scale), math.ldexp(far, scale), scale)


@jit
def far_block(words: Any, xs: Any, gs: Any, params: Any) -> None:
    """From the words of a block, x and g = t (1 + x) of each; params: lower, upper, mean, std, those of `Beyond`."""
    stride, inner, step, outer = params[4], params[5], params[6], params[7]
    for j in range(LENGTH):
        t = step * (np.float32(np.uint32(words[j] ^ _LOW31)) + HALF) + outer
        x = stride * (np.float32(np.uint32(words[j] ^ _FLIP)) + HALF) + inner
        gs[j] = t * (_ONE + x)
        xs[j] = x


@jit
def far_values_block(xs: Any, logs: Any, values: Any, params: Any) -> None:
    """From x and L the values, clamped to the bounds; params as for `far_block`."""
    lower, upper, mean, std, offset = params[0], params[1], params[2], params[3], params[8]
    for j in range(LENGTH):
        y = np.sqrt(logs[j] + offset) - _ROOT_OFFSET
        y2 = y * y
        y4 = y2 * y2
        numerator = (M6 * y2 + (M5 * y + M4)) * y4 + ((M3 * y + M2) * y2 + (M1 * y + M0))
        denominator = (y + E4) * y4 + ((E3 * y + E2) * y2 + (E1 * y + E0))
        value = std * (xs[j] * (numerator / denominator)) + mean
        value = lower if value < lower else value
        values[j] = upper if value > upper else value
