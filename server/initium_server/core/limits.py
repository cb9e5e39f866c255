"""What one server accepts; told to clients by GetCapabilities."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from initium_server.errors import InitiumError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request. Exceeding one is TOO_LARGE."""

    message_bytes: int = 64 << 20
    elements: int = 1 << 44
    tensors: int = 1_000_000
    literal_bytes: int = 48 << 20
    build_seconds: int = 120
    build_bytes: int = 8 << 30
    torch_seconds: int = 3600
    torch_bytes: int = 1 << 40


def check_size(shapes: Iterable[tuple[str, Sequence[int]]], literal_bytes: int, limits: Limits) -> None:
    """Raises InitiumError(TOO_LARGE), naming the largest tensor, when a checkpoint is beyond `limits`."""
    total, count, largest = 0, 0, ("", 0)
    for name, shape in shapes:
        elements = math.prod(shape)
        total, count = total + elements, count + 1
        largest = max(largest, (name, elements), key=lambda item: item[1])
    if total > limits.elements:
        raise InitiumError(
            "TOO_LARGE",
            f"the checkpoint has {total:,} elements ({largest[0]} alone {largest[1]:,}); "
            f"this server makes at most {limits.elements:,}",
        )
    if count > limits.tensors:
        raise InitiumError("TOO_LARGE", f"the checkpoint has {count:,} tensors; this server takes {limits.tensors:,}")
    if literal_bytes > limits.literal_bytes:
        raise InitiumError(
            "TOO_LARGE",
            f"the plan's literal values take {literal_bytes:,} bytes; this server takes {limits.literal_bytes:,}",
        )
