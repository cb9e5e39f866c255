"""What a message may not hold, wherever in it: numbers that JSON cannot write, and fields that are not known here."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Value
from google.protobuf.unknown_fields import UnknownFieldSet

from initium.contract.strict import MAX_VIOLATIONS, join
from initium.errors import InitiumError, Unsupported, Violation

_LISTED_BYTES = 64 << 10


def check_finite(message: Message, kind: type[InitiumError], path: str = "") -> None:
    """Errors: one of this kind that names every Struct or ListValue number in `message` that is not finite.

    `path`: where the message stands.
    """
    found = [
        Violation(path, "not a finite number")
        for path, part in walk(message, path, _holds_numbers)
        if isinstance(part, Value) and part.HasField("number_value") and not math.isfinite(part.number_value)
    ]
    if found:
        raise kind(violations=found)


def check_known(message: Message) -> None:
    """Errors: Unsupported, with the first fields in `message` that this schema does not have.

    Dropping them in silence would change what was asked for: a selector without its newest key matches more.
    """
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    unknown = message.ByteSize() - known.ByteSize()
    if not unknown:
        return
    found = (violation for path, part in walk(message) for violation in _unknown(part, path))
    # A message of nothing but such fields would take many times its memory to list.
    named = list(islice(found, MAX_VIOLATIONS)) if unknown <= _LISTED_BYTES else []
    text = f"the request has {unknown} bytes of fields of a newer contract; leave them out, or ask a newer server"
    raise Unsupported(text, violations=named)


def _unknown(message: Message, path: str) -> Iterator[Violation]:
    fields = UnknownFieldSet(message)
    for index in range(len(fields)):
        text = f"field {fields[index].field_number} of {message.DESCRIPTOR.full_name} is not known here"
        yield Violation(path, text)


@functools.cache
def _holds_numbers(kind: Any) -> bool:
    """Whether messages of a kind can hold a number of a Struct. A recipe may have a million others."""
    seen, left = set[str](), [kind]
    while left:
        each = left.pop()
        if each is Value.DESCRIPTOR:
            return True
        if each.full_name not in seen:
            seen.add(each.full_name)
            left += [field.message_type for field in each.fields if field.message_type is not None]
    return False


def walk(
    message: Message, path: str = "", wanted: Callable[[Any], bool] = lambda kind: True
) -> Iterator[tuple[str, Message]]:
    """Every message in a message, itself first, each with its path in the text form.

    `wanted`: whether to look at messages of a kind, by its descriptor.
    """
    yield path, message
    hidden = message.DESCRIPTOR.full_name.startswith("google.protobuf.")  # Text shows what they hold, not their fields.
    for field, value in message.ListFields():
        if field.message_type is None or not wanted(field.message_type):
            continue
        where = path if hidden else join(path, field.name)
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from walk(value[key], join(where, str(key)), wanted)
        elif field.is_repeated:
            for index, item in enumerate(value):
                yield from walk(item, f"{where}[{index}]", wanted)
        else:
            yield from walk(value, where, wanted)
