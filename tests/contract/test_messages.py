"""Numbers that JSON cannot write, and fields that are not known here, are found wherever a message holds them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

import initium
from initium.contract.messages import check_finite, check_known
from initium.v1.groups_pb2 import GroupPolicy, GroupRule
from initium.v1.plan_pb2 import Group, Plan, PlannedGroups
from initium.v1.recipe_pb2 import Recipe


def struct(**values: Any) -> Struct:
    result = Struct()
    result.update(values)
    return result


def with_args(**values: Any) -> Recipe:
    recipe = Recipe(seed=1, dtype="F32")
    recipe.architecture.library.args.update(values)
    return recipe


def with_blocks() -> Recipe:
    recipe = Recipe()
    recipe.architecture.modules.blocks["fine"].args.update({"x": 1.0})
    recipe.architecture.modules.blocks["b"].children.add().args.update({"y": [{"z": math.inf}]})
    return recipe


INFINITE = {
    "an argument": (with_args(x=math.inf), ["architecture.library.args.x"]),
    "every one": (
        with_args(a=[1, {"b": math.nan}], c=-math.inf, d="inf", e=None, f=True),
        ["architecture.library.args.a[1].b", "architecture.library.args.c"],
    ),
    "values of maps": (with_blocks(), ["architecture.modules.blocks.b.children[0].args.y[0].z"]),
    "groups": (
        Recipe(groups=GroupPolicy(defaults=struct(lr=math.inf), rules=[GroupRule(options=struct(eps=math.nan))])),
        ["groups.defaults.lr", "groups.rules[0].options.eps"],
    ),
    "a plan": (
        Plan(
            versions={"torch": "2"},
            groups=PlannedGroups(groups=[Group(), Group(name="x", options=struct(lr=math.inf), tensors=["x"])]),
            recipe=with_args(x=math.inf),
        ),
        ["groups.groups[1].options.lr", "recipe.architecture.library.args.x"],
    ),
}


@pytest.mark.parametrize("name", INFINITE)
def test_every_number_that_is_not_finite_is_named(name: str) -> None:
    message, paths = INFINITE[name]
    for kind in (initium.RecipeError, initium.PlanError):
        with pytest.raises(kind) as caught:
            check_finite(message, kind)
        assert sorted(map(str, caught.value.violations)) == [f"{path}: not a finite number" for path in paths]


def test_what_is_finite_passes() -> None:
    recipe = with_args(a=[1, {"b": -1e308}], c=0, d="inf", e=None, f=True, g={}, h=[])
    recipe.init.rules.add().trunc_normal.b = math.inf  # a field with a type of its own is not free-form
    recipe.groups.adjust.add().scale["lr"] = 0.5
    check_finite(recipe, initium.RecipeError)
    check_finite(Plan(literals={"x": b"y"}, environment={"a": "b"}), initium.PlanError)
    check_finite(Recipe(), initium.RecipeError)


FIELD_777 = b"\xca\x30\x01x"
"""Field 777 with one byte."""


def newer(message: Any) -> Any:
    """The same with a field that this schema does not have."""
    message.MergeFromString(FIELD_777)
    return message


def newer_selector() -> Recipe:
    recipe = Recipe(seed=1)
    recipe.init.rules.add().match.module.append("x")
    newer(recipe.init.rules.add().match.any_of.add())
    return recipe


def newer_fill() -> Plan:
    plan = Plan()
    plan.tensors.add(name="a").fill.normal.std = "0x1p+0"
    newer(plan.tensors.add(name="b").fill.copy.fill)
    return plan


def newer_block() -> Recipe:
    recipe = Recipe()
    newer(recipe.architecture.modules.blocks["b"].children.add())
    return recipe


UNKNOWN = {
    "": (newer(Recipe(seed=1)), "initium.v1.Recipe"),
    "init.rules[1].match.any_of[0]": (newer_selector(), "initium.v1.Selector"),
    "tensors[1].fill.copy.fill": (newer_fill(), "initium.v1.Fill"),
    "architecture.modules.blocks.b.children[0]": (newer_block(), "initium.v1.Module"),
}


@pytest.mark.parametrize("path", UNKNOWN)
def test_fields_of_a_newer_contract_are_refused_with_their_path(path: str) -> None:
    message, name = UNKNOWN[path]
    with pytest.raises(initium.Unsupported, match="fields of a newer contract; leave them out") as caught:
        check_known(message)
    assert caught.value.reason == "UNSUPPORTED"
    assert [(v.field, v.message) for v in caught.value.violations] == [(path, f"field 777 of {name} is not known here")]


@pytest.mark.parametrize(("count", "named"), [(19, 19), (21, 20), (100_000, 0)])
def test_only_so_many_unknown_fields_are_listed(count: int, named: int) -> None:
    """A message of nothing else must not take many times its memory."""
    recipe = Recipe.FromString(FIELD_777 * count)
    with pytest.raises(initium.Unsupported, match=f"the request has {4 * count} bytes of fields") as caught:
        check_known(recipe)
    assert len(caught.value.violations) == named


def test_known_fields_pass_and_stay() -> None:
    recipe = with_args(a=[1, {"b": "c"}])
    before = recipe.SerializeToString(deterministic=True)
    check_known(recipe)
    check_known(Recipe())
    assert recipe.SerializeToString(deterministic=True) == before
