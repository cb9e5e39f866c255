"""Hand-framed messages: one leaf in one bytes object, drawn in place.

A protobuf message object per chunk costs two thirds of the throughput, and each copy of a leaf costs more than its
digest; so the leaf is drawn straight into the bytes that gRPC sends, behind the message's own framing.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from initium.v1 import service_pb2
from initium_law.dtypes import Bytes

_DIGEST_SIZE = 32


def _number(message: str, field: str) -> int:
    return int(service_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name[field].number)


def varint(value: int) -> bytes:
    """Protobuf's base-128 encoding of a non-negative integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value) if value else b""


def _length(number: int, size: int) -> bytes:
    return varint(number << 3 | 2) + varint(size)


class Frame(NamedTuple):
    """A message in the making: `data` is written by the caller, then `seal` gives the finished bytes."""

    message: bytes
    digest: Bytes
    data: Bytes

    def seal(self, digest: bytes) -> bytes:
        """The message with `digest` (32 bytes). Call once; nothing may be written afterwards."""
        self.digest[:] = np.frombuffer(digest, np.uint8)
        return self.message


def message_field(number: int, data: bytes) -> bytes:
    """A field that holds the serialized message `data`; appended to a message it is one more field of it."""
    return _length(number, len(data)) + data


_CHUNK = _number("GenerateResponse", "chunk")
_CHUNK_FIELDS = [_number("Chunk", name) for name in ("file", "offset", "digest", "data")]
_READ_FIELDS = [_number("ReadResponse", name) for name in ("offset", "digest", "data")]

Framer = Callable[[int, int, int], Frame]
"""(file, offset, size of data) to a frame."""


def chunk_frame(file: int, offset: int, size: int) -> Frame:
    """A GenerateResponse with a Chunk."""
    number_file, number_offset, number_digest, number_data = _CHUNK_FIELDS
    head = _integer(number_file, file) + _integer(number_offset, offset) + _length(number_digest, _DIGEST_SIZE)
    tail = _length(number_data, size)
    outer = _length(_CHUNK, len(head) + _DIGEST_SIZE + len(tail) + size)
    return _frame(outer + head, tail, size)


def read_frame(file: int, offset: int, size: int) -> Frame:
    """A ReadResponse; `file` is not part of it."""
    number_offset, number_digest, number_data = _READ_FIELDS
    return _frame(
        _integer(number_offset, offset) + _length(number_digest, _DIGEST_SIZE), _length(number_data, size), size
    )


def _frame(before_digest: bytes, before_data: bytes, size: int) -> Frame:
    begin = len(before_digest) + _DIGEST_SIZE
    message, view = _new_bytes(begin + len(before_data) + size)
    view[: len(before_digest)] = np.frombuffer(before_digest, np.uint8)
    view[begin : begin + len(before_data)] = np.frombuffer(before_data, np.uint8)
    return Frame(message, view[len(before_digest) : begin], view[begin + len(before_data) :])


_allocate = ctypes.pythonapi.PyBytes_FromStringAndSize
_allocate.restype = ctypes.py_object
_allocate.argtypes = (ctypes.c_char_p, ctypes.c_ssize_t)


def _new_bytes(size: int) -> tuple[bytes, Bytes]:
    """A bytes object with unset content, and a writable view of it.

    CPython documents this way of making bytes: PyBytes_FromStringAndSize(NULL, size), filled before anyone else sees
    it.
    """
    message: bytes = _allocate(None, size)
    address = id(message) + bytes.__basicsize__ - 1
    view = np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(address)), np.uint8)
    return message, view
