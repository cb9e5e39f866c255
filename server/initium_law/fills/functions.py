"""exp, log, expm1, cosine and sine of binary32 values by fixed sequences of correctly rounded binary64 operations.

Each takes float32[n] and gives float32[n]: the argument is widened, the sequence written here is worked off in
binary64, every operation rounded by itself, and the result is rounded once. What it gives is the definition; it is
within 1e-15 of the true function before that last rounding. No function of a mathematical library is used, so any
machine agrees.
"""

from __future__ import annotations

import numpy as np

from initium_law.dtypes import Doubles, Singles
from initium_law.maps.phi import LN2_HIGH, LN2_LOW, LOG2_E

_SQRT_HALF = float.fromhex("0x1.6a09e667f3bcdp-1")
_TWO_OVER_PI = float.fromhex("0x1.45f306dc9c883p-1")
_HALF_PI_HIGH = float.fromhex("0x1.921fb54400000p+0")
_HALF_PI_MIDDLE = float.fromhex("0x1.0b4611a600000p-34")
_HALF_PI_LOW = float.fromhex("0x1.3198a2e037073p-69")
_LARGEST_ANGLE = 2.0**20


def _wide_exp(y: Doubles) -> Doubles:
    """As `phi.exp`, for |y| <= 120: n = rint(y log2 e), r = (y - n ln2_high) - n ln2_low, Taylor to degree 16, 2^n."""
    n = np.rint(y * LOG2_E)
    r = (y - n * LN2_HIGH) - n * LN2_LOW
    total = np.ones_like(r)
    for k in range(16, 0, -1):
        total = 1.0 + r * total / k
    return np.ldexp(total, n.astype(np.int32))


def exp(x: Singles) -> Singles:
    """e^x; arguments are first clamped to [-120, 120], where binary32 has long become 0 or infinity."""
    return _wide_exp(np.clip(x.astype(np.float64), -120.0, 120.0)).astype(np.float32)


def expm1(x: Singles) -> Singles:
    """e^x - 1; for |x| < 1/2 x (1 + x/2 (1 + x/3 (... (1 + x/17)))), else exp less 1."""
    y = np.clip(x.astype(np.float64), -120.0, 120.0)
    total = np.ones_like(y)
    for k in range(17, 1, -1):
        total = 1.0 + y * total / k
    return np.where(np.abs(y) < 0.5, y * total, _wide_exp(y) - 1.0).astype(np.float32)


def log(x: Singles) -> Singles:
    """Natural logarithm; of zero -infinity, of negative numbers NaN.

    x = 2^e m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), q = s s, and with A = 2 s (1 + q/3 + q^2/5 + ... +
    q^11/23) by Horner's rule log x = e ln2_high + (A + e ln2_low).
    """
    y = x.astype(np.float64)
    valid = (y > 0.0) & (y < np.inf)
    m, e = np.frexp(np.where(valid, y, 1.0))
    low = m < _SQRT_HALF
    m, e = np.where(low, m * 2.0, m), np.where(low, e - 1, e).astype(np.float64)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    total = np.full_like(q, 1.0 / 23.0)
    for k in range(21, 0, -2):
        total = total * q + 1.0 / k
    result = e * LN2_HIGH + (2.0 * s * total + e * LN2_LOW)
    special = np.where(y == 0.0, -np.inf, np.where(y == np.inf, np.inf, np.nan))
    return np.where(valid, result, special).astype(np.float32)


def cos(x: Singles) -> Singles:
    """Cosine for |x| <= 2^20; of larger arguments, infinities and NaN it is NaN."""
    return _circular(x, 0)


def sine(x: Singles) -> Singles:
    """Sine for |x| <= 2^20; of larger arguments, infinities and NaN it is NaN."""
    return _circular(x, 3)


def _circular(x: Singles, quadrants: int) -> Singles:
    """Cosine of x and so many right angles.

    n = rint(x 2/pi), an integer (0, never -0), r = ((x - n c1) - n c2) - n c3 with the three parts of pi/2; by
    (n + quadrants) mod 4 the result is C(r), -S(r), -C(r) or S(r), the Taylor sums of cosine (to r^18) and sine (to
    r^19) by Horner's rule in q = r r.
    """
    y = x.astype(np.float64)
    valid = np.abs(y) <= _LARGEST_ANGLE
    y = np.where(valid, y, 0.0)
    n = np.rint(y * _TWO_OVER_PI) + 0.0  # -0 becomes 0, so that the sine of -0 is -0
    r = ((y - n * _HALF_PI_HIGH) - n * _HALF_PI_MIDDLE) - n * _HALF_PI_LOW
    q = r * r
    cosine, sine = np.ones_like(q), np.ones_like(q)
    for k in range(18, 0, -2):
        cosine = 1.0 - q * cosine / (k * (k - 1))
        sine = 1.0 - q * sine / (k * (k + 1))
    sine = r * sine
    quadrant = (n.astype(np.int64) + quadrants) & 3
    result = np.select([quadrant == 0, quadrant == 1, quadrant == 2], [cosine, -sine, -cosine], sine)
    return np.where(valid, result, np.nan).astype(np.float32)
