"""Numbers that JSON cannot write are found wherever a message holds free-form values."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

import initium
from initium.contract.finite import check_finite
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


def with_shapes(*rows: list[Any]) -> Recipe:
    recipe = Recipe()
    for row in rows:
        recipe.init.rules.add().match.shape.add().extend(row)
    return recipe


def with_blocks() -> Recipe:
    recipe = Recipe()
    recipe.architecture.modules.blocks["fine"].args.update({"x": 1.0})
    recipe.architecture.modules.blocks["b"].children.add().args.update({"y": [{"z": math.inf}]})
    return recipe


def with_all() -> Recipe:
    recipe = Recipe()
    selectors: list[Any] = [{"module": ["x"]}, {"ndim": [math.nan, 2]}]
    recipe.init.rules.add().match.any.add().all.extend(selectors)
    return recipe


INFINITE = {
    "an argument": (with_args(x=math.inf), ["architecture.library.args.x"]),
    "every one": (
        with_args(a=[1, {"b": math.nan}], c=-math.inf, d="inf", e=None, f=True),
        ["architecture.library.args.a[1].b", "architecture.library.args.c"],
    ),
    "rows of shapes": (
        with_shapes([64, "*"], [1, math.nan]),
        ["init.rules[1].match.shape[0][1]"],
    ),
    "values of maps": (with_blocks(), ["architecture.modules.blocks.b.children[0].args.y[0].z"]),
    "a list of its own": (with_all(), ["init.rules[0].match.any[0].all[1].ndim[0]"]),
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
