"""Literals in another dtype: rounded once wherever they are the tensor's own values, and left alone elsewhere."""

from __future__ import annotations

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import initium_law as law
from initium.errors import RecipeError
from initium_law import grammar as fills
from initium_law.dtypes import DTYPES, encode
from initium_server.planning import Inventory
from initium_server.planning.casts import add_literal, cast_files, cast_fill
from tests.planning.inventories import tensor
from tests.planning.recipes import by_name, planned

TENTHS = np.array([0.1, -0.2, 0.3, 1e30], "<f4")
NARROW = ("BF16", "F16", "F8_E4M3", "F8_E5M2")


def store(values: Any = TENTHS) -> tuple[fills.Literal, dict[str, bytes]]:
    """A literal of these values, and the bytes by its digest."""
    literals: dict[str, bytes] = {}
    return fills.Literal(add_literal(np.asarray(values, "<f4").tobytes(), literals)), literals


def own(literal: fills.Literal) -> dict[str, fills.Fill]:
    """Fills of a tensor of four elements in which the literal is the tensor's own values."""
    half = fills.Parts(fills.Normal(0.0, 1.0), (fills.Part((0,), (4,), fills.Copy("other", literal)),))
    return {
        "a literal": literal,
        "in a copy": fills.Copy("other", literal),
        "as a base": fills.Parts(literal, (fills.Part((1,), (2,), fills.Constant(0.0)),)),
        "in a part": fills.Parts(fills.Constant(0.0), (fills.Part((0,), (4,), literal),)),
        "in a copy in a part in a copy": fills.Copy("third", half),
    }


def of_binary32(literal: fills.Literal) -> dict[str, fills.Fill]:
    """Fills of a tensor of four elements that compute with the literal's binary32 values."""
    product = fills.Pointwise("multiply", (literal, fills.Constant(3.0)))
    return {
        "an operand": product,
        "an operand in a copy": fills.Copy("other", product),
        "an operand in a part": fills.Parts(fills.Constant(0.0), (fills.Part((0,), (4,), product),)),
        "under norms": fills.NormOf("v", (4,), literal, 0),
        "under norms of a copy": fills.NormOf("v", (4,), fills.Copy("w", literal), 0),
    }


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("where", own(store()[0]))
def test_own_literals_are_cast_wherever_they_stand(where: str, dtype: str) -> None:
    literal, literals = store()
    done = cast_fill(own(literal)[where], "F32", dtype, literals)
    (digest,) = fills.literals(done)
    assert literals[digest] == b"".join(encode(float(value), dtype) for value in TENTHS)
    assert fills.with_literals(done, lambda _: literal.digest) == own(literal)[where]
    law.prepare(done, 7, "x", (4,), dtype, literals)


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("where", of_binary32(store()[0]))
def test_literals_that_are_computed_with_stay(where: str, dtype: str) -> None:
    literal, literals = store()
    fill = of_binary32(literal)[where]
    before = dict(literals)
    assert cast_fill(fill, "F32", dtype, literals) == fill
    assert literals == before
    law.prepare(fill, 7, "x", (4,), dtype, literals)


def test_a_plan_holds_its_cast_literals_and_no_others() -> None:
    """Of what the library built, only the dtype of the parameter changes; the buffer keeps its literal."""
    literal, literals = store([0.5, 0.25, 0.1, 0.0])
    unused = add_literal(b"\0" * 16, literals)
    inventory = Inventory(
        (
            tensor("x", (4,), default=fills.Copy("y", literal)),
            tensor("z", (4,), default=fills.Pointwise("sqrt", (literal,))),
            tensor("b", (4,), default=literal, kind="buffer"),
        ),
        literals,
    )
    plan = planned(inventory, dtype="F16")
    cast = by_name(plan)["x"].fill.copy.fill.literal.digest
    assert by_name(plan)["z"].fill.pointwise.operands[0].literal.digest == literal.digest
    assert by_name(plan)["b"].fill.literal.digest == literal.digest
    assert dict(plan.literals) == {
        cast: np.array([0.5, 0.25, 0.1, 0.0], "<f2").tobytes(),
        literal.digest: literals[literal.digest],
    }
    assert unused not in plan.literals
    assert {*inventory.literals} == {literal.digest, unused}
    assert [*planned(inventory).literals] == [literal.digest]


