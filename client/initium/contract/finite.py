"""Free-form numbers in messages: JSON has no way to write infinity and NaN, so no message may hold them there."""

from __future__ import annotations

import math
from collections.abc import Iterator

from google.protobuf import struct_pb2
from google.protobuf.message import Message

from initium.errors import InitiumError, Violation


def check_finite(message: Message, kind: type[InitiumError]) -> None:
    """Errors: one of this kind that names every Struct or ListValue number in `message` that is not finite."""
    found = [Violation(path, "not a finite number") for path in _not_finite(message, "")]
    if found:
        raise kind(violations=found)


def _not_finite(value: object, path: str) -> Iterator[str]:
    if isinstance(value, struct_pb2.Value):
        if value.HasField("number_value") and not math.isfinite(value.number_value):
            yield path
        elif value.WhichOneof("kind") in ("struct_value", "list_value"):
            yield from _not_finite(getattr(value, value.WhichOneof("kind") or ""), path)
    elif isinstance(value, struct_pb2.Struct):
        for key, item in value.fields.items():
            yield from _not_finite(item, f"{path}.{key}")
    elif isinstance(value, struct_pb2.ListValue):
        for i, item in enumerate(value.values):
            yield from _not_finite(item, f"{path}[{i}]")
    elif isinstance(value, Message):
        yield from _in_fields(value, path)


def _in_fields(message: Message, path: str) -> Iterator[str]:
    for field, value in message.ListFields():
        where = f"{path}.{field.name}".lstrip(".")
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from _not_finite(value[key], f"{where}.{key}")
        elif field.is_repeated:
            for i, item in enumerate(value):
                yield from _not_finite(item, f"{where}[{i}]")
        else:
            yield from _not_finite(value, where)
