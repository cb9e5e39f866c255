"""Fills to and from `initium.v1.Fill`. Field names are equal on both sides, so one table does."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from typing import Any

from initium.canonical import hex_float, parse_hex_float
from initium.v1 import plan_pb2
from initium_server.core import fills
from initium_server.errors import invalid

_KINDS: dict[str, type] = {
    "constant": fills.Constant,
    "uniform": fills.Uniform,
    "normal": fills.Normal,
    "trunc_normal": fills.TruncNormal,
    "literal": fills.Literal,
    "eye": fills.Eye,
    "dirac": fills.Dirac,
    "copy": fills.Copy,
    "parts": fills.Parts,
}
_RANDOM = ("uniform", "normal", "trunc_normal")
_SIMPLE = (*_RANDOM, "constant")
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode_fill(fill: fills.Fill) -> plan_pb2.Fill:
    """The message of `fill`."""
    message = plan_pb2.Fill()
    body = getattr(message, _NAMES[type(fill)])
    body.SetInParent()
    if isinstance(fill, fills.Parts):
        body.base.CopyFrom(encode_fill(fill.base))
        for part in fill.parts:
            body.parts.add(start=part.start, stop=part.stop, fill=encode_fill(part.fill))
        return message
    if isinstance(fill, fills.Copy):
        body.name = fill.name
        body.fill.CopyFrom(encode_fill(fill.fill))
        return message
    for field in dataclasses.fields(fill):
        value = getattr(fill, field.name)
        setattr(body, field.name, hex_float(value) if isinstance(value, float) else value)
    return message


def decode_fill(
    message: plan_pb2.Fill, path: str, allowed: Container[str] = tuple(_KINDS), inside: str = ""
) -> fills.Fill:
    """The fill of `message`; `allowed` are the kinds that may stand inside another one.

    Raises InitiumError(INVALID_PLAN) naming the field under `path`.
    """
    name = message.WhichOneof("kind")
    if name is None:
        raise invalid(path, "the fill is of no kind that this server knows", "INVALID_PLAN")
    body = getattr(message, name)
    if name not in allowed:
        raise invalid(f"{path}.{name}", f"not allowed inside a {inside} fill", "INVALID_PLAN")
    if name == "parts":
        return _decode_parts(body, f"{path}.parts")
    if name == "copy":
        return fills.Copy(body.name, decode_fill(body.fill, f"{path}.copy.fill", _RANDOM, "copy"))  # type: ignore[arg-type] # by _RANDOM
    try:
        fill: fills.Fill = _KINDS[name](
            **{f.name: _value(f, getattr(body, f.name)) for f in dataclasses.fields(_KINDS[name])}
        )
    except ValueError as error:
        raise invalid(f"{path}.{name}", str(error), "INVALID_PLAN") from None
    return fill


def _value(field: dataclasses.Field[Any], value: Any) -> Any:
    return parse_hex_float(value) if field.type == "float" else value


def _decode_parts(body: plan_pb2.PartsFill, path: str) -> fills.Parts:
    parts = tuple(
        fills.Part(tuple(p.start), tuple(p.stop), decode_fill(p.fill, f"{path}.parts[{i}].fill", _SIMPLE, "parts"))
        for i, p in enumerate(body.parts)
    )
    return fills.Parts(decode_fill(body.base, f"{path}.base", _SIMPLE, "parts"), parts)
