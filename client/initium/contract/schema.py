"""A JSON Schema of recipes, for editors: as strict as the reader of texts, with the contract's comments.

What only a server can know (classes, options, arguments of models) is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, OneofDescriptor

from initium.contract import reference, yaml12
from initium.contract.generators import GENERATORS
from initium.contract.strict import EXACT, EXTENTS, INTEGER_TEXT, RANGES

Schema = dict[str, Any]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REQUIRED = "Required."
"""How the comment of a field begins that must be there."""
_EXACTLY_ONE = "Exactly one."
"""How the comment of a oneof begins, one of whose fields must be there."""

_SCALARS: Mapping[int, Schema] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number"},
}
_WELL_KNOWN: Mapping[str, Schema] = {"Struct": {"type": "object"}, "Value": {}, "ListValue": {"type": "array"}}
_WORDS = {"Recipe.generator": GENERATORS, "InitRule.ties": ("first",)}
"""What texts may be, where the contract closes the set and its comment does not list it."""


def recipe_schema() -> Schema:
    """The schema, as JSON values."""
    (_, (recipe, _)), *others = reference.messages().items()
    definitions = {name: _message(message) for name, (message, _) in others}
    return {"$schema": _DIALECT, "title": "A recipe of Initium", **_message(recipe), "$defs": definitions}


def _message(message: Descriptor) -> Schema:
    required = [field.name for field in message.fields if reference.text_of(field).startswith(_REQUIRED)]
    choices = [_choice(oneof) for oneof in message.oneofs if len(oneof.fields) > 1]
    given: Schema = {
        "description": reference.text(message.name),
        "required": required,
        "allOf": choices,
        "minProperties": 1 if message.name == "Selector" else 0,
    }
    fields = {field.name: _described(field) for field in message.fields}
    return {
        "type": "object",
        **{key: value for key, value in given.items() if value},
        "properties": fields,
        "additionalProperties": False,
    }


def _choice(oneof: OneofDescriptor) -> Schema:
    """One of its fields; none, too, unless the comment has it otherwise."""
    each: list[Schema] = [{"required": [field.name]} for field in oneof.fields]
    if reference.text(f"{oneof.containing_type.name}.{oneof.name}").startswith(_EXACTLY_ONE):
        return {"oneOf": each}
    return {"oneOf": [*each, {"not": {"anyOf": each}}]}


def _described(field: FieldDescriptor) -> Schema:
    said, shown = reference.text(reference.name_of(field)), reference.example_of(field)
    schema = _field(field)
    if said:
        schema["description"] = said
    if shown:
        schema["examples"] = [yaml12.load(shown)[field.name]]
    return schema


def _field(field: FieldDescriptor) -> Schema:
    if reference.is_map(field):
        assert field.message_type is not None
        return {"type": "object", "additionalProperties": _single(field.message_type.fields_by_name["value"])}
    if not field.is_repeated:
        return _single(field)
    may_be_empty = field.message_type is None and field.name in EXTENTS
    return {"type": "array", "items": _single(field), **({} if may_be_empty else {"minItems": 1})}


def _single(field: FieldDescriptor) -> Schema:
    if field.message_type is not None:
        name = field.message_type.name
        known = {"type": "object"} if reference.is_made_by_tools(field) else {"$ref": f"#/$defs/{name}"}
        return dict(_WELL_KNOWN.get(name, known))
    if field.type in RANGES:
        return _integer(*RANGES[field.type])
    words = _WORDS.get(reference.name_of(field)) or [*reference.words(reference.text_of(field))]
    if field.type == FieldDescriptor.TYPE_STRING and words:
        return {"enum": list(words)}
    if field.type == FieldDescriptor.TYPE_DOUBLE and _takes_expressions(field):
        return {"type": ["number", "string"]}
    return dict(_SCALARS[field.type])


def _integer(low: int, high: int) -> Schema:
    """Those beyond 2^53 are text."""
    number = {"type": "integer", "minimum": max(low, -EXACT), "maximum": min(high, EXACT)}
    text = INTEGER_TEXT if low else INTEGER_TEXT.removeprefix("-?")
    return number if high <= EXACT else {"anyOf": [number, {"type": "string", "pattern": f"^{text}$"}]}


def _takes_expressions(field: FieldDescriptor) -> bool:
    """Whether an argument may be an expression of `InitRule.computed`."""
    rule = reference.messages()["InitRule"][0]
    arguments = [each.message_type for each in rule.fields if reference.is_initializer(each)]
    return "computed" in rule.fields_by_name and field.containing_type in arguments
