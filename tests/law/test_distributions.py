"""Random fills have the distributions that they name, and never leave their bounds."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from initium_law import prepare
from initium_law.grammar import Normal, TruncNormal, Uniform
from initium_law.maps.render import RENDERINGS

from . import reference
from .support import NUMPY, draw

Random = Uniform | Normal | TruncNormal
COUNT = 2**18


def distribution(fill: Random) -> scipy.stats.distributions.rv_frozen:
    """scipy's view of a fill."""
    match fill:
        case Uniform(low, high):
            return scipy.stats.uniform(low, high - low)
        case Normal(mean, std):
            return scipy.stats.norm(mean, std)
        case TruncNormal(mean, std, a, b):
            return scipy.stats.truncnorm((a - mean) / std, (b - mean) / std, mean, std)


def sample(fill: Random, dtype: str = "F32", name: str = "sample") -> np.ndarray:
    drawer = prepare(fill, 11, name, (COUNT,), dtype)
    return np.frombuffer(draw(drawer, 0, COUNT), NUMPY[dtype]).astype(np.float64)


FILLS = [
    Uniform(-0.3, 0.7),
    Uniform(0.0, 1e-30),
    Uniform(-3e38, 3e38),
    Normal(0.0, 0.02),
    Normal(5.0, 3.0),
    TruncNormal(0.0, 1.0, -2.0, 2.0),
    TruncNormal(0.0, 0.02, -2.0, 2.0),
    TruncNormal(1.0, 2.0, 0.5, 40.0),
    TruncNormal(0.0, 1.0, 1.5, 9.0),
    TruncNormal(0.0, 1.0, 5.0, 6.0),
    TruncNormal(0.0, 1.0, -6.0, -5.0),
    TruncNormal(0.0, 1.0, -1.0, 30.0),
    TruncNormal(0.0, 1.0, 12.0, 13.0),
    TruncNormal(0.0, 1.0, 0.001, 0.002),
    TruncNormal(0.0, 1.0, -1e-6, 1e-5),
    TruncNormal(0.0, 1e6, -1.0, 1.0),
    TruncNormal(0.0, 1.0, 0.0, 2.0),
    TruncNormal(0.0, 1.0, -1e-9, 3.0),
]


@pytest.mark.parametrize("fill", FILLS, ids=str)
def test_kolmogorov_smirnov(fill: Random) -> None:
    """The empirical distribution of 2^18 values is the named one; p > 1e-3 under a fixed seed."""
    assert scipy.stats.kstest(sample(fill), distribution(fill).cdf).pvalue > 1e-3


@pytest.mark.parametrize("fill", FILLS, ids=str)
def test_moments(fill: Random) -> None:
    """Mean and standard deviation within five standard errors."""
    if isinstance(fill, TruncNormal) and fill.b - fill.a < 1e-3 * fill.std:
        pytest.skip("scipy's moments of so narrow an interval are noise")
    values = sample(fill, name="moments")
    mean, variance, _, kurtosis = (float(moment) for moment in distribution(fill).stats("mvsk"))
    std = variance**0.5
    assert abs(values.mean() - mean) < 5 * std / COUNT**0.5
    assert abs(values.std() / std - 1) < 5 * ((kurtosis + 2) / 4 / COUNT) ** 0.5


def test_neighbours_are_independent() -> None:
    """No correlation between the words of one counter, of neighbouring counters, or of two tensors."""
    values, other = sample(Normal(0.0, 1.0)), sample(Normal(0.0, 1.0), name="other")
    for lag in (1, 2, 3, 4, 1024):
        assert abs(np.mean(values[lag:] * values[:-lag])) < 5 / COUNT**0.5
    assert abs(np.mean(values * other)) < 5 / COUNT**0.5


@pytest.mark.parametrize("dtype", RENDERINGS)
@pytest.mark.parametrize("fill", [*FILLS, TruncNormal(0.3, 0.1, 0.1, 0.31), Uniform(-0.1, 1 / 3)], ids=str)
def test_bounds_hold_in_every_dtype(fill: Random, dtype: str) -> None:
    """A value outside [low, high] or [a, b] is never drawn, not even by the rounding of a narrow dtype."""
    if isinstance(fill, Normal):
        low, high = -np.inf, np.inf
    else:
        low, high = (fill.low, fill.high) if isinstance(fill, Uniform) else (fill.a, fill.b)
    if reference.inside(low, high, dtype)[0] > reference.inside(low, high, dtype)[1]:
        with pytest.raises(ValueError, match="widen the bounds"):
            sample(fill, dtype)
        return
    values = sample(fill, dtype)
    assert np.isfinite(values).all()
    assert low <= values.min()
    assert values.max() <= high


@pytest.mark.parametrize(("a", "b", "value"), [(50.0, 51.0, 50.0), (-90.0, -40.0, -40.0), (37.0, 1e300, 37.0)])
def test_bounds_out_of_reach_hold_the_nearest(a: float, b: float, value: float) -> None:
    """An interval without measurable probability is its bound nearest to the mean, as the law says."""
    assert (sample(TruncNormal(0.0, 1.0, a, b)) == value).all()


def test_half_precision_saturates() -> None:
    """A normal that F16 cannot hold ends at its largest finite value, without infinities."""
    values = sample(Normal(0.0, 1e5), "F16")
    assert np.abs(values).max() == 65504.0
    assert np.isfinite(values).all()


def test_extreme_numbers_stay_finite() -> None:
    """Promise 4 (nothing silent): neither overflow nor NaN where binary32 can hold mean, std and bounds."""
    top = 3.4e38
    for fill in (Normal(top, top), TruncNormal(-top, top, -1e300, 1e300), TruncNormal(top, top, 1.0, 1e300)):
        assert np.isfinite(sample(fill)).all()
    assert np.isfinite(sample(Normal(0.0, 2.0**-95))).all()
