"""The canonical form is RFC 8785, whichever way it is made, and digests do not move."""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import platform
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import rfc8785
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from initium.contract.canonical import (
    canonical_json,
    canonical_manifest,
    digests,
    hex_float,
    parse_hex_float,
    seal,
    to_json,
)
from initium.v1 import fill_pb2, manifest_pb2, plan_pb2

VECTORS = Path(__file__).parents[2] / "proto/vectors"
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
    fill = fill_pb2.Fill(constant=fill_pb2.ConstantFill(value="0x1p+0"))
    plan.tensors.add(
        name="b\u00e9", shape=[2, 3], dtype="F32", fill=fill, aliases=["c"], rule="init.rules[0]", initializer="ones",
        resolved={"gain": "0x1p+0"}, kind=1, trainable=True, group=0, module_class="Linear", file=1,
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


def fill_in(message: Message, random: Random, depth: int = 0) -> Message:
    """Random values in about half of the fields, whatever fields there are."""
    for field in message.DESCRIPTOR.fields:
        if random.random() < 0.4 or depth > 5:
            continue
        target = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value = field.message_type.fields_by_name["value"]
            for _ in range(random.randrange(4)):
                if value.message_type is None:
                    target[text(random)] = scalar(value, random)
        elif field.message_type is not None and field.message_type.full_name == "google.protobuf.Struct":
            for each in [target.add() for _ in range(random.randrange(3))] if field.is_repeated else [target]:
                each.update({text(random): random.choice([1e21, -0.5, 3, True, None, "\u2028", [1, {"a": 1e-7}], {}])})
        elif field.message_type is not None:
            for each in [target.add() for _ in range(random.randrange(3))] if field.is_repeated else [target]:
                each.SetInParent()
                fill_in(each, random, depth + 1)
        elif field.is_repeated:
            target.extend(scalar(field, random) for _ in range(random.randrange(4)))
        else:
            setattr(message, field.name, scalar(field, random))
    return message


def scalar(field: Any, random: Random) -> Any:
    kinds = {"STRING": text, "BOOL": lambda r: r.random() < 0.5, "BYTES": lambda r: r.randbytes(r.randrange(5))}
    kinds["DOUBLE"] = lambda r: r.choice([0.0, 1.5, 1e300])
    kinds["UINT64"] = lambda r: r.choice([0, 1, 2**64 - 1])
    kinds["SINT64"] = lambda r: r.choice([0, -1, 2**63 - 1])
    kinds["ENUM"] = lambda r: r.choice([*(value.number for value in field.enum_type.values), 99])
    name = next(kind for kind in (*kinds, "32") if getattr(field, f"TYPE_{kind}", None) == field.type or kind == "32")
    return kinds.get(name, lambda r: r.choice([0, 1, 2**31 - 1]))(random)


def text(random: Random) -> str:
    return "".join(random.choices('ab"\\/\x00\x1f\x7f\n\u00e9\u2028\ufb33\U0001f600', k=random.randrange(5)))


@given(st.randoms(use_true_random=True))
def test_the_canonical_form_is_that_of_the_json_mapping(random: Random) -> None:
    """Whatever is in a plan, a field that was added yesterday included."""
    plan = plan_pb2.Plan()
    fill_in(plan, random)
    assert canonical_json(plan) == rfc8785.dumps(to_json(plan))
    body = {name: value for name, value in to_json(plan).items() if name not in ("plan_digest", "weights_key")}
    assert digests(plan)[0] == hashlib.sha256(rfc8785.dumps(body)).hexdigest()
    manifest = manifest_pb2.Manifest()
    fill_in(manifest, random)
    assert canonical_manifest(manifest) == rfc8785.dumps(to_json(manifest))


def vectors() -> list[tuple[str, str, str]]:
    lines = (VECTORS / "plans.txt").read_text("utf-8").split("\n")
    return [tuple(line.split(" ", 2)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


@pytest.mark.parametrize(("digest", "key", "form"), vectors())
def test_vectors_of_digests(digest: str, key: str, form: str) -> None:
    plan = json_format.ParseDict(json.loads(form), plan_pb2.Plan())
    assert digests(plan) == (digest, key)
    assert canonical_json(plan).decode() == form
    assert hashlib.sha256(form.encode()).hexdigest() == digest


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


GRAMMAR = re.compile(
    r"-?0x(0p\+0|1(\.[0-9a-f]{0,12}[1-9a-f])?p(\+0|[+-][1-9][0-9]{0,3})|0\.[0-9a-f]{0,12}[1-9a-f]p-1022)"
)


@given(NUMBERS | st.floats(-1e-307, 1e-307))
def test_floats_are_of_the_grammar_of_fill_proto(value: float) -> None:
    assert GRAMMAR.fullmatch(hex_float(value))


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
