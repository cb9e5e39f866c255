"""Expressions in the place of numbers, in recipes as text (init.proto, InitRule.computed)."""

from __future__ import annotations

from typing import Any

import pytest

import initium
from initium.v1.init_pb2 import InitRule
from tests.contract.recipes import RULE, rule


def read(**rest: Any) -> InitRule:
    return initium.load_recipe(rule(**rest)).init.rules[0]


def reported(**rest: Any) -> list[str]:
    with pytest.raises(initium.RecipeError) as caught:
        initium.load_recipe(rule(**rest))
    return [str(violation) for violation in caught.value.violations]


def test_an_expression_moves_to_computed() -> None:
    own = read(trunc_normal={"std": "0.02 / sqrt(2 * blocks)", "a": -1, "b": "shape[0]"})
    assert dict(own.computed) == {"std": "0.02 / sqrt(2 * blocks)", "b": "shape[0]"}
    assert own.trunc_normal.a == -1
    assert not own.trunc_normal.HasField("std")
    assert own == read(trunc_normal={"a": -1}, computed={"std": "0.02 / sqrt(2 * blocks)", "b": "shape[0]"})


def test_an_expression_may_stand_beside_computed() -> None:
    own = read(normal={"std": "1 / fan_in"}, computed={"mean": "block"})
    assert dict(own.computed) == {"std": "1 / fan_in", "mean": "block"}


@pytest.mark.parametrize("gain", ["relu", "leaky_relu(0.2)"])
def test_the_names_of_gains_are_expressions(gain: str) -> None:
    assert dict(read(xavier_uniform={"gain": gain}).computed) == {"gain": gain}


def test_it_is_the_same_in_yaml(tmp_path: Any) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "architecture: {library: {source: torchvision, name: resnet18}}\nseed: 1\n"
        "init:\n  rules:\n    - {match: {tensor: [weight]}, normal: {std: 0.02 / sqrt(2 * blocks)}}\n"
        "    - {match: {every: true}, orthogonal: {gain: relu}}\n"
    )
    rules = initium.load_recipe(file).init.rules
    assert [dict(each.computed) for each in rules] == [{"std": "0.02 / sqrt(2 * blocks)"}, {"gain": "relu"}]


def test_rules_inside_rules_have_their_own() -> None:
    inner = {"normal": {"std": "1 / sqrt(fan_in)"}}
    own = read(split={"parts": [inner, {"zeros": {}}]})
    assert dict(own.split.parts[0].computed) == {"std": "1 / sqrt(fan_in)"}
    assert not own.computed
    piece = {"start": [0], "stop": [1], "init": inner}
    own = read(pieces={"base": inner, "pieces": [piece]})
    assert own.pieces.base == own.pieces.pieces[0].init == InitRule(normal={}, computed={"std": "1 / sqrt(fan_in)"})


@pytest.mark.parametrize("text", ["2", "2e-2", " 0.5 ", "-1"])
def test_a_number_in_quotes_is_no_expression(text: str) -> None:
    (message,) = reported(normal={"std": text})
    assert message.startswith(f"{RULE}.normal.std: must be a number, not text {text!r}")


@pytest.mark.parametrize("text", ["nan", "NaN", "-inf", "+Infinity", ".inf", "", " "])
def test_what_is_not_finite_is_no_expression(text: str) -> None:
    assert reported(normal={"std": text}) == [f"{RULE}.normal.std: must be a number, not text {text!r}"]


def test_only_numbers_of_initializers_are_expressions() -> None:
    assert reported(dirac={"groups": "2 * 1"}) == [f"{RULE}.dirac.groups: must be an integer in 0..2^32-1, not '2 * 1'"]
    assert reported(values={"values": ["1 + 1"]}) == [f"{RULE}.values.values[0]: must be a number, not text '1 + 1'"]
    assert reported(normal={"sdt": "1 + 1"}) == [f"{RULE}.normal.sdt: unknown key; did you mean std?"]


def test_an_argument_is_given_once() -> None:
    assert reported(normal={"std": "block"}, computed={"std": "1"}) == [
        f"{RULE}.normal.std: is given in `computed`, too; keep one",
    ]


@pytest.mark.parametrize(
    ("computed", "text"), [(3, "must be a mapping, not a number"), ({"std": 3}, "must be text, not a number 3")]
)
def test_computed_is_a_mapping_of_text(computed: Any, text: str) -> None:
    assert any(text in message for message in reported(normal={}, computed=computed))


def test_what_is_wrong_beside_an_expression_is_reported_where_it_stands() -> None:
    assert reported(normal={"std": "block", "mean": [1]}, ones={}) == [
        f"{RULE}: normal and ones exclude each other; keep one",
        f"{RULE}.normal.mean: must be a number, not a list",
    ]
    assert reported(normal={"std": "a\ud800"}) == [
        f"{RULE}.computed.std: holds half of a surrogate pair; text is valid Unicode"
    ]


def test_nothing_in_the_users_data_is_changed() -> None:
    data = rule(normal={"std": "1 / fan_in"})
    initium.load_recipe(data)
    assert data == rule(normal={"std": "1 / fan_in"})
