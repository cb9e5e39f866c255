"""The inverse of the normal distribution function in single precision, and the probabilities that `Normal` gives it.

One word makes one value. With i the word as a two's complement number, n = i for i >= 0 and n = -1 - i otherwise:

    x = (n + 1/2) 2^-31                the probability of being nearer to the mean, 0 < x <= 1
    t = (2^31 - 1 - n + 1/2) 2^-31     the probability of being further away: 1 - x, but taken from the integer

with n and 2^31 - 1 - n converted to binary32 first. x gets the sign of i. Then, for any x and t,

    L = -log2(t (1 + |x|)) + offset    offset = 16, or 16 + K where t was scaled by 2^K (see `truncated`)
    y = sqrt(L) - 4
    z = x N(y) / D(y)
    value = std z + mean               then clamped and rendered (see `render`)

every operation rounded by itself to binary32, in the order written in the code. The logarithm of g = 2^e m, with m in
[sqrt(1/2), sqrt(2)), is e - d P(d), d = m - 1. So z is odd under word -> not word, does not depend on the platform, is
finite for every word (0 < |z| < 6.34), and lies within 5e-6 of the exact quantile. Over all 2^32 words its variance is
1 + 9e-8 and its fourth moment 3 + 4e-7.

P is a minimax fit to -log2(1 + d) / d (relative error 1.7e-7), N / D one to z / x over 0 <= L - 16 <= 1043, that is
up to 37 standard deviations (error 4e-7 up to 6.5, relative error 4e-6 beyond); every coefficient of N and D is
positive, so nothing cancels. The coefficients below are the definition, the fit only their origin. After M. Giles,
"Approximating the erfinv function", GPU Computing Gems Jade, ch. 10.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_server.law.jit import jit
from initium_server.law.philox import LENGTH


def _f32(digits: str) -> np.float32:
    return np.float32(float.fromhex(digits))


P0, P1, P2, P3 = map(_f32, ("-0x1.715474p+0", "0x1.715528p-1", "-0x1.ec7724p-2", "0x1.70e2a8p-2"))
P4, P5, P6, P7 = map(_f32, ("-0x1.25fd3ap-2", "0x1.fdb350p-3", "-0x1.df514cp-3", "0x1.2a9e66p-3"))
N0, N1, N2, N3 = map(_f32, ("0x1.8c9e86p+3", "0x1.636034p+4", "0x1.c826cap+4", "0x1.9e76ccp+4"))
N4, N5, N6 = map(_f32, ("0x1.188caep+4", "0x1.511e44p+3", "0x1.2d8c6ep+0"))
D0, D1, D2, D3 = map(_f32, ("0x1.3c74d4p+3", "0x1.aeb658p+1", "0x1.83b1aap+3", "0x1.1e7538p+2"))
D4 = _f32("0x1.3f55bep+2")

WHOLE = (2.0**-31, 2.0**-31, 0.0)
"""stride, step and outer of the normal itself."""

OFFSET = np.float32(16)
HALF = np.float32(0.5)
_ROOT_OFFSET = np.float32(4)
_ONE = np.float32(1)
_SQRT_HALF = np.int32(0x3F3504F3)
_MANTISSA_BITS = np.int32(23)
_SIGN_BIT = np.int32(31)
_LOW31 = np.int32(0x7FFFFFFF)
_ZERO = np.int32(0)


@jit
def logarithm(t: Any, x: Any, offset: Any) -> Any:
    """L of the text above; float32 in and out. t (1 + |x|) must be a normal number."""
    bits = np.float32(t * (_ONE + np.abs(x))).view(np.int32)
    exponent = np.int32(np.int32(bits - _SQRT_HALF) >> _MANTISSA_BITS)
    d = np.int32(bits - np.int32(exponent << _MANTISSA_BITS)).view(np.float32) - _ONE
    d2 = d * d
    p = ((P7 * d + P6) * d2 + (P5 * d + P4)) * (d2 * d2) + ((P3 * d + P2) * d2 + (P1 * d + P0))
    return d * p + (offset - np.float32(exponent))


@jit
def quantile(x: Any, log: Any) -> Any:
    """z of the text above, from x and L; float32 in and out."""
    y = np.sqrt(log) - _ROOT_OFFSET
    y2 = y * y
    y4 = y2 * y2
    numerator = (N6 * y2 + (N5 * y + N4)) * y4 + ((N3 * y + N2) * y2 + (N1 * y + N0))
    denominator = (y + D4) * y4 + ((D3 * y + D2) * y2 + (D1 * y + D0))
    return x * numerator / denominator


@jit
def normal_block(words: Any, xs: Any, logs: Any, params: Any) -> None:
    """From the words of a block, x and L of each: uint32[BLOCK] to two float32[BLOCK].

    params: 4 of `quantile_block`, then stride, step and outer: x = stride (n + 1/2), t = step (2^31 - 1 - n + 1/2) +
    outer. `WHOLE` for `Normal`; what `truncated` gives for an interval that is symmetric about the mean.
    """
    stride, step, outer = params[4], params[5], params[6]
    for j in range(LENGTH):
        i = np.int32(words[j])
        n = np.int32(i ^ np.int32(i >> _SIGN_BIT))
        x = (np.float32(n) + HALF) * stride
        t = (np.float32(np.int32(n ^ _LOW31)) + HALF) * step + outer
        logs[j] = logarithm(t, x, OFFSET)
        xs[j] = -x if i < _ZERO else x


@jit
def quantile_block(xs: Any, logs: Any, values: Any, params: Any) -> None:
    """From x and L, the values std z + mean, clamped to the bounds; params: lower, upper, mean, std, ...

    A loop of its own, so that more elements are in flight than one long chain of operations would allow.
    """
    lower, upper, mean, std = params[0], params[1], params[2], params[3]
    for j in range(LENGTH):
        value = std * quantile(xs[j], logs[j]) + mean
        value = lower if value < lower else value
        values[j] = upper if value > upper else value
