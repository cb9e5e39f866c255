"""What operators make of a distribution: the numbers of the fill, and real draws that obey them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from initium_law.grammar import Constant, Fill, Normal, TruncNormal, Uniform
from tests.capture.making import Make, faithful, fill_of

Change = Callable[[torch.Tensor], torch.Tensor]
COUNT = 4000
INF = math.inf


def uniform() -> torch.Tensor:
    return torch.empty(COUNT).uniform_(-1, 3)


def normal() -> torch.Tensor:
    return torch.empty(COUNT).normal_(1, 2)


def truncated() -> torch.Tensor:
    return nn.init.trunc_normal_(torch.empty(COUNT), 1, 2, 0, 4)


DRAWN: dict[str, tuple[Make, Fill]] = {
    "uniform_": (lambda: torch.empty(COUNT).uniform_(), Uniform(0.0, 1.0)),
    "uniform_ from": (lambda: torch.empty(COUNT).uniform_(-2), Uniform(-2.0, 1.0)),
    "uniform_ to": (lambda: torch.empty(COUNT).uniform_(to=3), Uniform(0.0, 3.0)),
    "uniform_ from to": (uniform, Uniform(-1.0, 3.0)),
    "nn.init.uniform_": (lambda: nn.init.uniform_(torch.empty(COUNT), -1, 3), Uniform(-1.0, 3.0)),
    "rand": (lambda: torch.rand(COUNT), Uniform(0.0, 1.0)),
    "rand_like": (lambda: torch.rand_like(torch.zeros(COUNT)), Uniform(0.0, 1.0)),
    "normal_": (lambda: torch.empty(COUNT).normal_(), Normal(0.0, 1.0)),
    "normal_ mean": (lambda: torch.empty(COUNT).normal_(3), Normal(3.0, 1.0)),
    "normal_ std": (lambda: torch.empty(COUNT).normal_(std=3), Normal(0.0, 3.0)),
    "normal_ mean std": (normal, Normal(1.0, 2.0)),
    "normal": (lambda: torch.normal(1.0, 2.0, (COUNT,)), Normal(1.0, 2.0)),
    "normal into": (lambda: torch.normal(1.0, 2.0, (COUNT,), out=torch.empty(COUNT)), Normal(1.0, 2.0)),
    "randn": (lambda: torch.randn(COUNT), Normal(0.0, 1.0)),
    "randn_like": (lambda: torch.randn_like(torch.zeros(COUNT)), Normal(0.0, 1.0)),
    "trunc_normal_": (truncated, TruncNormal(1.0, 2.0, 0.0, 4.0)),
}


@pytest.mark.parametrize("case", DRAWN)
def test_draws_have_the_numbers_that_the_author_gave(case: str) -> None:
    make, fill = DRAWN[case]
    assert faithful(lambda: [make()]).tensors[0].default == fill


AFFINE: dict[str, tuple[Change, float, float]] = {
    "t * 3": (lambda t: t * 3, 3, 0),
    "3 * t": (lambda t: 3 * t, 3, 0),
    "t.mul_(3)": (lambda t: t.mul_(3), 3, 0),
    "t * -0.5": (lambda t: t * -0.5, -0.5, 0),
    "t * threes": (lambda t: t * torch.full_like(t, 3), 3, 0),
    "threes * t": (lambda t: torch.full_like(t, 3) * t, 3, 0),
    "t * tensor(3)": (lambda t: t * torch.tensor(3), 3, 0),
    "t * True": (lambda t: t * True, 1, 0),
    "t + 3": (lambda t: t + 3, 1, 3),
    "3 + t": (lambda t: 3 + t, 1, 3),
    "t.add_(-3)": (lambda t: t.add_(-3), 1, -3),
    "t + threes": (lambda t: t + torch.full_like(t, 3), 1, 3),
    "threes + t": (lambda t: torch.full_like(t, 3) + t, 1, 3),
    "add alpha 1": (lambda t: torch.add(t, 3, alpha=1), 1, 3),
    "t - 3": (lambda t: t - 3, 1, -3),
    "t.sub_(-3)": (lambda t: t.sub_(-3), 1, 3),
    "t - threes": (lambda t: t - torch.full_like(t, 3), 1, -3),
    "threes - t": (lambda t: torch.full_like(t, 3) - t, -1, 3),
    "sub alpha 1": (lambda t: torch.sub(t, 3, alpha=1), 1, -3),
    "-t": (lambda t: -t, -1, 0),
    "t.neg_()": (lambda t: t.neg_(), -1, 0),
    "2 t + 3": (lambda t: 2 * t + 3, 2, 3),
    "t / 4": (lambda t: t / 4, 0.25, 0),
    "t.div_(-4)": (lambda t: t.div_(-4), -0.25, 0),
    "t / fours": (lambda t: t / torch.full_like(t, 4), 0.25, 0),
    "t.view(-1, 2) * 3": (lambda t: t.view(-1, 2) * 3, 3, 0),
    "t * threes of another rank": (lambda t: t * torch.full((1, COUNT), 3.0), 3, 0),
}


def shifted(fill: Fill, scale: float, shift: float) -> Fill:
    """The fill of `scale * x + shift` for x of a fill."""

    def image(value: float) -> float:
        return value * scale + shift

    match fill:
        case Normal():
            return Normal(image(fill.mean), fill.std * abs(scale))
        case Uniform():
            return Uniform(min(image(fill.low), image(fill.high)), max(image(fill.low), image(fill.high)))
        case TruncNormal():
            bounds = sorted((image(fill.a), image(fill.b)))
            return TruncNormal(image(fill.mean), fill.std * abs(scale), *bounds)
    raise AssertionError(fill)


@pytest.mark.parametrize("base", [uniform, normal, truncated])
@pytest.mark.parametrize("case", AFFINE)
def test_scaling_and_shifting_gives_one_of_the_same_family(case: str, base: Make) -> None:
    change, scale, shift = AFFINE[case]
    before, _ = fill_of(base)
    assert before is not None
    assert faithful(lambda: [change(base())]).tensors[0].default == shifted(before, scale, shift)


QUOTIENTS: dict[str, tuple[Make, Fill]] = {
    "uniform": (lambda: torch.empty(COUNT).uniform_(-0.7, 1) / 3, Uniform(-0.7 / 3, 1 / 3)),
    "normal": (lambda: torch.empty(COUNT).normal_(0.7, 0.2) / -3, Normal(0.7 / -3, 0.2 / 3)),
    "truncated": (
        lambda: nn.init.trunc_normal_(torch.empty(COUNT), 0.7, 0.2, 0.1, 0.8) / -3,
        TruncNormal(0.7 / -3, 0.2 / 3, 0.8 / -3, 0.1 / -3),
    ),
}


@pytest.mark.parametrize("case", QUOTIENTS)
def test_division_is_the_author_s_and_not_a_product_with_the_inverse(case: str) -> None:
    make, fill = QUOTIENTS[case]
    assert faithful(lambda: [make()]).tensors[0].default == fill


@pytest.mark.parametrize("base", [uniform, normal, truncated])
def test_times_zero_is_a_constant(base: Make) -> None:
    assert fill_of(lambda: base() * 0) == (Constant(0.0), "")
    assert fill_of(lambda: base() * 0 + 2) == (Constant(2.0), "")


NOT_AFFINE: dict[str, tuple[Change, str]] = {
    "times infinity": (lambda t: t * INF, "> mul"),
    "times nan": (lambda t: t * math.nan, "> mul"),
    "plus infinity": (lambda t: t + INF, "> add"),
    "over zero": (lambda t: t / 0, "> div"),
    "over infinity": (lambda t: t / INF, "> div"),
    "rounded quotient": (lambda t: torch.div(t, 2, rounding_mode="floor"), "> div"),
    "a quotient of it": (lambda t: 3 / t, "> reciprocal"),
    "a constant over it": (lambda t: torch.full_like(t, 3) / t, "> div"),
    "added twice": (lambda t: torch.add(t, 3, alpha=2), "> add"),
    "added twice to a constant": (lambda t: torch.add(torch.full_like(t, 3), t, alpha=2), "> add"),
    "taken twice": (lambda t: torch.sub(t, 3, alpha=2), "> sub"),
    "taken twice from a constant": (lambda t: torch.sub(torch.full_like(t, 3), t, alpha=2), "> sub"),
    "plus itself": (lambda t: t + t, "> add"),
    "minus itself": (lambda t: t - t, "> sub"),
    "plus another": (lambda t: t + torch.rand(COUNT), "> add"),
    "times another": (lambda t: t * torch.rand(COUNT), "> mul"),
    "over another": (lambda t: t / torch.rand(COUNT), "> div"),
    "times different numbers": (lambda t: t * torch.arange(COUNT), "> mul"),
    "times an imaginary number": (lambda t: t * 1j, "> mul"),
    "spread over more": (lambda t: t[:1] * torch.ones(COUNT), "> mul"),
    "whole numbers of it": (lambda t: t.to(torch.int32), "> _to_copy"),
    "widened": (lambda t: t.double(), "> _to_copy"),
    "numbers that overflow": (lambda t: t * 1e200 * 1e200, "mul > mul with the numbers"),
}


@pytest.mark.parametrize("case", NOT_AFFINE)
def test_what_leaves_the_family_is_refused_by_name(case: str) -> None:
    change, words = NOT_AFFINE[case]
    fill, error = fill_of(lambda: change(normal()))
    assert fill is None
    assert words in error


UNKNOWN: dict[str, tuple[Make, str]] = {
    "means of a tensor": (lambda: torch.normal(torch.zeros(3), 2.0), "cannot express normal"),
    "stds of a tensor": (lambda: torch.normal(0.0, torch.ones(3)), "cannot express normal"),
    "complex": (lambda: torch.randn(3, dtype=torch.complex64), "cannot express randn"),
    "whole numbers": (lambda: torch.empty(3).random_(), "cannot express torch.empty > random_"),
    "coins": (lambda: torch.bernoulli(torch.full((3,), 0.5)), "cannot express bernoulli"),
    "log-normal": (lambda: torch.empty(3).log_normal_(), "log_normal_"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_other_random_numbers_are_refused_by_name(case: str) -> None:
    make, words = UNKNOWN[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


def erfinv(value: float) -> float:
    return float(torch.erfinv(torch.tensor(value, dtype=torch.float64)))


@settings(deadline=None, max_examples=20)
@given(st.floats(-0.999, 0.9), st.floats(0.01, 1))
def test_the_inverse_error_function_of_a_uniform_is_a_truncated_normal(low: float, width: float) -> None:
    high = min(low + width, 0.999)
    fill, _ = fill_of(lambda: torch.empty(3).uniform_(low, high).erfinv())
    assert isinstance(fill, TruncNormal)
    assert fill.mean == 0
    assert fill.std == 1 / math.sqrt(2)
    assert fill.a == pytest.approx(erfinv(low), rel=1e-9, abs=1e-15)
    assert fill.b == pytest.approx(erfinv(high), rel=1e-9, abs=1e-15)


def test_real_draws_through_the_inverse_error_function_obey_the_truncated_normal() -> None:
    faithful(lambda: [torch.empty(COUNT).uniform_(-0.4, 0.9).erfinv().mul(3)])


NOT_ERFINV: dict[str, Make] = {
    "below -1": lambda: torch.empty(3).uniform_(-1.1, 0.5).erfinv(),
    "above 1": lambda: torch.empty(3).uniform_(-0.5, 1.1).erfinv(),
    "all of it, unbounded": lambda: torch.empty(3).uniform_(-1, 1).erfinv(),
    "of a normal": lambda: torch.randn(3).erfinv(),
}


@pytest.mark.parametrize("case", NOT_ERFINV)
def test_no_other_inverse_error_function_is_expressed(case: str) -> None:
    fill, error = fill_of(NOT_ERFINV[case])
    assert fill is None
    assert "> erfinv" in error


def steps(std: float, low: float, high: float, a: float = -0.9, b: float = 0.8) -> Make:
    """Draws as timm makes them: through the inverse error function, scaled, shifted and clamped."""
    return lambda: torch.empty(COUNT).uniform_(a, b).erfinv_().mul_(std * math.sqrt(2)).add_(0.0).clamp_(low, high)


@pytest.mark.parametrize("std", [0.02, 0.01, 0.1, 0.3, 1.0, 0.0123, 1e-3, 0.7071, 123.456, 1 / 3, math.pi / 100])
def test_the_author_s_std_is_found_again(std: float) -> None:
    fill, error = fill_of(steps(std, -10 * std, 10 * std))
    assert error == ""
    assert isinstance(fill, TruncNormal)
    assert fill.std == pytest.approx(std, rel=1e-15) if std in (1 / 3, math.pi / 100) else fill.std == std


def test_a_std_that_was_not_rounded_stays() -> None:
    std = 0.1 * 3
    fill, _ = fill_of(lambda: nn.init.trunc_normal_(torch.empty(3), 0, std).clamp_(-2, 2))
    assert fill == TruncNormal(0.0, std, -2.0, 2.0)


CLAMPED: dict[str, tuple[float, float, Fill]] = {
    "at its bounds": (0, 4, TruncNormal(1.0, 2.0, 0.0, 4.0)),
    "beyond its bounds": (-1, 5, TruncNormal(1.0, 2.0, 0.0, 4.0)),
    "a rounding inside": (1e-5, 4 - 1e-5, TruncNormal(1.0, 2.0, 1e-5, 4 - 1e-5)),
    "a rounding outside": (-1e-5, 4 + 1e-5, TruncNormal(1.0, 2.0, -1e-5, 4 + 1e-5)),
}


@pytest.mark.parametrize("case", CLAMPED)
def test_a_clamp_that_moves_nothing_gives_its_bounds_where_they_are_equal_up_to_rounding(case: str) -> None:
    low, high, fill = CLAMPED[case]
    assert faithful(lambda: [truncated().clamp(low, high)]).tensors[0].default == fill


PILED: dict[str, Make] = {
    "at the lower bound": lambda: truncated().clamp(0.0001, 4),
    "at the upper bound": lambda: truncated().clamp(0, 3.9999),
    "from below alone": lambda: truncated().clamp(min=0),
    "from above alone": lambda: truncated().clamp(max=4),
    "a uniform": lambda: uniform().clamp(-2, 4),
    "a normal": lambda: normal().clamp(-100, 100),
    "by tensors": lambda: truncated().clamp(torch.zeros(COUNT), torch.full((COUNT,), 4.0)),
}


@pytest.mark.parametrize("case", PILED)
def test_a_clamp_that_may_pile_values_up_is_refused(case: str) -> None:
    fill, error = fill_of(PILED[case])
    assert fill is None
    assert "> clamp" in error


def test_a_uniform_that_rounding_widened_to_all_is_bounded_by_a_clamp_far_out() -> None:
    """The bounds of timm's uniform are -1 and 1 in single precision where those of the normal are far out."""
    fill, _ = fill_of(steps(0.02, -0.101, 0.102, -1, 1))
    assert fill == TruncNormal(0.0, 0.02, -0.101, 0.102)
    assert fill_of(steps(0.02, -0.099, 0.101, -1, 1))[0] is None
    assert fill_of(steps(0.02, -0.101, 0.099, -1, 1))[0] is None
    half, _ = fill_of(steps(0.02, -0.02, 0.101, 2 * 0.15865525393145707 - 1, 1))
    assert half == TruncNormal(0.0, 0.02, -0.02, 0.101)
