"""Messages as no sane server writes them: the parser written by hand reads what the generated one reads, or asks it."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError

import initium
from initium.client.framing import parse_generate, parse_read
from initium.contract.leaves import Leaf
from initium.v1 import service_pb2 as pb
from tests.client.wire import framed, ours, outcome, varint

DIGEST = b"\x1a\x20" + bytes(range(32))
DATA = b"\x7a\x03abc"
LONG = b"\xff" * 9
"""The first nine bytes of a varint of ten."""

BODIES = {
    "nothing": b"",
    "only an offset": b"\x10\x07",
    "the defaults, written out": b"\x08\x00\x10\x00\x1a\x00\x7a\x00",
    "every field": b"\x08\x02\x10\x80\x80\x40" + DIGEST + DATA,
    "data first": DATA + DIGEST + b"\x10\x01",
    "fields twice: the last counts": b"\x08\x01\x08\x02" + DATA + b"\x7a\x01z",
    "a file of more than 32 bits": b"\x08" + varint((1 << 32) + 5),
    "a file of 32 bits": b"\x08" + varint((1 << 32) - 1),
    "an offset of 64 bits": b"\x10" + LONG + b"\x01",
    "an offset of more than 64 bits": b"\x10" + LONG + b"\x02",
    "a number of eleven bytes": b"\x10" + LONG + b"\xff\x01",
    "a number that is longer than it must be": b"\x10\x85\x80\x00",
    "a number of eleven bytes, all of nothing": b"\x10" + b"\x80" * 10 + b"\x00",
    "a number whose second byte could be a tag": b"\x10\x80\x08" + b"\x7a\x08\x01\x10\x01\x10\x01\x10\xff\x01",
    "a number that breaks off": b"\x10\x85",
    "a tag without a value": DATA + b"\x10",
    "data that break off": b"\x7a\x05abc",
    "a digest that breaks off": DIGEST[:-1],
    "data that are longer than can be": b"\x7a" + varint((1 << 64) - 1) + b"abc",
    "tag 0": b"\x00\x01" + DATA,
    "a new field": DATA + b"\x28\x05" + b"\x32\x01x",
    "a new field of two bytes": b"\x82\x01\x02xy" + DATA,
    "a new fixed field": b"\x2d\x01\x02\x03\x04" + DATA,
    "an offset that is text": b"\x12\x01x" + DATA,
    "data that are a number": b"\x20\x05" + DATA,
    "a group": b"\x2b\x2c" + DATA,
    "the end of a group": b"\x2c" + DATA,
}


@pytest.mark.parametrize("name", BODIES)
def test_chunks(name: str) -> None:
    assert ours(framed(BODIES[name])) == outcome(framed(BODIES[name]))


@pytest.mark.parametrize("name", BODIES)
def test_pieces(name: str) -> None:
    body = BODIES[name]
    try:
        expected = pb.ReadResponse.FromString(body)
    except DecodeError:
        with pytest.raises(initium.ServerError, match=f"a message of {len(body)} bytes that cannot be read"):
            parse_read(body)
        return
    leaf = parse_read(body)
    assert leaf == Leaf(0, expected.offset, expected.digest, memoryview(expected.data))


CHUNK = framed(b"\x10\x07" + DATA)
HEADER = b"\x0a\x02\x18\x00"
TRAILER = b"\x1a\x00"
MESSAGES = {
    "nothing": b"",
    "a length of two bytes": framed(b"\x7a\x80\x01" + bytes(128)),
    "a length that is longer than it must be": b"\x12\x87\x00" + CHUNK[2:],
    "a length that is too short": b"\x12\x01" + CHUNK[2:],
    "a length that is too long": b"\x12\x20" + CHUNK[2:],
    "a length that breaks off": b"\x12\x87",
    "no length": b"\x12",
    "a chunk behind a header": HEADER + CHUNK,
    "a header behind a chunk": CHUNK + HEADER,
    "a trailer behind a chunk": CHUNK + TRAILER,
    "a chunk behind a trailer": TRAILER + CHUNK,
    "two chunks": CHUNK + framed(b"\x08\x03"),
    "a new member": b"\x22\x00",
    "a chunk and a new field": CHUNK + b"\x20\x01",
    "a chunk as a number": b"\x10\x05",
}


@pytest.mark.parametrize("name", MESSAGES)
def test_whole_messages(name: str) -> None:
    assert ours(MESSAGES[name]) == outcome(MESSAGES[name])


def test_what_cannot_be_read_is_reported_with_its_size() -> None:
    with pytest.raises(initium.ServerError) as caught:
        parse_generate(b"\xff" * 12)
    assert caught.value.message == "a message of 12 bytes that cannot be read; is this an Initium server?"


def test_the_bytes_of_a_leaf_are_not_copied() -> None:
    chunk = pb.GenerateResponse(chunk=pb.Chunk(file=2, offset=7, digest=b"d" * 32, data=b"abc")).SerializeToString()
    piece = pb.ReadResponse(offset=7, digest=b"d" * 32, data=b"abc").SerializeToString()
    for message, parse, file in ((chunk, parse_generate, 2), (piece, parse_read, 0)):
        leaf = parse(message)
        assert isinstance(leaf, Leaf)
        assert leaf == Leaf(file, 7, b"d" * 32, memoryview(b"abc"))
        assert leaf.data.obj is message
