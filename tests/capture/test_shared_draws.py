"""Tensors that hold the same random numbers: one is a copy of the other, or an error says that they share draws."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from initium_law.grammar import (
    Broadcast,
    Constant,
    Copy,
    Fill,
    Normal,
    NormOf,
    Orthogonal,
    Part,
    Parts,
    TruncNormal,
    Uniform,
)
from initium_server.capture import capture, describe
from tests.capture.making import Several, faithful, fills_of, op

NORMAL, UNIFORM = Normal(0.0, 1.0), Uniform(0.0, 1.0)


def of(tensor: torch.Tensor, *views: Callable[[torch.Tensor], torch.Tensor]) -> Sequence[torch.Tensor]:
    """Tensors made of one."""
    return [view(tensor) for view in views]


def itself(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


def clone(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone()


def written(shape: tuple[int, ...], *steps: Callable[[torch.Tensor], Any]) -> torch.Tensor:
    tensor = torch.empty(shape)
    for step in steps:
        step(tensor)
    return tensor


SAME: dict[str, tuple[Several, list[Fill]]] = {
    "a clone": (lambda: of(torch.randn(3, 4), itself, clone), [NORMAL, Copy("t0", NORMAL)]),
    "two clones": (lambda: of(torch.rand(5), clone, clone), [UNIFORM, Copy("t0", UNIFORM)]),
    "three clones": (lambda: of(torch.rand(5), clone, clone, clone), [UNIFORM, *[Copy("t0", UNIFORM)] * 2]),
    "a view": (lambda: of(torch.rand(5), itself, lambda t: t.view(5)), [UNIFORM, Copy("t0", UNIFORM)]),
    "a view of another shape": (
        lambda: of(torch.rand(6), itself, lambda t: t.view(2, 3)),
        [UNIFORM, Copy("t0", UNIFORM)],
    ),
    "a deep copy": (lambda: of(torch.rand(5), itself, copy.deepcopy), [UNIFORM, Copy("t0", UNIFORM)]),
    "copy_": (lambda: of(torch.rand(5), itself, lambda t: torch.empty(5).copy_(t)), [UNIFORM, Copy("t0", UNIFORM)]),
    "stacked alone": (lambda: of(torch.rand(5), itself, lambda t: torch.stack([t])), [UNIFORM, Copy("t0", UNIFORM)]),
    "joined alone": (lambda: of(torch.rand(5), itself, lambda t: torch.cat([t])), [UNIFORM, Copy("t0", UNIFORM)]),
    "a part twice": (
        lambda: of(torch.rand(6), lambda t: t[2:4], lambda t: t[2:4].clone()),
        [UNIFORM, Copy("t0", UNIFORM)],
    ),
    "scaled alike": (
        lambda: of(torch.randn(5), lambda t: t * 2, lambda t: t.clone().mul_(2)),
        [op("multiply", NORMAL, 2), Copy("t0", op("multiply", NORMAL, 2))],
    ),
    "scaled": (lambda: of(torch.randn(5), itself, lambda t: t * 2), [NORMAL, Copy("t0", op("multiply", NORMAL, 2))]),
    "scaled, and then as it is": (
        lambda: of(torch.randn(5), lambda t: t * 2, itself),
        [Copy("t1", op("multiply", NORMAL, 2)), NORMAL],
    ),
    "with draws of its own": (
        lambda: of(torch.randn(5), itself, lambda t: t + torch.rand(5)),
        [NORMAL, op("add", Copy("t0", NORMAL), UNIFORM)],
    ),
    "norms of it": (
        lambda: of(torch.randn(5, 3), lambda t: t.norm(dim=1), itself),
        [NormOf("t1", (5, 3), NORMAL, 0), NORMAL],
    ),
    "in the base of parts": (
        lambda: of(written((4,), torch.nn.init.normal_), clone, lambda t: t[:1].zero_() is t or t),
        [NORMAL, Parts(Copy("t0", NORMAL), (Part((0,), (1,), Constant(0.0)),))],
    ),
    "an orthogonal matrix": (
        lambda: of(nn.init.orthogonal_(torch.empty(3, 5)), itself, clone),
        [Orthogonal(1.0), Copy("t0", Orthogonal(1.0))],
    ),
    "an initializer of one call": (
        lambda: of(nn.init.trunc_normal_(torch.empty(5)), itself, clone),
        [TruncNormal(0.0, 1.0, -2.0, 2.0), Copy("t0", TruncNormal(0.0, 1.0, -2.0, 2.0))],
    ),
    "a copy of joined draws": (
        lambda: of(torch.cat([torch.rand(2), torch.rand(3)]), itself, clone),
        [UNIFORM, Copy("t0", UNIFORM)],
    ),
    "a tensor made again": (
        lambda: of(written((4,), lambda t: t.uniform_()), clone, lambda t: t.uniform_(), clone),
        [UNIFORM, UNIFORM, Copy("t1", UNIFORM)],
    ),
}
"""Tensors that hold the same draws at the same indices."""


@pytest.mark.parametrize("case", SAME)
def test_equal_draws_are_copies_of_the_first(case: str) -> None:
    make, expected = SAME[case]
    assert [tensor.default for tensor in faithful(make).tensors] == expected


HALF: dict[str, Several] = {
    "bfloat16": lambda: of(torch.randn(50), itself, lambda t: t.bfloat16()),
    "float16 and back": lambda: of(torch.randn(50), lambda t: t.half(), lambda t: t.half()),
    "float32 of float64": lambda: of(torch.randn(50, dtype=torch.float64), itself, lambda t: t.float()),
}


@pytest.mark.parametrize("case", HALF)
def test_a_copy_in_a_narrower_dtype_is_the_same_numbers_rounded(case: str) -> None:
    (first, _), (second, _) = fills_of(HALF[case])
    assert first == NORMAL
    assert second == Copy("t0", NORMAL)
    one, other = HALF[case]()
    assert torch.equal(one.to(other.dtype), other)


INDEPENDENT: dict[str, tuple[Several, list[Fill]]] = {
    "two draws": (lambda: [torch.rand(50), torch.rand(50)], [UNIFORM, UNIFORM]),
    "halves": (lambda: torch.randn(60, 3).chunk(2), [NORMAL, NORMAL]),
    "columns": (lambda: of(torch.randn(3, 1).t(), lambda t: t[:, :1], lambda t: t[:, 1:]), [NORMAL, NORMAL]),
    "rows with a gap": (lambda: of(torch.rand(60), lambda t: t[:20], lambda t: t[40:]), [UNIFORM, UNIFORM]),
    "neighbours, the later first": (lambda: of(torch.rand(60), lambda t: t[20:], lambda t: t[:20]), [UNIFORM, UNIFORM]),
    "one tensor drawn twice": (
        lambda: of(written((50,), lambda t: t.uniform_()), clone, lambda t: t.uniform_()),
        [UNIFORM, UNIFORM],
    ),
    "parts drawn apart": (
        lambda: of(
            written((2, 30), lambda t: t[0].uniform_(), lambda t: t[1].uniform_()), lambda t: t[0], lambda t: t[1]
        ),
        [UNIFORM, UNIFORM],
    ),
    "three of one": (lambda: torch.rand(60).split((10, 20, 30)), [UNIFORM] * 3),
    "half of a tensor that was joined": (
        lambda: of(torch.cat([torch.rand(20), torch.zeros(20)]), lambda t: t[:20], lambda t: t[20:]),
        [UNIFORM, Constant(0.0)],
    ),
}


@pytest.mark.parametrize("case", INDEPENDENT)
def test_other_elements_or_other_draws_are_independent(case: str) -> None:
    make, expected = INDEPENDENT[case]
    assert [tensor.default for tensor in faithful(make).tensors] == expected
    torch.manual_seed(1)
    real = [set(tensor.flatten().tolist()) - {0.0} for tensor in make()]
    assert not any(real[k] & real[m] for k in range(len(real)) for m in range(k))


SHARED: dict[str, Several] = {
    "transposed": lambda: of(torch.randn(3, 4), itself, lambda t: t.t()),
    "transposed, square and cloned": lambda: of(torch.randn(4, 4), itself, lambda t: t.t().contiguous()),
    "raw, and as a truncated normal": lambda: of(
        torch.empty(5).uniform_(-1, 1), clone, lambda t: t.erfinv_().mul_(0.02 * 2**0.5).clamp_(-2, 2)
    ),
    "a part": lambda: of(torch.randn(6), itself, lambda t: t[2:4]),
    "a part, and then the whole": lambda: of(torch.randn(6), lambda t: t[2:4], itself),
    "parts with one element in common": lambda: of(torch.randn(6), lambda t: t[:4], lambda t: t[3:]),
    "one element": lambda: of(torch.randn(6), itself, lambda t: t[5]),
    "joined with more": lambda: of(torch.randn(5), itself, lambda t: torch.cat([t, torch.randn(5)])),
    "joined with a constant": lambda: of(torch.randn(5), itself, lambda t: torch.cat([torch.zeros(3), t])),
    "stacked with more": lambda: of(torch.randn(5), itself, lambda t: torch.stack([t, torch.randn(5)])),
    "in a part": lambda: of(torch.randn(2), itself, lambda t: written((2, 2), torch.zero_, lambda w: w[0].copy_(t))),
    "norms of a transposed one": lambda: of(torch.randn(3, 4), itself, lambda t: t.t().contiguous().norm(dim=0)),
    "two of the parts": lambda: of(
        torch.randn(2),
        lambda t: torch.cat([t, torch.zeros(2)]),
        lambda t: torch.cat([torch.zeros(2), t]),
    ),
}


@pytest.mark.parametrize("case", SHARED)
def test_some_draws_in_common_are_refused_with_the_first_owner(case: str) -> None:
    (first, error), (second, refusal) = fills_of(SHARED[case])
    assert (first is not None, error) == (True, "")
    assert second is None
    assert refusal == "cannot express values that share draws with t0"


def test_the_owner_that_is_named_is_the_one_that_has_the_draws() -> None:
    fills = fills_of(lambda: (a := torch.randn(4), b := torch.rand(4), torch.cat([torch.zeros(1), b]), a[1:]))
    assert fills[:2] == [(NORMAL, ""), (UNIFORM, "")]
    assert [error.partition("with ")[2] for _, error in fills[2:]] == ["t1", "t0"]


SAME_DRAWS = "cannot express values that share draws with t0"

TWICE: dict[str, tuple[Callable[[], torch.Tensor], str]] = {
    "joined": (lambda: torch.cat([t := torch.rand(2), t]), SAME_DRAWS),
    "stacked in rows of many": (lambda: torch.stack([t := torch.rand(2, 3), t], 1).view(2, 6), SAME_DRAWS),
    "joined with a view": (lambda: torch.cat([t := torch.rand(4), t[3:]]), SAME_DRAWS),
    "joined with a clone": (lambda: torch.cat([t := torch.rand(2), torch.rand(2), t.clone()]), SAME_DRAWS),
    "rows set to the first": (
        lambda: written((3, 2), torch.nn.init.uniform_, lambda w: w[2].copy_(w[0])),
        SAME_DRAWS,
    ),
    "a sum with its transpose": (lambda: (t := torch.randn(3, 3)) + t.t(), SAME_DRAWS),
    "repeated": (lambda: torch.randn(3).repeat(2), "cannot express"),
}


@pytest.mark.parametrize("case", TWICE)
def test_the_same_draws_twice_in_a_tensor_are_refused(case: str) -> None:
    make, words = TWICE[case]
    ((fill, error),) = fills_of(lambda: [make()])
    assert fill is None
    assert words in error


def test_the_same_draws_in_boxes_along_an_axis_are_broadcast() -> None:
    """timm's rotary frequencies: functions of the same angles, stacked and joined."""

    def make() -> Sequence[torch.Tensor]:
        angles = torch.rand(2, 3, 1) * 6
        joined = torch.cat([torch.arange(4.0) * angles.cos(), torch.arange(4.0) * (angles + 1).cos()], -1)
        return [torch.stack([joined, angles.expand(2, 3, 8)])]

    (tensor,) = faithful(make).tensors
    assert isinstance(tensor.default, Parts)
    angle = op("multiply", Broadcast((0, 3), UNIFORM), 6)
    assert tensor.default.parts[-1].fill == angle


