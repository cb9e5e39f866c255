"""Fills, shapes and options in words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format

from initium.v1.fill_pb2 import Fill, Part, PointwiseFill, StoredFill
from initium.v1.plan_pb2 import TensorKind

_FLOAT = re.compile(r"-?0x[01]\.?[0-9a-f]*p[+-][0-9]{1,4}")
"""As canonical plans spell floats."""


def shape(extents: Iterable[int]) -> str:
    """`64x3x7x7`; `scalar` without extents."""
    return "x".join(map(str, extents)) or "scalar"


def number(text: str, digits: int = 6) -> str:
    """A float of a plan as a short decimal, anything else as it is; exact values stay in the plan."""
    return f"{float.fromhex(text):.{digits}g}" if _FLOAT.fullmatch(text) else text


def fill(message: Fill, short: bool = False) -> str:
    """A fill with its numbers, e.g. `normal(mean=0, std=0.02)`; `short`: `normal(0, 0.02)`, `uniform(±0.0221)`."""
    kind = message.WhichOneof("kind")
    if kind == "pointwise":
        return _function(message.pointwise, short)
    return "" if kind is None else f"{kind}({_arguments(getattr(message, kind), short)})"


_SIGNS = {"add": "+", "multiply": "*", "divide": "/"}


def _function(body: PointwiseFill, short: bool) -> str:
    """As arithmetic is written, e.g. `exp(uniform(low=0, high=1) * 4.6 + -6.9)`; constants are their numbers."""
    operands = [_operand(operand, short) for operand in body.operands]
    sign = _SIGNS.get(body.op)
    if sign is None or len(operands) != 2:
        return f"{body.op}({', '.join(operands)})"
    nested = [operand.pointwise.op if operand.WhichOneof("kind") == "pointwise" else "" for operand in body.operands]
    loose = [op in _SIGNS and not (body.op == "add" and (op != "add" or k == 0)) for k, op in enumerate(nested)]
    return f" {sign} ".join(f"({x})" if inner else x for x, inner in zip(operands, loose, strict=True))


def _operand(operand: Fill, short: bool) -> str:
    constant = operand.WhichOneof("kind") == "constant"
    return _single(operand.constant.value, short) if constant else fill(operand, short)


def _stored(body: StoredFill) -> str:
    boxes = (
        f"{name}={_word(getattr(body, name), body.DESCRIPTOR.fields_by_name[name], False)}"
        for name in ("axes", "start")
    )
    taken = "".join(f", {text}" for text in boxes if not text.endswith("[]"))
    return f"{body.store}/{body.file}: {body.tensor}, {body.dtype}{taken}"


def _arguments(body: Any, short: bool) -> str:
    if isinstance(body, StoredFill):
        return _stored(body)
    fields = body.DESCRIPTOR.fields
    words = {field.name: _word(getattr(body, field.name), field, short) for field in fields}
    if short:
        words = _shortened(words)
    if len(fields) == 1:
        return "".join(words.values())
    return ", ".join(_named(name, word, short) for name, word in words.items())


def _shortened(words: dict[str, str]) -> dict[str, str]:
    """With bounds on both sides of 0 as one."""
    for low, high in (("low", "high"), ("a", "b")):
        if high in words and words.get(low) == f"-{words[high]}":
            words = {name: word for name, word in words.items() if name not in (low, high)} | {"±": words[high]}
    return words


def _named(name: str, word: str, short: bool) -> str:
    if name == "±":
        return f"±{word}"
    return word if short and name in ("mean", "std") else f"{name}={word}"


def _word(value: Any, field: Any, short: bool) -> str:
    if field.is_repeated:
        return f"[{', '.join(_single(item, short) for item in value)}]"
    return value[:12] if field.name == "digest" else _single(value, short)


def _single(value: Any, short: bool) -> str:
    if isinstance(value, Fill):
        return fill(value, short)
    if isinstance(value, Part):
        box = ",".join(f"{start}:{stop}" for start, stop in zip(value.start, value.stop, strict=False))
        return f"({box}) {fill(value.fill, short)}"
    return number(value, 4 if short else 6) if isinstance(value, str) else str(value)


def options(message: Any) -> str:
    """The options of a group, e.g. `lr=0.1 weight_decay=0`."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in sorted(json_format.MessageToDict(message).items()))


def kind(number: TensorKind) -> str:
    """What a tensor is: `parameter` or `buffer`."""
    return TensorKind.Name(number).removeprefix("TENSOR_KIND_").lower()
