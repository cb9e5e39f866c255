"""What is reported of rules that cannot apply or decide nothing, and of tensors that nothing fills (promise 4)."""

from __future__ import annotations

from typing import Any

import pytest

from initium.contract import yaml12
from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.inventory import InventoryTensor
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.rules import failure, run

ALL: dict[str, Any] = {"every": True}
ADD = "add a rule that matches it:"


def reported(*rules: dict[str, Any], inventory: Inventory = CONVNET) -> list[tuple[str, str]]:
    return [(violation.field, violation.message) for violation in failure(*rules, inventory=inventory).violations]


@pytest.mark.parametrize(("match", "others"), [({"ndim": [1]}, 2), ({"path": ["*.bias"]}, 1)])
def test_a_rule_that_fails_for_several_tensors_names_the_first_and_counts_the_others(
    match: dict[str, Any], others: int
) -> None:
    ((field, message),) = reported({"match": match, "eye": {}})
    assert field == "init.rules[0].eye"
    assert message.startswith(f"eye needs 2 dimensions; conv1.bias has shape [8] (and {others} more")


def test_a_rule_that_fails_for_one_tensor_names_it_once() -> None:
    assert reported({"match": {"path": ["conv1.bias"]}, "eye": {}}) == [
        ("init.rules[0].eye", "eye needs 2 dimensions; conv1.bias has shape [8]")
    ]
    assert reported({"match": {"path": ["conv1.bias"]}, "normal": {"std": -1}}) == [
        ("init.rules[0].normal", "conv1.bias: std is -1.0; it must be 0 or more")
    ]


def test_every_rule_that_fails_is_reported_at_once() -> None:
    rules: list[dict[str, Any]] = [
        {"match": {"path": ["head.*"]}, "dirac": {}},
        {"match": {"ndim": [4]}, "ones": {}},
        {"match": {"ndim": [2]}, "normal": {"std": -1}},
        {"match": {"path": ["nope"]}, "ones": {}},
        {"match": {"ndim": [4]}, "ones": {}},
    ]
    assert [field for field, _ in reported(*rules)] == [
        "init.rules[0].dirac",
        "init.rules[2].normal",
        "init.rules[3].match.path",
        "init.rules[4]",
    ]


def test_an_optional_rule_may_decide_nothing_but_not_fail() -> None:
    assert run({"match": {"path": ["nope"]}, "optional": True, "ones": {}})["head.weight"].rule == ""
    assert [f for f, _ in reported({"match": ALL, "optional": True, "eye": {}})] == ["init.rules[0].eye"]


def test_a_shadowed_rule_is_told_what_shadows_it() -> None:
    shadowed = {"match": {"ndim": [1, 2]}, "zeros": {}}
    ((field, message),) = reported({"name": "all", "match": ALL, "ones": {}}, shadowed)
    assert field == "init.rules[1]"
    assert "matches 6 tensors, but first match wins, and before it stands init.rules[0] all; put this" in message
    assert "`optional: true`" in message


def test_every_rule_that_shadows_is_told_up_to_three() -> None:
    parts: list[Any] = [{"ndim": [4]}, {"ndim": [1]}, {"block": [0]}, {"block": [1]}, {"role": ["head"]}]
    rules = [{"match": part, "ones": {}} for part in parts]
    ((_, message),) = reported(*rules[:2], {"match": {"module": ["Conv2d"]}, "zeros": {}})
    assert "matches 2 tensors, but first match wins, and before it stands init.rules[0], init.rules[1]; " in message
    ((_, message),) = reported(*rules, {"match": ALL, "zeros": {}})
    assert "init.rules[0], init.rules[1], init.rules[2] and 2 more rules; " in message
    ((_, message),) = reported(rules[0], rules[0])
    assert "matches 1 tensor, but" in message


def test_a_rule_that_decides_for_one_of_what_it_matches_is_no_error() -> None:
    done = run({"match": {"ndim": [1, 2]}, "ones": {}}, {"match": ALL, "zeros": {}})
    assert {name for name, one in done.items() if one.rule == "init.rules[1]"} == {"conv1.weight"}


@pytest.mark.parametrize(
    ("module", "field", "text"),
    [
        (["Conv2"], "init.rules[0].match.module", "matches no tensor: no module of this architecture has the class"),
        (["Conv2"], "init.rules[0].match.module", "did you mean Conv2d? `initium inventory` lists"),
        (["Xyzzy"], "init.rules[0].match.module", "has the class 'Xyzzy'; `initium inventory` lists"),
    ],
)
def test_a_rule_for_a_class_that_is_not_there_is_reported_with_the_class(
    module: list[str], field: str, text: str
) -> None:
    ((where, message),) = reported({"match": {"module": module}, "ones": {}})
    assert where == field
    assert text in message


def test_a_rule_for_a_class_that_is_there_is_reported_as_matching_nothing() -> None:
    ((field, message),) = reported({"match": {"module": ["Linear"], "ndim": [4]}, "ones": {}})
    assert field == "init.rules[0]"
    assert message.startswith("the rule matches no tensor; `initium inventory` lists")


def without_default(name: str, reason: str = "") -> InventoryTensor:
    return InventoryTensor((owner(name),), (2, 3), "F32", "parameter", True, None, reason)


def test_every_tensor_that_nothing_fills_is_reported_with_the_librarys_reason() -> None:
    inventory = Inventory((without_default("a.w"), tensor("b.w", (1,)), without_default("c.w", "it is drawn by qr")))
    assert reported(inventory=inventory) == [
        ("init.rules", f"a.w [2, 3] has no rule, and its library gives it no fill; {ADD} `match: {{path: [a.w]}}`"),
        ("init.rules", f"c.w [2, 3] has no rule, and it is drawn by qr; {ADD} `match: {{path: [c.w]}}`"),
    ]
    assert run({"match": {"path": ["*.w"]}, "ones": {}}, inventory=inventory)["c.w"].fill == fills.Constant(1.0)


