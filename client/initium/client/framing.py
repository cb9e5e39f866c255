"""Chunks out of raw messages, without a message object per chunk.

Building a protobuf message for every MiB costs two thirds of the throughput. The messages on the hot path are a few
length-delimited fields, so they are read by hand here, in any order of their fields; whatever is not exactly of that
form goes to the generated parser, which decides.
"""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import DecodeError

from initium.contract.leaves import Leaf
from initium.errors import ServerError
from initium.v1.service_pb2 import Chunk, GenerateResponse, ReadResponse

_M = TypeVar("_M", GenerateResponse, ReadResponse)


# Tag bytes of (file, offset, digest, data); 0 stands for a field that the message does not have.
_CHUNK_FIELDS = (0x08, 0x10, 0x1A, 0x7A)
_READ_FIELDS = (0x00, 0x08, 0x12, 0x7A)


def parse_generate(message: bytes) -> Leaf | GenerateResponse:
    """One message of Generate: a Leaf for chunks, the message itself for headers and trailers.

    Errors: ServerError if it is no such message.
    """
    if message[:1] == b"\x12":
        length, start = _varint(message, 1)
        if start and start + length == len(message):
            leaf = _fields(message, start, _CHUNK_FIELDS)
            if leaf is not None:
                return leaf
    response = _generated(message, GenerateResponse())
    return _leaf(response.chunk, response.chunk.file) if response.WhichOneof("message") == "chunk" else response


def parse_read(message: bytes) -> Leaf:
    """One message of Read. Its file is not on the wire: 0. Errors: ServerError if it is no such message."""
    leaf = _fields(message, 0, _READ_FIELDS)
    return leaf if leaf is not None else _leaf(_generated(message, ReadResponse()), 0)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Value and end of the varint at `at`; end 0 if there is none."""
    value = shift = 0
    for position in range(at, min(at + 10, len(data))):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    return 0, 0


def _fields(message: bytes, at: int, tags: tuple[int, int, int, int]) -> Leaf | None:
    """The four fields of a chunk from `at` to the end, or None if anything else is there."""
    file = offset = data_at = data_end = 0
    digest = b""
    while at < len(message):
        tag = message[at]
        value, at = _varint(message, at + 1)
        if not at or not tag or value >> 64:
            return None
        if tag == tags[1]:
            offset = value
        elif tag == tags[0]:
            file = value & 0xFFFFFFFF
        elif tag == tags[2] or tag == tags[3]:
            end = at + value
            if end > len(message):
                return None
            if tag == tags[2]:
                digest = message[at:end]
            else:
                data_at, data_end = at, end
            at = end
        else:
            return None
    return Leaf(file, offset, digest, memoryview(message)[data_at:data_end])


def _leaf(chunk: Chunk | ReadResponse, file: int) -> Leaf:
    return Leaf(file, chunk.offset, chunk.digest, memoryview(chunk.data))


def _generated(message: bytes, target: _M) -> _M:
    try:
        target.ParseFromString(message)
    except DecodeError:
        raise ServerError(
            f"a message of {len(message)} bytes that cannot be read; is this an Initium server?"
        ) from None
    return target
