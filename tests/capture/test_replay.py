"""Values that no random number went into are computed for real; what depends on luck or takes too much is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from initium_law.grammar import Constant, Fill, Literal
from initium_server.capture import capture, describe
from initium_server.capture import fills as fills_module
from initium_server.capture import replay as replay_module
from initium_server.capture.recording import CaptureError, place_of
from initium_server.capture.replay import is_dense
from tests.capture.making import Make, Several, faithful, fill_of, fills_of, holding, in_place

VALUES: dict[str, Several] = {
    "numbers": lambda: [torch.tensor([3.0, 1.0, 2.0])],
    "arange into": lambda: [torch.arange(4, out=torch.empty(4))],
    "both results of sort": lambda: list(torch.tensor([3.0, 1.0, 2.0]).sort()),
    "sort into": lambda: list(torch.sort(torch.arange(4.0).flip(0), out=(torch.empty(4), torch.empty(4).long()))),
    "both results of qr": lambda: list(torch.linalg.qr(torch.arange(9.0).view(3, 3) + torch.eye(3))),
    "mean and deviation": lambda: list(torch.std_mean(torch.arange(6.0).view(2, 3) ** 2, 1)),
    "views of one": lambda: list(torch.arange(12.0).view(3, 4).unbind()),
    "a strided view": lambda: [torch.arange(12.0).view(3, 4)[:, ::2].t()],
    "a view in another dtype": lambda: [torch.arange(4.0).view(torch.int32)],
    "complex": lambda: [torch.polar(torch.ones(3), torch.arange(3.0))],
    "real and imaginary": lambda: [torch.view_as_real(torch.polar(torch.ones(3), torch.arange(3.0)))],
    "eye, scaled": lambda: [torch.eye(3, 4) * 2],
    "a part of an eye": lambda: [torch.eye(5)[1:3]],
    "dirac, scaled": lambda: [nn.init.dirac_(torch.empty(4, 2, 3), 2) * 2],
    "dirac in a part": lambda: (t := torch.arange(48.0).view(4, 4, 3), nn.init.dirac_(t[:, :2], 2).mul_(2))[:1],
    "many at once": lambda: _foreach(),
    "many at once, one storage": lambda: _foreach_rows(),
    "a tensor and what it was": lambda: (a := torch.arange(4.0), a.clone(), a.add_(1)),
    "strides that fill it": lambda: [
        in_place(lambda t: t[:, ::2].copy_(torch.arange(3)), lambda t: t[:, 1::2].fill_(2))()
    ],
    "random numbers, written over": lambda: [torch.rand(4).copy_(torch.arange(4))],
    "random numbers, transposed and written over": lambda: _transposed(),
    "random numbers, zeroed and added to": lambda: [torch.rand(4).zero_().add_(torch.arange(4))],
    "random numbers, filled and added to": lambda: [torch.rand(4).fill_(2).add_(torch.arange(4))],
    "random numbers, then an eye": lambda: [nn.init.eye_(torch.rand(3, 3)).mul_(2)],
    "random numbers, then full": lambda: [torch.full((3,), 2.0, out=torch.rand(3)).add_(torch.arange(3))],
    "random numbers, then ones": lambda: [torch.ones(3, out=torch.rand(3)).add_(torch.arange(3))],
    "random numbers, then zeros": lambda: [torch.zeros(3, out=torch.rand(3)).add_(torch.arange(3))],
    "random numbers, then arange": lambda: [torch.arange(3.0, out=torch.rand(3)).mul_(2)],
    "one element of an axis": lambda: [torch.rand(1, 3).copy_(torch.arange(3)).add_(1)],
}


def _foreach() -> list[torch.Tensor]:
    a, b = torch.arange(3.0), torch.arange(3.0, 6.0)
    before = b.clone()
    torch._foreach_mul_([a, b], 2)
    return [a, b, before, a + before]


def _foreach_rows() -> list[torch.Tensor]:
    table = torch.arange(6.0).view(2, 3)
    torch._foreach_add_([table[0], table[1]], 1)
    return [table]


def _transposed() -> list[torch.Tensor]:
    tensor = torch.rand(3, 4)
    tensor.t().copy_(torch.arange(12).view(4, 3))
    return [tensor]


@pytest.mark.parametrize("case", VALUES)
def test_computed_values_are_those_of_torch(case: str) -> None:
    for tensor in faithful(VALUES[case]).tensors:
        assert isinstance(tensor.default, Literal), tensor.default_error


EQUAL: dict[str, tuple[Make, Fill]] = {
    "floats": (lambda: torch.arange(6.0).clamp(7, 8), Constant(7.0)),
    "whole numbers": (lambda: torch.arange(6).clamp(7, 8), Constant(7.0)),
    "truths": (lambda: torch.arange(6).lt(7).logical_and(torch.arange(6) >= 0), Constant(1.0)),
    "one element": (lambda: torch.arange(3, 4), Constant(3.0)),
    "2^53": (lambda: torch.arange(6).clamp(2**53, 2**54), Constant(2.0**53)),
}


@pytest.mark.parametrize("case", EQUAL)
def test_computed_values_that_are_all_equal_are_a_constant(case: str) -> None:
    make, fill = EQUAL[case]
    assert [tensor.default for tensor in faithful(lambda: [make()]).tensors] == [fill]


NO_CONSTANT: dict[str, Make] = {
    "infinite": lambda: torch.arange(6.0).clamp(math.inf, math.inf),
    "beyond 2^53": lambda: torch.arange(6).clamp(2**53 + 1, 2**54),
    "imaginary": lambda: torch.arange(1, 2) * 1j,
    "the first is another": lambda: torch.arange(6).clamp(max=1),
    "the last is another": lambda: torch.arange(6).clamp(min=4),
}


@pytest.mark.parametrize("case", NO_CONSTANT)
def test_computed_values_that_no_constant_holds_are_a_literal(case: str) -> None:
    assert isinstance(faithful(lambda: [NO_CONSTANT[case]()]).tensors[0].default, Literal)


RANDOM: dict[str, tuple[Make, str]] = {
    "an argument": (lambda: torch.arange(3) + torch.rand(3).tanh(), "cannot express rand > tanh > add"),
    "an argument in a list": (lambda: torch.cat([torch.arange(3.0), torch.rand(3).tanh()]), "rand > tanh"),
    "an argument by name": (lambda: torch.add(torch.arange(3.0), other=torch.rand(3).tanh()), "tanh > add"),
    "in another part": (in_place(lambda t: t[0].exponential_(), lambda t: t[1:].zero_()), "exponential_"),
    "written to a part": (lambda: torch.arange(6.0).scatter_(0, torch.arange(3), torch.rand(3)), "scatter_"),
    "an initializer of one call": (lambda: nn.init.trunc_normal_(torch.empty(3)).tanh(), "trunc_normal_ > tanh"),
    "long ago": (lambda: torch.rand(3).tanh().log().clone().add(1), "rand > tanh > log > add"),
    "with one overwritten element": (in_place(lambda t: t.exponential_(), lambda t: t[0, 0].zero_()), "exponential_"),
    "overwritten but for the end": (in_place(lambda t: t.exponential_(), lambda t: _overlapping(t)), "exponential_"),
}


def _overlapping(tensor: torch.Tensor) -> None:
    """Writes as many elements as there are, but some of them twice."""
    tensor.as_strided((4, 6), (5, 1)).fill_(0)


@pytest.mark.parametrize("case", RANDOM)
def test_what_random_numbers_went_into_is_not_computed(case: str) -> None:
    make, words = RANDOM[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

UNWRITTEN: dict[str, Make] = {
    "in strides": in_place(lambda t: t[:, ::2].fill_(1)),
    "a sum with it": lambda: torch.empty(3) + torch.arange(3.0),
    "a sum of it": lambda: torch.empty(3).sum().expand(3) + torch.arange(3.0),
    "new": lambda: torch.arange(3.0).new_empty(3) + torch.arange(3.0),
    "like": lambda: torch.empty_like(torch.arange(3.0)) + torch.arange(3.0),
    "of whole numbers": lambda: torch.empty(3, dtype=torch.int64) + torch.arange(3),
    **{str(dtype): lambda dtype=dtype: torch.empty(3, dtype=dtype) + torch.arange(3, dtype=dtype) for dtype in FLOATS},
}


@pytest.mark.parametrize("case", UNWRITTEN)
def test_values_that_depend_on_unwritten_memory_are_refused(case: str) -> None:
    fill, error = fill_of(UNWRITTEN[case])
    assert fill is None
    assert "the values depend on memory that was never written" in error or error.startswith("uninitialized: torch.")


def test_unwritten_memory_that_is_left_out_is_no_obstacle() -> None:
    (tensor,) = faithful(lambda: [torch.where(torch.arange(3) > 5, torch.empty(3), torch.arange(3.0))]).tensors
    assert isinstance(tensor.default, Literal)


def test_computing_may_not_take_more_memory_than_there_is_a_limit_for() -> None:
    fill, error = fill_of(lambda: torch.arange(10**9)[:3] + 1)
    assert fill is None
    assert error.startswith("cannot express")
    assert error.endswith("(computing them takes 8000000024 bytes or more; the limit is 536870912)")


def test_the_limit_counts_every_tensor_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> torch.Tensor:
        numbers = torch.arange(10.0)
        doubled = numbers + numbers
        return doubled + numbers + doubled

    monkeypatch.setattr(replay_module, "REPLAY_BYTES", 4 * 40)
    assert isinstance(fill_of(make)[0], Literal)
    monkeypatch.setattr(replay_module, "REPLAY_BYTES", 4 * 40 - 1)
    assert fill_of(make)[0] is None


def test_each_tensor_has_the_limit_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "REPLAY_BYTES", 100)
    fills = fills_of(lambda: [torch.arange(10.0), torch.arange(10.0) + 1, torch.arange(10.0)])
    assert all(isinstance(fill, Literal) for fill, _ in fills)


def test_literals_may_take_their_limit_and_no_byte_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> list[torch.Tensor]:
        return [torch.arange(10.0), torch.arange(10.0), torch.arange(10.0) + 1, torch.arange(10.0)]

    monkeypatch.setattr(fills_module, "LITERAL_BYTES", 80)
    assert all(isinstance(fill, Literal) for fill, _ in fills_of(make))
    monkeypatch.setattr(fills_module, "LITERAL_BYTES", 79)
    found = fills_of(make)
    assert [isinstance(fill, Literal) for fill, _ in found] == [True, True, False, True]
    limit = "the literals of a model may take 79 bytes in all, and 40 are taken"
    assert found[2][1] == f"computed values of 40 bytes: {limit}"
    monkeypatch.setattr(fills_module, "LITERAL_BYTES", 40)
    assert isinstance(fills_of(make)[0][0], Literal)


@given(st.data())
def test_a_place_is_dense_if_it_fills_its_span_once(data: st.DataObject) -> None:
    size = tuple(data.draw(st.lists(st.integers(1, 3), max_size=3)))
    stride = tuple(data.draw(st.sampled_from((0, 1, 2, 3, 4, 6, 9))) for _ in size)
    view = torch.arange(64).as_strided(size, stride, 1)
    elements = sorted(view.flatten().tolist())
    once = elements == list(range(1, 1 + len(elements)))
    assert is_dense(place_of(view)) == once


ASKED: dict[str, Callable[[], Any]] = {
    "item": lambda: torch.arange(4.0).sum().item(),
    "int": lambda: int(torch.linspace(0, 4, 5)[3]),
    "list": lambda: (torch.arange(3) * 8).tolist(),
    "truth": lambda: 1 + bool(torch.ones(1) > 0),
    "of a constant": lambda: torch.full((), 3.0).item(),
    "of a written part": lambda: in_place(lambda t: t[0].fill_(3))()[0, 1].item(),
    "how many": lambda: len(torch.tensor([1, 0, 2]).nonzero()),
    "how many by truth": lambda: torch.arange(6)[torch.arange(6) > 1].numel(),
    "how many distinct": lambda: torch.unique(torch.tensor([3, 1, 3])).numel(),
    "all equal": lambda: 1 + torch.equal(torch.arange(3), torch.tensor([0, 1, 2])),
}


@pytest.mark.parametrize("case", ASKED)
def test_a_constructor_may_ask_for_values_without_random_numbers(case: str) -> None:
    found = []
    capture(lambda: found.append(ASKED[case]()) or nn.Module())
    assert found == [ASKED[case]()]


DEPENDENT: dict[str, Several] = {
    "chosen by truth": lambda: [torch.arange(6.0)[torch.arange(6) > 1]],
    "chosen, and then changed": lambda: [torch.arange(6.0)[torch.arange(6) > 1].mul_(2).add(1)],
    "places of truth": lambda: list(torch.tensor([[1, 0], [1, 1]]).nonzero(as_tuple=True)),
    "distinct, with their counts": lambda: list(torch.unique(torch.tensor([3, 1, 3]), return_counts=True)),
}


@pytest.mark.parametrize("case", DEPENDENT)
def test_tensors_whose_shape_depends_on_values_are_computed(case: str) -> None:
    assert all(isinstance(tensor.default, Literal) for tensor in faithful(DEPENDENT[case]).tensors)


REFUSALS: dict[str, tuple[Callable[[], Any], str]] = {
    "random": (
        lambda: torch.rand(3).sum().item(),
        "(_local_scalar_dense), but the values depend on the random operation",
    ),
    "random truth": (lambda: bool(torch.rand(()) > 0.5), "the random operation rand"),
    "a random choice": (lambda: torch.arange(3)[torch.rand(3) > 0.5], "(index), but"),
    "the last of two": (lambda: torch.empty(3).exponential_().uniform_().sum().item(), "the random operation uniform_"),
    "the last of three": (lambda: torch.rand(3).exponential_().normal_().sum().item(), "the random operation normal_"),
    "a one-call initializer": (lambda: nn.init.trunc_normal_(torch.empty(3)).sum().item(), "trunc_normal_"),
    "unwritten": (lambda: torch.empty(3).sum().item(), "the values depend on memory that was never written"),
    "too much": (lambda: torch.ones(10**12).sum().item(), "the limit is 536870912"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_constructor_that_asks_for_other_values_fails_by_name(case: str) -> None:
    ask, words = REFUSALS[case]
    with pytest.raises(CaptureError) as caught:
        capture(lambda: holding([torch.zeros(1), ask()]))
    assert str(caught.value).startswith("the constructor asks for a value (")
    assert words in str(caught.value)


def test_a_long_chain_of_operations_is_refused_without_a_crash() -> None:
    def make() -> torch.Tensor:
        tensor = torch.arange(2.0)
        for _ in range(1500):
            tensor = tensor + 1
        return tensor

    ((fill, error),) = fills_of(lambda: [make()])
    assert fill is None
    assert error == "cannot express the values: their computation is too long a chain of operations"


def test_a_literal_is_the_digest_of_its_bytes_in_order() -> None:
    inventory = describe(capture(lambda: holding([torch.arange(6.0).view(2, 3).t()])))
    (fill,) = (tensor.default for tensor in inventory.tensors)
    assert isinstance(fill, Literal)
    data = inventory.literals[fill.digest]
    assert torch.frombuffer(bytearray(data), dtype=torch.float32).tolist() == [0, 3, 1, 4, 2, 5]