def test_the_rule_that_a_buffer_lacks_names_its_role_and_does_what_it_says() -> None:
    """A rule for every tensor would not reach a buffer."""
    buffer = tensor("a.b", (2,), kind="buffer", default=None, roles=("buffer",))
    ((field, message),) = reported({"match": ALL, "optional": True, "ones": {}}, inventory=Inventory((buffer,)))
    assert field == "init.rules"
    assert message.endswith(f"{ADD} `match: {{path: [a.b], role: [buffer]}}`")
    match = yaml12.load(message.partition("`match: ")[2].removesuffix("`"))
    assert run({"match": match, "ones": {}}, inventory=Inventory((buffer,)))["a.b"].fill == fills.Constant(1.0)


def test_a_glob_that_stops_at_a_dot_is_shown_the_one_that_does_not() -> None:
    ((field, message),) = reported({"match": {"path": ["layers.*"]}, "ones": {}})
    assert field == "init.rules[0].match.path"
    assert (
        "matches no tensor: 'layers.*' fits none, since `*` stops at dots; write 'layers.**', which fits 2" in message
    )
    assert run({"match": {"path": ["layers.**"]}, "ones": {}})["layers.0.fc.weight"].rule == "init.rules[0]"


def test_a_rule_cannot_keep_a_default_that_is_not_there() -> None:
    inventory = Inventory((without_default("a.w", "it is drawn by qr"),))
    ((field, message),) = reported({"match": ALL, "library_default": {}}, inventory=inventory)
    assert field == "init.rules[0].library_default"
    assert message == "a.w [2, 3] has no default to keep: it is drawn by qr; give another initializer"


def test_a_fill_that_the_law_cannot_draw_is_reported_for_the_rule() -> None:
    """Here, where the rule is known; the server that takes the plan could only name the tensor."""
    steps = tensor("steps", (2,), kind="buffer", dtype="I64", default=fills.Constant(0.0), roles=("buffer",))
    ((field, message),) = reported({"match": {"role": ["buffer"]}, "normal": {}}, inventory=Inventory((steps,)))
    assert field == "init.rules[0].normal"
    assert message.startswith("steps: a random fill needs one of the dtypes")


def test_a_default_that_the_law_cannot_draw_is_reported_for_the_tensor() -> None:
    """A rule's dtype is what the fill is drawn in."""
    inventory = Inventory((tensor("x", (2,), default=fills.Literal("0" * 64)),))
    ((field, message),) = reported(inventory=inventory)
    assert field == "init.rules"
    assert "no literal" in message
    assert message.endswith(f"; {ADD} `match: {{path: [x]}}`")


def test_rules_may_fill_what_no_server_makes_whole() -> None:
    """Whether there is room is said by the server that takes the plan."""
    huge = Inventory((tensor("w", (1 << 20, 1 << 20)),))
    assert run({"match": ALL, "orthogonal": {}}, inventory=huge)["w"].fill == fills.Orthogonal(1.0)


TIED = tensor("e.weight", (4, 2), "Embedding", aliases=(owner("h.weight", "Linear"), owner("o.weight", "Out")))
TIES = Inventory((TIED, tensor("w", (2,), default=fills.Constant(0.0))))
EMBEDDING = {"name": "embeddings", "match": {"module": ["Embedding"]}, "normal": {}}
HEAD = {"name": "heads", "match": {"module": ["Linear"]}, "zeros": {}}
SAME = {"match": {"path": ["h.*"]}, "normal": {}}
OUT = {"match": {"path": ["o.*"]}, "ones": {}}


@pytest.mark.parametrize(
    ("rules", "decides", "name"),
    [
        ([HEAD, EMBEDDING | {"ties": "first"}], "init.rules[1]", "embeddings"),
        ([HEAD | {"ties": "first"}, EMBEDDING], "init.rules[1]", "embeddings"),
        ([OUT, HEAD | {"ties": "first"}], "init.rules[1]", "heads"),
        ([EMBEDDING, SAME], "init.rules[0]", "embeddings"),
        ([OUT | {"match": {"path": ["h.*", "o.*"]}}], "init.rules[0]", ""),
        ([OUT], "init.rules[0]", ""),
        ([OUT, {"match": ALL, "ties": "first", "zeros": {}}], "init.rules[1]", ""),
    ],
)
def test_a_tied_tensor_is_decided_by_the_first_of_its_names_that_a_rule_matches(
    rules: list[dict[str, Any]], decides: str, name: str
) -> None:
    done = run(*rules, inventory=TIES)["e.weight"]
    assert (done.rule, done.rule_name) == (decides, name)


def test_ties_written_in_more_than_two_ways_name_the_first_that_differs() -> None:
    ((field, message),) = reported(OUT, HEAD, EMBEDDING, inventory=TIES)
    assert field == "init.rules[1]"
    names, between = "e.weight = h.weight = o.weight", "init.rules[2] embeddings and init.rules[1] heads"
    assert message.startswith(f"{names} is one tied tensor, but {between} fill it differently")


def test_a_tied_tensor_is_drawn_once_in_the_dtype_of_the_deciding_rule() -> None:
    same = SAME | {"dtype": "F16"}
    ((field, message),) = reported(EMBEDDING, same, inventory=TIES)
    assert field == "init.rules[1]"
    assert "fill it differently" in message
    assert run(EMBEDDING | {"dtype": "F16"}, same, inventory=TIES)["e.weight"].dtype == "F16"
    assert run(EMBEDDING, same | {"ties": "first"}, inventory=TIES)["e.weight"].dtype == "F32"
