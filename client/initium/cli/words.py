"""Fills, shapes and options in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from initium.v1.fill_pb2 import Fill, Part, StoredFill
from initium.v1.plan_pb2 import TensorKind

_FLOAT = re.compile(r"-?0x[01]\.?[0-9a-f]*p[+-][0-9]{1,4}")
"""As canonical plans spell floats."""


def shape(extents: Iterable[int]) -> str:
    """`64x3x7x7`; `scalar` without extents."""
    return "x".join(map(str, extents)) or "scalar"


def number(text: str) -> str:
    """A float of a plan as a short decimal, anything else as it is; exact values stay in the plan."""
    return f"{float.fromhex(text):.6g}" if _FLOAT.fullmatch(text) else text


def fill(message: Fill) -> str:
    """A fill with its numbers, e.g. `normal(mean=0, std=0.02)`."""
    kind = message.WhichOneof("kind")
    return "" if kind is None else f"{kind}({_arguments(getattr(message, kind))})"


def _stored(body: StoredFill) -> str:
    boxes = (f"{name}={_word(getattr(body, name), body.DESCRIPTOR.fields_by_name[name])}" for name in ("axes", "start"))
    taken = "".join(f", {text}" for text in boxes if not text.endswith("[]"))
    return f"{body.store}/{body.file}: {body.tensor}, {body.dtype}{taken}"


def _arguments(body: Any) -> str:
    if isinstance(body, StoredFill):
        return _stored(body)
    fields = body.DESCRIPTOR.fields
    words = [(field.name, _word(getattr(body, field.name), field)) for field in fields]
    return words[0][1] if len(words) == 1 else ", ".join(f"{name}={word}" for name, word in words)


def _word(value: Any, field: Any) -> str:
    if field.is_repeated:
        return f"[{', '.join(_single(item) for item in value)}]"
    return value[:12] if field.name == "digest" else _single(value)


def _single(value: Any) -> str:
    if isinstance(value, Fill):
        return fill(value)
    if isinstance(value, Part):
        box = ",".join(f"{start}:{stop}" for start, stop in zip(value.start, value.stop, strict=False))
        return f"({box}) {fill(value.fill)}"
    return number(value) if isinstance(value, str) else str(value)


def options(message: Any) -> str:
    """The options of a group, e.g. `lr=0.1 weight_decay=0`."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in sorted(json_format.MessageToDict(message).items()))


def kind(number: TensorKind) -> str:
    """What a tensor is: `parameter` or `buffer`."""
    return TensorKind.Name(number).removeprefix("TENSOR_KIND_").lower()
