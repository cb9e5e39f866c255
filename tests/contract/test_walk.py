"""The walk over data and schema: what passes unchanged, where integers and nesting end, and the words of its errors."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

import initium
from initium.contract.strict import MAX_VIOLATIONS, kind_of, unknown_keys
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe
from tests.contract.recipes import RULE, args, recipe, rule

ARGS = "architecture.library.args"
# Any: the stubs have two descriptor classes for one.
PLAN: Any = Plan.DESCRIPTOR
RECIPE: Any = Recipe.DESCRIPTOR


def tensors(**fields: Any) -> dict[str, Any]:
    return recipe(architecture={"tensors": {"tensors": [{"name": "x"} | fields]}})


def reported(data: Any) -> list[str]:
    with pytest.raises(initium.RecipeError) as caught:
        initium.load_recipe(data)
    assert caught.value.message == "the recipe is not valid"
    assert caught.value.reason == "INVALID_RECIPE"
    return [str(violation) for violation in caught.value.violations]


INTEGERS: dict[str, tuple[Any, str, int, int, str]] = {
    "uint64": (lambda value: recipe(seed=value), "seed", 0, 2**64 - 1, "0..2^64-1"),
    "uint32": (
        lambda value: rule(match={"ndim": [2, value]}),
        f"{RULE}.match.ndim[1]",
        0,
        2**32 - 1,
        "0..2^32-1",
    ),
    "sint32": (
        lambda value: tensors(fans={"fan_in": [0], "fan_out": [value]}),
        "architecture.tensors.tensors[0].fans.fan_out[0]",
        -(2**31),
        2**31 - 1,
        "-2147483648..2^31-1",
    ),
    "sint64": (
        lambda value: rule(match={"shape": [{"extents": [value]}]}),
        f"{RULE}.match.shape[0].extents[0]",
        -(2**63),
        2**63 - 1,
        "-9223372036854775808..2^63-1",
    ),
}


@pytest.mark.parametrize("kind", INTEGERS)
def test_integers_end_where_their_type_does(kind: str) -> None:
    make, path, low, high, limits = INTEGERS[kind]
    for value in (low, high):
        assert str(int(value)) in str(initium.load_recipe(make(value)))
    for value in (low - 1, high + 1):
        wrong = f"{path}: must be an integer in {limits}, not"
        assert reported(make(value)) == [f"{wrong} {value}"]
        assert reported(make(str(value))) == [f"{wrong} '{value}'"]
    for value in (low, high):
        if abs(value) > 2**53:  # as text it survives every reader of JSON
            assert initium.load_recipe(make(str(int(value)))) == initium.load_recipe(make(value))
        else:
            assert reported(make(str(value))) == [f"{wrong} '{value}'; write {value} without quotes"]


@pytest.mark.parametrize("text", [" 1", "1_0", "", "-", "--1", "0x1", "\u0661", "1" * 21, "1" * 22, "1e999"])
def test_text_that_is_no_number(text: str) -> None:
    assert reported(recipe(seed=text)) == [f"seed: must be an integer in 0..2^64-1, not {text!r}"]


def test_numbers_of_any_kind_are_integers_if_they_are_whole_and_exact() -> None:
    whole: list[Any] = [2.0**53, np.uint64(2**53), np.float32(2.0**53), Fraction(2**53)]
    for value in whole:
        assert initium.load_recipe(recipe(seed=value)).seed == 2**53
    others: list[Any] = [2.0**53 + 2, 0.5, float("inf"), float("nan"), Decimal(3)]
    for value in others:
        assert reported(recipe(seed=value))[0].startswith("seed: must be an integer in 0..2^64-1, not ")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(TEXT, json_values, max_size=3))
def test_free_form_values_arrive_as_they_are(values: dict[str, Any]) -> None:
    loaded = initium.load_recipe(args(**values))
    assert json_format.MessageToDict(loaded.architecture.library.args) == values


def test_free_form_values_that_json_has_not() -> None:
    values = {"pair": (1, (2,)), "number": np.float32(0.5), "count": np.int64(3)}
    loaded = initium.load_recipe(args(**values)).architecture.library.args
    assert json_format.MessageToDict(loaded) == {"pair": [1, [2]], "number": 0.5, "count": 3}


REFUSED: dict[str, tuple[Any, str]] = {
    "a key that is no text": (args(x={1: 2}), f"{ARGS}.x: must be text, not a number 1; put it in quotes"),
    "a key that is nothing": (args(x={None: 2}), f"{ARGS}.x: must be text, not nothing None; put it in quotes"),
    "half a pair in a key": (args(x={"\udfff": 2}), f"{ARGS}.x: holds half of a surrogate pair; text is valid Unicode"),
    "half a pair in text": (args(x=["a\ud800"]), f"{ARGS}.x[0]: holds half of a surrogate pair; text is valid Unicode"),
    "too large": (args(x=-(2**53) - 1), f"{ARGS}.x: -9007199254740993 is beyond 2^53, so it would not arrive exactly"),
    "bytes": (args(x=b"y"), f"{ARGS}.x: must be a number, not a Python bytes"),
    "a date": (args(x=datetime.date(2026, 1, 1)), f"{ARGS}.x: must be a number, not a Python date"),
    "a set": (rule(match={"module": {"x"}}), f"{RULE}.match.module: must be a list, not a Python set; write [{{'x'}}]"),
    "a mapping as a list": (
        rule(match={"module": {"x": 1}}),
        f"{RULE}.match.module: must be a list, not a mapping; write [{{'x': 1}}]",
    ),
    "a boolean as a list": (
        rule(match={"any_of": True}),
        f"{RULE}.match.any_of: must be a list, not a boolean; write [True]",
    ),
    "a mapping as selectors": (
        rule(match={"all_of": {"module": ["x"]}}),
        f"{RULE}.match.all_of: must be a list, not a mapping; write [{{'module': ['x']}}]",
    ),
    "a list as a shape": (
        rule(match={"shape": [[64, 3]]}),
        f"{RULE}.match.shape[0]: must be a mapping, not a list; write {{extents: [64, 3]}}",
    ),
    "a number as an argument": (
        rule(constant=0.5),
        f"{RULE}.constant: must be a mapping, not a number; write {{val: 0.5}}",
    ),
    "a number as several arguments": (
        rule(normal=0.5),
        f"{RULE}.normal: must be a mapping, not a number; its keys are mean, std",
    ),
    "a value where there are no arguments": (
        rule(zeros=True),
        f"{RULE}.zeros: must be a mapping, not a boolean; write {{}}",
    ),
    "a list as a map": (
        recipe(architecture={"modules": {"root": {"declare": "x"}, "blocks": []}}),
        "architecture.modules.blocks: must be a mapping, not a list",
    ),
    "a key of a map": (
        recipe(groups={"adjust": [{"match": {"every": True}, "scale": {3: 1.0}}]}),
        "groups.adjust[0].scale: must be text, not a number 3; put it in quotes",
    ),
    "below a map": (
        recipe(architecture={"modules": {"blocks": {"a": {"type": "x", "repeat": -1}}}}),
        "architecture.modules.blocks.a.repeat: must be an integer in 0..2^32-1, not -1",
    ),
    "nothing in a map": (
        recipe(groups={"adjust": [{"match": {"every": True}, "scale": {"lr": None}}]}),
        "groups.adjust[0].scale.lr: has no value; give one or remove the key",
    ),
    "nothing as a list": (rule(match={"any_of": None}), f"{RULE}.match.any_of: has no value; give one or remove the "
                          "key"),
    "nothing as a message": (rule(ones=None), f"{RULE}.ones: has no value; write `ones: {{}}`"),
    "a list of no scalar": (rule(match={"shape": []}), f"{RULE}.match.shape: is an empty list; remove the key"),
    "an empty list of integers": (rule(match={"ndim": []}), f"{RULE}.match.ndim: is an empty list; remove the key"),
    "a key that is a number": ({**recipe(), 7: 1}, "7: unknown key; the keys are architecture, seed, generator, dtype, "
                               "init, groups, output"),
    "a number as a mapping": (recipe(init=3), "init: must be a mapping, not a number; its keys are rules, preset, "
                              "base"),
    "text as a boolean": (rule(match={"tied": "true"}), f"{RULE}.match.tied: must be true or false, not 'true'"),
    "a boolean as a number": (rule(normal={"std": True}), f"{RULE}.normal.std: must be a number, not a boolean"),
    "a list as a number": (rule(normal={"std": [1]}), f"{RULE}.normal.std: must be a number, not a list"),
    "three of one": (
        recipe(architecture={"modules": {"root": {"type": "x", "declare": "y", "use": "z"}}}),
        "architecture.modules.root: type and declare and use exclude each other; keep one",
    ),
    "camel case with a digit": (
        recipe(output={"maxShardBytes": 1}),
        "output.maxShardBytes: unknown key; write max_shard_bytes",
    ),
    "only the closest key": (rule(match={"modul_path": ["x"]}), f"{RULE}.match.modul_path: unknown key; did you mean "
                             "module_path?"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_path_and_a_remedy(name: str) -> None:
    data, message = REFUSED[name]
    assert reported(data) == [message]


@pytest.mark.parametrize(("length", "shown"), [(58, "y" * 58 + "'"), (59, "y" * 56 + "...")])
def test_long_values_are_shown_up_to_60_letters(length: int, shown: str) -> None:
    assert reported(rule(optional="y" * length)) == [f"{RULE}.optional: must be true or false, not '{shown}"]


def nested(key: str, count: int) -> dict[str, Any]:
    """A recipe with `count` selectors or arguments in one another."""
    if key in ("mapping", "list"):
        value: Any = 1
        for _ in range(count):
            value = {"a": value} if key == "mapping" else [value]
        return args(x=value)
    match: dict[str, Any] = {"tensor": ["x"]}
    for _ in range(count):
        match = {key: [match]}
    return rule(match=match)


@pytest.mark.parametrize(("key", "count"), [("none_of", 45), ("any_of", 45), ("mapping", 32), ("list", 47)])
def test_what_nests_deep_arrives_whole(key: str, count: int) -> None:
    loaded = initium.load_recipe(nested(key, count))
    name = {"mapping": "a:", "list": "list_value"}.get(key, key)
    assert str(loaded).count("struct_value" if key == "mapping" else f"{name} {{") >= count - 1


@pytest.mark.parametrize("key", ["none_of", "any_of", "all_of", "mapping", "list"])
def test_what_nests_too_deep_is_reported_with_its_path(key: str) -> None:
    (message,) = reported(nested(key, 150))
    assert message.startswith("init.rules[0].match." if key.endswith("_of") else f"{ARGS}.x")
    assert message.endswith(": nested more than 100 deep")


@pytest.mark.parametrize("count", [18, 19, 20, 21, 100])
def test_the_seed_is_one_of_twenty_violations(count: int) -> None:
    bad = rule(match={"ndim": [-1] * count})
    del bad["seed"]
    messages = reported(bad)
    assert len(messages) == min(count + 1, MAX_VIOLATIONS) == min(count + 1, 20)
    assert messages[-1].startswith("seed: required" if count < 20 else f"{RULE}.match.ndim[19]: ")


KINDS: dict[str, Any] = {
    "nothing": None,
    "a boolean": False,
    "a number": 1.5,
    "text": "",
    "a mapping": {},
    "a list": (),
    "a Python bytes": b"",
}


@pytest.mark.parametrize("words", KINDS)
def test_kinds_are_named_in_the_words_of_files(words: str) -> None:
    assert kind_of(KINDS[words]) == words


def test_unknown_keys_are_found_wherever_messages_are() -> None:
    data = {
        "tensor": 1,
        "tensors": [
            {"nam": "x"},
            3,
            {"fill": {"parts": {"base": {"literally": {}}, "parts": [{"start": [0], "end": [1]}]}}},
        ],
        "files": {"name": "x", "sized": 1},
        "versions": {"anything": "1"},
        "groups": {"groups": [{"options": {"whatever": 1}, "tensor": []}]},
        "recipe": {"architecture": {"library": {"args": {"free": 1}, "nam": "x"}}},
        "planDigest": "",
    }
    assert [str(violation) for violation in unknown_keys(PLAN, data)] == [
        "tensor: unknown key; did you mean tensors?",
        "tensors[0].nam: unknown key; did you mean name?",
        "tensors[2].fill.parts.base.literally: unknown key; did you mean literal?",
        "tensors[2].fill.parts.parts[0].end: unknown key; the keys are start, stop, fill",
        "files.sized: unknown key; did you mean size?",
        "groups.groups[0].tensor: unknown key; did you mean tensors?",
        "recipe.architecture.library.nam: unknown key; did you mean name?",
        "planDigest: unknown key; write plan_digest",
    ]
    assert [violation.field for violation in unknown_keys(PLAN, {5: 3, None: 1})] == ["5", "None"]
    (nested,) = unknown_keys(RECIPE, recipe(init={"rules": [{"match": {"all_of": [{"x": 1}]}}]}))
    assert nested.field == "init.rules[0].match.all_of[0].x"


def test_bytes_are_base64() -> None:
    def literals(text: Any) -> dict[str, Any]:
        return recipe(architecture={"captured": {"literals": {"digest": text}}})

    loaded = initium.load_recipe(literals("AAD/"))
    assert loaded.architecture.captured.literals["digest"] == b"\0\0\xff"
    for wrong in ("AAD", "AAD_", "AA D/", "é"):
        (said,) = reported(literals(wrong))
        assert said.startswith("architecture.captured.literals.digest: must be bytes in base64: ")
    assert reported(literals(3)) == [
        "architecture.captured.literals.digest: must be text, not a number 3; put it in quotes"
    ]


def test_a_message_stands_for_its_mapping() -> None:
    whole = initium.load_recipe(recipe(seed=3))
    assert initium.load_recipe({"architecture": whole.architecture, "seed": 3}) == whole
    (said,) = reported({"architecture": whole, "seed": 3})
    assert said.startswith("architecture: must be a mapping")
