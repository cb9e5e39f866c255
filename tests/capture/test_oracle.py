"""The oracle itself: a fill that is wrong in anything does not pass."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
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
    Permutation,
    Pointwise,
    Sparse,
    TruncNormal,
    Uniform,
)
from initium_server.capture import capture, describe
from tests.capture.making import Several, holding, op
from tests.capture.oracle import Wrong, differences

NORMAL, UNIFORM = Normal(0.0, 1.0), Uniform(0.0, 1.0)


def norms() -> Sequence[torch.Tensor]:
    v = torch.empty(6, 5).uniform_(-1, 1)
    return [v, v.norm(dim=1)]


def steps() -> Sequence[torch.Tensor]:
    return [torch.rand(50) * 0.3 + torch.rand(50), torch.randn(50, 1) / torch.full((50, 4), 3.0)]


def parts() -> Sequence[torch.Tensor]:
    tensor = torch.empty(6, 4).normal_(0, 0.02)
    tensor[1].zero_()
    tensor[2:4, 1:].uniform_()
    return [tensor]


def copied() -> Sequence[torch.Tensor]:
    tensor = torch.randn(30)
    return [tensor, torch.rand(30), tensor.clone()]


def whole() -> Sequence[torch.Tensor]:
    return [
        nn.init.orthogonal_(torch.empty(3, 8), 1.5),
        nn.init.sparse_(torch.empty(20, 3), 0.3),
        torch.randperm(20),
        nn.init.trunc_normal_(torch.empty(40), 0.1, 0.2, -0.1, 0.3),
    ]


def through_erfinv() -> Sequence[torch.Tensor]:
    end = math.erf(2 / math.sqrt(2))
    return [torch.empty(500).uniform_(-end, end).erfinv_().mul_(0.02 * math.sqrt(2)).clamp_(-0.04, 0.04)]


def up(number: float) -> float:
    """The next number in binary32, where a difference of the last bit shows."""
    return float(torch.nextafter(torch.tensor(number), torch.tensor(math.inf)))


def of(changed: Any, **fields: object) -> Any:
    return replace(changed, **fields)


SUM = op("add", op("multiply", UNIFORM, 0.3), Copy("t0/2", UNIFORM))
WRONG: dict[str, tuple[Several, str, Callable[[Any], Fill]]] = {
    "norms along the other axis": (norms, "t1", lambda f: of(f, shape=(5, 6), axis=1)),
    "norms of another tensor": (norms, "t1", lambda f: of(f, name="t2")),
    "norms of other draws": (norms, "t1", lambda f: of(f, fill=Uniform(-1.0, up(1.0)))),
    "another factor": (steps, "t0", lambda f: op("add", op("multiply", UNIFORM, up(0.3)), SUM.operands[1])),
    "no factor": (steps, "t0", lambda f: op("add", UNIFORM, SUM.operands[1])),
    "another function": (steps, "t0", lambda f: of(f, op="multiply")),
    "the same draw twice": (steps, "t0", lambda f: op("add", SUM.operands[0], UNIFORM)),
    "draws in the other order": (
        steps,
        "t0",
        lambda f: op("add", op("multiply", Copy("t0/2", UNIFORM), 0.3), UNIFORM),
    ),
    "a quotient as a product": (steps, "t1", lambda f: op("multiply", f.operands[0], 1 / 3)),
    "folded into the draw": (steps, "t1", lambda f: Broadcast((1,), Normal(0.0, 1 / 3))),
    "no broadcast": (steps, "t1", lambda f: op("divide", NORMAL, 3)),
    "broadcast along the other axis": (steps, "t1", lambda f: op("divide", Broadcast((0,), NORMAL), 3)),
    "a std one bit off": (parts, "t0", lambda f: of(f, base=Normal(0.0, up(0.02)))),
    "a part moved": (parts, "t0", lambda f: of(f, parts=(Part((0, 0), (1, 4), Constant(0.0)), f.parts[1]))),
    "a part left out": (parts, "t0", lambda f: of(f, parts=f.parts[1:])),
    "a part too large": (parts, "t0", lambda f: of(f, parts=(f.parts[0], Part((2, 0), (4, 4), UNIFORM)))),
    "parts in each other's place": (parts, "t0", lambda f: of(f, parts=(of(f.parts[0], fill=UNIFORM), f.parts[1]))),
    "no copy": (copied, "t2", lambda f: NORMAL),
    "a copy of another tensor": (copied, "t2", lambda f: Copy("t1", NORMAL)),
    "another distribution": (copied, "t1", lambda f: NORMAL),
    "another gain": (whole, "t0", lambda f: op("multiply", Orthogonal(1.0), up(1.5))),
    "no gain": (whole, "t0", lambda f: Orthogonal(1.0)),
    "another sparsity": (whole, "t1", lambda f: Sparse(0.35, f.std)),
    "a permutation as numbers in order": (whole, "t2", lambda f: Constant(3.0)),
    "another mean": (whole, "t3", lambda f: of(f, mean=up(0.1))),
    "another bound": (whole, "t3", lambda f: of(f, b=0.25)),
    "another std through erfinv": (through_erfinv, "t0", lambda f: of(f, std=up(0.02))),
    "another bound through erfinv": (through_erfinv, "t0", lambda f: of(f, a=-0.039)),
}


def found(make: Several, **changes: Callable[[Any], Fill]) -> list[str]:
    """The tensors that differ when some fills are changed."""
    captured = capture(lambda: holding(make()))
    inventory = describe(captured)
    fills = {t.name: changes.get(t.name, lambda f: f)(t.default) for t in inventory.tensors if t.default}
    assert fills.keys() == {tensor.name for tensor in inventory.tensors}
    torch.manual_seed(4)
    return differences(captured, fills, inventory.literals, holding(make()), 4)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_fill_is_found(case: str) -> None:
    make, name, change = WRONG[case]
    assert found(make) == []
    with contextlib.suppress(Wrong):
        assert name in found(make, **{name: change})


def test_the_fills_that_are_made_wrong_are_these() -> None:
    """So that the changes above change what they say."""
    fills = [[t.default for t in describe(capture(lambda m=m: holding(m()))).tensors] for m in (norms, steps, parts)]
    assert fills[0][1] == NormOf("t0", (6, 5), Uniform(-1.0, 1.0), 0)
    assert fills[1] == [SUM, op("divide", Broadcast((1,), NORMAL), 3)]
    zero = Part((1, 0), (2, 4), Constant(0.0))
    assert fills[2] == [Parts(Normal(0.0, 0.02), (zero, Part((2, 1), (4, 4), UNIFORM)))]
    others = [t.default for t in describe(capture(lambda: holding(whole()))).tensors]
    assert others == [
        op("multiply", Orthogonal(1.0), 1.5),
        Sparse(0.3, 0.01),
        Permutation(),
        TruncNormal(0.1, 0.2, -0.1, 0.3),
    ]
    assert isinstance(others[0], Pointwise)


def test_draws_that_end_in_no_tensor_are_made_as_they_were_recorded() -> None:
    def make() -> Sequence[torch.Tensor]:
        torch.randn(7)
        torch.empty(5, 5).t().uniform_()
        nn.init.trunc_normal_(torch.empty(9))
        torch.bernoulli(torch.full((8,), 0.5))
        torch.randint(0, 10, (3,))
        return [torch.rand(20)]

    assert found(make) == []
