"""Frames are what protobuf itself would write, with the data in place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.v1 import service_pb2 as pb
from initium_server.rpc.framing import chunk_frame, read_frame, varint

FILES = st.integers(0, 2**32 - 1)
OFFSETS = st.integers(0, 2**64 - 1)
DATA = st.binary(max_size=300)
DIGEST = bytes(range(32))


@given(FILES, OFFSETS, DATA)
def test_a_chunk(file: int, offset: int, data: bytes) -> None:
    frame = chunk_frame(file, offset, len(data))
    frame.data[:] = np.frombuffer(data, np.uint8)
    message = frame.seal(DIGEST)
    chunk = pb.Chunk(file=file, offset=offset, digest=DIGEST, data=data)
    assert pb.GenerateResponse.FromString(message) == pb.GenerateResponse(chunk=chunk)
    if data:  # which protobuf would leave out
        assert message == pb.GenerateResponse(chunk=chunk).SerializeToString()


@given(FILES, OFFSETS, DATA)
def test_a_piece_of_a_file_says_nothing_of_the_file(file: int, offset: int, data: bytes) -> None:
    frame = read_frame(file, offset, len(data))
    frame.data[:] = np.frombuffer(data, np.uint8)
    message = frame.seal(DIGEST)
    piece = pb.ReadResponse(offset=offset, digest=DIGEST, data=data)
    assert pb.ReadResponse.FromString(message) == piece
    if data:
        assert message == piece.SerializeToString()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 1 << 20])
def test_the_message_is_one_object_that_the_data_was_drawn_into(size: int) -> None:
    frame = chunk_frame(1, 1 << 20, size)
    frame.data[:] = 7
    assert frame.seal(DIGEST) is frame.message
    assert pb.GenerateResponse.FromString(frame.message).chunk.data == b"\7" * size


@pytest.mark.parametrize(("value", "encoded"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\1"), (300, b"\xac\2")])
def test_varints(value: int, encoded: bytes) -> None:
    assert varint(value) == encoded
