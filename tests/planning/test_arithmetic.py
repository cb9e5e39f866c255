"""The closed arithmetic of computed numbers: its grammar and its roundings (init.proto, InitRule.computed)."""

from __future__ import annotations

import contextlib
import math
import operator
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium_server.planning.arithmetic import MAX_DEPTH, MAX_LENGTH, parse

NAMES = {"fan_in": 18.0, "blocks": 12.0, "n": -3.0}
INDEXED = ("shape",)
SHAPE = (5.0, 7.0)


def value(text: str) -> float:
    def look(name: str, index: int | None) -> float:
        return NAMES[name] if index is None else SHAPE[index]

    return parse(text, tuple(NAMES), INDEXED)(look)


VALUES = {
    "1": 1.0,
    "1.": 1.0,
    "0.5e-3": 0.5e-3,
    "1E+2": 100.0,
    " 1\t+\n2 ": 3.0,
    "1-2-3": -4.0,
    "8/4/2": 1.0,
    "2+3*4": 14.0,
    "(2+3)*4": 20.0,
    "-2*3": -6.0,
    "2*-3": -6.0,
    "--2": 2.0,
    "-(1+2)": -3.0,
    "1 - -1": 2.0,
    "sqrt(2)": math.sqrt(2.0),
    "0.02 / sqrt(2 * blocks)": 0.02 / math.sqrt(24.0),
    "1 / sqrt(fan_in)": 1 / math.sqrt(18.0),
    "min(1, sqrt(2 / 8))": 0.5,
    "max(1, 3, 2)": 3.0,
    "min(4)": 4.0,
    "shape[0] * shape[1]": 35.0,
    "shape[ 01 ]": 7.0,
    "n": -3.0,
    "0.1+0.2": 0.1 + 0.2,
    "0.1+0.2+0.3": (0.1 + 0.2) + 0.3,
}


@pytest.mark.parametrize("text", VALUES)
def test_values(text: str) -> None:
    assert value(text).hex() == VALUES[text].hex()


REFUSED = {
    "": "a number, a name or a parenthesis is missing before 'the end'",
    "1 +": "is missing before 'the end'",
    "* 2": "is missing before '*'",
    "+1": "is missing before '+'",
    "1 2": "'2' stands where the expression should end",
    "(1": "')' is missing before 'the end'",
    "1)": "')' stands where the expression should end",
    "()": "is missing before ')'",
    "2 ** 3": "is missing before '*'",
    "2 ^ 3": "'^' at character 3 is no part of an expression",
    "1; 2": "';' at character 2",
    "0x10": "'x10' stands where",
    "1e": "'e' stands where",
    ".5": "'.' at character 1",
    "1,5": "',' stands where",
    "fan_inn": "unknown name 'fan_inn'; did you mean 'fan_in'?",
    "shape": "'[' is missing before 'the end'",
    "shape[n]": "shape[n] has no axis; write shape[0]",
    "shape[-1]": "shape[-] has no axis",
    "shape[1.5]": "shape[1.5] has no axis",
    "shape[0": "']' is missing",
    "fan_in[0]": "'[' stands where",
    "sqrt": "sqrt is a function; write sqrt(...)",
    "sqr(2)": "unknown function 'sqr'; did you mean 'sqrt'?",
    "sqrt()": "is missing before ')'",
    "sqrt(1, 2)": "sqrt takes 1 argument, not 2",
    "min(1 2)": "',' or ')' is missing before '2'",
    "fan_in(1)": "unknown function 'fan_in'",
    "__import__(1)": "unknown function '__import__'",
    "__import__('os')": '"\'" at character 12 is no part of an expression',
    "n.real": "'.' at character 2",
    "1 / 0": "division by zero",
    "1 / (n + 3)": "division by zero",
    "sqrt(n)": "the root of -3",
    "1e999": "1e999 is not finite",
    "1e308 * 10": "its value is not finite",
    "min(1, 1e308 + 1e308)": "its value is not finite",
    "1" * (MAX_LENGTH + 1): f"has {MAX_LENGTH + 1} characters; at most {MAX_LENGTH}",
    "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1): f"nests more than {MAX_DEPTH} deep",
    "-" * MAX_DEPTH + "1": f"nests more than {MAX_DEPTH} deep",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_expression_is_told_why(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(REFUSED[text])):
        value(text)


def test_the_longest_and_the_deepest_that_are_allowed() -> None:
    assert value("1" + "+1" * ((MAX_LENGTH - 1) // 2)) == MAX_LENGTH // 2
    assert value("(" * (MAX_DEPTH - 1) + "1" + ")" * (MAX_DEPTH - 1)) == 1


def test_the_slope_is_a_function_only_where_it_is_asked_for() -> None:
    leaky = parse("leaky_relu(0.2)", (), (), "leaky_relu")
    assert leaky(lambda name, index: 0.0) == math.sqrt(2.0 / (1.0 + 0.2 * 0.2))
    with pytest.raises(ValueError, match="unknown function 'leaky_relu'"):
        parse("leaky_relu(0.2)", (), ())


Tree = Any  # a number, or (sign, left, right)
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.integers(0, 9) | st.sampled_from([0.5, 0.1, 1e10]),
    lambda inner: st.tuples(st.sampled_from("+-*/"), inner, inner),
    max_leaves=8,
)
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def written(tree: Tree) -> str:
    return f"({written(tree[1])} {tree[0]} {written(tree[2])})" if isinstance(tree, tuple) else repr(tree)


def computed(tree: Tree) -> float:
    return OPERATORS[tree[0]](computed(tree[1]), computed(tree[2])) if isinstance(tree, tuple) else float(tree)


@given(TREES)
def test_every_tree_has_the_value_of_its_operations(tree: Tree) -> None:
    if len(written(tree)) > MAX_LENGTH:
        return
    try:
        expected = computed(tree)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="division by zero"):
            value(written(tree))
    else:
        assert value(written(tree)).hex() == expected.hex()


@given(st.text(alphabet="0123.+-*/()[], nsqrtminfae", max_size=30))
def test_no_text_does_anything_but_give_a_number_or_a_reason(text: str) -> None:
    with contextlib.suppress(ValueError, IndexError):  # what the expression asks for may not be there
        assert math.isfinite(value(text))
