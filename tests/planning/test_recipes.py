"""What can be said of a recipe without building anything (promise 4)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initium.errors import RecipeError, Violation
from initium_server.planning import check_recipe
from initium_server.planning.rules import compile_rules
from tests.planning.recipes import BARE, recipe

ALL: dict[str, Any] = {"every": True}
ONES = {"match": ALL, "ones": {}}


def violations(**fields: Any) -> tuple[Violation, ...]:
    with pytest.raises(RecipeError) as caught:
        check_recipe(recipe(**fields))
    return caught.value.violations


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"seed": None}, "seed", "required"),
        ({"generator": "stream-v2"}, "generator", "stream-v1, torch"),
        ({"generator": "Torch"}, "generator", "'Torch'"),
        ({"dtype": "float16"}, "dtype", "F64, F32, BF16, F16"),
        ({"dtype": "I64"}, "dtype", "'I64'"),
        ({"output": {"max_shard_bytes": "0"}}, "output.max_shard_bytes", "1 or more"),
        ({"generator": "torch", "architecture": BARE}, "generator", "stream-v1"),
        (
            {"generator": "torch", "init": {"rules": [ONES, {"match": ALL, "delta_orthogonal": {}}]}},
            "init.rules[1].delta_orthogonal",
            "torch.nn.init has no such function",
        ),
        (
            {"generator": "torch", "init": {"rules": [{"match": ALL, "corrected_trunc_normal": {}}, ONES]}},
            "init.rules[0].corrected_trunc_normal",
            "torch.nn.init has no such function",
        ),
        ({"init": {"rules": [ONES, {"match": {}, "ones": {}}]}}, "init.rules[1].match", "every: true"),
        ({"init": {"rules": [{"match": ALL}]}}, "init.rules[0]", "exactly one of uniform"),
    ],
)
def test_each_violation_names_its_field(fields: dict[str, Any], field: str, text: str) -> None:
    (violation,) = violations(**fields)
    assert violation.field == field
    assert text in violation.message


def test_all_violations_are_reported_at_once() -> None:
    bad = {
        "seed": None,
        "generator": "numpy",
        "dtype": "F31",
        "output": {"max_shard_bytes": "0"},
    }
    assert [violation.field for violation in violations(**bad)] == [
        "seed",
        "generator",
        "dtype",
        "output.max_shard_bytes",
    ]


def test_all_violations_of_all_rules_are_reported_at_once() -> None:
    rules: list[dict[str, Any]] = [
        {"match": {"regex": ["("], "role": ["wieght"]}, "dtype": "F31", "ties": "last"},
        ONES,
        {"match": {"any_of": [{"ndim": [1]}, {}]}, "ones": {}},
    ]
    assert {violation.field for violation in violations(init={"rules": rules})} == {
        "init.rules[0]",
        "init.rules[0].dtype",
        "init.rules[0].ties",
        "init.rules[0].match.regex[0]",
        "init.rules[0].match.role[0]",
        "init.rules[2].match.any_of[1]",
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_free_numbers_are_finite(number: float) -> None:
    message = recipe()
    message.groups.defaults.update({"lr": number})
    with pytest.raises(RecipeError) as caught:
        check_recipe(message)
    assert [violation.field for violation in caught.value.violations] == ["groups.defaults.lr"]


@pytest.mark.parametrize(
    "fields",
    [
        {"seed": "0"},
        {"seed": "18446744073709551615"},
        {"generator": "stream-v1"},
        {"generator": "torch"},
        {"generator": "stream-v1", "architecture": BARE},
        {"output": {"max_shard_bytes": "1"}},
        {"init": {"rules": [{"match": ALL, "delta_orthogonal": {}}, {"match": ALL, "corrected_trunc_normal": {}}]}},
        {"generator": "torch", "init": {"rules": [ONES, {"match": ALL, "library_default": {}}]}},
        *({"dtype": dtype} for dtype in ("F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2")),
    ],
)
def test_what_the_contract_allows_passes(fields: dict[str, Any]) -> None:
    check_recipe(recipe(**fields))


def test_the_rules_are_compiled_in_their_order() -> None:
    rules = compile_rules(recipe(init={"rules": [ONES | {"name": "first"}, {"match": ALL, "zeros": {}}]}).init)
    assert [(rule.label, rule.initializer) for rule in rules] == [
        ("init.rules[0] first", "ones"),
        ("init.rules[1]", "zeros"),
    ]