@pytest.mark.parametrize("rule", [{"dtype": "F16"}, {}])
def test_a_rule_that_keeps_the_library_default_casts_its_literal(rule: dict[str, str]) -> None:
    literal, literals = store([0.5, 0.25, 0.1, 0.0])
    inventory = Inventory((tensor("x", (4,), default=literal),), literals)
    plan = planned(inventory, init={"rules": [{"match": {"every": True}, "library_default": {}} | rule]})
    kind = np.dtype("<f2" if rule else "<f4")
    assert [*plan.literals.values()] == [np.array([0.5, 0.25, 0.1, 0.0], kind).tobytes()]


FLOATS32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(max_examples=40)
@given(st.lists(FLOATS32, max_size=9), st.sampled_from(["F64", "BF16", "F16", "F8_E5M2"]))
def test_every_value_is_rounded_once_as_the_law_rounds(values: list[float], dtype: str) -> None:
    literal, literals = store(values)
    done = cast_fill(literal, "F32", dtype, literals)
    assert isinstance(done, fills.Literal)
    assert literals[done.digest] == b"".join(encode(value, dtype) for value in values)


@settings(max_examples=40)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_doubles_are_rounded_once(values: list[float]) -> None:
    literals: dict[str, bytes] = {}
    literal = fills.Literal(add_literal(np.array(values, "<f8").tobytes(), literals))
    done = cast_fill(literal, "F64", "BF16", literals)
    assert isinstance(done, fills.Literal)
    assert literals[done.digest] == b"".join(encode(value, "BF16") for value in values)


@pytest.mark.parametrize("source", ["BF16", "F16", "F32", "F64"])
def test_literals_are_read_in_the_dtype_that_the_library_built(source: str) -> None:
    values = np.array([1.5, -0.25, 2.0, 0.0]).astype(DTYPES[source].numpy)
    literals: dict[str, bytes] = {}
    literal = fills.Literal(add_literal(values.tobytes(), literals))
    inventory = Inventory((tensor("x", (4,), default=literal, dtype=source),), literals)
    (data,) = planned(inventory, dtype="BF16").literals.values()
    assert data == np.array([1.5, -0.25, 2.0, 0.0], ml_dtypes.bfloat16).tobytes()


def test_a_literal_of_the_same_dtype_is_not_touched() -> None:
    """Not even the payload of a NaN."""
    literals: dict[str, bytes] = {}
    literal = fills.Literal(add_literal(bytes.fromhex("010080ff"), literals))
    assert cast_fill(literal, "F32", "F32", literals) is literal
    assert [*literals] == [literal.digest]


def test_a_value_that_the_dtype_cannot_hold_is_an_error() -> None:
    literal, literals = store([0.0, 0.0, 0.0, math.inf])
    inventory = Inventory((tensor("x", (4,), default=literal),), literals)
    with pytest.raises(RecipeError) as caught:
        planned(inventory, dtype="F8_E4M3")
    (violation,) = caught.value.violations
    assert violation.field == "init.rules"
    assert "no infinity" in violation.message


CONFIG = {"config.json": b'{"model_type": "toy", "dtype": "float32", "hidden": [1, 2]}', "vocab.txt": b"a"}


@pytest.mark.parametrize(("dtype", "name"), [("BF16", "bfloat16"), ("F64", "float64"), ("F8_E4M3", "float8_e4m3fn")])
def test_the_config_file_names_the_dtype_of_the_weights(dtype: str, name: str) -> None:
    files = cast_files(CONFIG, dtype)
    assert {**files, "config.json": b""} == {**CONFIG, "config.json": b""}
    assert json.loads(files["config.json"]) == json.loads(CONFIG["config.json"]) | {"dtype": name}


def test_files_stay_as_they_are_without_a_cast_or_a_config() -> None:
    assert cast_files(CONFIG, "F32") == CONFIG
    assert cast_files({"vocab.txt": b"a"}, "BF16") == {"vocab.txt": b"a"}


def test_the_config_file_is_written_as_transformers_writes_it() -> None:
    """Keys in order, two spaces of indent, a newline at the end: a diff against the library's own file is one line."""
    text = cast_files({"config.json": b'{"b": 1, "a": {"y": 2, "x": 3}}'}, "F16")["config.json"].decode()
    assert text == '{\n  "a": {\n    "x": 3,\n    "y": 2\n  },\n  "b": 1,\n  "dtype": "float16"\n}\n'


def test_the_plan_carries_the_cast_files() -> None:
    inventory = Inventory((tensor("x", (4,)),), files=CONFIG)
    content = {file.name: file.content for file in planned(inventory, dtype="BF16").files if file.HasField("content")}
    assert content == dict(cast_files(CONFIG, "BF16"))
    assert content["config.json"] != CONFIG["config.json"]
