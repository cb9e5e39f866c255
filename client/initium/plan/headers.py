"""Headers of safetensors files that others wrote: read strictly, so that no number in them is trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from initium_law.dtypes import ITEM_SIZE

MAX_HEADER = 32 << 20
"""Bytes: some 300,000 tensors. As JSON takes ten times its text in memory, less than safetensors allows."""
MAX_AXES = 64
_LENGTH = 8
_KEYS = {"dtype", "shape", "data_offsets"}

Read = Callable[[int, int], bytes]
"""So many bytes of a file from this one on."""


class HeaderTensor(NamedTuple):
    """A tensor of a file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    """Its first byte, counted from the start of the file."""
    size: int


def read_header(read: Read, size: int) -> dict[str, HeaderTensor]:
    """The tensors of a file of `size` bytes, in the order of their bytes.

    ValueError unless they have known dtypes and follow one another without gaps from the header to the file's end.
    """
    length = int.from_bytes(read(0, _LENGTH), "little") if size >= _LENGTH else -1
    start = _LENGTH + length
    if not 0 <= length <= min(MAX_HEADER, size - _LENGTH):
        raise ValueError("its header is longer than the file, or than headers may be")
    header = read_object(read(_LENGTH, length))
    header.pop("__metadata__", None)
    found = {name: _tensor(name, entry, start) for name, entry in header.items()}
    end = start
    for name, tensor in sorted(found.items(), key=lambda item: (item[1].begin, item[1].size)):
        if tensor.begin != end:
            raise ValueError(f"tensor {name[:200]!r} does not begin where the one before it ends")
        end += tensor.size
    if end != size:
        raise ValueError(f"its tensors end at byte {end}, and the file has {size}")
    return found


def read_object(text: bytes) -> dict[str, Any]:
    """A JSON object. ValueError where it is none, or has a name twice."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("its JSON is nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("its JSON is no object")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in its JSON")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _tensor(name: str, entry: Any, start: int) -> HeaderTensor:
    """An entry of a header whose data begins at byte `start`."""
    if not isinstance(entry, dict) or entry.keys() != _KEYS:
        raise ValueError(f"tensor {name[:200]!r} has not just dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_SIZE:
        raise ValueError(f"tensor {name[:200]!r} has dtype {str(dtype)[:40]!r}, which is not known here")
    if not _counts(shape) or not _counts(offsets) or len(shape) > MAX_AXES or len(offsets) != 2:
        raise ValueError(f"tensor {name[:200]!r} has a shape or data_offsets that are no such lists of whole numbers")
    begin, end = offsets
    if end - begin != math.prod(shape) * ITEM_SIZE[dtype]:
        raise ValueError(f"tensor {name[:200]!r} has other data_offsets than its shape and dtype take")
    return HeaderTensor(dtype, tuple(shape), start + begin, end - begin)


def _counts(values: Any) -> bool:
    """Whether these are lists of whole numbers from 0 to 2^62."""
    return isinstance(values, list) and all(type(value) is int and 0 <= value <= 1 << 62 for value in values)
