"""Plain Python values of a `google.protobuf.Struct`, whose numbers are all doubles."""

from __future__ import annotations

from typing import Any

from google.protobuf import struct_pb2


def plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A Struct as Python values; integral numbers become int."""
    return {name: _plain(value) for name, value in struct.fields.items()}


def _plain(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            return integral(value.number_value)
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_plain(item) for item in value.list_value.values]
        case "struct_value":
            return plain(value.struct_value)
    return None


def integral(number: float) -> int | float:
    """The int that a number is, if it is one; beyond 2^53 a double is not exact, and stays what it is."""
    return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
