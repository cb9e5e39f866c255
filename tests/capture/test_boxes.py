"""Boxes of indices against torch's own views: `box_in` never errs, and sees every box that slicing makes."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initium_server.capture.boxes import Box, box_in, whole
from initium_server.capture.recording import place_of

EXTENTS = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)


def indices(box: Box) -> set[tuple[int, ...]]:
    """Every index in a box."""
    return set(product(*(range(a, b) for a, b in zip(box.start, box.stop, strict=True))))


def elements(view: torch.Tensor) -> list[int]:
    """The elements of its storage that a view of `arange` means."""
    return sorted(int(value) for value in view.reshape(-1))


def inside(view: torch.Tensor, box: Box) -> torch.Tensor:
    return view[tuple(slice(a, b) for a, b in zip(box.start, box.stop, strict=True))]


@st.composite
def boxes(draw: st.DrawFn, rank: int) -> Box:
    start = tuple(draw(st.integers(0, 3)) for _ in range(rank))
    return Box(start, tuple(a + draw(st.integers(1, 4)) for a in start))


@st.composite
def slices(draw: st.DrawFn, size: tuple[int, ...]) -> tuple[slice, ...]:
    """A box of consecutive indices, at least one along each axis."""
    found = []
    for extent in size:
        start = draw(st.integers(0, extent - 1))
        found.append(slice(start, draw(st.integers(start + 1, extent))))
    return tuple(found)


@st.composite
def outers(draw: st.DrawFn) -> torch.Tensor:
    """A tensor of distinct elements: a box of a larger tensor, its axes in any order."""
    size = draw(EXTENTS)
    base = torch.arange(prod(size)).view(size)
    view = base[draw(slices(size))]
    return view.permute(draw(st.permutations(range(view.dim()))))


@st.composite
def strided(draw: st.DrawFn) -> torch.Tensor:
    """Any view at all of 24 elements, repeated and overlapping ones included."""
    rank = draw(st.integers(0, 3))
    size = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    stride = tuple(draw(st.sampled_from((0, 1, 2, 3, 4, 6, 8, 12))) for _ in range(rank))
    reach = sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if reach > 23:
        return torch.arange(24).view(draw(st.permutations((2, 3, 4))))
    return torch.arange(24).as_strided(size, stride, draw(st.integers(0, 23 - reach)))


@given(st.integers(0, 3).flatmap(lambda rank: st.tuples(boxes(rank), boxes(rank))))
def test_the_algebra_of_boxes_is_that_of_their_indices(pair: tuple[Box, Box]) -> None:
    one, other = pair
    common = one.intersect(other)
    assert (set() if common is None else indices(common)) == indices(one) & indices(other)
    assert common is None or len(indices(common)) > 0
    assert one.contains(other) == (indices(other) <= indices(one))
    assert prod(one.shape) == len(indices(one))


@given(st.integers(1, 3).flatmap(lambda rank: st.tuples(boxes(rank), st.tuples(*[st.integers(0, 5)] * rank))))
def test_shifting_moves_every_index_and_back(pair: tuple[Box, tuple[int, ...]]) -> None:
    box, origin = pair
    moved = box.shift(origin)
    assert indices(moved) == {tuple(i + o for i, o in zip(index, origin, strict=True)) for index in indices(box)}
    assert moved.shift(origin, -1) == box


def test_the_whole_of_a_tensor() -> None:
    assert whole((2, 3)) == Box((0, 0), (2, 3))
    assert whole(()) == Box((), ())


@given(strided(), strided())
def test_a_box_that_is_seen_holds_exactly_the_elements(inner: torch.Tensor, outer: torch.Tensor) -> None:
    box = box_in(place_of(inner), place_of(outer))
    if box is not None:
        assert elements(inside(outer, box)) == elements(inner)


@given(outers().flatmap(lambda outer: st.tuples(st.just(outer), slices(tuple(outer.shape)))))
def test_every_slice_is_seen_in_any_order_of_axes(case: tuple[torch.Tensor, tuple[slice, ...]]) -> None:
    outer, cut = case
    inner = outer[cut]
    expected = Box(tuple(s.start for s in cut), tuple(s.stop for s in cut))
    assert box_in(place_of(inner), place_of(outer)) == expected
    assert box_in(place_of(inner.permute(tuple(reversed(range(inner.dim()))))), place_of(outer)) == expected


VIEWS = {
    "a row": (lambda t: t[1], Box((1, 0, 0), (2, 3, 4))),
    "one element": (lambda t: t[1, 2, 3], Box((1, 2, 3), (2, 3, 4))),
    "flattened": (lambda t: t.flatten(), Box((0, 0, 0), (2, 3, 4))),
    "flattened rows": (lambda t: t.flatten(0, 1)[3:], Box((1, 0, 0), (2, 3, 4))),
    "an axis more": (lambda t: t[:, 1:2].unsqueeze(0), Box((0, 1, 0), (2, 2, 4))),
    "an axis split": (lambda t: t.view(2, 3, 2, 2), Box((0, 0, 0), (2, 3, 4))),
    "a part of a split axis": (lambda t: t.view(2, 3, 2, 2)[:, :, 1], Box((0, 0, 2), (2, 3, 4))),
}
"""Views of a 2 x 3 x 4 tensor."""


@pytest.mark.parametrize("case", VIEWS)
def test_views_with_other_axes_are_seen(case: str) -> None:
    view, expected = VIEWS[case]
    outer = torch.arange(24).view(2, 3, 4)
    assert box_in(place_of(view(outer)), place_of(outer)) == expected


NOT_BOXES = {
    "every second": lambda t: t[:, :, ::2],
    "a diagonal": lambda t: t[0].diagonal(),
    "rows that end in the next": lambda t: t.flatten()[2:6],
    "split rows that end in the next": lambda t: t.flatten()[:16].view(2, 8)[:, :6],
    "repeated": lambda t: t[:1].expand(2, 3, 4),
    "larger": lambda t: t.as_strided((3, 4, 4), (12, 4, 1)),
    "before": lambda t: t.as_strided((4,), (1,), 0),
    "behind": lambda t: t.as_strided((4,), (1,), 28),
    "another dtype": lambda t: t.view(torch.float64),
    "nothing": lambda t: t[:0],
}
"""Views that are no boxes of a 2 x 3 x 4 tensor that starts at element 4 of its storage."""


@pytest.mark.parametrize("case", NOT_BOXES)
def test_what_is_no_box_is_not_seen_as_one(case: str) -> None:
    outer = torch.arange(44)[4:28].view(2, 3, 4)
    assert box_in(place_of(NOT_BOXES[case](outer)), place_of(outer)) is None


def test_nothing_is_a_box_of_a_tensor_whose_elements_repeat_or_overlap() -> None:
    storage = torch.arange(12)
    element = place_of(storage[4])
    assert box_in(element, place_of(storage.as_strided((3, 4), (2, 1)))) is None
    assert box_in(element, place_of(storage.as_strided((3, 4), (0, 1)))) is None
    assert box_in(element, place_of(storage[4:4])) is None
    assert box_in(element, place_of(storage.as_strided((3, 4), (4, 1)))) == Box((1, 0), (2, 1))
