"""Options of groups: what the rules write, what factors make of it, and what the optimizer's checker is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from google.protobuf import json_format

from initium.errors import RecipeError, Violation
from initium.v1 import groups_pb2
from initium_server.planning import Inventory
from initium_server.planning.groups import assign_groups
from tests.planning.groups import run
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.recipes import AnyOptions

ALL: dict[str, Any] = {"every": True}
HEAD: dict[str, Any] = {"name": "head", "match": {"path": ["head.*"]}}


def options(policy: dict[str, Any], name: str = "head.weight") -> dict[str, Any]:
    """The final options of one tensor."""
    groups, _ = run({"defaults": {}} | policy)
    (own,) = [group.options for group in groups if name in {tensor.name for tensor in group.tensors}]
    return own


def violations(policy: dict[str, Any], inventory: Inventory = CONVNET) -> list[tuple[str, str]]:
    with pytest.raises(RecipeError) as caught:
        run({"defaults": {}} | policy, inventory)
    return [(violation.field, violation.message) for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1, "1"),
        (1.5, "1.5"),
        (0, "0"),
        (-3, "-3"),
        (2**53 - 1, "9007199254740991"),
        (2**53, "9007199254740992.0"),
        (-(2**53), "-9007199254740992.0"),
        (1e300, "1e+300"),
        (True, "True"),
        (None, "None"),
        ("text", "'text'"),
        ([0.5, 1, [2, "a"]], "[0.5, 1, [2, 'a']]"),
    ],
)
def test_whole_numbers_that_json_holds_safely_are_int(written: Any, expected: str) -> None:
    """Structs have doubles only, and optimizers ask for int; beyond 2^53 - 1 not every whole number has a double."""
    assert repr(options({"defaults": {"x": written}})["x"]) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"defaults": {"lr": 1, "wd": 2}}, {"lr": 1, "wd": 2}),
        ({"defaults": {"lr": 1, "wd": 2}, "rules": [HEAD | {"options": {"wd": 3}}]}, {"lr": 1, "wd": 3}),
        ({"defaults": {"lr": 1}, "rules": [HEAD | {"options": {"wd": 3}}]}, {"lr": 1, "wd": 3}),
        ({"defaults": {"lr": 3}, "rules": [HEAD | {"scale": {"lr": 0.5}}]}, {"lr": 1.5}),
        ({"defaults": {"lr": 3}, "rules": [HEAD | {"options": {"lr": 5}, "scale": {"lr": 0.5}}]}, {"lr": 2.5}),
        ({"rules": [HEAD | {"options": {"lr": 5}, "scale": {"lr": 2}}]}, {"lr": 10}),
        ({"defaults": {"lr": 3, "wd": 1}, "adjust": [{"match": ALL, "scale": {"lr": 0}}]}, {"lr": 0, "wd": 1}),
        ({"defaults": {"lr": 3, "wd": 1}, "adjust": [{"match": ALL, "scale": {"lr": -1}}]}, {"lr": -3, "wd": 1}),
        (
            {"defaults": {"lr": 3, "wd": 1}, "adjust": [{"match": ALL, "scale": {"lr": 2, "wd": 5}}]},
            {"lr": 6, "wd": 5},
        ),
        (
            {
                "defaults": {"lr": 3},
                "rules": [HEAD | {"scale": {"lr": 2}}],
                "adjust": [{"match": HEAD["match"], "scale": {"lr": 0.25}}, {"match": ALL, "scale": {"lr": 3}}],
            },
            {"lr": 4.5},
        ),
        ({"defaults": {"lr": 3}, "adjust": [{"match": {"ndim": [1]}, "scale": {"lr": 2}}]}, {"lr": 3}),
    ],
)
def test_rules_replace_and_factors_multiply_in_order(policy: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(policy) == expected


def test_only_the_first_matching_rule_counts() -> None:
    rules = [HEAD | {"options": {"a": 1}}, HEAD | {"match": ALL, "options": {"b": 2}, "scale": {"lr": 2}}]
    assert options({"defaults": {"lr": 1}, "rules": rules}) == {"lr": 1, "a": 1}
    assert options({"defaults": {"lr": 1}, "rules": rules}, "conv1.bias") == {"lr": 2, "b": 2}


def test_rules_and_factors_reach_a_tied_tensor_by_any_name() -> None:
    tied = Inventory((tensor("embed.weight", (4, 2), aliases=(owner("head.weight", "Linear"),)), tensor("w", (1,))))
    policy = {
        "defaults": {"lr": 1},
        "rules": [HEAD],
        "adjust": [{"match": {"path": ["embed.*"]}, "scale": {"lr": 2}}],
    }
    groups, _ = run(policy, tied)
    assert [(group.name, group.options) for group in groups] == [("head", {"lr": 2}), ("default", {"lr": 1})]
    assert run({"freeze": [{"match": {"module": ["Linear"]}}]}, tied)[1] == {"embed.weight"}


@pytest.mark.parametrize(
    ("defaults", "factor", "text"),
    [
        ({}, 2, "lr has no value for head.weight"),
        ({"lr": None}, 2, "lr has no value for head.weight"),
        ({"lr": True}, 2, "lr is True, not a number, for head.weight"),
        ({"lr": "0.1"}, 2, "lr is '0.1', not a number, for head.weight"),
        ({"lr": [1, 2]}, 2, "lr is [1, 2], not a number, for head.weight"),
        ({"lr": 1e300}, 1e300, "1e+300 times 1e+300 is inf for head.weight"),
        ({"lr": 1}, "NaN", "the factor is nan"),
        ({"lr": 1}, "Infinity", "the factor is inf"),
        ({"lr": 0}, "-Infinity", "the factor is -inf"),
        ({}, "NaN", "the factor is nan"),
    ],
)
@pytest.mark.parametrize("where", ["rules", "adjust"])
def test_what_a_factor_cannot_multiply_is_named(where: str, defaults: dict[str, Any], factor: Any, text: str) -> None:
    entry = HEAD | {"scale": {"lr": factor}}
    ((field, message),) = violations({"defaults": defaults, where: [entry]})
    assert field == f"groups.{where}[0].scale.lr"
    assert message.startswith(text)


def test_each_option_that_a_factor_cannot_multiply_is_reported_once() -> None:
    found = violations({"defaults": {"lr": 1}, "adjust": [{"match": ALL, "scale": {"a": 2, "lr": 3, "b": 2}}]})
    assert sorted(field for field, _ in found) == ["groups.adjust[0].scale.a", "groups.adjust[0].scale.b"]


def test_rules_adjustments_and_freezes_that_do_nothing_are_reported_at_once() -> None:
    nothing = {"match": {"path": ["x"]}}
    found = violations(
        {
            "defaults": {"lr": 1},
            "rules": [HEAD, nothing | {"name": "n"}, {"name": "shadowed", "match": HEAD["match"]}],
            "adjust": [nothing | {"scale": {"lr": 2}}, {"match": ALL, "scale": {"wd": 2}}],
            "freeze": [nothing, {"match": {"module": ["Conv2"]}}],
        }
    )
    assert [field for field, _ in found] == [
        "groups.rules[1].match.path",
        "groups.rules[2]",
        "groups.adjust[0].match.path",
        "groups.adjust[1].scale.wd",
        "groups.freeze[0].match.path",
        "groups.freeze[1].match.module",
    ]
    assert "did you mean Conv2d?" in found[5][1]


def test_a_shadowed_rule_is_told_what_shadows_it() -> None:
    rules = [{"name": "all", "match": ALL}, {"name": "norms", "match": {"module": ["_BatchNorm"]}}]
    ((field, message),) = violations({"rules": rules})
    assert field == "groups.rules[1]"
    assert (
        "matches 2 tensors, but first match wins, and before it stands groups.rules[0] all; put this rule first"
        in message
    )


def test_only_trainable_tensors_are_tried() -> None:
    """Neither buffers nor what is frozen."""
    buffers = {"name": "b", "match": {"role": ["buffer"]}}
    assert "matches no tensor" in violations({"rules": [buffers]})[0][1]
    assert "matches no tensor" in violations({"freeze": [{"match": {"role": ["buffer"]}}]})[0][1]
    frozen = {"freeze": [{"match": HEAD["match"]}]}
    assert "matches no tensor" in violations(frozen | {"rules": [HEAD]})[0][1]
    assert "matches no tensor" in violations(frozen | {"adjust": [{"match": HEAD["match"], "scale": {"lr": 2}}]})[0][1]


def test_freezes_may_overlap_and_may_leave_nothing_to_train() -> None:
    groups, frozen = run({"freeze": [{"match": ALL}, {"match": HEAD["match"]}]})
    assert not groups
    assert frozen == {tensor.name for tensor in CONVNET.tensors if tensor.trainable}


@pytest.mark.parametrize(
    ("policy", "fields"),
    [
        (
            {
                "optimizer": "",
                "rules": [HEAD | {"name": ""}, HEAD, HEAD | {"name": ""}],
                "adjust": [{"match": ALL, "scale": {"lr": 1}}, {"match": ALL}, {"match": ALL}],
            },
            [
                "groups.optimizer",
                "groups.rules[0].name",
                "groups.rules[2].name",
                "groups.adjust[1].scale",
                "groups.adjust[2].scale",
            ],
        ),
        (
            {"rules": [HEAD | {"match": {"role": ["x"]}}, HEAD, HEAD | {"match": {"regex": ["a", "("]}}]},
            ["groups.rules[0].match.role[0]", "groups.rules[2].match.regex[1]"],
        ),
        ({"adjust": [{"match": {}, "scale": {"lr": 1}}]}, ["groups.adjust[0].match"]),
        ({"freeze": [{"match": ALL}, {"match": {"none_of": [{}]}}]}, ["groups.freeze[1].match.none_of[0]"]),
    ],
)
def test_what_is_wrong_with_the_policy_itself_is_reported_at_once(policy: dict[str, Any], fields: list[str]) -> None:
    assert [field for field, _ in violations(policy)] == fields


def test_the_checker_sees_options_as_written_and_as_every_group_has_them() -> None:
    checker = AnyOptions()
    policy = {
        "optimizer": "AdamW",
        "defaults": {"lr": 0.5, "betas": [0, 1]},
        "rules": [HEAD | {"options": {"wd": 1}, "scale": {"lr": 2}}, HEAD | {"name": "n", "optional": True}],
        "adjust": [{"match": {"ndim": [1]}, "scale": {"lr": 3}}],
    }
    run(policy, optimizers=checker)
    shared = {"betas": [0, 1]}
    assert checker.asked == [
        (
            "AdamW",
            [
                ({"lr": 0.5} | shared, "groups.defaults"),
                ({"wd": 1}, "groups.rules[0].options"),
                ({}, "groups.rules[1].options"),
            ],
            [
                ({"lr": 1, "wd": 1} | shared, "groups.rules[0]"),
                ({"lr": 0.5} | shared, "groups.defaults"),
                ({"lr": 1.5} | shared, "groups.defaults"),
            ],
        )
    ]


class NoNegativeRates:
    """Refuses what torch.optim would refuse."""

    def check_options(
        self,
        optimizer: str,
        written: Iterable[tuple[Mapping[str, Any], str]],
        groups: Iterable[tuple[Mapping[str, Any], str]],
    ) -> None:
        bad = [Violation(path, "negative") for options, path in groups if options["lr"] < 0]
        if bad:
            raise RecipeError(violations=bad)


def test_a_group_that_is_refused_is_reported_with_where_it_came_from() -> None:
    policy = {
        "optimizer": "SGD",
        "defaults": {"lr": 1},
        "rules": [HEAD, {"name": "conv", "match": {"ndim": [4]}}],
        "adjust": [{"match": {"ndim": [4]}, "scale": {"lr": -1}}],
    }
    message = json_format.ParseDict(policy, groups_pb2.GroupPolicy())
    with pytest.raises(RecipeError) as caught:
        assign_groups(CONVNET, message, NoNegativeRates())
    assert [violation.field for violation in caught.value.violations] == ["groups.rules[1]"]


@pytest.mark.parametrize("factor", [math.ulp(0.0), 1e-300, 0.0])
def test_a_product_may_vanish(factor: float) -> None:
    policy = {"defaults": {"lr": 1e-300}, "adjust": [{"match": ALL, "scale": {"lr": factor}}]}
    assert options(policy)["lr"] == 0
