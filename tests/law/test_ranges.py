"""Any range of a tensor equals the same range of the whole, whoever draws it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initium_law import prepare
from initium_law.dtypes import ITEM_SIZE
from initium_law.grammar import Constant, Dirac, Eye, Fill, Normal, Part, Parts, TruncNormal, Uniform
from initium_law.maps.render import RENDERINGS

from .support import COUNT, RANDOM_FILLS, all_fills, draw

FAR = 2**36
"""Elements of a tensor that only its indices have to hold."""


@pytest.mark.parametrize("dtype", ITEM_SIZE)
def test_every_range_equals_that_of_the_whole(dtype: str) -> None:
    """Promise 2 (addressable): every fill in every dtype, all starts, short and long ranges."""
    for fill, shape, literals in all_fills(dtype):
        drawer = prepare(fill, 1, "t", shape, dtype, literals)
        size, data = drawer.item_size, draw(drawer, 0, COUNT)
        assert drawer.elements == COUNT
        for start in range(COUNT):
            for count in (1, 7, COUNT - start):
                if start + count <= COUNT:
                    assert draw(drawer, start, count) == data[start * size : (start + count) * size]


def far_fills() -> st.SearchStrategy[tuple[Fill, tuple[int, ...]]]:
    """Fills of tensors of 2^36 elements."""
    matrix, kernel = (2**18, 2**18), (2**17, 2**10, 2**5, 2**4)
    columns = Part((5, 1000), (2**18, 1003), Constant(0.5))
    rows = Part((2**17, 0), (2**18, 2**18), Normal(1.0, 0.1))
    return st.sampled_from(
        [
            *((fill, (FAR,)) for fill in (*RANDOM_FILLS, Constant(0.1))),
            (Eye(), matrix),
            (Dirac(2**6), kernel),
            (Parts(Uniform(-1.0, 1.0), (rows, columns)), matrix),
        ]
    )


@settings(max_examples=150, deadline=None)
@given(
    case=far_fills(),
    dtype=st.sampled_from(list(RENDERINGS)),
    start=st.one_of(st.integers(0, FAR - 5000), st.integers(2**34 - 5000, 2**34 + 5000)),
    cuts=st.lists(st.integers(0, 5000), max_size=5),
)
def test_ranges_join(case: tuple[Fill, tuple[int, ...]], dtype: str, start: int, cuts: list[int]) -> None:
    """Promise 2 (addressable): ranges cut anywhere, also beyond 2^34 elements, join to the range they were cut from."""
    fill, shape = case
    drawer = prepare(fill, 9, "far", shape, dtype)
    edges = [0, *sorted(cuts), 5000]
    pieces = [draw(drawer, start + low, high - low) for low, high in pairwise(edges)]
    assert b"".join(pieces) == draw(drawer, start, 5000)


def test_long_range_across_slabs() -> None:
    """Promise 2 (addressable): parts and deltas are worked off in slabs that leave no seam."""
    box = Part((0, 100), (1000, 300), Uniform(5.0, 6.0))
    for fill in (Parts(Normal(0.0, 1.0), (box,)), Eye()):
        drawer = prepare(fill, 9, "x", (1000, 400), "F32")
        data = draw(drawer, 0, 400_000)
        assert data[4 * 1234 : 4 * 399_000] == draw(drawer, 1234, 397_766)


def test_a_part_has_the_words_of_its_place_in_the_whole() -> None:
    """Promise 2 (addressable): a box drawn in parts equals the same box of a tensor that the fill covers."""
    box = Part((1, 2, 0), (3, 4, 5), Normal(0.0, 1.0))
    parts = prepare(Parts(Constant(0.0), (box,)), 1, "x", (4, 5, 6), "F32")
    plain = prepare(box.fill, 1, "x", (4, 5, 6), "F32")
    found = np.frombuffer(draw(parts, 0, 120), np.float32).reshape(4, 5, 6)
    expected = np.zeros((4, 5, 6), np.float32)
    expected[1:3, 2:4, 0:5] = np.frombuffer(draw(plain, 0, 120), np.float32).reshape(4, 5, 6)[1:3, 2:4, 0:5]
    assert np.array_equal(found, expected)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """A shape and the start and stop of a box in it, empty ones included."""
    shape = draw(st.lists(st.integers(1, 5), max_size=5).map(tuple))
    pairs = [sorted((draw(st.integers(0, extent)), draw(st.integers(0, extent)))) for extent in shape]
    return shape, tuple(low for low, _ in pairs), tuple(high for _, high in pairs)


@settings(max_examples=200, deadline=None)
@given(case=boxes(), start=st.integers(0, 3125), count=st.integers(0, 3125))
def test_parts_equal_numpy_slices(
    case: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], start: int, count: int
) -> None:
    """Promise 2 (addressable): any box of any tensor, drawn over any range, is the slice that NumPy would assign."""
    shape, low, high = case
    expected = np.zeros(shape, "<u2")
    expected[tuple(map(slice, low, high))] = 513
    drawer = prepare(Parts(Constant(0.0), (Part(low, high, Constant(513.0)),)), 1, "x", shape, "U16")
    start = min(start, drawer.elements)
    count = min(count, drawer.elements - start)
    assert draw(drawer, start, count) == expected.tobytes()[2 * start : 2 * (start + count)]


def test_later_parts_win() -> None:
    """Overlapping boxes: the last one shows."""
    first, second = Part((0, 0), (2, 3), Constant(1.0)), Part((1, 0), (3, 2), Constant(2.0))
    drawn = draw(prepare(Parts(Constant(0.0), (first, second)), 1, "x", (3, 3), "U8"), 0, 9)
    assert list(drawn) == [1, 1, 1, 2, 2, 1, 2, 2, 0]


@pytest.mark.parametrize("fill", [Normal(0.0, 1.0), TruncNormal(0.0, 1.0, -2.0, 2.0), Uniform(0.0, 1.0)], ids=str)
def test_threads_give_the_same_bytes(fill: Fill) -> None:
    """Promise 1 (pure): eight threads drawing odd ranges of one tensor at once equal one thread drawing it all."""
    drawer = prepare(fill, 3, "x", (2**20,), "BF16")
    out = np.zeros(2**21, np.uint8)
    edges = [*range(0, 2**20, 7919), 2**20]
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(drawer.draw, low, out[2 * low : 2 * high]) for low, high in pairwise(edges)]
        assert [job.result() for job in jobs] == [None] * len(jobs)
    assert out.tobytes() == draw(drawer, 0, 2**20)


def test_unaligned_buffers() -> None:
    """A buffer may begin at any address, as the payload of a framed message does."""
    for fill, shape, literals in all_fills("F64"):
        drawer = prepare(fill, 1, "t", shape, "F64", literals)
        raw = np.zeros(COUNT * 8 + 3, np.uint8)
        drawer.draw(0, raw[3:])
        assert raw[3:].tobytes() == draw(drawer, 0, COUNT)
        assert not raw[:3].any()


@pytest.mark.parametrize("dtype", RENDERINGS)
def test_whole_blocks_at_any_address(dtype: str) -> None:
    """Blocks are made in place: at an odd address, between two that are made aside."""
    drawer = prepare(Normal(0.0, 1.0), 1, "t", (5000,), dtype)
    raw = np.zeros(4000 * drawer.item_size + 3, np.uint8)
    drawer.draw(7, raw[1:-2])
    one_by_one = b"".join(draw(drawer, start, 500) for start in range(7, 4007, 500))
    assert raw.tobytes() == b"\0" + one_by_one + b"\0\0"


def test_streams_differ() -> None:
    """Promise 1 (pure): another seed or name is another stream; dtype and shape are not part of it."""
    fill = Normal(0.0, 1.0)
    drawn = {draw(prepare(fill, s, n, (64,), "F32"), 0, 64) for s in (0, 1) for n in ("a", "b")}
    assert len(drawn) == 4
    flat, square = prepare(fill, 0, "a", (64,), "F32"), prepare(fill, 0, "a", (8, 8), "F64")
    narrow, wide = np.frombuffer(draw(flat, 0, 64), np.float32), np.frombuffer(draw(square, 0, 64), np.float64)
    assert np.array_equal(narrow, wide)
