"""Messages written byte by byte, and what both parsers read in them: the one written by hand and the generated one."""

from __future__ import annotations

from google.protobuf.message import DecodeError

import initium
from initium.client.framing import parse_generate
from initium.contract.leaves import Leaf
from initium.v1 import service_pb2 as pb


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def framed(body: bytes) -> bytes:
    """A response of Generate that holds a chunk."""
    return b"\x12" + varint(len(body)) + body


def reversed_fields(chunk: pb.Chunk) -> bytes:
    """A response with the fields of its chunk in an order that no serializer writes."""
    body = b"\x7a" + varint(len(chunk.data)) + chunk.data + b"\x1a\x20" + chunk.digest
    return framed(body + b"\x10" + varint(chunk.offset) + b"\x08" + varint(chunk.file))


def outcome(message: bytes) -> object:
    """What the generated parser reads."""
    try:
        response = pb.GenerateResponse.FromString(message)
    except DecodeError:
        return "malformed"
    if response.WhichOneof("message") != "chunk":
        return response.WhichOneof("message")
    chunk = response.chunk
    return chunk.file, chunk.offset, chunk.digest, chunk.data


def ours(message: bytes) -> object:
    """What the parser written by hand reads."""
    try:
        parsed = parse_generate(message)
    except initium.ServerError:
        return "malformed"
    if isinstance(parsed, Leaf):
        return parsed.file, parsed.offset, parsed.digest, bytes(parsed.data)
    return parsed.WhichOneof("message")
