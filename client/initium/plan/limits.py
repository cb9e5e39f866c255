"""How large a checkpoint may be; servers report theirs in GetCapabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from initium.errors import LimitExceeded, invalid

MESSAGE_BYTES = 64 << 20
"""Bytes of one message, both ways."""

LITERAL_BYTES = 48 << 20
"""Bytes of all literals of a plan, which must fit into a message with the rest of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. Exceeding one is TOO_LARGE."""

    message_bytes: int = MESSAGE_BYTES
    elements: int = 1 << 44
    tensors: int = 1_000_000
    literal_bytes: int = LITERAL_BYTES
    whole_elements: int = 1 << 26


def check_size(field: str, shapes: Iterable[tuple[str, Sequence[int]]], literal_bytes: int, limits: Limits) -> None:
    """Errors: LimitExceeded at `field`, naming the largest tensor, when a checkpoint is beyond `limits`."""
    total, count, largest = 0, 0, ("", 0)
    for name, shape in shapes:
        elements = math.prod(shape)
        total, count = total + elements, count + 1
        largest = max(largest, (name, elements), key=lambda item: item[1])
    alone = f" ({largest[0]} alone has {largest[1]:,})"
    for number, limit, what in (
        (total, limits.elements, f"elements{alone}"),
        (count, limits.tensors, "tensors"),
        (literal_bytes, limits.literal_bytes, "bytes of literal values"),
    ):
        if number > limit:
            raise invalid(field, f"the checkpoint has {number:,} {what}; the limit is {limit:,}", LimitExceeded)
