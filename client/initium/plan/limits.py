"""How large a checkpoint may be; servers report theirs in GetCapabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from initium.errors import LimitExceeded

MESSAGE_BYTES = 64 << 20
"""Bytes of one message, both ways."""

PLAN_BYTES = 256 << 20
"""Bytes of a plan, which travels in pieces where it fits into no message."""

LITERAL_BYTES = 48 << 20
"""Bytes of all literals of a plan."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. Exceeding one is TOO_LARGE."""

    message_bytes: int = MESSAGE_BYTES
    plan_bytes: int = PLAN_BYTES
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
        if elements > largest[1]:
            largest = name, elements
    alone = f" ({largest[0]} alone has {largest[1]:,})"
    for number, limit, what in (
        (total, "elements", f"elements{alone}"),
        (count, "tensors", "tensors"),
        (literal_bytes, "literal_bytes", "bytes of literal values"),
    ):
        if number > (most := getattr(limits, limit)):
            remedy = "make the model smaller, or ask a server with a larger limit"
            raise LimitExceeded.of(f"the checkpoint has {number:,} {what}", limit, most, remedy, field)
