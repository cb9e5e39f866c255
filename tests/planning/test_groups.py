"""Grouping rules: every trainable tensor in exactly one group, nothing silent (promise 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium_server.planning.inventory import Inventory
from tests.planning.groups import failure, run, table
from tests.planning.inventories import CONVNET, owner, tensor

NORMS = {"name": "norms", "match": {"module": ["_BatchNorm"]}, "options": {"weight_decay": 0}}
HEAD = {"name": "head", "match": {"path": ["head.*"]}, "scale": {"weight_decay": 10}}


def test_first_rule_names_the_group_and_the_default_comes_last() -> None:
    groups, frozen = run({"rules": [NORMS, HEAD], "default_group": "base"})
    assert [group.name for group in groups] == ["norms", "head", "base"]
    assert table(groups)["norms"] == ["bn1.weight", "bn1.bias"]
    assert [group.options["weight_decay"] for group in groups] == [0, 0.005, 0.0005]
    assert groups[1].elements == 80
    assert not frozen


def test_adjustments_compose_in_order_and_split_groups() -> None:
    decay = [{"match": {"block": [block]}, "scale": {"lr": factor}} for block, factor in ((0, 0.25), (1, 0.5))]
    groups, _ = run({"rules": [HEAD], "adjust": [*decay, {"match": {"path": ["layers.0.**"]}, "scale": {"lr": 2}}]})
    assert [(group.name, group.options["lr"]) for group in groups] == [
        ("head", 0.1),
        ("default", 0.1),
        ("default", 0.05),
    ]
    assert table([groups[2]])["default"] == ["layers.0.fc.weight", "layers.1.fc.weight"]


def test_frozen_tensors_are_in_no_group() -> None:
    groups, frozen = run({"freeze": [{"match": {"path": ["conv1.*"]}}]})
    assert frozen == {"conv1.weight", "conv1.bias"}
    assert not frozen & {tensor.name for group in groups for tensor in group.tensors}


def test_tied_tensors_count_once() -> None:
    inventory = Inventory((tensor("embed.weight", (4, 2), "Embedding", aliases=(owner("head.weight", "Linear"),)),))
    groups, _ = run({"rules": [HEAD]}, inventory)
    assert table(groups) == {"head": ["embed.weight"]}


@pytest.mark.parametrize(
    ("policy", "field", "text"),
    [
        ({"optimizer": ""}, "groups.optimizer", "torch.optim"),
        ({"rules": [HEAD | {"name": ""}]}, "groups.rules[0].name", "required"),
        ({"rules": [HEAD | {"match": {"path": ["x"]}}]}, "groups.rules[0].match.path", "matches no tensor"),
        (
            {"rules": [HEAD | {"match": {"every": True}}, NORMS]},
            "groups.rules[1]",
            "before it stands groups.rules[0] head;",
        ),
        ({"rules": [HEAD | {"scale": {"momentum": 2}}]}, "groups.rules[0].scale.momentum", "no value"),
        ({"rules": [HEAD | {"scale": {"lr": "NaN"}}]}, "groups.rules[0].scale.lr", "finite"),
        (
            {"adjust": [{"match": {"path": ["x"]}, "scale": {"lr": 1}}]},
            "groups.adjust[0].match.path",
            "matches no tensor",
        ),
        ({"adjust": [{"match": {"every": True}}]}, "groups.adjust[0].scale", "factor"),
        ({"freeze": [{"match": {"path": ["x"]}}]}, "groups.freeze[0].match.path", "matches no tensor"),
        ({"rules": [HEAD | {"match": {}}]}, "groups.rules[0].match", "every: true"),
    ],
)
def test_errors_name_the_rule(policy: dict[str, Any], field: str, text: str) -> None:
    violation = failure(policy).violations[0]
    assert violation.field == field
    assert text in violation.message


def test_optional_entries_may_do_nothing() -> None:
    nothing = {"match": {"path": ["x"]}, "optional": True}
    policy = {
        "rules": [nothing | {"name": "n"}],
        "adjust": [nothing | {"scale": {"lr": 2}}],
        "freeze": [nothing],
    }
    assert [group.name for group in run(policy)[0]] == ["default"]


SELECTORS = st.sampled_from(
    [{"ndim": [1]}, {"ndim": [2]}, {"tensor": ["weight"]}, {"path": ["layers.**"]}, {"every": True}, {"block": [0, 1]}]
)
RULES = st.lists(st.tuples(st.sampled_from("abc"), SELECTORS), max_size=5)


@given(RULES, st.lists(SELECTORS, max_size=3), st.lists(SELECTORS, max_size=1))
def test_every_trainable_tensor_is_in_exactly_one_group(
    rules: list[tuple[str, dict[str, Any]]], adjust: list[dict[str, Any]], freeze: list[dict[str, Any]]
) -> None:
    groups, frozen = run(
        {
            "rules": [{"name": name, "match": match, "optional": True} for name, match in rules],
            "adjust": [{"match": match, "scale": {"lr": 0.5}, "optional": True} for match in adjust],
            "freeze": [{"match": match, "optional": True} for match in freeze],
        }
    )
    grouped = [tensor.name for group in groups for tensor in group.tensors]
    trainable = [tensor.name for tensor in CONVNET.tensors if tensor.trainable]
    assert sorted([*grouped, *frozen]) == sorted(trainable)
    assert len({(group.name, repr(group.options)) for group in groups}) == len(groups)


def test_equal_options_are_one_group_however_they_came_about() -> None:
    """0 and 0.0 are one number on the wire."""
    policy = {
        "defaults": {"lr": 0.1, "weight_decay": 0},
        "adjust": [{"match": {"ndim": [2]}, "scale": {"weight_decay": 2}}],
    }
    assert len(run(policy)[0]) == 1
