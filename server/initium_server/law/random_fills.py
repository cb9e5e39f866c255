"""Writers of random fills: checks the numbers of a fill and turns them into a kernel's parameters.

Every value is first a binary32 number and is clamped to bounds that the dtype itself can hold (the fill's bounds,
rounded inward; for a normal fill the dtype's largest finite values), so that no rendering leaves them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from initium_server.core.fills import Normal, TruncNormal, Uniform
from initium_server.law import kernel
from initium_server.law.dtypes import FLOATS, Float, largest, rounded
from initium_server.law.normal import WHOLE
from initium_server.law.phi import FAR
from initium_server.law.render import RENDERINGS
from initium_server.law.structured import Bytes, Writer, constant
from initium_server.law.truncated import around, beyond
from initium_server.law.uniform import uniform_params

Identity = npt.NDArray[np.uint32]

_F32_LARGEST = largest(FLOATS["F32"])


def uniform(fill: Uniform, identity: Identity, dtype: str) -> Writer:
    """Uniform on [low, high]; low = high is a constant."""
    _check_numbers(dtype, low=fill.low, high=fill.high)
    if fill.low > fill.high:
        raise ValueError(f"uniform bounds low={fill.low} and high={fill.high} are in the wrong order")
    if fill.low == fill.high:
        return constant(fill.low, dtype)
    bounds = _inward(fill.low, fill.high, dtype)
    return _random(kernel.UNIFORM, identity, dtype, [*bounds, *uniform_params(fill.low, fill.high)])


def normal(fill: Normal, identity: Identity, dtype: str) -> Writer:
    """Normal; std = 0 is a constant."""
    _check_numbers(dtype, mean=fill.mean, std=fill.std)
    _check_std(fill.std)
    if fill.std == 0.0:
        return constant(fill.mean, dtype)
    top = largest(_canonical(dtype))
    return _random(kernel.NORMAL, identity, dtype, [-top, top, fill.mean + 0.0, fill.std, *WHOLE])


def trunc_normal(fill: TruncNormal, identity: Identity, dtype: str) -> Writer:
    """Normal restricted to [a, b]; std = 0, and bounds out of a normal's reach, are the nearest number inside."""
    _check_numbers(dtype, mean=fill.mean, std=fill.std)
    _check_numbers(dtype, limit=math.inf, a=fill.a, b=fill.b)
    _check_std(fill.std)
    if fill.a >= fill.b:
        raise ValueError(f"truncation bounds a={fill.a} and b={fill.b} are not in ascending order")
    lower, upper = _inward(fill.a, fill.b, dtype)
    alpha, beta = _in_deviations(fill.a, fill), _in_deviations(fill.b, fill)
    if fill.std == 0.0 or max(alpha, -beta) >= FAR:
        return constant(min(max(fill.mean, lower), upper), dtype)
    std = fill.std if beta > 0.0 else -fill.std
    if beta <= 0.0:
        alpha, beta = -beta, -alpha
    interval = around(alpha, beta) if alpha < 0.0 else beyond(alpha, beta)
    if interval.is_symmetric:
        # The same values by the faster loop.
        side = interval.above
        half = [lower, upper, fill.mean + 0.0, std, side.stride, side.step, side.outer]
        return _random(kernel.NORMAL, identity, dtype, half)
    params = [lower, upper, fill.mean + 0.0, std, *interval.params()]
    return _random(kernel.TRUNCATED, identity, dtype, params, interval.threshold)


def _in_deviations(bound: float, fill: TruncNormal) -> float:
    """(bound - mean) / std in binary64; infinite where that overflows or std is 0 (IEEE division, not Python's)."""
    distance = bound - fill.mean
    return distance / fill.std if fill.std > 0.0 else math.copysign(math.inf, distance)


def _random(kind: int, identity: Identity, dtype: str, params: Sequence[float], threshold: int = 0) -> Writer:
    singles = np.array(params, np.float32)
    code = RENDERINGS[dtype]

    def write(start: int, out: Bytes) -> None:
        kernel.call(out, start, identity, kind, singles, threshold, code)

    return write


def _canonical(dtype: str) -> Float:
    """The format whose values a random fill of this dtype takes: a random F64 is the widened F32."""
    return FLOATS["F32" if dtype == "F64" else dtype]


def _inward(low: float, high: float, dtype: str) -> tuple[float, float]:
    """The smallest and largest value of the dtype in [low, high]."""
    form = _canonical(dtype)
    top = largest(form)
    lower = rounded(max(low, -top), form, math.ceil) + 0.0
    upper = rounded(min(high, top), form, math.floor) + 0.0
    if lower > upper or lower < low or upper > high:
        raise ValueError(f"no value of dtype {dtype} lies between {low} and {high}; widen the bounds or use a constant")
    return lower, upper


def _check_numbers(dtype: str, limit: float = _F32_LARGEST, **numbers: float) -> None:
    """Random values are binary32 numbers in one of four dtypes, made from finite numbers that binary32 can hold."""
    if dtype not in RENDERINGS:
        raise ValueError(f"a random fill needs one of the dtypes {', '.join(RENDERINGS)}, and this tensor has {dtype}")
    for name, value in numbers.items():
        if not math.isfinite(value) or abs(value) > limit:
            raise ValueError(f"{name}={value} is not a finite number in the range of binary32")


def _check_std(std: float) -> None:
    if std < 0.0:
        raise ValueError(f"std={std} is negative; a standard deviation is 0 or more")
