"""The parser written by hand agrees with the generated one on every message."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

import initium
from initium.client.framing import parse_generate, parse_read
from initium.v1 import service_pb2 as pb
from tests.client.wire import framed, ours, outcome, varint

varints = st.integers(0, 2**64 - 1)
fields = st.lists(
    st.one_of(
        st.tuples(st.just(b"\x08"), varints.map(varint)),
        st.tuples(st.just(b"\x10"), varints.map(varint)),
        st.tuples(st.just(b"\x1a"), st.binary(max_size=200).map(lambda data: varint(len(data)) + data)),
        st.tuples(st.just(b"\x7a"), st.binary(max_size=200).map(lambda data: varint(len(data)) + data)),
        st.tuples(st.just(b"\x2a"), st.binary(max_size=3).map(lambda data: varint(len(data)) + data)),
        st.tuples(st.just(b"\x80\x01"), varints.map(varint)),
    ).map(b"".join),
    max_size=6,
).map(b"".join)


@given(fields)
def test_any_order_and_repetition(body: bytes) -> None:
    assert ours(framed(body)) == outcome(framed(body))


@given(fields, fields)
def test_two_chunks_in_one_message_merge(first: bytes, second: bytes) -> None:
    message = framed(first) + framed(second)
    assert ours(message) == outcome(message)


@given(st.binary(max_size=60), fields, st.integers(0, 80))
def test_damaged_messages(noise: bytes, body: bytes, cut: int) -> None:
    for message in (noise, b"\x12" + noise, framed(body)[:cut], framed(body) + noise):
        assert ours(message) == outcome(message)


@given(fields)
def test_read_responses(body: bytes) -> None:
    try:
        expected = pb.ReadResponse.FromString(body)
    except DecodeError:
        with pytest.raises(initium.ServerError):
            parse_read(body)
        return
    leaf = parse_read(body)
    assert (leaf.offset, leaf.digest, bytes(leaf.data)) == (expected.offset, expected.digest, expected.data)


def test_header_and_trailer_come_as_messages() -> None:
    for response in (
        pb.GenerateResponse(header=pb.GenerateHeader()),
        pb.GenerateResponse(trailer=pb.GenerateTrailer()),
    ):
        assert parse_generate(response.SerializeToString()) == response
