"""What one server accepts; told to clients by GetCapabilities."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from initium_server.errors import invalid

LITERAL_BYTES = 48 << 20
"""Bytes of all literals of a plan, which must fit into a message with the rest of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. Exceeding one is TOO_LARGE."""

    message_bytes: int = 64 << 20
    elements: int = 1 << 44
    tensors: int = 1_000_000
    literal_bytes: int = LITERAL_BYTES
    whole_elements: int = 1 << 26
    build_seconds: int = 120
    build_bytes: int = 8 << 30
    torch_seconds: int = 3600
    torch_bytes: int = field(default_factory=lambda: physical_memory() * 3 // 4)


def physical_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_size(field: str, shapes: Iterable[tuple[str, Sequence[int]]], literal_bytes: int, limits: Limits) -> None:
    """Raises InitiumError(TOO_LARGE) at `field`, naming the largest tensor, when a checkpoint is beyond `limits`."""
    total, count, largest = 0, 0, ("", 0)
    for name, shape in shapes:
        elements = math.prod(shape)
        total, count = total + elements, count + 1
        largest = max(largest, (name, elements), key=lambda item: item[1])
    if total > limits.elements:
        text = (
            f"has {total:,} elements ({largest[0]} alone {largest[1]:,}); this server makes at most {limits.elements:,}"
        )
    elif count > limits.tensors:
        text = f"has {count:,} tensors; this server takes {limits.tensors:,}"
    elif literal_bytes > limits.literal_bytes:
        text = f"has literal values of {literal_bytes:,} bytes; this server takes {limits.literal_bytes:,}"
    else:
        return
    raise invalid(field, f"the checkpoint {text}", "TOO_LARGE")
