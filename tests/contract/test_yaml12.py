"""The text form: YAML 1.2 core schema, strictly."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from initium import RecipeError
from initium.contract import yaml12

SCALARS: dict[str, Any] = {
    "1e-3": 0.001,
    "1E+3": 1000.0,
    "6.02e23": 6.02e23,
    ".5": 0.5,
    "5.": 5.0,
    "-0": 0,
    "+12": 12,
    "0o17": 15,
    "017": 17,
    "0x1F": 31,
    "0b1": "0b1",
    "1_000": "1_000",
    "12:30": "12:30",
    "2001-01-01": "2001-01-01",
    "on": "on",
    "off": "off",
    "yes": "yes",
    "no": "no",
    "y": "y",
    "true": True,
    "FALSE": False,
    "tRue": "tRue",
    "~": None,
    "null": None,
    "Null": None,
    "nULL": "nULL",
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "+.INF": math.inf,
    "inf": "inf",
    "1e": "1e",
    "e3": "e3",
    ".": ".",
    "9007199254740992": 2**53,
    "0x": "0x",
    "_ConvNd": "_ConvNd",
    "fc.*": "fc.*",
    "<<": "<<",
    "=": "=",
}


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("text", SCALARS)
def test_plain_scalars(text: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "_LOADER", yaml12.core_loader(getattr(yaml, loader)))
    value = yaml12.load(f"[{text}]")
    assert value == [SCALARS[text]]
    assert type(value[0]) is type(SCALARS[text])


def test_nan() -> None:
    assert math.isnan(yaml12.load("x: .nan")["x"])


def test_empty_value_is_null() -> None:
    assert yaml12.load("a:\nb: ''\n") == {"a": None, "b": ""}


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("text", SCALARS)
def test_quoted_scalars_are_text(text: str, quote: str) -> None:
    assert yaml12.load(f"x: {quote}{text}{quote}") == {"x": text}


REFUSED = {
    "a: 1\nb: 2\na: 3": ("line 3:1", "the key 'a' is given twice"),
    '{"a": 1, "a": 2}': ("line 1:10", "the key 'a' is given twice"),
    "a: &x 1": ("line 1:4", "the anchor &x"),
    "a: &x 1\nb: *x": ("line 1:4", "the anchor &x"),
    "a: *x": ("line 1:4", "the alias *x"),
    "a: !!str 1": ("line 1:4", "the tag tag:yaml.org,2002:str"),
    "a: !thing {}": ("line 1:4", "the tag !thing"),
    "a: ! b": ("line 1:4", "the tag !"),
    "1: x": ("line 1:1", "the key 1 is not text"),
    "null: x": ("line 1:1", "the key null is not text"),
    "? [a]\n: x": ("line 1:3", "a mapping or list as a key"),
    "a: 1\n---\nb: 2": ("line 2:1", "a second document"),
    "%YAML 1.1\n---\na: 1": ("line 1:1", "%YAML 1.1"),
    "a: [1, 2": ("line ", "line 1:4"),
    "a: 'x": ("line 1:6", "line 1:4"),
    "\ta: 1": ("line 1:1", "a tab; YAML is indented with spaces"),
    "a:\n  b: 1\n\tc: 1": ("line 3:1", "a tab; YAML is indented with spaces"),
    "a: {b: 1]": ("line 1:9", "a bracket is not closed, or a comma is missing (see line 1:4)"),
    "a:\n  b: 1\n c: 2": ("line 3:2", "this line is not indented like those it belongs to"),
    "a:\n  - b: 1\n     c: 2": ("line 3:7", "no `:` can stand here: indent the line like its neighbours"),
    "a: b\n  c: 1": ("line 2:4", "no `:` can stand here: indent the line like its neighbours"),
    "seed:1\na:\n  b: 1": ("line 2:2", "end the key above with a colon and a space"),
    "a: [*.weight]": ("line 1:6", "a plain value cannot begin with `*` or `&`; put a glob in quotes"),
    "a: @x": ("line 1:4", "a plain value cannot begin with this character; put the value in quotes"),
    "seed: 1\na\nb: 2": ("line 3:1", "a key without `: ` behind it"),
    'a: "x': ("line 1:6", "a quote is opened and not closed (see line 1:4)"),
    "'''A model.'''\nimport torch\n": ("line ", "this looks like Python; a recipe is data"),
    "# A model.\nimport torch\n\nmodel = {": ("", "this looks like Python; a recipe is data"),
}


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_line_and_column(text: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "_LOADER", yaml12.core_loader(getattr(yaml, loader)))
    where, what = REFUSED[text]
    with pytest.raises(RecipeError) as caught:
        yaml12.load(text)
    assert where in str(caught.value)
    assert what in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n"])
def test_no_document(text: str) -> None:
    with pytest.raises(RecipeError, match="the text is empty; a recipe needs at least `architecture` and `seed`"):
        yaml12.load(text)


@pytest.mark.parametrize("text", ["---\n...", "---", "~"])
def test_an_empty_document(text: str) -> None:
    assert yaml12.load(text) is None


@pytest.mark.parametrize("text", ["%YAML 1.2\n---\na: 1", "---\na: 1\n", "---\na: 1\n...\n", "\n\n  a: 1"])
def test_one_document_in_every_frame(text: str) -> None:
    assert yaml12.load(text) == {"a": 1}


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("a: \x01", "characters are not allowed"),
        ("a: \ud800", "half of a surrogate pair; a recipe is valid Unicode|characters are not allowed"),
    ],
)
def test_what_is_no_text(text: str, reported: str, loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "_LOADER", yaml12.core_loader(getattr(yaml, loader)))
    with pytest.raises(RecipeError, match=reported) as caught:
        yaml12.load(text)
    assert caught.value.message == "the text is not valid YAML 1.2 or JSON"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('["\\u00e9\\/"]', ["\u00e9/"]),
        ('{\n\t"a": [\n\t\t1\n\t]\n}\n', {"a": [1]}),
        ('  {"a": {"b": {}}, "c": []}', {"a": {"b": {}}, "c": []}),
        ('{"x": NaN, "y": [Infinity, -Infinity]}', {"x": "NaN", "y": ["Infinity", "-Infinity"]}),
    ],
)
def test_json_as_json_reads_it_and_its_extensions_as_text(text: str, value: Any) -> None:
    assert yaml12.load(text) == value


@pytest.mark.parametrize("opening", ["[", '{"a":', "- ", "a: {b: [", "{? "])
@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.timeout(60)
def test_promise_5_deep_nesting_is_an_error_not_a_crash(
    opening: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml12, "_LOADER", yaml12.core_loader(getattr(yaml, loader)))
    with pytest.raises(RecipeError):
        yaml12.load(opening * 100_000)


@pytest.mark.parametrize("depth", [yaml12.MAX_DEPTH, yaml12.MAX_DEPTH + 1])
def test_the_limit_of_nesting(depth: int) -> None:
    text = "# not JSON\n" + "[" * depth + "]" * depth
    if depth <= yaml12.MAX_DEPTH:
        assert yaml12.load(text) is not None
    else:
        with pytest.raises(RecipeError, match=r"line 2:101: nested more than 100 deep"):
            yaml12.load(text)


@pytest.mark.parametrize("text", ["9" * 10_000, '{"seed": ' + "9" * 10_000 + "}", '{"x": NaN}', '{"x": 1e999}'])
def test_odd_numbers_do_not_crash(text: str) -> None:
    assert yaml12.load(text) is not None


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF, exclude_characters="\x7f\x85\u2028\u2029")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii", min_codepoint=32)), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_is_a_subset(value: Any) -> None:
    """By Python's own reader of JSON, and by that of YAML, which a comment asks for."""
    text = json.dumps(value)
    assert yaml12.load(text) == value
    assert yaml12.load(f"# YAML\n{text}") == value


