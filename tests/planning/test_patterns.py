"""Globs and regular expressions: what they match, and what they may cost (promise 5)."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from initium.contract.globs import glob_to_regex
from initium.errors import RecipeError
from initium_server.planning.patterns import MAX_PATTERN, compile_globs, compile_regex


def fits(glob: str, text: str) -> bool:
    """The definition of init.proto, character by character."""
    if not glob:
        return not text
    if glob.startswith("**"):
        return any(fits(glob[2:], text[i:]) for i in range(len(text) + 1))
    if glob[0] == "*":
        run = len(text.split(".")[0])
        return any(fits(glob[1:], text[i:]) for i in range(run + 1))
    return bool(text) and (text[0] == glob[0] or (glob[0] == "?" and text[0] != ".")) and fits(glob[1:], text[1:])


TEXTS = st.text("ab.\n$é", max_size=6)


@example(["a.*.?"], "a.b.b")
@example(["a.*.?"], "a.*.?")
@example(["*?"], "*?.")
@example(["***"], "a.b")
@example(["a"], "a\n")
@example(["?"], "\n")
@given(st.lists(st.text("ab.*?\n$é", max_size=6), max_size=3), TEXTS)
def test_globs_are_what_the_contract_says(globs: list[str], text: str) -> None:
    wanted = any(fits(glob, text) for glob in globs)
    assert compile_globs(globs, "path")(text) == wanted
    assert any(re.fullmatch(glob_to_regex(glob), text, re.DOTALL) for glob in globs) == wanted


@pytest.mark.parametrize("sign", r".+()[]{}^$|\-# ")
def test_other_signs_mean_themselves(sign: str) -> None:
    matches = compile_globs([f"a{sign}*"], "path")
    assert matches(f"a{sign}b")
    assert not matches("ab")
    assert not matches("axb")


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        (r"\.\d+\.", "layers.12.fc", True),
        ("(?i)FC$", "layers.12.fc", True),
        ("FC$", "layers.12.fc", False),
        ("", "x", True),
    ],
)
def test_expressions_are_searched(pattern: str, text: str, found: bool) -> None:
    assert bool(compile_regex(pattern, "regex").search(text)) == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(b", "'(b' is no RE2 expression: missing ): (b"),
        ("a" * (MAX_PATTERN + 1), "the pattern has 1001 characters; at most 1000 are allowed"),
        ("a{1000}" * 95, "pattern too large"),
        ("((a{100}){100}){100}", "repetition"),
    ],
)
def test_an_expression_that_is_wrong_or_too_large_is_reported_by_its_path(
    pattern: str, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """And by nothing else: RE2 by itself writes to standard error."""
    with pytest.raises(RecipeError) as caught:
        compile_regex(pattern, "here")
    (violation,) = caught.value.violations
    assert violation.field == "here"
    assert text in violation.message
    assert capfd.readouterr().err == ""


def test_a_pattern_may_be_as_long_as_the_limit() -> None:
    assert compile_regex("a" * MAX_PATTERN, "here").search("a" * MAX_PATTERN)


def test_a_glob_that_is_too_long_is_reported_by_its_place() -> None:
    with pytest.raises(RecipeError) as caught:
        compile_globs(["a", "b*", "a" * MAX_PATTERN + "*"], "match.path")
    assert [violation.field for violation in caught.value.violations] == ["match.path[2]"]
