"""Fills survive their message, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.v1 import plan_pb2
from initium_server import law
from initium_server.core import fills
from initium_server.core.codec import _KINDS, decode_fill, encode_fill
from initium_server.errors import InitiumError

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RANDOM = (
    st.builds(fills.Uniform, FLOATS, FLOATS)
    | st.builds(fills.Normal, FLOATS, FLOATS)
    | st.builds(fills.TruncNormal, FLOATS, FLOATS, FLOATS, FLOATS)
)
SIMPLE = RANDOM | st.builds(fills.Constant, FLOATS)
EXTENTS = st.lists(st.integers(0, 2**40), max_size=3).map(tuple)
FILLS = (
    SIMPLE
    | st.builds(fills.Literal, st.text("0123456789abcdef", max_size=64))
    | st.just(fills.Eye())
    | st.builds(fills.Dirac, st.integers(1, 9))
    | st.builds(fills.Copy, st.text("ab.", min_size=1), RANDOM)
    | st.builds(fills.Parts, SIMPLE, st.lists(st.builds(fills.Part, EXTENTS, EXTENTS, SIMPLE), max_size=3).map(tuple))
)


@given(FILLS)
def test_round_trip(fill: fills.Fill) -> None:
    message = plan_pb2.Fill.FromString(encode_fill(fill).SerializeToString())
    assert decode_fill(message, "fill") == fill


def test_every_kind_of_the_contract_is_known() -> None:
    assert set(_KINDS) == {field.name for field in plan_pb2.Fill.DESCRIPTOR.fields}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [("parts", fills.Eye()), ("copy", fills.Constant(1.0)), ("copy", fills.Copy("x", fills.Normal(0.0, 1.0)))],
)
def test_what_may_not_stand_inside(outer: str, inner: fills.Fill) -> None:
    message = plan_pb2.Fill()
    body = getattr(message, outer)
    (body.base if outer == "parts" else body.fill).CopyFrom(encode_fill(inner))
    with pytest.raises(InitiumError, match=f"not allowed inside a {outer} fill"):
        decode_fill(message, "fill")


def test_a_copy_has_the_bytes_of_the_tensor_it_names() -> None:
    def drawn(fill: fills.Fill, name: str) -> bytes:
        out = np.empty(400, np.uint8)
        law.prepare(fill, 7, name, (100,), "F32").draw(0, out)
        return out.tobytes()

    normal = fills.Normal(0.0, 1.0)
    assert drawn(fills.Copy("first", normal), "second") == drawn(normal, "first") != drawn(normal, "second")
