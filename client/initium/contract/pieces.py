"""Plans in pieces, for those that fit into no message; `PlanPiece` in service.proto specifies them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from initium.errors import InitiumError, LimitExceeded, invalid
from initium.v1.service_pb2 import PlanPiece

PIECE = 1 << 20
"""Most bytes of one piece."""


def split(data: bytes) -> Iterator[PlanPiece]:
    """The pieces of a serialized plan, in order."""
    for offset in range(0, len(data), PIECE):
        yield PlanPiece(size=len(data), offset=offset, data=data[offset : offset + PIECE])


def joined(pieces: Iterable[PlanPiece], most: int, kind: type[InitiumError]) -> bytearray:
    """The serialized plan that pieces make. Memory: never more than they announce, which is at most `most` bytes.

    Errors: LimitExceeded beyond `most`; `kind` for pieces that are not in order, or fewer or more than announced.
    """
    data, size = bytearray(), 0
    for piece in pieces:
        size = size or _checked_size(piece.size, most, kind)
        if piece.size != size:
            raise invalid("piece.size", f"is {piece.size}; it was {size} in the pieces before", kind)
        if piece.offset != len(data):
            raise invalid("piece.offset", f"is {piece.offset}; {len(data)} bytes came before this piece", kind)
        if not 1 <= len(piece.data) <= PIECE:
            raise invalid("piece.data", f"has {len(piece.data)} bytes; a piece has 1 to {PIECE}", kind)
        if len(data) + len(piece.data) > size:
            raise invalid("piece.data", f"goes beyond the {size} bytes that were announced", kind)
        data += piece.data
    if len(data) < size or not size:
        raise invalid("piece", f"the pieces ended after {len(data)} of {size} bytes", kind)
    return data


def _checked_size(size: int, most: int, kind: type[InitiumError]) -> int:
    if not size:
        raise invalid("piece.size", "required: the bytes of all pieces together", kind)
    if size > most:
        remedy = "ask a server with a larger limit, or split the checkpoint"
        raise LimitExceeded.of(f"the plan has {size:,} bytes", "plan_bytes", most, remedy, "piece.size")
    return size
