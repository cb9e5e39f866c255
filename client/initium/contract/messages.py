"""What a message may not hold, wherever in it: numbers that JSON cannot write, and fields that are not known here."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

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
        for path, part in walk(message, path)
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


def walk(message: Message, path: str = "") -> Iterator[tuple[str, Message]]:
    """Every message in a message, itself first, each with its path in the text form."""
    yield path, message
    hidden = message.DESCRIPTOR.full_name.startswith("google.protobuf.")  # Text shows what they hold, not their fields.
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        where = path if hidden else join(path, field.name)
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key in value:
                    yield from walk(value[key], join(where, str(key)))
        elif field.is_repeated:
            for index, item in enumerate(value):
                yield from walk(item, f"{where}[{index}]")
        else:
            yield from walk(value, where)
