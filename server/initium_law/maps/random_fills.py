"""Random fills, resolved for one tensor: checks the numbers of a fill and turns them into a map's parameters.

Every value is first a binary32 number and is clamped to bounds that the dtype itself can hold (the fill's bounds,
rounded inward; for a normal fill the dtype's largest finite values), so that no rendering leaves them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from initium_law.dtypes import FLOATS, Bytes, Float, largest, rounded
from initium_law.grammar import Constant, Normal, TruncNormal, Uniform
from initium_law.maps.far import beyond
from initium_law.maps.normal import STEP
from initium_law.maps.phi import FAR as OUT_OF_REACH
from initium_law.maps.render import RENDERINGS
from initium_law.maps.truncated import around
from initium_law.maps.uniform import uniform_params

Identity = npt.NDArray[np.uint32]

UNIFORM, NORMAL, TRUNCATED, FAR = 0, 1, 2, 3
"""The maps: `uniform_block`, `symmetric_block`, `sided_block`, `far_block`."""

_F32_LARGEST = largest(FLOATS["F32"])
_F32_NORMAL = 2.0**-126


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """All that a backend needs to make any range of a random tensor."""

    kind: int
    """The map."""
    identity: Identity
    """uint32[4], see `identity`."""
    params: npt.NDArray[np.float32]
    """lower, upper, mean or middle, and what else the map takes."""
    threshold: int
    """T of TRUNCATED."""
    code: int
    """The rendering, see `render`."""


Backend = Callable[[Draw, int, Bytes], None]
"""Writes the elements of a Draw from an index on into a buffer of whole elements. Any two backends agree to the bit."""


@dataclass(frozen=True, slots=True)
class _Map:
    """A map and its numbers, before they are rounded to binary32."""

    kind: int
    bounds: tuple[float, float]
    numbers: Sequence[float]
    threshold: int = field(default=0)


def resolve(fill: Uniform | Normal | TruncNormal, identity: Identity, dtype: str) -> Draw | Constant:
    """The draw of a random fill, or the constant that it is: low = high, std = 0, bounds out of a normal's reach.

    ValueError if the numbers make no distribution, or one that the dtype cannot hold.
    """
    if dtype not in RENDERINGS:
        raise ValueError(f"a random fill needs one of the dtypes {', '.join(RENDERINGS)}, and this tensor has {dtype}")
    made = _RESOLVERS[type(fill)](fill, dtype)
    if isinstance(made, Constant):
        return made
    params = np.array([*made.bounds, *made.numbers], np.float32) + np.float32(0.0)  # -0 becomes +0
    return Draw(made.kind, identity, params, made.threshold, RENDERINGS[dtype])


def _uniform(fill: Uniform, dtype: str) -> _Map | Constant:
    _check_numbers(_F32_LARGEST, low=fill.low, high=fill.high)
    if fill.low > fill.high:
        raise ValueError(f"uniform bounds low={fill.low} and high={fill.high} are in the wrong order")
    if fill.low == fill.high:
        return Constant(fill.low)
    return _Map(UNIFORM, _inward(fill.low, fill.high, dtype), uniform_params(fill.low, fill.high))


def _normal(fill: Normal, dtype: str) -> _Map | Constant:
    _check_numbers(_F32_LARGEST, mean=fill.mean, std=fill.std)
    _check_std(fill.std)
    if fill.std == 0.0:
        return Constant(fill.mean)
    top = largest(_canonical(dtype))
    return _Map(NORMAL, (-top, top), [fill.mean, _checked_stride(fill.std * STEP), STEP, 0.0])


def _trunc_normal(fill: TruncNormal, dtype: str) -> _Map | Constant:
    _check_numbers(_F32_LARGEST, mean=fill.mean, std=fill.std)
    _check_numbers(math.inf, a=fill.a, b=fill.b)
    _check_std(fill.std)
    if fill.a >= fill.b:
        raise ValueError(f"truncation bounds a={fill.a} and b={fill.b} are not in ascending order")
    bounds = _inward(fill.a, fill.b, dtype)
    alpha, beta = _in_deviations(fill.a, fill), _in_deviations(fill.b, fill)
    if fill.std == 0.0 or max(alpha, -beta) >= OUT_OF_REACH:
        return Constant(min(max(fill.mean, bounds[0]), bounds[1]))
    if beta <= 0.0:
        return _Map(FAR, bounds, [fill.mean, *beyond(-beta, -alpha).params(-fill.std)])
    if alpha >= 0.0:
        return _Map(FAR, bounds, [fill.mean, *beyond(alpha, beta).params(fill.std)])
    interval = around(alpha, beta, fill.std)
    _checked_stride(max(interval.above.stride, -interval.below.stride))
    kind = NORMAL if interval.is_symmetric else TRUNCATED
    return _Map(kind, bounds, [fill.mean, *interval.params()], interval.threshold)


_RESOLVERS: dict[type, Callable[..., _Map | Constant]] = {
    Uniform: _uniform,
    Normal: _normal,
    TruncNormal: _trunc_normal,
}


def _in_deviations(bound: float, fill: TruncNormal) -> float:
    """(bound - mean) / std in binary64; infinite where that overflows or std is 0 (IEEE division, not Python's)."""
    distance = bound - fill.mean
    return distance / fill.std if fill.std > 0.0 else math.copysign(math.inf, distance)


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


def _check_numbers(limit: float, **numbers: float) -> None:
    """Random values are binary32 numbers, made from finite numbers that binary32 can hold."""
    for name, value in numbers.items():
        if not math.isfinite(value) or abs(value) > limit:
            raise ValueError(f"{name}={value} is not a finite number in the range of binary32")


def _check_std(std: float) -> None:
    if std < 0.0:
        raise ValueError(f"std={std} is negative; a standard deviation is 0 or more")


def _checked_stride(stride: float) -> float:
    """A subnormal stride would lose the precision of every value."""
    if stride < _F32_NORMAL:
        raise ValueError(
            f"one word would move a value by {stride:.3g}, and binary32 holds no less than 2^-126 in full precision; "
            "use a larger std or wider bounds, or a constant"
        )
    return stride
