"""Constants: the author's number or what torch computes of it, whatever the size of the tensor."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from initium_law.grammar import Constant, Eye, Fill, Literal, Part, Parts, Uniform
from tests.capture.making import Make, faithful, fill_of, fills_of

HUGE = 10**12
"""Elements that no replay could compute."""


def empty() -> torch.Tensor:
    return torch.empty(HUGE)


def of(value: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.full((HUGE,), value, dtype=dtype)


GIVEN: dict[str, tuple[Make, float]] = {
    "zeros": (lambda: torch.zeros(HUGE), 0.0),
    "zeros_like": (lambda: torch.zeros_like(empty()), 0.0),
    "new_zeros": (lambda: empty().new_zeros(HUGE), 0.0),
    "zero_": (lambda: empty().zero_(), 0.0),
    "zeros into": (lambda: torch.zeros(HUGE, out=empty()), 0.0),
    "ones": (lambda: torch.ones(HUGE), 1.0),
    "ones_like": (lambda: torch.ones_like(empty()), 1.0),
    "new_ones": (lambda: empty().new_ones(HUGE), 1.0),
    "full": (lambda: torch.full((HUGE,), 0.1), 0.1),
    "full_like": (lambda: torch.full_like(empty(), 0.1), 0.1),
    "full by name": (lambda: torch.full(size=(HUGE,), fill_value=0.1), 0.1),
    "full_like by name": (lambda: torch.full_like(empty(), fill_value=0.1), 0.1),
    "new_full": (lambda: empty().new_full((HUGE,), 0.1), 0.1),
    "new_full by name": (lambda: empty().new_full((HUGE,), fill_value=0.1), 0.1),
    "fill_": (lambda: empty().fill_(0.1), 0.1),
    "fill_ by name": (lambda: empty().fill_(value=0.1), 0.1),
    "fill": (lambda: torch.fill(empty(), 0.1), 0.1),
    "fill_ with a tensor": (lambda: empty().fill_(torch.tensor(0.5)), 0.5),
    "scalar_tensor": (lambda: torch.scalar_tensor(0.1), 0.1),
    "scalar_tensor by name": (lambda: torch.scalar_tensor(s=0.1), 0.1),
    "true": (lambda: torch.full((HUGE,), True), 1.0),
    "whole numbers": (lambda: torch.full((HUGE,), -7), -7.0),
    "whole numbers for floats": (lambda: torch.full((HUGE,), 3, dtype=torch.float16), 3.0),
    "infinitely repeated": (lambda: torch.full((1,), 0.1).expand(HUGE), 0.1),
    "repeated over one axis": (lambda: torch.full((3, 1), 0.1).expand(3, HUGE), 0.1),
    "a slice": (lambda: of(0.1)[5:], 0.1),
    "2^53": (lambda: torch.full((HUGE,), 2**53), 2.0**53),
    "-2^53": (lambda: torch.full((HUGE,), -(2**53)), -(2.0**53)),
    "the largest number": (
        lambda: torch.full((HUGE,), 1.7976931348623157e308, dtype=torch.float64),
        1.7976931348623157e308,
    ),
    "bytes": (lambda: torch.full((HUGE,), 200, dtype=torch.uint8), 200.0),
}


@pytest.mark.parametrize("case", GIVEN)
def test_numbers_of_the_author_are_kept(case: str) -> None:
    make, value = GIVEN[case]
    assert fill_of(make) == (Constant(value), "")


COPIED: dict[str, tuple[Make, float]] = {
    "clone": (lambda: of(0.1).clone(), 0.1),
    "contiguous": (lambda: torch.full((2, HUGE), 0.1).t().contiguous(), 0.1),
    "copy_": (lambda: empty().copy_(of(0.1)), 0.1),
    "copy_ of one number": (lambda: empty().copy_(torch.full((), 0.1)), 0.1),
    "detach_copy": (lambda: torch.detach_copy(of(0.1)), 0.1),
    "to half": (lambda: of(0.1).half(), 0.1),
    "to whole numbers": (lambda: of(2.7).to(torch.int32), 2.0),
    "to whole numbers, negative": (lambda: of(-2.7).to(torch.int64), -2.0),
    "to truth": (lambda: of(2.7).bool(), 1.0),
    "to bytes": (lambda: torch.full((HUGE,), 300).to(torch.uint8), 44.0),
    "whole numbers to floats": (lambda: torch.full((HUGE,), 7).float(), 7.0),
    "copied into whole numbers": (lambda: torch.empty(HUGE, dtype=torch.int16).copy_(of(2.7)), 2.0),
    "numbers of the program": (lambda: torch.tensor(0.5) * torch.ones(HUGE), 0.5),
    "a list of equal numbers": (lambda: torch.tensor([0.5, 0.5]) * torch.ones(HUGE, 2), 0.5),
}


@pytest.mark.parametrize("case", COPIED)
def test_copies_of_constants_hold_what_the_dtype_can(case: str) -> None:
    make, value = COPIED[case]
    assert fill_of(make) == (Constant(value), "")


COMPUTED: dict[str, Callable[[int], torch.Tensor]] = {
    "exp": lambda n: torch.full((n,), 0.3).exp(),
    "log": lambda n: torch.full((n,), 0.3).log(),
    "log_": lambda n: torch.full((n,), 0.3).log_(),
    "sqrt of a quotient": lambda n: (torch.ones(n) / 3).sqrt(),
    "product": lambda n: torch.full((n,), 0.3) * 0.7,
    "product in place": lambda n: torch.full((n,), 0.3).mul_(torch.full((n,), 0.7)),
    "sum": lambda n: torch.full((n,), 0.3) + torch.full((n,), 0.7),
    "sum with a factor": lambda n: torch.add(torch.full((n,), 0.3), torch.full((n,), 0.7), alpha=3),
    "difference": lambda n: 1 - torch.full((n,), 0.3),
    "difference of two": lambda n: torch.full((n,), 0.3) - torch.full((n,), 0.7),
    "negative": lambda n: -torch.full((n,), 0.3),
    "quotient, rounded": lambda n: torch.div(torch.full((n,), 7.0), -2, rounding_mode="trunc"),
    "floor of a quotient": lambda n: torch.div(torch.full((n,), -7), 2, rounding_mode="floor"),
    "power": lambda n: torch.full((n,), 0.3) ** 3,
    "power of a number": lambda n: 10000 ** torch.full((n,), 0.3),
    "clamped": lambda n: torch.full((n,), 0.3).clamp(0.5, 1),
    "erfinv": lambda n: torch.full((n,), 0.3).erfinv(),
    "greater": lambda n: torch.full((n,), 0.3) > 0.2,
    "not": lambda n: torch.ones(n, dtype=torch.bool).logical_not(),
    "where": lambda n: torch.where(torch.ones(n, dtype=torch.bool), torch.full((n,), 0.3), torch.zeros(n)),
    "three operands": lambda n: torch.addcmul(torch.full((n,), 0.1), torch.full((n,), 0.2), torch.full((n,), 0.3)),
    "half precision": lambda n: torch.full((n,), 0.3, dtype=torch.bfloat16) * 0.7,
    "a wider result": lambda n: torch.full((n,), 0.3, dtype=torch.float16) * torch.full((n,), 3.0, dtype=torch.float64),
    "whole numbers that overflow": lambda n: torch.full((n,), 100, dtype=torch.int8) + 100,
    "a number takes the dtype of a tensor": lambda n: torch.full((n,), 100, dtype=torch.int8).div(
        torch.tensor(300), rounding_mode="trunc"
    ),
    "into another dtype": lambda n: torch.full((n,), 0.3).mul_(torch.full((n,), 0.7, dtype=torch.float64)),
    "a part of a constant": lambda n: torch.full((n + 1,), 0.3)[1:].exp(),
}
"""Constants of n elements."""


@pytest.mark.parametrize("case", COMPUTED)
def test_pointwise_operators_on_constants_are_computed_as_torch_does(case: str) -> None:
    make = COMPUTED[case]
    (number,) = make(1).tolist()
    assert fill_of(lambda: make(HUGE)) == (Constant(float(number)), "")


UNEXPRESSED: dict[str, tuple[Make, str]] = {
    "infinite": (lambda: of(math.inf), "computed values of"),
    "not a number": (lambda: of(math.nan), "computed values of"),
    "beyond 2^53": (lambda: torch.full((HUGE,), 2**53 + 1), "computed values of"),
    "beyond -2^53": (lambda: torch.full((HUGE,), -(2**53) - 1), "computed values of"),
    "imaginary": (lambda: torch.full((HUGE,), 1j), "computed values of"),
    "turned about": (lambda: of(1.0).flip(0), "computed values of"),
    "unwritten": (empty, "uninitialized: torch.empty"),
    "unwritten, like": (lambda: torch.empty_like(torch.ones(HUGE)), "uninitialized: torch.empty_like"),
    "unwritten, new": (lambda: torch.ones(1).new_empty(HUGE), "uninitialized: torch.new_empty"),
    "unwritten, strided": (lambda: torch.empty_strided((HUGE,), (2,)), "uninitialized: torch.empty_strided"),
    "unwritten, new and strided": (
        lambda: torch.ones(1).new_empty_strided((HUGE,), (2,)),
        "uninitialized: torch.new_empty_strided",
    ),
    "unwritten, copied": (lambda: empty().clone(), "uninitialized: torch.empty"),
}


@pytest.mark.parametrize("case", UNEXPRESSED)
def test_what_is_no_constant_is_refused(case: str) -> None:
    make, words = UNEXPRESSED[case]
    fill, error = fill_of(make)
    assert fill is None
    assert words in error


SMALL: dict[str, Make] = {
    "infinite": lambda: torch.full((3,), -math.inf),
    "not a number": lambda: torch.full((3,), math.nan),
    "beyond 2^53": lambda: torch.full((3,), 2**53 + 1),
    "beyond -2^53": lambda: torch.full((3,), -(2**53) - 1),
    "imaginary": lambda: torch.full((3,), 1j),
}


@pytest.mark.parametrize("case", SMALL)
def test_what_a_constant_cannot_hold_is_a_literal_where_it_is_small(case: str) -> None:
    fill, error = fill_of(SMALL[case])
    assert isinstance(fill, Literal)
    assert error == ""


def test_a_power_of_two_beyond_2_53_is_exact_as_a_float() -> None:
    assert fill_of(lambda: of(2.0**60)) == (Constant(2.0**60), "")


JOINED: dict[str, Callable[[], torch.Tensor]] = {
    "rows": lambda: torch.cat([torch.full((2, 3), 1.0), torch.full((1, 3), 2.0), torch.full((3, 3), 3.0)]),
    "columns": lambda: torch.cat([torch.full((2, 3), 1.0), torch.full((2, 1), 2.0)], 1),
    "the last axis": lambda: torch.cat([torch.full((2, 3), 1.0), torch.full((2, 1), 2.0)], dim=-1),
    "the last axis but one": lambda: torch.cat([torch.full((2, 3), 1.0), torch.full((2, 3), 2.0)], dim=-2),
    "stacked": lambda: torch.stack([torch.full((2, 3), float(k)) for k in range(4)]),
    "stacked at axis 1": lambda: torch.stack([torch.full((2, 3), float(k)) for k in range(4)], 1),
    "stacked last": lambda: torch.stack([torch.full((2, 3), float(k)) for k in range(4)], dim=-1),
    "stacked numbers": lambda: torch.stack([torch.full((), 1.0), torch.full((), 2.0)]),
    "draws and constants": lambda: torch.cat([torch.zeros(1, 3), torch.rand(2, 3), torch.ones(1, 3)]),
    "draws of several distributions": lambda: torch.stack([torch.rand(3), torch.rand(3) + 2, torch.rand(3)], 1),
}


@pytest.mark.parametrize("case", JOINED)
def test_joined_tensors_lie_where_torch_puts_them(case: str) -> None:
    assert isinstance(faithful(lambda: [JOINED[case]()]).tensors[0].default, Parts)


def test_equal_constants_joined_are_one() -> None:
    assert fill_of(lambda: torch.cat([of(0.1), of(0.1)])) == (Constant(0.1), "")
    assert fill_of(lambda: torch.stack([torch.full((), 0.1), torch.full((), 0.1)])) == (Constant(0.1), "")


def test_what_has_parts_itself_is_joined() -> None:
    def make() -> torch.Tensor:
        return torch.cat([torch.cat([torch.rand(1), torch.zeros(1)]), torch.rand(1)])

    zero = Part((1,), (2,), Constant(0.0))
    parts = Parts(Uniform(0.0, 1.0), (zero, Part((2,), (3,), Uniform(0.0, 1.0))))
    assert faithful(lambda: [make()]).tensors[0].default == parts


WHOLE: dict[str, tuple[Make, Fill]] = {
    "eye": (lambda: torch.eye(100_000), Eye()),
    "eye, not square": (lambda: torch.eye(100_000, 70_000), Eye()),
    "eye, cloned": (lambda: torch.eye(100_000).clone(), Eye()),
}


@pytest.mark.parametrize("case", WHOLE)
def test_structured_fills_of_any_size(case: str) -> None:
    make, fill = WHOLE[case]
    assert fill_of(make) == (fill, "")


def test_an_eye_in_a_part_of_zeros() -> None:
    def make() -> torch.Tensor:
        tensor = torch.zeros(4, 6)
        torch.nn.init.eye_(tensor[:, 1:4])
        return tensor

    parts = Parts(Constant(0.0), (Part((0, 1), (4, 4), Eye()),))
    assert [tensor.default for tensor in faithful(lambda: [make()]).tensors] == [parts]


def test_no_elements_are_zeros() -> None:
    assert fills_of(lambda: [torch.empty(0), torch.rand(3, 0), torch.arange(0)]) == [(Constant(0.0), "")] * 3
