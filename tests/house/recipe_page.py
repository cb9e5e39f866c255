"""`docs/recipe.md`: what a recipe can hold, made of the comments of the contract."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from initium.contract import reference

_HEAD = """\
# What a recipe can hold

This page is made of the comments of `proto/initium/v1/` by `make generate`. The same is `initium capabilities
WORD`, and in editors through `docs/recipe.schema.json` (`initium schema`).
"""
_TITLES: Mapping[str, str] = {
    "Recipe": "A recipe",
    "Architecture": "architecture: the model",
    "InitPolicy": "init: the values",
    "InitRule": "A rule of init",
    "Selector": "match: a selector",
    "GroupPolicy": "groups: the optimizer",
    "Output": "output: the files",
}
_SCALARS: Mapping[int, str] = {
    FieldDescriptor.TYPE_STRING: "text",
    FieldDescriptor.TYPE_BYTES: "bytes in base64",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_DOUBLE: "number",
}


def page() -> str:
    """The page, in Markdown."""
    messages = [message for message, _ in reference.messages().values()]
    arguments = {each.message_type.name for each in initializers() if each.message_type}
    shown = [message for message in messages if message.name not in arguments]
    parts = [
        _HEAD,
        *(f"- [{title(each)}](#{anchor(title(each))})" for each in shown),
        "- [Initializers](#initializers)\n",
    ]
    parts += [line for message in shown for line in _section(message)]
    parts += ["## Initializers\n", f"{markdown(reference.text(reference.INITIALIZERS))}\n", *_notes()]
    parts += [line for field in initializers() for line in _initializer(field)]
    return "\n".join(parts)


def initializers() -> list[FieldDescriptor]:
    """The fields of the initializers."""
    return [entry.field for entry in reference.entries() if entry.field and reference.is_initializer(entry.field)]


def title(message: Descriptor) -> str:
    """The heading of a message."""
    return _TITLES.get(message.name, message.name)


def anchor(heading: str) -> str:
    """What a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def markdown(comment: str) -> str:
    """A comment as Markdown: indented lines are a list, or a block of their own."""
    parts = re.split(r"(?m)((?:^ +.*(?:\n|$))+)", comment)
    blocks = [_block(part) if i % 2 else part.strip("\n") for i, part in enumerate(parts)]
    return "\n\n".join(block for block in blocks if block.strip())


def _block(lines: str) -> str:
    plain = textwrap.dedent(lines).rstrip()
    return plain if plain.startswith("- ") else f"```text\n{plain}\n```"


def _notes() -> Iterator[str]:
    """Comments that apply to several initializers."""
    yield from (f"{markdown(text)}\n" for name, text in reference.comments().items() if name.isupper())


def _section(message: Descriptor) -> Iterator[str]:
    yield f"## {title(message)}\n"
    if said := reference.text(message.name):
        yield f"{markdown(said)}\n"
    for field in message.fields:
        if not reference.is_initializer(field):
            yield from _key(field)
    if message.name == "InitRule":
        yield "And one of the [initializers](#initializers).\n"


def _key(field: FieldDescriptor) -> Iterator[str]:
    yield f"### {field.name}\n\n*{kind(field)}*\n"
    if said := reference.text(reference.name_of(field)):
        yield f"{markdown(said)}\n"
    if shown := reference.example_of(field):
        yield f"```yaml\n{shown}\n```\n"


def _initializer(field: FieldDescriptor) -> Iterator[str]:
    yield f"### {field.name}\n\n{markdown(reference.text_of(field))}\n"
    assert field.message_type is not None
    for argument in field.message_type.fields:
        said = " ".join(reference.text(reference.name_of(argument)).split())
        yield f"- `{argument.name}` ({kind(argument)}): {said}"
    if field.message_type.fields:
        yield ""
    yield f"```yaml\n{reference.example_of(field)}\n```\n"


def kind(field: FieldDescriptor) -> str:
    """What a key holds, in words, with a link where that has a section."""
    inner = reference.value_type(field)
    if inner is None:
        one = _SCALARS.get(field.type, "integer")
    elif inner.name in reference.messages():
        one = f"[{inner.name}](#{anchor(title(inner))})"
    else:
        one = "any mapping"
    if reference.is_map(field):
        return f"mapping of names to {one}"
    return f"list of {one}" if field.is_repeated else one