@given(json_values)
def test_block_style_reads_what_was_written(value: Any) -> None:
    assert yaml12.load(f"x:{block(value, 1)}") == {"x": value}


def block(value: Any, depth: int) -> str:
    """`value` in block style, behind a colon or a dash."""
    pad = "\n" + "  " * depth
    if isinstance(value, dict) and value:
        return "".join(f"{pad}{json.dumps(key)}:{block(item, depth + 1)}" for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(f"{pad}-{block(item, depth + 1)}" for item in value)
    return " " + json.dumps(value)


@pytest.mark.parametrize("text", ['{"seed": 9007199254740993}', "seed: 9007199254740993", "seed: 0x20000000000001"])
def test_integers_that_json_readers_round_are_written_as_text(text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        yaml12.load(text)
    (violation,) = caught.value.violations
    assert violation.field in ("line 1:10", "line 1:7")
    assert violation.message.endswith("is beyond 2^53, where many JSON readers round numbers; put it in quotes")


@given(st.text())
def test_any_text_gives_a_value_or_a_recipe_error(text: str) -> None:
    with contextlib.suppress(RecipeError):
        yaml12.load(text)


@given(st.text("[]{}:,-?&*!|>'\"%@` \n#a1.~", max_size=40))
def test_any_punctuation_gives_a_value_or_a_recipe_error(text: str) -> None:
    with contextlib.suppress(RecipeError):
        yaml12.load(text)
