"""Names and order of the final groups: by first use in the recipe's rules, the default group last (plan.proto)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initium_server.planning import Inventory
from tests.planning.groups import run, table
from tests.planning.inventories import tensor

INVENTORY = Inventory(tuple(tensor(name, (size,)) for size, name in enumerate("abcdef", 1)))


def rule(name: str, *paths: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "match": {"path": paths}} | fields


def groups(*rules: dict[str, Any], **fields: Any) -> list[tuple[str, str]]:
    """Every group's name and its tensors, in order."""
    done, _ = run({"rules": rules} | fields, INVENTORY)
    return [(group.name, "".join(tensor.name for tensor in group.tensors)) for group in done]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rules": [rule("late", "f"), rule("early", "a")]}, [("late", "f"), ("early", "a"), ("default", "bcde")]),
        ({"rules": [rule("x", "f"), rule("y", "e"), rule("x", "a")]}, [("x", "af"), ("y", "e"), ("default", "bcd")]),
        (
            {"rules": [rule("x", "f"), rule("y", "e"), rule("x", "a", options={"lr": 2})]},
            [("x", "a"), ("x", "f"), ("y", "e"), ("default", "bcd")],
        ),
        ({"rules": [rule("all", "*")]}, [("all", "abcdef")]),
        ({"rules": []}, [("default", "abcdef")]),
        ({"rules": [], "default_group": "base"}, [("base", "abcdef")]),
        (
            {"rules": [rule("x", "c"), rule("base", "a")], "default_group": "base"},
            [("x", "c"), ("base", "abdef")],
        ),
        (
            {"rules": [rule("base", "c", options={"lr": 2}), rule("x", "a")], "default_group": "base"},
            [("base", "bdef"), ("base", "c"), ("x", "a")],
        ),
        (
            {"rules": [rule("default", "c", options={"lr": 2}), rule("x", "a")]},
            [("default", "bdef"), ("default", "c"), ("x", "a")],
        ),
        (
            {"rules": [rule("x", "f", "b")], "adjust": [{"match": {"path": ["b", "e"]}, "scale": {"lr": 0.5}}]},
            [("x", "b"), ("x", "f"), ("default", "acd"), ("default", "e")],
        ),
    ],
)
def test_groups_stand_by_first_use_of_their_name_and_keep_the_models_order(
    fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert groups(*fields["rules"], **{name: value for name, value in fields.items() if name != "rules"}) == expected


NAMES = st.sampled_from(["x", "y", "base"])
RULES = st.lists(st.tuples(NAMES, st.sets(st.sampled_from("abcdef"), min_size=1), st.sampled_from([1, 2])), max_size=4)


@settings(max_examples=40)
@given(RULES, NAMES)
def test_names_are_in_the_order_of_the_rules_whatever_they_match(
    rules: list[tuple[str, set[str], int]], default: str
) -> None:
    written = [rule(name, *sorted(paths), options={"lr": lr}, optional=True) for name, paths, lr in rules]
    names = [name for name, _ in groups(*written, default_group=default)]
    order = [*dict.fromkeys([*(name for name, _, _ in rules), default])]
    assert names == sorted(names, key=order.index)


def test_elements_are_summed_over_the_group() -> None:
    done, _ = run({"rules": [rule("x", "c", "e")]}, INVENTORY)
    assert [group.elements for group in done] == [3 + 5, 1 + 2 + 4 + 6]


def test_several_rules_may_name_one_group() -> None:
    done, _ = run({"rules": [rule("x", "c"), rule("x", "e")]}, INVENTORY)
    assert table(done) == {"x": ["c", "e"], "default": ["a", "b", "d", "f"]}
