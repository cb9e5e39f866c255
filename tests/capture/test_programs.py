"""Programs of random steps on a few tensors, captured and really run: what is captured is what torch does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.capture.making import faithful

View = Callable[[torch.Tensor], torch.Tensor]
SHAPE = (4, 6)

BOXES: dict[str, View] = {
    "whole": lambda t: t,
    "a row": lambda t: t[1],
    "the last row": lambda t: t[-1:],
    "rows": lambda t: t[1:3],
    "a column": lambda t: t[:, 2],
    "columns": lambda t: t[:, 3:],
    "a block": lambda t: t[1:3, 2:5],
    "one element": lambda t: t[3, 5],
    "transposed": lambda t: t.t(),
    "a transposed block": lambda t: t.t()[1:, :2],
    "flat": lambda t: t.view(-1),
    "rows, flat": lambda t: t.view(-1)[6:18],
    "an axis more": lambda t: t.view(2, 2, 6)[0],
    "an axis split": lambda t: t.view(4, 2, 3)[:, 1],
}
OTHERS: dict[str, View] = {
    "every second column": lambda t: t[:, ::2],
    "every second row": lambda t: t[1::2],
    "the diagonal": lambda t: t.diagonal(),
    "an end and a beginning": lambda t: t.view(-1)[4:9],
}


def run(tensor: torch.Tensor, steps: list[tuple[View, str]]) -> list[torch.Tensor]:
    """Each step writes other numbers, so that all that is left of one can be seen."""
    for number, (view, action) in enumerate(steps, 1):
        part = view(tensor)
        if action == "constant":
            part.fill_(10 * number)
        elif action == "draw":
            part.uniform_(10 * number, 10 * number + 1)
        elif action == "copied draw":
            part.copy_(torch.rand(part.shape) + 10 * number)
        elif action == "copied constant":
            part.copy_(torch.full((), 10 * number))
        elif action == "scale":
            tensor.mul_(-2)
        else:
            tensor.add_(0.5)
    return [tensor]


ACTIONS = ("constant", "draw", "copied draw", "copied constant", "scale", "shift")


def steps_of(views: dict[str, View]) -> st.SearchStrategy[list[tuple[View, str]]]:
    step = st.tuples(st.sampled_from(sorted(views)), st.sampled_from(ACTIONS))
    return st.lists(step, max_size=5).map(lambda steps: [(views[name], action) for name, action in steps])


@settings(deadline=None, max_examples=30)
@given(steps_of(BOXES))
def test_boxes_that_are_filled_are_expressed_whatever_their_order(steps: list[tuple[View, str]]) -> None:
    tensor = faithful(lambda: run(torch.zeros(SHAPE), steps)).tensors[0]
    assert tensor.default is not None, tensor.default_error


@settings(deadline=None, max_examples=30)
@given(steps_of(BOXES | OTHERS), st.booleans())
def test_whatever_is_expressed_is_right(steps: list[tuple[View, str]], begun: bool) -> None:
    faithful(lambda: run(torch.zeros(SHAPE) if begun else torch.empty(SHAPE), steps))


Change = Callable[[torch.Tensor, torch.Tensor], object]

CHANGES: dict[str, Change] = {
    "a += b": lambda a, b: a.add_(b),
    "a = b": lambda a, b: a.copy_(b),
    "row of a = row of b": lambda a, b: a[1].copy_(b[2]),
    "row of a = row of a": lambda a, b: a[0].copy_(a[3]),
    "row of a += row of a": lambda a, b: a[2].add_(a[0]),
    "rows of a -= b": lambda a, b: a[1:3].sub_(b[2:]),
    "column of a = 7": lambda a, b: a[:, 2].fill_(7),
    "every second column of a doubled": lambda a, b: a[:, ::2].mul_(2),
    "a = a of columns of b": lambda a, b: a.t()[1].copy_(b[:, 0]),
    "a = cumsum of b": lambda a, b: a.copy_(b.cumsum(1)),
    "a = b flipped": lambda a, b: a.copy_(b.flip(0)),
    "a = sorted b": lambda a, b: a.copy_(b.sort(1, descending=True)[0]),
    "a = ranks of b": lambda a, b: a.copy_(b.sort(1)[1]),
    "a = maximum over rows of b": lambda a, b: a.copy_(b.max(1, keepdim=True)[0]),
    "a and b + 1": lambda a, b: torch._foreach_add_([a, b], 1),
    "rows of a + 1": lambda a, b: torch._foreach_add_([a[0], a[1]], 1),
    "a = b - a": lambda a, b: torch.sub(b, a, out=a),
    "a = where": lambda a, b: a.copy_(torch.where(a > b, a, b)),
    "a = 0 where b > 3": lambda a, b: a.masked_fill_(b > 3, 0),
    "a[1, 1] = 5": lambda a, b: a.__setitem__((1, 1), 5),
    "a[rows] = -1": lambda a, b: a.__setitem__(torch.tensor([0, 2]), -1),
    "a = largest of b": lambda a, b: a.fill_(b.max().item()),
    "a over its halves": lambda a, b: a.copy_(torch.cat(b.chunk(2)[::-1])),
    "a = 0": lambda a, b: a.zero_(),
    "a = numbers": lambda a, b: torch.arange(24.0, out=a.view(-1)),
}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.booleans()), max_size=6))
def test_programs_without_random_numbers_are_computed(program: list[tuple[str, bool]]) -> None:
    def make() -> list[torch.Tensor]:
        a, b = torch.arange(24.0).view(4, 6), torch.ones(4, 6)
        before = b.clone()
        for name, swap in program:
            CHANGES[name](*((b, a) if swap else (a, b)))
        return [a, b, before, a + before, a[1:, ::2], b.t()]

    inventory = faithful(make)
    assert [tensor.default_error for tensor in inventory.tensors] == [""] * 6
