"""Compares the header of a safetensors file with a plan: the part of a difference that shows without drawing again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from initium.v1.plan_pb2 import Plan, PlannedTensor

_MAX_HEADER = 100_000_000  # safetensors' own limit


def first_difference(path: Path, plan: Plan, file: int) -> str:
    """`; ...` with the first tensor whose header entry is not as planned, or a hint how to learn more."""
    tensors = [tensor for tensor in plan.tensors if tensor.file == file]
    if not tensors:
        return ""
    try:
        start, header = _read_header(path)
    except (OSError, ValueError, RecursionError):
        return "; its header cannot be read"
    for tensor in tensors:
        if header.get(tensor.name) != _entry(tensor, start):
            return f"; its header has {header.get(tensor.name)} for {tensor.name}, the plan {_entry(tensor, start)}"
    return "; its header is right, so values differ: verify with redraw names the first"


def _read_header(path: Path) -> tuple[int, dict[str, Any]]:
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
        if size > _MAX_HEADER:
            raise ValueError(size)
        header = json.loads(stream.read(size))
    if not isinstance(header, dict):
        raise ValueError(header)
    return 8 + size, header


def _entry(tensor: PlannedTensor, start: int) -> dict[str, Any]:
    begin = tensor.offset - start
    return {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [begin, begin + tensor.size]}
