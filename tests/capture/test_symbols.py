"""The algebra of symbolic values against tables that say, index by index, what is there."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium_law.grammar import Dirac, Eye, Normal, Uniform
from initium_server.capture.boxes import Box, whole
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Draw,
    Leaf,
    Opaque,
    Origin,
    Symbol,
    Unwritten,
    Whole,
    leafwise,
    merge,
    opaque,
    overlay,
    restrict,
    shares_draws,
    trail_of,
)

SIZE = (3, 4)
Table = dict[tuple[int, ...], Leaf]


def drawn(low: int, high: int, fill: Uniform | Normal = Normal(0.0, 1.0), cell: int = 0, event: int = 0) -> Draw:
    return Draw(fill, frozenset({Origin(cell, event, low, high)}), ("normal_",))


LEAVES: tuple[Leaf, ...] = (Const(0), Const(1), Const(2.5), Opaque(("exp",)), drawn(0, 3), drawn(4, 6, cell=1))


def table(symbol: Symbol, size: tuple[int, ...] = SIZE) -> Table:
    """What a symbol says at each index."""
    found: Table = {}
    for index in product(*map(range, size)):
        found[index] = symbol.base if isinstance(symbol, Boxes) else symbol
        for box, leaf in symbol.parts if isinstance(symbol, Boxes) else ():
            if all(a <= i < b for a, i, b in zip(box.start, index, box.stop, strict=True)):
                found[index] = leaf
    return found


@st.composite
def inner_boxes(draw: st.DrawFn, size: tuple[int, ...] = SIZE) -> Box:
    start = tuple(draw(st.integers(0, n - 1)) for n in size)
    return Box(start, tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, size, strict=True)))


@st.composite
def symbols(draw: st.DrawFn, size: tuple[int, ...] = SIZE) -> Symbol:
    leaves = st.sampled_from(LEAVES)
    parts = draw(st.lists(st.tuples(inner_boxes(size), leaves), max_size=4))
    base = draw(st.one_of(leaves, st.just(Unwritten("torch.empty"))))
    return Boxes(base, tuple(parts)) if parts else base


@given(symbols(), inner_boxes())
def test_restrict_is_the_table_of_the_box(symbol: Symbol, box: Box) -> None:
    here = table(symbol)
    for index, leaf in table(restrict(symbol, box), box.shape).items():
        assert leaf == here[tuple(i + a for i, a in zip(index, box.start, strict=True))]


@given(symbols(), inner_boxes(), st.data())
def test_overlay_replaces_the_box_and_nothing_else(base: Symbol, box: Box, data: st.DataObject) -> None:
    top = data.draw(symbols(box.shape))
    below, above = table(base), table(top, box.shape)
    both = table(overlay(base, box, top))
    for index in below:
        inner = tuple(i - a for i, a in zip(index, box.start, strict=True))
        assert both[index] == above.get(inner, below[index])


@given(inner_boxes(), inner_boxes())
def test_overlay_forgets_the_boxes_that_it_hides(box: Box, other: Box) -> None:
    both = overlay(overlay(Const(0), box, Const(1)), other, Const(2))
    assert len(both.parts) == 1 + (not other.contains(box))


@given(symbols())
def test_merge_keeps_the_table_up_to_whose_draws_they_are(symbol: Symbol) -> None:
    if isinstance(symbol, Boxes):
        merged = merge(symbol, SIZE)
        assert {i: _kind(leaf) for i, leaf in table(merged).items()} == {
            i: _kind(leaf) for i, leaf in table(symbol).items()
        }


def _kind(leaf: Leaf) -> object:
    return leaf.fill if isinstance(leaf, Draw) else leaf


ROWS = tuple(Box((k, 0), (k + 1, 4)) for k in range(3))
COLUMNS = tuple(Box((0, k), (3, k + 1)) for k in range(4))


@pytest.mark.parametrize("slabs", [ROWS, COLUMNS, ROWS[::-1], (Box((0, 0), (2, 4)), Box((1, 0), (3, 4)))], ids=str)
def test_slabs_that_fill_the_tensor_leave_nothing_unwritten(slabs: tuple[Box, ...]) -> None:
    parts = tuple((box, Const(k)) for k, box in enumerate(slabs))
    merged = merge(Boxes(Unwritten("torch.empty"), parts), SIZE)
    assert isinstance(merged, Boxes)
    assert not isinstance(merged.base, Unwritten)
    alike = merge(Boxes(Unwritten("torch.empty"), tuple((box, Const(7)) for box in slabs)), SIZE)
    assert alike == Const(7)


GAPS = {
    "the first row": ROWS[1:],
    "the last row": ROWS[:-1],
    "a row between": (ROWS[0], ROWS[2]),
    "the last column": COLUMNS[:-1],
    "a corner": (Box((0, 0), (2, 4)), Box((2, 0), (3, 3))),
    "a corner at the start": (Box((0, 1), (3, 4)), Box((1, 0), (3, 1))),
}


@pytest.mark.parametrize("gap", GAPS)
def test_what_no_slab_covers_stays_unwritten(gap: str) -> None:
    boxes = Boxes(Unwritten("torch.empty"), tuple((box, Const(7)) for box in GAPS[gap]))
    assert merge(boxes, SIZE) == boxes


def test_draws_of_one_distribution_become_one_with_all_their_origins() -> None:
    boxes = Boxes(drawn(0, 4), ((ROWS[1], drawn(4, 8)), (ROWS[2], drawn(0, 4, cell=3))))
    merged = merge(boxes, SIZE)
    assert isinstance(merged, Draw)
    assert merged.fill == Normal(0.0, 1.0)
    assert merged.origins == {Origin(0, 0, 0, 4), Origin(0, 0, 4, 8), Origin(3, 0, 0, 4)}


UNLIKE = {
    "other distributions": drawn(4, 8, Uniform(0.0, 1.0)),
    "the same draws": drawn(0, 4),
    "some of the same draws": drawn(3, 5),
    "a constant": Const(0),
}


@pytest.mark.parametrize("other", UNLIKE)
def test_draws_are_not_joined_with(other: str) -> None:
    boxes = Boxes(drawn(0, 4), ((ROWS[1], UNLIKE[other]),))
    assert merge(boxes, SIZE) == boxes
    swapped = replace(boxes, base=UNLIKE[other], parts=((ROWS[1], drawn(0, 4)),))
    assert merge(swapped, SIZE) == swapped


OVERLAPS = {
    "equal": (Origin(0, 0, 0, 4), True),
    "inside": (Origin(0, 0, 1, 2), True),
    "around": (Origin(0, 0, -1, 9), True),
    "the last element": (Origin(0, 0, 3, 6), True),
    "next": (Origin(0, 0, 4, 6), False),
    "before": (Origin(0, 0, -3, 0), False),
    "another storage": (Origin(1, 0, 0, 4), False),
    "another draw": (Origin(0, 1, 0, 4), False),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_origins_overlap_where_an_element_of_one_draw_is_in_both(case: str) -> None:
    other, expected = OVERLAPS[case]
    one = Origin(0, 0, 0, 4)
    assert one.overlaps(other) is expected
    assert other.overlaps(one) is expected
    draws = [Draw(Normal(0.0, 1.0), frozenset({origin}), ()) for origin in (one, other)]
    assert shares_draws(draws) is expected
    assert shares_draws(draws[::-1]) is expected


def test_one_draw_of_many_origins_shares_none_with_itself() -> None:
    assert not shares_draws([replace(drawn(0, 4), origins=frozenset({Origin(0, 0, 0, 4), Origin(0, 0, 4, 8)}))])


def test_a_whole_fill_has_no_parts() -> None:
    assert restrict(Whole(Eye()), ROWS[0]) == Opaque(("a part of eye",))
    assert restrict(Whole(Dirac(1)), ROWS[0]) == Opaque(("a part of dirac",))


def test_leafwise_changes_the_base_and_every_part() -> None:
    double = leafwise(Boxes(Const(1), ((ROWS[0], Const(2)),)), lambda leaf: Const(2 * _number(leaf)))
    assert double == Boxes(Const(2), ((ROWS[0], Const(4)),))
    assert leafwise(Const(3), lambda leaf: Const(2 * _number(leaf))) == Const(6)


def _number(leaf: Leaf) -> float:
    assert isinstance(leaf, Const)
    assert not isinstance(leaf.value, complex)
    return leaf.value


def test_a_message_names_the_longest_chain_of_operations_and_its_end() -> None:
    deep = Opaque(("rand", "exp"))
    assert trail_of(Boxes(Const(1), ((ROWS[0], deep), (ROWS[1], Opaque(("eye",)))))) == ("rand", "exp")
    assert trail_of(Const(1)) == ()
    assert trail_of(Whole(Eye())) == ()
    assert opaque("add", Const(1), deep, drawn(0, 1)) == Opaque(("rand", "exp", "add"))
    assert opaque("add", Unwritten("torch.empty")) == Opaque(("torch.empty", "add"))
    assert opaque("add") == Opaque(("add",))
    for step in range(20):
        deep = opaque(f"step{step}", deep)
    assert deep.trail == tuple(f"step{step}" for step in range(12, 20))


def test_the_whole_box_restricts_to_the_symbol_itself() -> None:
    symbol = Boxes(Const(1), ((ROWS[0], Const(2)),))
    assert restrict(symbol, whole(SIZE)) == symbol
