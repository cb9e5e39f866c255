"""Promise 4 (nothing silent): a captured fill is what the constructor does, or an error that names the operations."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from initium_law.grammar import (
    Constant,
    Copy,
    Dirac,
    Eye,
    Fill,
    Literal,
    Normal,
    NormOf,
    Part,
    Parts,
    TruncNormal,
    Uniform,
)
from initium_server.capture import fills as capture_module
from initium_server.capture.fills import capture, quiet
from initium_server.capture.inventory import describe
from tests.capture.making import Make, faithful, fill_of, in_place, inventory_of, op
from tests.sources.compare import check_tensors

EXPRESSED: dict[str, tuple[Make, Fill]] = {
    "last overwrite wins": (in_place(lambda t: t.normal_(), lambda t: t.zero_()), Constant(0.0)),
    "fill keeps the author's number": (in_place(lambda t: t.fill_(0.1)), Constant(0.1)),
    "full": (lambda: torch.full((3,), 0.3), Constant(0.3)),
    "scaled ones are rounded as float32": (lambda: torch.ones(3) * 1e-5, Constant(float(torch.tensor(1e-5)))),
    "log of scaled ones": (lambda: torch.log(10 * torch.ones(3)), Constant(float(torch.tensor(10.0).log()))),
    "uniform": (in_place(lambda t: t.uniform_(-0.25, 0.5)), Uniform(-0.25, 0.5)),
    "normal": (in_place(lambda t: t.normal_(1, 0.02)), Normal(1.0, 0.02)),
    "rand": (lambda: torch.rand(5) * 4 - 2, op("add", op("multiply", Uniform(0.0, 1.0), 4), -2)),
    "randn": (lambda: 0.5 * torch.randn(5) + 1, op("add", op("multiply", Normal(0.0, 1.0), 0.5), 1)),
    "negated": (lambda: -torch.rand(5), op("multiply", Uniform(0.0, 1.0), -1)),
    "divided": (in_place(lambda t: t.normal_(0, 0.02), lambda t: t.div_(3)), op("divide", Normal(0.0, 0.02), 3)),
    "times zero": (in_place(lambda t: t.normal_(), lambda t: t.mul_(0)), op("multiply", Normal(0.0, 1.0), 0)),
    "transposed": (lambda: torch.randn(3, 4).t(), Normal(0.0, 1.0)),
    "reshaped": (lambda: torch.rand(12).view(3, 4), Uniform(0.0, 1.0)),
    "cloned": (lambda: torch.rand(12).clone(), Uniform(0.0, 1.0)),
    "torch's truncated normal": (in_place(lambda t: nn.init.trunc_normal_(t, std=0.02)), TruncNormal(0, 0.02, -2, 2)),
    "far truncated normal": (in_place(lambda t: nn.init.trunc_normal_(t, 0, 1, 5, 6)), TruncNormal(0, 1, 5, 6)),
    "eye": (in_place(lambda t: nn.init.eye_(t)), Eye()),
    "dirac": (in_place(lambda t: nn.init.dirac_(t, 2), shape=(4, 2, 3)), Dirac(2)),
    "a row": (
        in_place(lambda t: t.normal_(), lambda t: t[2].fill_(0)),
        Parts(Normal(0.0, 1.0), (Part((2, 0), (3, 6), Constant(0.0)),)),
    ),
    "a block": (
        in_place(lambda t: t.fill_(1), lambda t: t[1:3, 2:5].uniform_()),
        Parts(Constant(1.0), (Part((1, 2), (3, 5), Uniform(0.0, 1.0)),)),
    ),
    "a block of a view": (
        in_place(lambda t: t.zero_(), lambda t: t.view(2, 2, 6)[1].fill_(1)),
        Parts(Constant(0.0), (Part((2, 0), (4, 6), Constant(1.0)),)),
    ),
    "scaled parts": (
        in_place(lambda t: t.normal_(), lambda t: t[0].fill_(1), lambda t: t.mul_(2)),
        Parts(op("multiply", Normal(0.0, 1.0), 2), (Part((0, 0), (1, 6), Constant(2.0)),)),
    ),
    "parts that cover all": (
        in_place(*[lambda t, k=k: t[k].uniform_(-1, 1) for k in range(4)]),
        Uniform(-1.0, 1.0),
    ),
    "different parts that cover all": (
        in_place(lambda t: t[:2].uniform_(), lambda t: t[2:].zero_()),
        Parts(Uniform(0.0, 1.0), (Part((2, 0), (4, 6), Constant(0.0)),)),
    ),
    "a part written twice": (
        in_place(lambda t: t.zero_(), lambda t: t[1].uniform_(), lambda t: t[:2].fill_(1), lambda t: t[1].normal_()),
        Parts(Constant(0.0), (Part((0, 0), (2, 6), Constant(1.0)), Part((1, 0), (2, 6), Normal(0.0, 1.0)))),
    ),
    "joined": (
        lambda: torch.cat([torch.randn(2, 3), torch.zeros(1, 3)]),
        Parts(Normal(0.0, 1.0), (Part((2, 0), (3, 3), Constant(0.0)),)),
    ),
    "joined alike": (lambda: torch.cat([torch.rand(2), torch.rand(3)]), Uniform(0.0, 1.0)),
    "no elements": (lambda: torch.empty(0, 3), Constant(0.0)),
    "huge": (lambda: torch.empty(10**9, 10**6).normal_(std=0.5), Normal(0.0, 0.5)),
    "huge constant": (lambda: torch.ones(10**15) * 2, Constant(2.0)),
}


@pytest.mark.parametrize("case", EXPRESSED)
def test_expressed(case: str) -> None:
    make, fill = EXPRESSED[case]
    assert fill_of(make) == (fill, "")


REFUSED: dict[str, tuple[Make, str]] = {
    "empty": (lambda: torch.empty(3), "uninitialized: torch.empty"),
    "partly empty": (in_place(lambda t: t[0].zero_()), "partly uninitialized: torch.empty"),
    "a function that the law lacks": (lambda: torch.rand(3).tanh(), "cannot express rand > tanh"),
    "every second": (in_place(lambda t: t.normal_(), lambda t: t[:, ::2].zero_()), "a write to scattered elements"),
    "the same draws twice": (lambda: torch.cat([t := torch.rand(2), t]), "share draws"),
    "in double precision": (lambda: torch.rand(3, dtype=torch.float64).exp(), "cannot express rand > exp"),
    "a part of an orthogonal matrix": (
        lambda: nn.init.orthogonal_(torch.empty(3, 3))[1:],
        "a part or another view of normal_ > linalg_qr",
    ),
    "a huge literal": (lambda: torch.arange(10**9, dtype=torch.float32), "literals of a model may take"),
    "a permutation, scaled": (lambda: torch.randperm(5) * 2, "randperm > mul"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_name(case: str) -> None:
    make, words = REFUSED[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


DETERMINISTIC: dict[str, Make] = {
    "arange": lambda: torch.arange(6, dtype=torch.float32),
    "numbers": lambda: torch.tensor([1.0, 2.0, 4.0]),
    "log of arange": lambda: torch.log(torch.arange(1, 9).float()).repeat(2, 1),
    "written in strides": in_place(lambda t: t[:, ::2].fill_(1), lambda t: t[:, 1::2].fill_(2)),
    "infinite": lambda: torch.full((2, 2), -math.inf).triu(1),
    "integers": lambda: torch.arange(7) * 2**60,
    "flags": lambda: torch.ones(3, 3, dtype=torch.bool).tril(),
    "halves": lambda: torch.linspace(0, 1, 5).to(torch.bfloat16),
}


@pytest.mark.parametrize("case", DETERMINISTIC)
def test_deterministic_buffers_are_literals(case: str) -> None:
    make = DETERMINISTIC[case]
    assert isinstance(faithful(lambda: [make()]).tensors[0].default, Literal)


def test_equal_computed_values_are_a_constant() -> None:
    assert inventory_of(lambda: torch.arange(2, 3).repeat(5), buffer=True).tensors[0].default == Constant(2.0)


def test_equal_literals_are_stored_once() -> None:
    inventory = inventory_of(lambda: torch.arange(9), lambda: torch.arange(9), buffer=True)
    assert len(inventory.literals) == 1


def test_literals_are_limited_in_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_module, "LITERAL_BYTES", 100)
    inventory = inventory_of(lambda: torch.arange(9), lambda: torch.arange(1, 10), buffer=True)
    assert inventory.tensors[0].default is not None
    assert "72 are taken" in inventory.tensors[1].default_error


def test_values_may_be_asked_of_deterministic_tensors() -> None:
    def build() -> nn.Module:
        widths = (torch.arange(3) * 8 + 8).tolist()
        return nn.Linear(widths[0], int(torch.linspace(0, 4, 5).sum().item()))

    assert describe(capture(build)).tensors[0].shape == (10, 8)


def test_values_of_random_tensors_may_not() -> None:
    with pytest.raises(Exception, match=r"_local_scalar_dense.*depend on the random operation rand"):
        capture(lambda: nn.Linear(int(torch.rand(1).item() * 10) + 1, 2))


def test_copies_of_one_draw_are_copies() -> None:
    """nn.Transformer clones its layers, so that their biases are the same numbers."""

    def build() -> nn.Module:
        return nn.Transformer(8, 2, 2, 1, 16)

    with quiet():  # torch remarks on batch_first
        real = dict(build().named_parameters())
    inventory = describe(capture(build))
    copies = {t.name: t.default for t in inventory.tensors if isinstance(t.default, Copy)}
    assert list(copies) == ["encoder.layers.1.linear1.bias", "encoder.layers.1.linear2.bias"]
    for name, fill in copies.items():
        assert isinstance(fill, Copy)
        assert torch.equal(real[name], real[fill.name])
    assert not [t.name for t in inventory.tensors if t.default is None]


def test_deep_copies_are_recorded() -> None:
    def build() -> nn.Module:
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        copied = copy.deepcopy(model)
        copied[0].reset_parameters()
        return nn.ModuleList([model, copied])

    captured = capture(build)
    inventory = describe(captured)
    assert [t.default_error for t in inventory.tensors if t.default is None] == []
    assert inventory.tensors[0].default == inventory.tensors[4].default
    torch.manual_seed(0)
    check_tensors(captured, inventory, build(), 0)


def test_chunks_of_one_draw_are_independent() -> None:
    holder: list[torch.Tensor] = []

    def first() -> torch.Tensor:
        holder[:] = torch.randn(6, 3).chunk(2)
        return holder[0].clone()

    inventory = inventory_of(first, lambda: holder[1].clone())
    assert [t.default for t in inventory.tensors] == [Normal(0.0, 1.0)] * 2


def test_recovers_a_truncated_normal_made_of_steps() -> None:
    std, low, high = 0.02, -0.05, 0.03

    def steps(t: torch.Tensor) -> None:
        cdf = [(1 + math.erf(x / std / math.sqrt(2))) / 2 for x in (low, high)]
        t.uniform_(2 * cdf[0] - 1, 2 * cdf[1] - 1).erfinv_().mul_(std * math.sqrt(2)).add_(0.0).clamp_(low, high)

    assert fill_of(in_place(steps))[0] == TruncNormal(0.0, std, low, high)


def test_a_clamp_beyond_the_bounds_changes_nothing() -> None:
    fill, _ = fill_of(
        in_place(lambda t: nn.init.trunc_normal_(t, std=0.02, a=-0.04, b=0.04), lambda t: t.clamp_(-2, 2))
    )
    assert fill == TruncNormal(0.0, 0.02, -0.04, 0.04)


def test_parametrized_tensors_belong_to_the_original_class() -> None:
    inventory = describe(capture(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))))
    names = [t.name for t in inventory.tensors]
    assert names == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert {t.owners[0].classes for t in inventory.tensors} == {("Linear", "Module")}
    assert inventory.tensors[2].default == describe(capture(lambda: nn.Linear(3, 4))).tensors[0].default
    v = inventory.tensors[2]
    assert inventory.tensors[1].default == NormOf(v.name, v.shape, v.default, 0)
