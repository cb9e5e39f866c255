"""The canonical form is RFC 8785, whichever way it is made, and digests do not move."""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import platform
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.contract.canonical import canonical_json, digests, hex_float, parse_hex_float, seal
from initium.v1 import plan_pb2

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def test_the_canonical_form_is_rfc_8785() -> None:
    """Keys in the order of their UTF-16 units, numbers as ECMAScript writes them, no escapes but the needed ones."""
    plan = plan_pb2.Plan(plan_version=1, seed=2**64 - 1, generator='\u00e9\u2028\x7f"\x1f/')
    plan.versions.update({"\U0001f600": "1", "\ufb33": "2", "\u00e9": "3", "b": "4", "": "5"})
    options = plan.groups.groups.add().options
    options.update({"a": 1e21, "b": 1e20, "c": 0.000001, "d": 1e-7, "e": -0.0, "f": 5e-324, "g": 1.5, "h": None})
    numbers = '"a":1e+21,"b":100000000000000000000,"c":0.000001,"d":1e-7,"e":0,"f":5e-324,"g":1.5,"h":null'
    text = (
        '{"generator":"\u00e9\u2028\x7f\\"\\u001f/","groups":{"groups":[{"options":{%s}}]},"plan_version":1,'
        '"seed":"18446744073709551615","versions":{"":"5","b":"4","\u00e9":"3","\U0001f600":"1","\ufb33":"2"}}'
    )
    assert canonical_json(plan) == (text % numbers).encode()


def test_digests_ignore_themselves_and_the_key_ignores_groups() -> None:
    plan = plan_pb2.Plan(plan_version=1, generator="stream-v1", seed=1)
    before = digests(plan)
    plan.plan_digest, plan.weights_key = before
    assert digests(plan) == before
    plan.groups.optimizer = "SGD"
    assert digests(plan)[0] != before[0]
    assert digests(plan)[1] == before[1]


def whole_plan(generator: str) -> plan_pb2.Plan:
    """A plan with something in every field."""
    plan = plan_pb2.Plan(plan_version=1, generator=generator, seed=7, max_shard_bytes=512, plan_digest="x")
    fill = plan_pb2.Fill(constant=plan_pb2.ConstantFill(value="0x1p+0"))
    plan.tensors.add(
        name="b\u00e9", shape=[2, 3], dtype="F32", fill=fill, aliases=["c"], rule="init.rules[0]", initializer="ones",
        resolved={"gain": "0x1p+0"}, kind="parameter", trainable=True, group=0, module_class="Linear", file=1,
        offset=8, size=24, ordinal=3,
    )  # fmt: skip
    plan.tensors.add(name="a", dtype="U8", group=0)
    plan.files.add(name="x.json", size=2, content=b"{}")
    plan.literals["00"] = b"z"
    plan.groups.optimizer = "SGD"
    plan.versions["torch"] = "2"
    plan.recipe.seed = 7
    plan.environment["device"] = "cpu"
    plan.weights_key = "y"
    return plan


KEY = (
    '{%s"generator":"%s","max_shard_bytes":"512",%s"seed":"7","tensors":['
    '{"dtype":"F32","file":1,"fill":{"constant":{"value":"0x1p+0"}},"name":"b\u00e9","shape":["2","3"]},'
    '{"dtype":"U8","name":"a"}]}'
)


@pytest.mark.parametrize(
    ("generator", "environment", "recipe"),
    [("stream-v1", "", ""), ("torch", '"environment":{"device":"cpu"},', '"recipe":{"seed":"7"},')],
)
def test_the_key_is_of_what_determines_bytes(generator: str, environment: str, recipe: str) -> None:
    text = KEY % (environment, generator, recipe)
    assert digests(whole_plan(generator))[1] == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_is_of_all_but_the_digests() -> None:
    plan = whole_plan("stream-v1")
    data = json.loads(canonical_json(plan))
    assert (data.pop("plan_digest"), data.pop("weights_key")) == ("x", "y")
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digests(plan)[0] == hashlib.sha256(text.encode()).hexdigest()
    assert seal(plan) is plan
    assert (plan.plan_digest, plan.weights_key) == digests(whole_plan("stream-v1"))


def test_an_empty_plan_has_digests() -> None:
    digest, key = digests(plan_pb2.Plan())
    assert digest == hashlib.sha256(b"{}").hexdigest()
    assert key == hashlib.sha256(b'{"tensors":[]}').hexdigest()


PRINTF = ctypes.CDLL(None).snprintf
HEX_FLOATS = {
    0.0: "0x0p+0",
    1.0: "0x1p+0",
    -1.0: "-0x1p+0",
    10.0: "0x1.4p+3",
    0.02: "0x1.47ae147ae147bp-6",
    5e-324: "0x0.0000000000001p-1022",
    1.7976931348623157e308: "0x1.fffffffffffffp+1023",
}


@pytest.mark.parametrize("value", HEX_FLOATS)
def test_hex_floats(value: float) -> None:
    assert hex_float(value) == HEX_FLOATS[value]
    assert parse_hex_float(HEX_FLOATS[value]) == value


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries write other digits")
@given(NUMBERS)
def test_hex_floats_are_those_of_glibc(value: float) -> None:
    buffer = ctypes.create_string_buffer(64)
    PRINTF(buffer, ctypes.c_size_t(64), b"%a", ctypes.c_double(value))
    assert hex_float(value) == buffer.value.decode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_text(value: float) -> None:
    with pytest.raises(ValueError, match=f"^{value} is not finite$"):
        hex_float(value)


@given(NUMBERS)
def test_floats_survive(value: float) -> None:
    assert math.copysign(1, parse_hex_float(hex_float(value))) == math.copysign(1, value)
    assert parse_hex_float(hex_float(value)) == value


@pytest.mark.parametrize("text", ["0x1p+5000", "1.5", "0x1.0p+0", "nan", "inf", "", "0X1P+0"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # the texts differ
        parse_hex_float(text)


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("0x1p+5000", "'0x1p+5000' is beyond the range of a double"),
        ("0x1.0p+0", "'0x1.0p+0' is not a float in canonical hexadecimal form; write '0x1p+0'"),
        ("0x2p+0", "'0x2p+0' is not a float in canonical hexadecimal form; write '0x1p+1'"),
        ("1.5", "'1.5' is not a float in canonical hexadecimal form; write '0x1.5p+0'"),
    ],
)
def test_other_spellings_are_refused_with_the_right_one(text: str, reported: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reported)):
        parse_hex_float(text)
