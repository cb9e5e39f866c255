"""exp, log, expm1, cos and sine once more, with Python's floats one by one, after `proto/stream-v1.md`."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from initium_law.maps import phi

Single = npt.NDArray[np.float32]
H = float.fromhex


def _exp(y: float) -> float:
    return y if math.isnan(y) else phi.exp(max(-120.0, min(120.0, y)))


def _expm1(y: float) -> float:
    if math.isnan(y):
        return y
    y = max(-120.0, min(120.0, y))
    if abs(y) >= 0.5:
        return phi.exp(y) - 1.0
    s = 1.0
    for k in range(17, 1, -1):
        s = 1.0 + y * s / k
    return y * s


def _log(a: float) -> float:
    if math.isnan(a) or a < 0:
        return math.nan
    if a in (0.0, math.inf):
        return -math.inf if a == 0.0 else a
    m, e = math.frexp(a)
    if m < H("0x1.6a09e667f3bcdp-1"):
        m, e = m * 2, e - 1
    s = (m - 1) / (m + 1)
    q, p = s * s, 1 / 23
    for k in range(21, 0, -2):
        p = p * q + 1 / k
    return e * H("0x1.62e42feep-1") + (2 * s * p + e * H("0x1.a39ef35793c76p-33"))


def _cos(a: float) -> float:
    return _circular(a, ("C", "-S", "-C", "S"))


def _sine(a: float) -> float:
    return _circular(a, ("S", "C", "-S", "-C"))


def _circular(a: float, by_quadrant: tuple[str, str, str, str]) -> float:
    if not abs(a) <= 2.0**20:
        return math.nan
    n = round(a * H("0x1.45f306dc9c883p-1"))
    r = ((a - n * H("0x1.921fb544p+0")) - n * H("0x1.0b4611a6p-34")) - n * H("0x1.3198a2e037073p-69")
    q, c, s = r * r, 1.0, 1.0
    for k in range(18, 0, -2):
        c = 1.0 - q * c / (k * (k - 1))
        s = 1.0 - q * s / (k * (k + 1))
    s = r * s
    return {"C": c, "-S": -s, "-C": -c, "S": s}[by_quadrant[n % 4]]


def _each(function: Callable[[float], float]) -> Callable[[Single], Single]:
    return lambda x: np.array([function(float(a)) for a in x.ravel()], np.float64).astype(np.float32).reshape(x.shape)


def _clamp(x: Single, low: Single, high: Single) -> Single:
    c = np.where(x < low, low, x)
    return np.where(c > high, high, c)


OPERATIONS: dict[str, Callable[..., Single]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "clamp": _clamp,
    "sqrt": np.sqrt,
    "exp": _each(_exp),
    "log": _each(_log),
    "expm1": _each(_expm1),
    "cos": _each(_cos),
    "sine": _each(_sine),
}
