"""The strict reading of plain data as a recipe: a walk over data and schema side by side.

`google.protobuf.json_format` is lenient (lowerCamelCase names, null for absent) and stops at its first error without
a path. The walk collects every violation with its path, and hands `json_format` only data that it will take.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from initium.contract.wording import nearest
from initium.errors import Violation
from initium.v1.init_pb2 import InitRule, Selector

MAX_VIOLATIONS = 20
"""As many are collected; then the walk stops."""

MAX_DEPTH = 100
"""Mappings and sequences may nest this deep; protobuf reads no deeper either."""

# Any: the stubs have two descriptor classes for one.
_SELECTOR: Any = Selector.DESCRIPTOR
_RULE: Any = InitRule.DESCRIPTOR
_INTEGER_TEXT = re.compile(r"-?[1-9][0-9]{15,19}")
_NUMBER_TEXT = re.compile(r"[-+]?[0-9]{1,20}(\.[0-9]{0,20})?([eE][-+]?[0-9]{1,4})?")
_NOT_FINITE = ("", "nan", "inf", "infinity", ".nan", ".inf")
"""What stands for no number where others write numbers."""
EXACT = 1 << 53
"""Integers beyond are not exact in a double, and in text they are written in quotes."""

_EXTENTS = ("extents", "shape")
"""Lists of numbers that may be empty: a scalar has no extents."""

_RANGES = {
    FieldDescriptor.TYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.TYPE_SINT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_SINT64: (-(1 << 63), (1 << 63) - 1),
}


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "nothing"),
    (bool, "a boolean"),
    (Real, "a number"),
    (str, "text"),
    (Mapping, "a mapping"),
    ((list, tuple), "a list"),
)


class TooMany(Exception):
    """Stops the walk once MAX_VIOLATIONS are found."""


class Walk:
    """Copies data into the form that `json_format.ParseDict` takes, collecting `violations` on the way."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def report(self, path: str, message: str) -> None:
        """Notes a violation."""
        self.violations.append(Violation(path, message))
        if len(self.violations) >= MAX_VIOLATIONS:
            raise TooMany

    def message(self, schema: Descriptor, data: Any, path: str, depth: int = 0) -> Any:
        """`data` as a message of `schema`; it may be one already."""
        if isinstance(data, Message) and data.DESCRIPTOR is schema:
            return MessageToDict(data, preserving_proto_field_name=True)
        if not isinstance(data, Mapping):
            return self.report(path, f"must be a mapping, not {kind_of(data)}{_wrapped(schema, data)}")
        if depth > MAX_DEPTH:
            return self.report(path, f"nested more than {MAX_DEPTH} deep")
        if schema is _SELECTOR and not data:
            self.report(path, "is empty; give at least one key, or `every: true` for every tensor")
        self._check_oneofs(schema, data, path)
        data = self._with_computed(data, path) if schema is _RULE else data
        result = {}
        for key, value in data.items():
            field = self._field(schema, key, path)
            if field is not None:
                result[key] = self._field_value(field, value, join(path, key), depth + 1)
        return result

    def _with_computed(self, data: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        """The data of an init rule whose expressions stand in `computed`, where the contract has them."""
        computed = data.get("computed", {})
        moved, found = dict(data), dict[str, str]()
        for name, args in data.items():
            field = _field_of(_RULE, name)
            if field is None or field.containing_oneof is None or not isinstance(args, Mapping):
                continue
            own = {key: value for key, value in args.items() if _is_expression(_message_type(field), key, value)}
            for key in own.keys() & computed.keys() if isinstance(computed, Mapping) else ():
                self.report(join(join(path, name), key), "is given in `computed`, too; keep one")
            moved[name] = {key: value for key, value in args.items() if key not in own}
            found |= own
        if not found or not isinstance(computed, Mapping):
            return data
        return {**moved, "computed": {**found, **computed}}

    def _field(self, schema: Descriptor, key: Any, path: str) -> FieldDescriptor | None:
        field = _field_of(schema, key)
        if field is None:
            self.report(join(path, str(key)), _unknown(schema, str(key)))
        return field

    def _check_oneofs(self, schema: Descriptor, data: Mapping[str, Any], path: str) -> None:
        for oneof in schema.oneofs:
            given = [field.name for field in oneof.fields if field.name in data]
            if len(given) > 1:
                self.report(path, f"{' and '.join(given)} exclude each other; keep one")

    def _field_value(self, field: FieldDescriptor, value: Any, path: str, depth: int) -> Any:
        if value is None:
            what = f"write `{field.name}: {{}}`" if _is_plain_message(field) else "give one or remove the key"
            return self.report(path, f"has no value; {what}")
        if _is_map(field):
            return self._map(field, value, path, depth)
        if field.is_repeated:
            return self._list(field, value, path, depth)
        return self._single(field, value, path, depth)

    def _map(self, field: FieldDescriptor, value: Any, path: str, depth: int) -> Any:
        if not isinstance(value, Mapping):
            return self.report(path, f"must be a mapping, not {kind_of(value)}")
        target = _message_type(field).fields_by_name["value"]
        return {
            self._text(key, path): self._field_value(target, item, join(path, str(key)), depth + 1)
            for key, item in value.items()
        }

    def _list(self, field: FieldDescriptor, value: Any, path: str, depth: int) -> Any:
        if not isinstance(value, (list, tuple)):
            return self.report(path, f"must be a list, not {kind_of(value)}; write [{_shown(value)}]")
        if not value and (field.message_type is not None or field.name not in _EXTENTS):
            return self.report(path, "is an empty list; remove the key")
        return [self._single(field, item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]

    def _single(self, field: FieldDescriptor, value: Any, path: str, depth: int) -> Any:
        if field.message_type is not None:
            return self._child(field, value, path, depth)
        if field.type in _RANGES:
            return self._integer(*_RANGES[field.type], value, path)
        return _SCALARS[field.type](self, value, path)

    def _child(self, field: FieldDescriptor, value: Any, path: str, depth: int) -> Any:
        name = _message_type(field).full_name
        if name == "google.protobuf.Struct" and not isinstance(value, Mapping):
            return self.report(path, f"must be a mapping, not {kind_of(value)}")
        if _is_well_known(field):
            return self._json(value, path, depth)
        return self.message(_message_type(field), value, path, depth)

    def _json(self, value: Any, path: str, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return self.report(path, f"nested more than {MAX_DEPTH} deep")
        if isinstance(value, Mapping):
            return {
                self._text(key, path): self._json(item, join(path, str(key)), depth + 1) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self._json(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value, path)
        return self._number(value, path)

    def _number(self, value: Any, path: str) -> Any:
        if isinstance(value, Integral):
            if abs(int(value)) > EXACT:
                return self.report(path, f"{value} is beyond 2^53, so it would not arrive exactly")
            return int(value)
        return self._double(value, path)

    def _text(self, value: Any, path: str) -> Any:
        if not isinstance(value, str):
            return self.report(path, f"must be text, not {kind_of(value)} {_shown(value)}; put it in quotes")
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            return self.report(path, "holds half of a surrogate pair; text is valid Unicode")
        return value

    def _bytes(self, value: Any, path: str) -> Any:
        text = self._text(value, path)
        try:
            base64.b64decode(text or "", validate=True)
        except (binascii.Error, ValueError) as error:
            return self.report(path, f"must be bytes in base64: {error}")
        return text

    def _bool(self, value: Any, path: str) -> Any:
        return value if isinstance(value, bool) else self.report(path, f"must be true or false, not {_shown(value)}")

    def _double(self, value: Any, path: str) -> Any:
        number = _as_double(value)
        if number is None:
            text = f" {_shown(value)}{_unquoted(value)}" if isinstance(value, str) else ""
            return self.report(path, f"must be a number, not {kind_of(value)}{text}")
        if not math.isfinite(number):
            return self.report(path, f"must be finite, not {_shown(value)}")
        return number

    def _integer(self, low: int, high: int, value: Any, path: str) -> Any:
        number = _as_integer(value)
        if number is None or not low <= number <= high:
            limits = f"{low}..2^{high.bit_length()}-1"
            hint = _unquoted(value, low, high)
            return self.report(path, f"must be an integer in {limits}, not {_shown(value)}{hint}")
        return number


_SCALARS: Mapping[int, Callable[[Walk, Any, str], Any]] = {
    FieldDescriptor.TYPE_STRING: Walk._text,
    FieldDescriptor.TYPE_BYTES: Walk._bytes,
    FieldDescriptor.TYPE_BOOL: Walk._bool,
    FieldDescriptor.TYPE_DOUBLE: Walk._double,
}


def _field_of(schema: Descriptor, key: Any) -> FieldDescriptor | None:
    """The field of that name."""
    return schema.fields_by_name.get(key) if isinstance(key, str) else None


def _is_expression(schema: Descriptor, key: Any, value: Any) -> bool:
    """Whether text stands in the place of a number, and is none itself."""
    field = _field_of(schema, key)
    if field is None or field.type != FieldDescriptor.TYPE_DOUBLE or field.is_repeated or not isinstance(value, str):
        return False
    return not (_NUMBER_TEXT.fullmatch(value.strip()) or value.strip().lstrip("+-").lower() in _NOT_FINITE)


def unknown_keys(schema: Descriptor, data: Mapping[str, Any], path: str = "") -> Iterator[Violation]:
    """The keys of `data` that messages of `schema` do not have, each with its path."""
    for key, value in data.items():
        field = schema.fields_by_name.get(key)
        if field is None:
            yield Violation(join(path, str(key)), _unknown(schema, str(key)))
        elif field.message_type is not None and not _is_map(field) and not _is_well_known(field):
            for place, item in _children(join(path, key), value):
                yield from unknown_keys(_message_type(field), item, place)


def _children(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The mappings that `value` is or holds, with their paths."""
    items = [(f"{path}[{i}]", item) for i, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
    return ((place, item) for place, item in items if isinstance(item, Mapping))


def join(path: str, key: str) -> str:
    """The path of `key` in the mapping at `path`."""
    return f"{path}.{key}" if path else key


def kind_of(value: Any) -> str:
    """What `value` is, in the words of recipe files."""
    return next((words for kind, words in _KINDS if isinstance(value, kind)), f"a Python {type(value).__name__}")


def _wrapped(schema: Descriptor, value: Any) -> str:
    """What to write where something else stands in a message's place, such as the value of its only field."""
    names = [field.name for field in schema.fields if field.is_repeated == isinstance(value, (list, tuple))]
    if len(names) == len(schema.fields) == 1:
        return f"; write {{{names[0]}: {_shown(value)}}}"
    return f"; its keys are {', '.join(schema.fields_by_name)}" if schema.fields else "; write {}"


def _unknown(schema: Descriptor, key: str) -> str:
    return f"unknown key; {_advice(schema, key)}"


def _advice(schema: Descriptor, key: str) -> str:
    for field in schema.fields:
        if field.json_name == key or field.camelcase_name == key:
            return f"write {field.name}"
    names = list(schema.fields_by_name)
    if close := nearest(key, names):
        return f"did you mean {close[0]}?"
    return f"the keys are {', '.join(names)}" if names else "it takes no keys"


def _message_type(field: FieldDescriptor) -> Descriptor:
    assert field.message_type is not None
    return field.message_type


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _is_well_known(field: FieldDescriptor) -> bool:
    return _message_type(field).full_name.startswith("google.protobuf.")


def _is_plain_message(field: FieldDescriptor) -> bool:
    return field.message_type is not None and not field.is_repeated


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _as_double(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _as_integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return int(number) if math.isfinite(number) and number.is_integer() and abs(number) <= EXACT else None
    if isinstance(value, str) and _INTEGER_TEXT.fullmatch(value) and abs(int(value)) > EXACT:
        return int(value)
    return None


def _unquoted(value: Any, low: float = -math.inf, high: float = math.inf) -> str:
    """What to write instead of text that is a number but for its quotes."""
    quoted = isinstance(value, str) and _NUMBER_TEXT.fullmatch(value) and low <= Decimal(value) <= high
    return f"; write {value} without quotes" if quoted else ""
