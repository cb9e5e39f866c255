"""Fills to and from `initium.v1.Fill`. Field names are equal on both sides, so one table does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message

from initium.contract.canonical import hex_float, parse_hex_float
from initium.errors import PlanError, invalid
from initium.v1 import fill_pb2
from initium_law.grammar import KINDS, Broadcast, Fill, Part, Pointwise, Stored, inner_fills

SINCE: Mapping[type[Fill], int] = {Broadcast: 2, Stored: 2}
"""The plan_version that brought a kind of fill, where that is not the first."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def version_of(fill: Fill) -> int:
    """The lowest plan_version that can say the fill."""
    return newest(fill)[0]


def newest(fill: Fill) -> tuple[int, str]:
    """The lowest plan_version that can say the fill, and the kind that needs it."""
    own = _since(fill), _NAMES[type(fill)]
    return max([own, *map(newest, inner_fills(fill))], key=lambda found: found[0])


def _since(fill: Fill) -> int:
    if isinstance(fill, Pointwise) and fill.op == "sine":
        return 2
    return SINCE.get(type(fill), 1)


def encode_fill(fill: Fill) -> fill_pb2.Fill:
    """The message of `fill`."""
    message = fill_pb2.Fill()
    body = getattr(message, _NAMES[type(fill)])
    body.SetInParent()
    _encode_fields(fill, body)
    return message


def _encode_fields(fill: Any, body: Message) -> None:
    """Every field of a dataclass into the message's field of that name."""
    for field in dataclasses.fields(fill):
        value = getattr(fill, field.name)
        match value:
            case float():
                setattr(body, field.name, hex_float(value))
            case str() | int():
                setattr(body, field.name, value)
            case tuple():
                getattr(body, field.name).extend(_encoded(item) for item in value)
            case _:
                getattr(body, field.name).CopyFrom(encode_fill(value))


def _encoded(item: Any) -> Any:
    """An item of a repeated field."""
    if isinstance(item, Part):
        part = fill_pb2.Part()
        _encode_fields(item, part)
        return part
    return item if isinstance(item, int) else encode_fill(item)


def decode_fill(message: fill_pb2.Fill, path: str) -> Fill:
    """The fill of `message`. Errors: PlanError naming the field under `path`."""
    name = message.WhichOneof("kind")
    if name is None:
        raise invalid(path, "the fill is of no kind that is known here", PlanError)
    fill: Fill = _decode_fields(KINDS[name], getattr(message, name), f"{path}.{name}")
    return fill


def _decode_fields(kind: type, body: Message, path: str) -> Any:
    values = {f.name: _decoded(f, getattr(body, f.name), f"{path}.{f.name}") for f in dataclasses.fields(kind)}
    return kind(**values)


def _decoded(field: dataclasses.Field[Any], value: Any, path: str) -> Any:
    """The value of a dataclass field, whose declared type says what the message has."""
    match field.type:
        case "float":
            try:
                return parse_hex_float(value)
            except ValueError as error:
                raise invalid(path, str(error), PlanError) from None
        case "Fill":
            return decode_fill(value, path)
        case "tuple[Fill, ...]":
            return tuple(decode_fill(item, f"{path}[{i}]") for i, item in enumerate(value))
        case "tuple[Part, ...]":
            return tuple(_decode_fields(Part, item, f"{path}[{i}]") for i, item in enumerate(value))
        case "tuple[int, ...]":
            return tuple(value)
        case _:
            return value
