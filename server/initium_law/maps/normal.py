"""The map of `Normal` and of every interval around the mean: one word makes one value.

The 2^32 equally likely u = word xor 2^31 are laid along the interval: the first T of them below the mean, the others
above; T = 2^31 for `Normal`. On each side, with k the distance of u from that side's outer end and k' from the mean,
both unsigned integers converted to binary32,

    t = step (k + 1/2) + outer         P(|Z| > |z|)
    x = stride (k' + 1/2)              std P(|Z| < |z|), negative below the mean
    L = -log2(t (2 - t))
    value = x (N(L) / D(L)) + mean     then clamped and rendered (see `render`)

every operation rounded by itself to binary32, in the order written in the code; step, outer and stride are constants of
the side. t comes from the integer, so that both the far tail and the neighbourhood of the mean keep their precision.
The logarithm of g = 2^e m, with m in [sqrt(1/2), sqrt(2)), is e - d P(d), d = m - 1.

For `Normal` outer = 0 and step = 2^-31 on both sides and stride = -+std 2^-31: the map is odd under word -> not word.

P is a minimax fit to -log2(1 + d) / d (error 5e-7 of L, equal at both ends of the range of d), N / D one to z / x as a
function of L over 0 <= L <= 33.5, that is up to 6.5 standard deviations (relative error 1.9e-7). Every coefficient of
N and D is positive, so nothing cancels. The coefficients below are the definition, the fit only their origin. The
variable is that of M. Giles, "Approximating the erfinv function", GPU Computing Gems Jade, ch. 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_law.jit import jit
from initium_law.maps.philox import LENGTH


def _f32(digits: str) -> np.float32:
    return np.float32(float.fromhex(digits))


P0, P1, P2, P3 = map(_f32, ("-0x1.7154a2p+0", "0x1.715708p-1", "-0x1.ec19d6p-2", "0x1.6fddc6p-2"))
P4, P5, P6 = map(_f32, ("-0x1.2f684cp-2", "0x1.14e886p-2", "-0x1.5e47d6p-3"))
N0, N1, N2 = map(_f32, ("0x1.40d936p+0", "0x1.46deb6p-2", "0x1.6bbbb0p-5"))
N3, N4, N5 = map(_f32, ("0x1.0d1580p-8", "0x1.fd69f6p-13", "0x1.2f86dap-18"))
D0, D1, D2 = map(_f32, ("0x1.000000p+0", "0x1.2bf27ap-4", "0x1.0400cap-6"))
D3, D4, D5 = map(_f32, ("0x1.af5a8ap-11", "0x1.495e40p-15", "0x1.445aeap-23"))

STEP = 2.0**-31
"""step of `Normal`; its stride is std times as much."""

HALF = np.float32(0.5)
TWO = np.float32(2)
_ONE = np.float32(1)
_SQRT_HALF = np.int32(0x3F3504F3)
_MANTISSA_BITS = np.int32(23)
_SIGN_BIT = np.int32(31)
_LOW31 = np.int32(0x7FFFFFFF)
_ZERO = np.int32(0)


@jit
def minus_log2(g: Any) -> Any:
    """L of the text above for a positive normal g; float32 in and out."""
    bits = np.float32(g).view(np.int32)
    exponent = np.int32(np.int32(bits - _SQRT_HALF) >> _MANTISSA_BITS)
    d = np.int32(bits - np.int32(exponent << _MANTISSA_BITS)).view(np.float32) - _ONE
    d2 = d * d
    p = (P6 * d2 + (P5 * d + P4)) * (d2 * d2) + ((P3 * d + P2) * d2 + (P1 * d + P0))
    return d * p - np.float32(exponent)


@jit
def symmetric_block(words: Any, xs: Any, gs: Any, params: Any) -> None:
    """From words, x and g = t (2 - t) of each where both sides are mirror images; uint32[BLOCK] to float32[BLOCK].

    params: lower, upper, mean, then stride, step and outer of the upper side. The same values as `sided_block`, faster.
    """
    stride, step, outer = params[3], params[4], params[5]
    for j in range(LENGTH):
        i = np.int32(words[j])
        n = np.int32(i ^ np.int32(i >> _SIGN_BIT))
        x = (np.float32(n) + HALF) * stride
        t = (np.float32(np.int32(n ^ _LOW31)) + HALF) * step + outer
        gs[j] = t * (TWO - t)
        xs[j] = -x if i < _ZERO else x


@jit
def log_block(gs: Any) -> None:
    """L in the place of every g, float32[BLOCK].

    The steps of a map are loops of their own, since a processor looks ahead some hundred operations only: of one long
    chain for each element too few elements would be in flight.
    """
    for j in range(LENGTH):
        gs[j] = minus_log2(gs[j])


@jit
def values_block(xs: Any, logs: Any, values: Any, params: Any) -> None:
    """From x and L the values x (N(L) / D(L)) + mean, clamped; params: lower, upper, mean, ... Uses up the logs."""
    lower, upper, mean = params[0], params[1], params[2]
    for j in range(LENGTH):
        log = logs[j]
        l2 = log * log
        l4 = l2 * l2
        values[j] = (N5 * log + N4) * l4 + ((N3 * log + N2) * l2 + (N1 * log + N0))
        logs[j] = (D5 * log + D4) * l4 + ((D3 * log + D2) * l2 + (D1 * log + D0))
    for j in range(LENGTH):
        value = xs[j] * (values[j] / logs[j]) + mean
        value = lower if value < lower else value
        values[j] = upper if value > upper else value
