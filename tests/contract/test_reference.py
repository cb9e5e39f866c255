"""What the comments of the contract say: complete, with examples that are recipes, and current."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from initium.contract import reference, yaml12
from initium.contract.strict import Walk
from initium.v1.init_pb2 import InitRule, Selector
from initium_server.planning.initializers import INITIALIZERS
from initium_server.planning.inventory import ROLES
from tests.house.reference import main

FIELDS = [entry.field for entry in reference.entries() if entry.field is not None]
NAMES = [reference.name_of(field) for field in FIELDS]
ARGUMENTS = {field.message_type.name for field in FIELDS if reference.is_initializer(field) and field.message_type}
OWN_EXAMPLE = [
    reference.name_of(field)
    for field in FIELDS
    if reference.is_initializer(field)
    or (
        reference.name_of(field).split(".")[0] in ("Selector", "Architecture") and not reference.is_made_by_tools(field)
    )
]


def test_generated_files_are_current() -> None:
    assert main(check=True) == 0, "run: make generate"


@pytest.mark.parametrize("field", FIELDS, ids=NAMES)
def test_everything_that_a_recipe_can_hold_is_said_what_it_is(field: FieldDescriptor) -> None:
    assert reference.text_of(field)


@pytest.mark.parametrize("name", OWN_EXAMPLE)
def test_initializers_selector_keys_and_architectures_have_an_example(name: str) -> None:
    """A line `// Example: KEY: VALUE` in the comment of the field, or of the initializer's message."""
    field = FIELDS[NAMES.index(name)]
    assert list(yaml12.load(reference.example_of(field) or "{}")) == [field.name], f"{name} has no line `Example: ...`"


EXAMPLES = [(field, reference.example_of(field)) for field in FIELDS if reference.example_of(field)]


@pytest.mark.parametrize(("field", "text"), EXAMPLES, ids=[reference.name_of(field) for field, _ in EXAMPLES])
def test_examples_are_read_as_strictly_as_recipes(field: FieldDescriptor, text: str) -> None:
    walk, data = Walk(), yaml12.load(text)
    owner: Any = field.containing_type
    walk.message(owner, data, "")
    assert walk.violations == []
    assert field.name in data


def used(message: Descriptor, data: Any) -> Iterator[str]:
    """The names of all fields that a value of a message gives."""
    for key, value in data.items():
        field = message.fields_by_name[key]
        yield reference.name_of(field)
        inner = reference.value_type(field)
        if inner is not None and inner.name in reference.messages():
            items = value if isinstance(value, list) else value.values() if reference.is_map(field) else [value]
            for item in items:
                yield from used(inner, item)


def test_examples_show_every_key_but_arguments_of_initializers() -> None:
    shown = {name for field, text in EXAMPLES for name in used(field.containing_type, yaml12.load(text))}  # type: ignore[arg-type]
    shown |= {name for name, field in zip(NAMES, FIELDS, strict=True) if reference.is_made_by_tools(field)}
    wanted = {name for name in NAMES if name.split(".")[0] not in ARGUMENTS}
    assert sorted(wanted - shown) == [], "no line `Example: ...` in a comment shows these"


def test_entries_are_what_the_server_has() -> None:
    by_kind: dict[str, set[str]] = {}
    for entry in reference.entries():
        by_kind.setdefault(entry.kind, set()).add(entry.word)
    assert by_kind["initializer"] == {*INITIALIZERS, "library_default", "stored"}
    assert by_kind["selector key"] == {field.name for field in Selector.DESCRIPTOR.fields}
    assert by_kind["word of role"] == set(ROLES)


def test_an_entry_says_what_where_and_how() -> None:
    (normal,) = [entry for entry in reference.entries() if entry.word == "normal"]
    assert (normal.kind, normal.path) == ("initializer", "init.rules[].normal")
    assert normal.text.startswith("torch.nn.init.normal_: ")
    assert normal.example == "normal: {mean: 0, std: 0.02}"
    assert "Example" not in normal.text
    (role,) = [entry for entry in reference.entries() if entry.word == "recurrent"]
    assert (role.kind, role.example) == ("word of role", "role: [recurrent]")
    assert role.text == "the kind of its owner's class"


def test_words_go_on_in_the_next_line() -> None:
    said = "Words:\n  one, two: the first\n    and more;\n  three (default): last.\nno word: this"
    assert reference.words(said) == {"one": "the first and more", "two": "the first and more", "three": "last"}


@pytest.mark.parametrize(
    ("initializer", "formulas"),
    [
        ("kaiming_normal", {"std": "gain / sqrt(fan)"}),
        ("xavier_uniform", {"bound": "gain * sqrt(6 / (fan_in + fan_out))"}),
        ("xavier_normal", {"std": "gain * sqrt(2 / (fan_in + fan_out))"}),
        ("kaiming_uniform", {"bound": "gain * sqrt(3 / fan)"}),
        ("no_such", {}),
    ],
)
def test_formulas_are_those_of_the_comment(initializer: str, formulas: dict[str, str]) -> None:
    assert reference.formulas(initializer) == formulas


def test_initializers_are_told_from_other_keys() -> None:
    fields = InitRule.DESCRIPTOR.fields_by_name
    assert [name for name in ("normal", "match", "dtype") if reference.is_initializer(fields[name])] == ["normal"]
