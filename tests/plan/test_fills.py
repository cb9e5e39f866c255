"""Fills survive their message, and nothing else is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import initium_law as law
from initium.errors import InitiumError
from initium.plan.fills import decode_fill, encode_fill
from initium.v1 import fill_pb2
from initium_law import grammar as fills

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
RANDOM = (
    st.builds(fills.Uniform, FLOATS, FLOATS)
    | st.builds(fills.Normal, FLOATS, FLOATS)
    | st.builds(fills.TruncNormal, FLOATS, FLOATS, FLOATS, FLOATS)
)
SIMPLE = RANDOM | st.builds(fills.Constant, FLOATS)
EXTENTS = st.lists(st.integers(0, 2**40), max_size=3).map(tuple)
FLAT = (
    SIMPLE
    | st.builds(fills.Literal, st.text("0123456789abcdef", max_size=64))
    | st.just(fills.Eye())
    | st.builds(fills.Dirac, st.integers(1, 9))
    | st.builds(fills.Arange, FLOATS, FLOATS, st.integers(0, 9))
    | st.builds(fills.Linspace, FLOATS, FLOATS, st.integers(0, 9))
    | st.builds(fills.Orthogonal, FLOATS)
    | st.builds(fills.Sparse, FLOATS, FLOATS)
    | st.just(fills.Permutation())
)
NAMES = st.text("ab.", min_size=1)
FILLS = st.recursive(
    FLAT,
    lambda inner: (
        st.builds(fills.Copy, NAMES, inner)
        | st.builds(fills.NormOf, NAMES, EXTENTS, inner, st.integers(0, 9))
        | st.builds(fills.Broadcast, st.lists(st.integers(0, 9), max_size=3).map(tuple), inner)
        | st.builds(fills.Pointwise, st.sampled_from(list(fills.POINTWISE)), st.lists(inner, max_size=3).map(tuple))
        | st.builds(fills.Parts, inner, st.lists(st.builds(fills.Part, EXTENTS, EXTENTS, inner), max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(FILLS)
def test_round_trip(fill: fills.Fill) -> None:
    message = fill_pb2.Fill.FromString(encode_fill(fill).SerializeToString())
    assert decode_fill(message, "fill") == fill


def test_every_kind_of_the_contract_is_known() -> None:
    assert set(fills.KINDS) == {field.name for field in fill_pb2.Fill.DESCRIPTOR.fields}


def test_a_bad_number_is_named_by_its_field() -> None:
    message = fill_pb2.Fill()
    inner = fill_pb2.Fill(uniform=fill_pb2.UniformFill(low="0x0p+0", high="0x1p+00"))
    message.parts.base.pointwise.operands.extend([encode_fill(fills.Eye()), inner])
    with pytest.raises(InitiumError, match=r"write '0x1p\+0'") as caught:
        decode_fill(message, "fill")
    assert caught.value.violations[0].field == "fill.parts.base.pointwise.operands[1].uniform.high"


@pytest.mark.parametrize("message", [fill_pb2.Fill(), fill_pb2.Fill(copy=fill_pb2.CopyFill(name="x"))])
def test_a_fill_of_no_kind_is_refused(message: fill_pb2.Fill) -> None:
    with pytest.raises(InitiumError, match="of no kind that is known here"):
        decode_fill(message, "fill")


def test_a_copy_has_the_bytes_of_the_tensor_it_names() -> None:
    def drawn(fill: fills.Fill, name: str) -> bytes:
        out = np.empty(400, np.uint8)
        law.prepare(fill, 7, name, (100,), "F32").draw(0, out)
        return out.tobytes()

    normal = fills.Normal(0.0, 1.0)
    assert drawn(fills.Copy("first", normal), "second") == drawn(normal, "first") != drawn(normal, "second")
