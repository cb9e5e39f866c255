"""The algebra of symbolic values against tables that say, index by index, what is there."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from initium_law.grammar import Normal
from initium_server.capture.boxes import Box, part, whole
from initium_server.capture.layouts import Layout, contiguous, layout_of
from initium_server.capture.recording import place_of
from initium_server.capture.symbols import (
    Apply,
    Boxes,
    Const,
    Draw,
    Leaf,
    Opaque,
    Origin,
    Symbol,
    Unwritten,
    apply,
    covers,
    leafwise,
    merge,
    opaque,
    overlay,
    through,
    told,
    trail_of,
)

SIZE = (3, 4)
Table = dict[tuple[int, ...], object]


def drawn(size: tuple[int, ...] = SIZE, cell: int = 0) -> Draw:
    """A draw of its own for all of a tensor."""
    return Draw(Normal(0.0, 1.0), Origin(cell, 0), layout_of(contiguous(size)), size, ("normal_",))


def elements(layout: Layout) -> list[int]:
    """Which elements a layout means, in its order."""
    size, stride = (tuple(axis[k] for axis in layout.axes) for k in (0, 1))
    return torch.arange(1000).as_strided(size, stride, layout.offset).flatten().tolist()


def values(leaf: Leaf, size: tuple[int, ...]) -> list[object]:
    """What a leaf says of each element of a tensor."""
    match leaf:
        case Draw():
            return [(leaf.origin, element) for element in elements(leaf.layout)]
        case Apply():
            return [(leaf.op, *each) for each in zip(*(values(x, size) for x in leaf.operands), strict=True)]
    return [leaf] * prod(size)


def table(symbol: Symbol, size: tuple[int, ...] = SIZE) -> Table:
    """What a symbol says at each index."""
    base = symbol.base if isinstance(symbol, Boxes) else symbol
    parts = [(whole(size), base), *(symbol.parts if isinstance(symbol, Boxes) else ())]
    found: Table = {}
    for box, leaf in parts:
        ranges = [range(a, b) for a, b in zip(box.start, box.stop, strict=True)]
        found.update(zip(product(*ranges), values(leaf, box.shape), strict=True))
    return found


@st.composite
def inner_boxes(draw: st.DrawFn, size: tuple[int, ...] = SIZE) -> Box:
    start = tuple(draw(st.integers(0, n - 1)) for n in size)
    return Box(start, tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, size, strict=True)))


@st.composite
def leaves(draw: st.DrawFn, size: tuple[int, ...]) -> Leaf:
    kind = draw(st.sampled_from(("number", "draw", "function", "opaque")))
    one = drawn(size, draw(st.integers(0, 1)))
    return {
        "number": Const(draw(st.sampled_from((0, 1, 2.5)))),
        "draw": one,
        "function": apply("add", "add", one, drawn(size, 2)),
        "opaque": Opaque(("exp",)),
    }[kind]


@st.composite
def symbols(draw: st.DrawFn, size: tuple[int, ...] = SIZE) -> Symbol:
    boxes = draw(st.lists(inner_boxes(size), max_size=4))
    base = draw(st.one_of(leaves(size), st.just(Unwritten("torch.empty"))))
    return Boxes(base, tuple((box, draw(leaves(box.shape))) for box in boxes)) if boxes else base


@given(symbols(), inner_boxes())
def test_a_view_of_a_box_is_the_table_of_the_box(symbol: Symbol, box: Box) -> None:
    here, outer = table(symbol), contiguous(SIZE)
    for index, value in table(through(symbol, part(outer, box), outer), box.shape).items():
        assert value == here[tuple(i + a for i, a in zip(index, box.start, strict=True))]


VIEWS = {
    "transposed": lambda t: t.t(),
    "rows and columns, transposed": lambda t: t[1:, :3].t(),
    "a row": lambda t: t[1],
    "a column": lambda t: t[:, 2],
    "an axis more": lambda t: t.unsqueeze(1),
    "expanded": lambda t: t[:, None].expand(3, 2, 4),
    "a row, expanded": lambda t: t[2].expand(5, 4),
    "flattened": lambda t: t.flatten(),
    "every second column": lambda t: t[:, ::2],
}


@pytest.mark.parametrize("case", VIEWS)
@given(symbols())
def test_views_show_what_torch_shows(case: str, symbol: Symbol) -> None:
    numbers = torch.arange(12).view(SIZE)
    view = VIEWS[case](numbers)
    shown = through(symbol, place_of(view), place_of(numbers))
    if shown == opaque("view", symbol):
        return  # Boxes that are none in the view.
    here = [table(symbol)[index] for index in product(*map(range, SIZE))]
    for index, value in table(shown, tuple(view.shape)).items():
        assert value == here[int(view[index])]


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
def test_merge_keeps_the_table(symbol: Symbol) -> None:
    if isinstance(symbol, Boxes):
        assert table(merge(symbol, SIZE)) == table(symbol)


ROWS = tuple(Box((k, 0), (k + 1, 4)) for k in range(3))
COLUMNS = tuple(Box((0, k), (3, k + 1)) for k in range(4))
COVERS = {
    "rows": ROWS,
    "columns": COLUMNS,
    "rows backwards": ROWS[::-1],
    "rows that overlap": (Box((0, 0), (2, 4)), Box((1, 0), (3, 4))),
    "quarters": tuple(Box((a, c), (b, d)) for a, b in ((0, 1), (1, 3)) for c, d in ((0, 2), (2, 4))),
    "the whole, and a row": (whole(SIZE), ROWS[1]),
}


@pytest.mark.parametrize("case", COVERS)
def test_boxes_that_fill_the_tensor_leave_nothing_unwritten(case: str) -> None:
    boxes = Boxes(Unwritten("torch.empty"), tuple((box, Const(7)) for box in COVERS[case]))
    assert covers(boxes, SIZE)
    assert merge(boxes, SIZE) == Const(7)
    assert merge(Boxes(Const(1), boxes.parts), SIZE) == Const(7)


GAPS = {
    "the first row": ROWS[1:],
    "the last row": ROWS[:-1],
    "a row between": (ROWS[0], ROWS[2]),
    "the last column": COLUMNS[:-1],
    "a corner": (Box((0, 0), (2, 4)), Box((2, 0), (3, 3))),
    "a corner at the start": (Box((0, 1), (3, 4)), Box((1, 0), (3, 1))),
    "a row, since another is there twice": (ROWS[0], ROWS[1], ROWS[1]),
    "as many as are there twice": (Box((0, 0), (2, 2)), Box((0, 0), (2, 2)), Box((0, 2), (2, 4))),
}


@pytest.mark.parametrize("gap", GAPS)
def test_what_no_box_covers_stays_unwritten(gap: str) -> None:
    boxes = Boxes(Unwritten("torch.empty"), tuple((box, Const(7)) for box in GAPS[gap]))
    assert not covers(boxes, SIZE)
    assert merge(boxes, SIZE) == boxes


def test_an_expression_is_opaque_where_an_operand_is() -> None:
    assert apply("add", "add_", drawn(), Opaque(("rand", "sort"), "why")) == Opaque(("rand", "sort", "add_"), "why")
    assert apply("add", "add_", drawn(), Unwritten("torch.empty")) == Unwritten("torch.empty")


def test_an_expression_is_bounded_in_size_and_depth() -> None:
    wide: Leaf = drawn()
    for _ in range(4):
        wide = apply("add", "add", wide, wide)
    assert isinstance(wide, Apply)
    assert wide.nodes == 31
    assert isinstance(apply("exp", "exp", wide), Apply)
    assert isinstance(apply("add", "add", wide, Const(2)), Opaque)
    deep: Leaf = drawn()
    for _ in range(12):
        deep = apply("exp", "exp", deep)
    assert isinstance(deep, Apply)
    assert told(apply("exp", "exp", deep)).endswith("exp: an expression of more than 32 values, or 12 deep")


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
    assert opaque("add", Const(1), deep, drawn()) == Opaque(("rand", "exp", "add"))
    assert opaque("add", Unwritten("torch.empty")) == Opaque(("torch.empty", "add"))
    assert opaque("add") == Opaque(("add",))
    for step in range(20):
        deep = opaque(f"step{step}", deep)
    assert deep.trail == tuple(f"step{step}" for step in range(12, 20))
