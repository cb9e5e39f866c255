"""A plan as its serialized bytes, with every tensor within reach: as a message it takes five times the memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from initium.v1.plan_pb2 import Plan, PlannedTensor

_TENSORS = Plan.DESCRIPTOR.fields_by_name["tensors"].number << 3 | 2
_LENGTH, _FIXED = 2, {1: 8, 5: 4}
"""Wire types of protobuf: with a length, and of fixed size. The others are varints."""


class PackedPlan:
    """The bytes of a plan, and where its tensors are in them. Immutable."""

    def __init__(self, plan: Plan) -> None:
        self.data = plan.SerializeToString()
        self._places = np.fromiter(_places(self.data), np.dtype((np.int64, 2)), len(plan.tensors))

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return len(self.data) + self._places.nbytes

    def plan(self) -> Plan:
        """The message, made anew."""
        return Plan.FromString(self.data)

    def tensor(self, index: int) -> PlannedTensor:
        """Tensor number `index`, made anew."""
        begin, end = self._places[index]
        return PlannedTensor.FromString(self.data[begin:end])


def _places(data: bytes) -> Iterator[tuple[int, int]]:
    """First byte and end of every tensor in a serialized plan."""
    at, end = 0, len(data)
    while at < end:
        if data[at] == _TENSORS and data[at + 1] < 0x80:  # as nearly always
            begin = at + 2
            at = begin + data[at + 1]
            yield begin, at
            continue
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind in _FIXED:
            at += _FIXED[kind]
            continue
        value, at = _varint(data, at)
        if tag == _TENSORS:
            yield at, at + value
        if kind == _LENGTH:
            at += value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The base-128 number at `at`, and its end."""
    value = shift = 0
    while data[at] > 0x7F:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1
