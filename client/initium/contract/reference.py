"""What the comments of the contract say of each thing that a recipe can hold.

`reference.json` beside this file is made of the comments of the protos by `make generate`: generated code has none.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from initium.v1.recipe_pb2 import Recipe

_FILE = Path(__file__).with_name("reference.json")
_EXAMPLE = re.compile(r"^Example: (.*)\n?", re.MULTILINE)
_WORDS = re.compile(r"^ +([a-z_]+(?:, [a-z_]+)*)(?: \([a-z ]+\))?: (.+?)[;.]?$")
_CONTINUED = re.compile(r"\n {4,}(?=[^ ])")
_FORMULA = re.compile(r"\b([a-z_]+) = ([^,;]*?)(?=[,;]|\.(?:\s|$)|$)")

_RECIPE: Any = Recipe.DESCRIPTOR

INITIALIZERS = "InitRule.initializer"
"""The oneof of all initializers."""
_MADE_BY_TOOLS = ("CapturedModel",)
"""Messages that nobody writes by hand: what they hold is not listed."""


class Entry(NamedTuple):
    """One thing that a recipe can hold, under the word that is written there."""

    word: str
    kind: str
    """What it is, e.g. `initializer` or `word of role`."""
    path: str
    """Where it stands first, e.g. `init.rules[].match.role`."""
    text: str
    """The comment."""
    example: str
    """A line of a recipe; empty where there is none."""
    field: FieldDescriptor | None
    """Its field; None for a word."""


@functools.cache
def comments() -> Mapping[str, str]:
    """The comments by `Message`, `Message.field`, `Message.oneof`, and, of what applies to many, a word in capitals."""
    found: Mapping[str, str] = json.loads(_FILE.read_text("utf-8"))
    return found


def text(name: str) -> str:
    """A comment without its example; empty where there is none."""
    return _EXAMPLE.sub("", comments().get(name, "")).strip()


def example(name: str) -> str:
    """The example in a comment; empty where there is none."""
    found = _EXAMPLE.search(comments().get(name, ""))
    return found[1] if found else ""


def name_of(field: FieldDescriptor) -> str:
    """`Message.field`."""
    return f"{field.containing_type.name}.{field.name}"  # type: ignore[union-attr]  # a field of a message has one


def text_of(field: FieldDescriptor) -> str:
    """What is said of a field: its own comment, or that of the message that it holds."""
    return text(name_of(field)) or (text(field.message_type.name) if field.message_type else "")


def example_of(field: FieldDescriptor) -> str:
    """The example of a field, likewise."""
    own = example(name_of(field))
    return own or (example(field.message_type.name) if is_initializer(field) and field.message_type else "")


def is_initializer(field: FieldDescriptor) -> bool:
    """Whether a field is one of the initializers of a rule."""
    oneof = field.containing_oneof
    return oneof is not None and f"{oneof.containing_type.name}.{oneof.name}" == INITIALIZERS


def messages(root: Descriptor = _RECIPE) -> Mapping[str, tuple[Descriptor, str]]:
    """The messages that `root` can hold, itself first, by name, each with the path where it stands first."""
    found: dict[str, tuple[Descriptor, str]] = {root.name: (root, "")}
    left = [(root, "")]
    while left:
        message, path = left.pop(0)
        for field in message.fields:
            inner = value_type(field)
            if inner is None or is_made_by_tools(field):
                continue
            if inner.name not in found and inner.file.package == root.file.package:
                found[inner.name] = inner, path_of(field, path)
                left.append(found[inner.name])
    return found


def value_type(field: FieldDescriptor) -> Descriptor | None:
    """The message that a field, an item of it, or a value of its map is; None for scalars."""
    inner = field.message_type
    return inner.fields_by_name["value"].message_type if inner is not None and is_map(field) else inner


def is_made_by_tools(field: FieldDescriptor) -> bool:
    """Whether a field holds what nobody writes by hand."""
    return field.message_type is not None and field.message_type.name in _MADE_BY_TOOLS


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map."""
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def path_of(field: FieldDescriptor, path: str) -> str:
    """The path of a field in the message at `path`."""
    own = f"{path}.{field.name}" if path else field.name
    return f"{own}.NAME" if is_map(field) else f"{own}[]" if field.is_repeated and value_type(field) else own


_KINDS = {"Selector": "selector key", "Architecture": "kind of architecture", "Recipe": "key of a recipe"}


def _kind(field: FieldDescriptor) -> str:
    if is_initializer(field):
        return "initializer"
    message: Any = field.containing_type
    return _KINDS.get(message.name, f"key of {message.name}")


@functools.cache
def entries() -> tuple[Entry, ...]:
    """All that a recipe can hold: every field, and every word of a vocabulary that a comment lists."""
    return tuple(entry for message, path in messages().values() for entry in _entries(message, path))


def _entries(message: Descriptor, path: str) -> Iterator[Entry]:
    for field in message.fields:
        where = f"{path}.{field.name}" if path else field.name
        said = text_of(field)
        yield Entry(field.name, _kind(field), where, said, example_of(field), field)
        for word, meaning in words(said).items():
            yield Entry(word, f"word of {field.name}", where, meaning, _with_word(field, word), None)


def _with_word(field: FieldDescriptor, word: str) -> str:
    if field.type != FieldDescriptor.TYPE_STRING:
        return ""
    return f"{field.name}: [{word}]" if field.is_repeated else f"{field.name}: {word}"


def words(said: str) -> Mapping[str, str]:
    """The vocabulary that a comment lists in indented lines, `word, word: meaning;`, each word with its meaning."""
    lines = filter(None, map(_WORDS.match, _CONTINUED.sub(" ", said).split("\n")))
    return {word: line[2] for line in lines for word in line[1].split(", ")}


def formulas(initializer: str) -> Mapping[str, str]:
    """The formulas that the comment of an initializer has, by what they give: `std` of `std = gain / sqrt(fan)`."""
    field = next((each.field for each in entries() if each.word == initializer and each.kind == "initializer"), None)
    return {} if field is None else {found[1]: found[2] for found in _FORMULA.finditer(text_of(field))}
