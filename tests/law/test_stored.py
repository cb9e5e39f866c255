"""Stored tensors: any slice, transpose and dtype of a source, and no more of it read than that takes."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium_law import Engine, TooLargeError, prepare
from initium_law.dtypes import FLOATS, ITEM_SIZE
from initium_law.grammar import Fill, Part, Parts, Stored, Uniform

from . import reference_fills
from .support import Contents, draw

FLOATING = sorted(FLOATS)


def source(data: bytes, dtype: str, shape: tuple[int, ...], *box: tuple[int, ...]) -> Stored:
    return Stored("zoo", "model.safetensors", "w", hashlib.sha256(data).hexdigest(), dtype, shape, *box)


def contents(data: bytes) -> Contents:
    return Contents({hashlib.sha256(data).hexdigest(): data})


@st.composite
def taken(draws: st.DrawFn) -> tuple[Fill, tuple[int, ...], str, bytes]:
    """A fill of what is taken of a source, its shape, its dtype, and the source's bytes."""
    shape = tuple(draws(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    dtype = draws(st.sampled_from([*FLOATING, "I32", "U8"]))
    data = draws(st.binary(min_size=math.prod(shape) * ITEM_SIZE[dtype], max_size=math.prod(shape) * ITEM_SIZE[dtype]))
    axes = tuple(draws(st.permutations(range(len(shape)))))
    start = tuple(draws(st.integers(0, shape[axis])) for axis in axes)
    box = tuple(draws(st.integers(0, shape[axis] - low)) for axis, low in zip(axes, start, strict=True))
    target = draws(st.sampled_from(FLOATING)) if dtype in FLOATS else dtype
    return source(data, dtype, shape, axes, start), box, target, data


@given(taken(), st.data())
def test_any_range_of_any_box_is_the_references(
    case: tuple[Fill, tuple[int, ...], str, bytes], data: st.DataObject
) -> None:
    fill, shape, dtype, stored = case
    literals = {hashlib.sha256(stored).hexdigest(): stored}
    expected = reference_fills.tensor(fill, 7, "x", shape, dtype, literals)
    drawer = prepare(fill, 7, "x", shape, dtype, {}, Engine(stores=contents(stored)))
    low = data.draw(st.integers(0, drawer.elements))
    high = data.draw(st.integers(low, drawer.elements))
    size = drawer.item_size
    assert draw(drawer, low, high - low) == expected[low * size : high * size]


@pytest.mark.parametrize("start", [0, 1])
def test_a_range_costs_what_it_costs(start: int) -> None:
    """Promise 2 (addressable): rows of the source, and other dtypes of them, are read where they lie."""
    data = np.arange(1 << 18, dtype="<u4").tobytes()
    for dtype, box in (("F32", (1000, 256)), ("BF16", (1000, 256))):
        store = contents(data)
        drawer = prepare(source(data, "F32", (1024, 256), (), (start, 0)), 0, "x", box, dtype, {}, Engine(stores=store))
        assert drawer.whole_elements == 0
        assert len(draw(drawer, 200_003, 1000)) == 1000 * ITEM_SIZE[dtype]
        assert store.read == 4000


def test_a_part_is_read_where_it_stands() -> None:
    """New rows of an embedding are drawn, old ones are those of the source."""
    data = np.arange(600, dtype="<u4").tobytes()
    fill = Parts(Uniform(0.0, 1.0), (Part((0, 0), (100, 6), source(data, "F32", (100, 6))),))
    store = contents(data)
    drawer = prepare(fill, 0, "x", (103, 6), "F32", {}, Engine(stores=store))
    assert draw(drawer, 0, 618)[:2400] == data
    fresh = prepare(Uniform(0.0, 1.0), 0, "x", (103, 6), "F32")
    assert draw(drawer, 600, 18) == draw(fresh, 600, 18)
    assert store.read == 2400


@pytest.mark.parametrize("box", [((1, 0), ()), ((), (3, 5))])
def test_what_lies_in_no_order_is_made_once(box: tuple[tuple[int, ...], ...]) -> None:
    """A transpose, and a slice of columns."""
    data = np.arange(80 * 80, dtype="<u4").tobytes()
    store = contents(data)
    drawer = prepare(source(data, "F32", (80, 80), *box), 0, "x", (64, 70), "F32", {}, Engine(stores=store))
    assert drawer.whole_elements == 64 * 70
    whole = draw(drawer, 0, drawer.elements)
    read = store.read
    places = range(0, 4000, 501)
    assert [draw(drawer, at, 1) for at in places] == [whole[4 * at : 4 * at + 4] for at in places]
    assert store.read == read <= len(data)


def test_the_limit_of_whole_tensors_holds() -> None:
    """What counts is the box, however large the source is."""
    data = bytes(4 * 100)
    engine = Engine(whole_elements=50, stores=contents(data))
    small = prepare(source(data, "F32", (10, 10), (1, 0)), 0, "x", (5, 10), "F32", {}, engine)
    assert draw(small, 0, 50) == bytes(200)
    with pytest.raises(TooLargeError, match="Stored needs its whole tensor"):
        prepare(source(data, "F32", (10, 10), (1, 0)), 0, "x", (6, 10), "F32", {}, engine)
    assert draw(prepare(source(data, "F32", (10, 10)), 0, "x", (10, 10), "F32", {}, engine), 0, 100) == data


@pytest.mark.parametrize("digest", ["", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_a_digest_is_64_hexadecimal_digits(digest: str) -> None:
    with pytest.raises(ValueError, match="64 lower-case hexadecimal digits"):
        prepare(Stored("zoo", "a.safetensors", "w", digest, "F32", (2,)), 0, "x", (2,), "F32")


def test_without_stores_it_is_refused() -> None:
    with pytest.raises(ValueError, match=r"zoo/a\.safetensors is in a store, and none is known here"):
        prepare(Stored("zoo", "a.safetensors", "w", "0" * 64, "F32", (2,)), 0, "x", (2,), "F32")


@pytest.mark.parametrize("target", FLOATING)
@pytest.mark.parametrize("dtype", ["BF16", "F16", "F8_E4M3", "F8_E5M2"])
def test_every_narrow_number_is_rounded_as_a_constant_is(dtype: str, target: str) -> None:
    count = 1 << 8 * ITEM_SIZE[dtype]
    data = np.arange(count, dtype=f"<u{ITEM_SIZE[dtype]}").tobytes()
    fill = source(data, dtype, (count,))
    drawer = prepare(fill, 0, "x", (count,), target, {}, Engine(stores=contents(data)))
    step = 1 if count == 256 else 37
    made = np.frombuffer(draw(drawer, 0, count), f"<u{ITEM_SIZE[target]}")[::step]
    part = data if step == 1 else np.frombuffer(data, "<u2")[::step].tobytes()
    literals = {hashlib.sha256(part).hexdigest(): part}
    some = source(part, dtype, (len(made),))
    expected = reference_fills.tensor(some, 0, "x", (len(made),), target, literals)
    assert made.tobytes() == expected
