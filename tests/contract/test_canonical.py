"""The canonical form is RFC 8785, whichever way it is made, and digests do not move."""

from __future__ import annotations

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from initium.contract.canonical import canonical_json, digests, hex_float, parse_hex_float, to_json
from initium.v1 import plan_pb2

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def plans(draw: st.DrawFn) -> plan_pb2.Plan:
    plan = plan_pb2.Plan(plan_version=1, generator=draw(TEXT), seed=draw(st.integers(0, 2**64 - 1)))
    for name in draw(st.lists(TEXT, max_size=3)):
        plan.tensors.add(name=name, shape=[2, 3], resolved=draw(st.dictionaries(TEXT, TEXT, max_size=3)))
    plan.versions.update(draw(st.dictionaries(TEXT, TEXT, max_size=3)))
    plan.literals.update(draw(st.dictionaries(TEXT, st.binary(max_size=4), max_size=2)))
    plan.groups.groups.add().options.update(draw(st.dictionaries(TEXT, NUMBERS, max_size=3)))
    return plan


@given(plans())
def test_the_fast_way_is_rfc_8785(plan: plan_pb2.Plan) -> None:
    assert canonical_json(plan) == rfc8785.dumps(to_json(plan))


def test_digests_ignore_themselves_and_the_key_ignores_groups() -> None:
    plan = plan_pb2.Plan(plan_version=1, generator="stream-v1", seed=1)
    before = digests(plan)
    plan.plan_digest, plan.weights_key = before
    assert digests(plan) == before
    plan.groups.optimizer = "SGD"
    assert digests(plan)[0] != before[0]
    assert digests(plan)[1] == before[1]


@given(NUMBERS)
def test_floats_survive(value: float) -> None:
    assert math.copysign(1, parse_hex_float(hex_float(value))) == math.copysign(1, value)
    assert parse_hex_float(hex_float(value)) == value


@pytest.mark.parametrize("text", ["0x1p+5000", "1.5", "0x1.0p+0", "nan", "inf", "", "0X1P+0"])
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # the texts differ
        parse_hex_float(text)