def test_draws_that_are_written_over_are_shared_no_more() -> None:
    def make() -> Sequence[torch.Tensor]:
        drawn = torch.rand(4)
        copied = drawn.clone()
        copied.zero_()
        copied[2:].fill_(1)
        return [drawn, copied]

    parts = Parts(Constant(0.0), (Part((2,), (4,), Constant(1.0)),))
    assert [tensor.default for tensor in faithful(make).tensors] == [UNIFORM, parts]


class Twins(nn.Module):
    """A module, a deep copy of it, and one whose bias alone is drawn again."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Linear(30, 20)
        self.same = copy.deepcopy(self.one)
        self.other = copy.deepcopy(self.one)
        nn.init.normal_(self.other.bias)


def test_deep_copies_of_modules_are_copies_tensor_by_tensor() -> None:
    found = {tensor.name: tensor.default for tensor in describe(capture(Twins)).tensors}
    weight, bias = found["one.weight"], found["one.bias"]
    assert isinstance(weight, Uniform)
    assert isinstance(bias, Uniform)
    assert found["same.weight"] == found["other.weight"] == Copy("one.weight", weight)
    assert found["same.bias"] == Copy("one.bias", bias)
    assert found["other.bias"] == NORMAL


def test_tied_tensors_stay_tied_in_a_deep_copy() -> None:
    def build() -> nn.Module:
        pair = nn.ModuleList([nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)])
        pair[1].weight = pair[0].weight
        return nn.ModuleList([pair, copy.deepcopy(pair)])

    assert [(t.name, t.aliases) for t in describe(capture(build)).tensors] == [
        ("0.0.weight", ("0.1.weight",)),
        ("1.0.weight", ("1.1.weight",)),
    ]


def test_deep_copies_keep_what_kind_of_tensor_they_were() -> None:
    def build() -> nn.Module:
        module = nn.Linear(3, 2)
        module.bias.requires_grad_(False)
        module.register_buffer("steps", torch.zeros(2, 3).t())
        return copy.deepcopy(module)

    captured = capture(build)
    assert [(t.name, t.kind, t.trainable) for t in describe(captured).tensors] == [
        ("weight", "parameter", True),
        ("bias", "parameter", False),
        ("steps", "buffer", False),
    ]
    assert captured.model.steps.stride() == build().steps.stride()
