"""What operators make of a distribution: the numbers of the fill, and real draws that obey them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from initium_law.grammar import Broadcast, Copy, Fill, Literal, Normal, TruncNormal, Uniform
from tests.capture.making import Make, faithful, fill_of, op

Change = Callable[[torch.Tensor], torch.Tensor]
COUNT = 4000
INF = math.inf
LARGEST = torch.finfo(torch.float32).max


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


CHAINS: dict[str, tuple[Change, Callable[[Fill], Fill]]] = {
    "t * 3": (lambda t: t * 3, lambda x: op("multiply", x, 3)),
    "3 * t": (lambda t: 3 * t, lambda x: op("multiply", x, 3)),
    "t.mul_(3)": (lambda t: t.mul_(3), lambda x: op("multiply", x, 3)),
    "t * -0.5": (lambda t: t * -0.5, lambda x: op("multiply", x, -0.5)),
    "t * threes": (lambda t: t * torch.full_like(t, 3), lambda x: op("multiply", x, 3)),
    "threes * t": (lambda t: torch.full_like(t, 3) * t, lambda x: op("multiply", 3, x)),
    "t * tensor(3)": (lambda t: t * torch.tensor(3), lambda x: op("multiply", x, 3)),
    "t * True": (lambda t: t * True, lambda x: x),
    "t * 1": (lambda t: t * 1, lambda x: x),
    "t * 0": (lambda t: t * 0, lambda x: op("multiply", x, 0)),
    "t + 3": (lambda t: t + 3, lambda x: op("add", x, 3)),
    "3 + t": (lambda t: 3 + t, lambda x: op("add", x, 3)),
    "t + 0": (lambda t: t + 0, lambda x: x),
    "t.add_(-3)": (lambda t: t.add_(-3), lambda x: op("add", x, -3)),
    "threes + t": (lambda t: torch.full_like(t, 3) + t, lambda x: op("add", 3, x)),
    "add alpha 1": (lambda t: torch.add(t, 3, alpha=1), lambda x: op("add", x, 3)),
    "t - 3": (lambda t: t - 3, lambda x: op("add", x, -3)),
    "t.sub_(-3)": (lambda t: t.sub_(-3), lambda x: op("add", x, 3)),
    "t - threes": (lambda t: t - torch.full_like(t, 3), lambda x: op("add", x, -3)),
    "threes - t": (lambda t: torch.full_like(t, 3) - t, lambda x: op("add", 3, op("multiply", x, -1))),
    "3 - t": (lambda t: 3 - t, lambda x: op("add", 3, op("multiply", x, -1))),
    "-t": (lambda t: -t, lambda x: op("multiply", x, -1)),
    "t.neg_()": (lambda t: t.neg_(), lambda x: op("multiply", x, -1)),
    "2 t + 3": (lambda t: 2 * t + 3, lambda x: op("add", op("multiply", x, 2), 3)),
    "t / 3": (lambda t: t / 3, lambda x: op("divide", x, 3)),
    "t.div_(-3)": (lambda t: t.div_(-3), lambda x: op("divide", x, -3)),
    "3 / t": (lambda t: 3 / t, lambda x: op("multiply", op("divide", 1, x), 3)),
    "t / 1": (lambda t: t / 1, lambda x: x),
    "t over itself": (lambda t: t / t, lambda x: op("divide", x, x)),
    "t - t": (lambda t: t - t, lambda x: op("add", x, op("multiply", x, -1))),
    "t.view(-1, 2) * 3": (lambda t: t.view(-1, 2) * 3, lambda x: op("multiply", x, 3)),
    "t * threes of another rank": (lambda t: t * torch.full((1, COUNT), 3.0), lambda x: op("multiply", x, 3)),
    "exp": (lambda t: t.exp(), lambda x: op("exp", x)),
    "expm1_": (lambda t: t.expm1_(), lambda x: op("expm1", x)),
    "cos": (lambda t: t.cos(), lambda x: op("cos", x)),
    "sin_": (lambda t: t.sin_(), lambda x: op("sine", x)),
    "log": (lambda t: t.log(), lambda x: op("log", x)),
    "sqrt": (lambda t: t.sqrt(), lambda x: op("sqrt", x)),
    "clamped inside": (lambda t: t.clamp(0.5, 2), lambda x: op("clamp", x, 0.5, 2)),
    "clamped from below": (lambda t: t.clamp(min=0.5), lambda x: op("clamp", x, 0.5, LARGEST)),
    "clamped from above": (lambda t: t.clamp_max(0.5), lambda x: op("clamp", x, -LARGEST, 0.5)),
}
"""What a library does, step by step: each rounds, so none is left out or joined with another."""


@pytest.mark.parametrize("base", [uniform, normal, truncated])
@pytest.mark.parametrize("case", CHAINS)
def test_steps_stay_the_library_s_own(case: str, base: Make) -> None:
    change, chain = CHAINS[case]
    before, _ = fill_of(base)
    assert before is not None
    assert faithful(lambda: [change(base())]).tensors[0].default == chain(before)


def test_another_draw_in_an_expression_has_words_of_its_own() -> None:
    sums = faithful(lambda: [torch.rand(COUNT) + torch.rand(COUNT) * torch.randn(COUNT)]).tensors[0].default
    others = op("multiply", Copy("t0/2", Uniform(0.0, 1.0)), Copy("t0/3", Normal(0.0, 1.0)))
    assert sums == op("add", Uniform(0.0, 1.0), others)


def test_numbers_that_differ_from_element_to_element_are_a_literal_of_binary32() -> None:
    inventory = faithful(lambda: [torch.rand(5) * torch.arange(5)])
    (digest,) = inventory.literals
    assert inventory.tensors[0].default == op("multiply", Uniform(0.0, 1.0), Literal(digest))
    assert torch.frombuffer(bytearray(inventory.literals[digest]), dtype=torch.float32).tolist() == [0, 1, 2, 3, 4]


def test_a_draw_is_broadcast_as_torch_does() -> None:
    inventory = faithful(lambda: [torch.rand(3, 1) * torch.ones(3, 4), torch.rand(4) + torch.zeros(2, 3, 4)])
    assert [tensor.default for tensor in inventory.tensors] == [
        Broadcast((1,), Uniform(0.0, 1.0)),
        Broadcast((0, 1), Uniform(0.0, 1.0)),
    ]


def test_a_long_expression_is_refused_by_name() -> None:
    def make() -> torch.Tensor:
        tensor = torch.rand(3)
        for _ in range(40):
            tensor = tensor.exp()
        return tensor

    fill, error = fill_of(make)
    assert fill is None
    assert "exp: an expression of more than 32 values, or 12 deep" in error


NOT_STEPS: dict[str, tuple[Change, str]] = {
    "times infinity": (lambda t: t * INF, "the constant inf"),
    "times nan": (lambda t: t * math.nan, "the constant nan"),
    "plus infinity": (lambda t: t + INF, "the constant inf"),
    "rounded quotient": (lambda t: torch.div(t, 2, rounding_mode="floor"), "> div"),
    "added twice": (lambda t: torch.add(t, 3, alpha=2), "> add"),
    "added twice to a constant": (lambda t: torch.add(torch.full_like(t, 3), t, alpha=2), "> add"),
    "taken twice": (lambda t: torch.sub(t, 3, alpha=2), "> sub"),
    "times an imaginary number": (lambda t: t * 1j, "> mul"),
    "whole numbers of it": (lambda t: t.to(torch.int32), "> _to_copy"),
    "widened": (lambda t: t.double(), "> _to_copy"),
    "clamped by tensors": (lambda t: t.clamp(torch.zeros(COUNT), torch.full((COUNT,), 4.0)), "> clamp"),
    "sorted": (lambda t: t.sort()[0], "> sort"),
}


@pytest.mark.parametrize("case", NOT_STEPS)
def test_what_the_law_has_no_step_for_is_refused_by_name(case: str) -> None:
    change, words = NOT_STEPS[case]
    fill, error = fill_of(lambda: change(normal()))
    assert fill is None
    assert words in error


UNKNOWN: dict[str, tuple[Make, str]] = {
    "means of a tensor": (lambda: torch.normal(torch.zeros(3), 2.0), "cannot express normal"),
    "stds of a tensor": (lambda: torch.normal(0.0, torch.ones(3)), "cannot express normal"),
    "complex": (lambda: torch.randn(3, dtype=torch.complex64), "cannot express randn"),
    "whole numbers": (lambda: torch.empty(3).random_(), "cannot express torch.empty > random_"),
    "whole numbers in a range": (lambda: torch.randint(0, 5, (3,)), "cannot express randint"),
    "coins": (lambda: torch.bernoulli(torch.full((3,), 0.5)), "cannot express bernoulli"),
    "log-normal": (lambda: torch.empty(3).log_normal_(), "log_normal_"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_other_random_numbers_are_refused_by_name(case: str) -> None:
    make, words = UNKNOWN[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


NOT_ERFINV: dict[str, Make] = {
    "below -1": lambda: torch.empty(3).uniform_(-1.1, 0.5).erfinv(),
    "above 1": lambda: torch.empty(3).uniform_(-0.5, 1.1).erfinv(),
    "by itself": lambda: torch.empty(3).uniform_(-1, 1).erfinv(),
    "clamped elsewhere": lambda: steps(0.02, -0.03, 0.03, -0.9, 0.9)(),
    "clamped at one end": lambda: torch.empty(3).uniform_(-0.9, 0.9).erfinv().clamp(min=-2),
    "with a negative scale": lambda: torch.empty(3).uniform_(-1, 1).erfinv().mul(-1).clamp(-9, 9),
    "of a normal": lambda: torch.randn(3).erfinv(),
}


@pytest.mark.parametrize("case", NOT_ERFINV)
def test_no_other_inverse_error_function_is_expressed(case: str) -> None:
    fill, error = fill_of(NOT_ERFINV[case])
    assert fill is None
    assert "> erfinv" in error


def steps(std: float, low: float, high: float, a: float | None = None, b: float | None = None) -> Make:
    """Draws as timm makes them: through the inverse error function, scaled, shifted and clamped.

    The uniform draws lie between the probabilities of the bounds, or between others that are given.
    """
    first, last = (math.erf(bound / std / math.sqrt(2)) for bound in (low, high))
    ends = (first if a is None else a, last if b is None else b)
    return lambda: torch.empty(COUNT).uniform_(*ends).erfinv_().mul_(std * math.sqrt(2)).add_(0.0).clamp_(low, high)


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
    "inside": (1e-5, 4, op("clamp", TruncNormal(1.0, 2.0, 0.0, 4.0), 1e-5, 4)),
}


@pytest.mark.parametrize("case", CLAMPED)
def test_a_clamp_that_moves_nothing_is_left_out(case: str) -> None:
    low, high, fill = CLAMPED[case]
    assert faithful(lambda: [truncated().clamp(low, high)]).tensors[0].default == fill


@pytest.mark.parametrize("mean", [0.0, 0.1, -0.05])
def test_the_steps_of_a_truncated_normal_are_one_fill(mean: float) -> None:
    def make() -> torch.Tensor:
        ends = (math.erf((bound - mean) / 0.02 / math.sqrt(2)) for bound in (-0.06, 0.08))
        return torch.empty(COUNT).uniform_(*ends).erfinv_().mul_(0.02 * math.sqrt(2)).add_(mean).clamp_(-0.06, 0.08)

    assert faithful(lambda: [make()]).tensors[0].default == TruncNormal(mean, 0.02, -0.06, 0.08)


def test_bounds_so_far_out_that_their_probabilities_are_0_and_1() -> None:
    assert faithful(lambda: [steps(0.02, -2, 2)()]).tensors[0].default == TruncNormal(0.0, 0.02, -2.0, 2.0)
