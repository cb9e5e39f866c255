"""The JSON Schema of recipes: what the strict reader takes it takes, and what that refuses it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from initium import cli
from initium.contract import reference, yaml12
from initium.contract.recipe import load_recipe
from initium.contract.schema import recipe_schema
from initium.errors import RecipeError
from tests.conftest import EXAMPLES
from tests.contract.recipes import args, recipe, rule

SCHEMA = recipe_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RECIPES = [path for path in sorted(EXAMPLES.rglob("*")) if path.suffix in (".yaml", ".json")]


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(yaml12.load(path.read_text()))] == []


@pytest.mark.parametrize("path", [path for path in RECIPES if path.suffix == ".yaml"], ids=lambda path: path.name)
def test_examples_name_the_schema_for_editors(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == EXAMPLES.parents[1] / "docs" / "recipe.schema.json"


NORMAL: dict[str, Any] = {"normal": {"std": 0.02}}
GOOD = [
    recipe(),
    recipe(seed="18446744073709551615"),
    recipe(seed=1.0),
    recipe(init={"rules": [{"match": {"shape": [{"extents": []}]}, "zeros": {}}]}),
    recipe(architecture={"tensors": {"tensors": [{"name": "x", "shape": []}]}}, seed=0),
    args(layers=[1, {"deep": None}], flag=True),
    rule(**NORMAL, dtype="BF16", ties="first", optional=True),
    rule({"any_of": [{"all_of": [{"every": True}]}], "tied": False}, library_default={}),
]


@pytest.mark.parametrize("given", GOOD, ids=json.dumps)
def test_what_the_reader_takes_is_valid(given: dict[str, Any]) -> None:
    load_recipe(json.dumps(given))
    assert [error.message for error in VALIDATOR.iter_errors(given)] == []


BAD = [
    recipe(extra=1),
    recipe(maxShardBytes=1),
    recipe(seed="1"),
    recipe(seed=-1),
    recipe(seed=1.5),
    recipe(seed=True),
    recipe(seed=None),
    recipe(seed=1 << 60),
    {"architecture": recipe()["architecture"]},
    recipe(dtype=32),
    recipe(init=[]),
    recipe(init={"rules": []}),
    recipe(output={"max_shard_bytes": "5"}),
    recipe(groups={"optimizer": "SGD", "defaults": [1]}),
    recipe(groups={"optimizer": "SGD", "rules": [{"name": "x", "match": {"ndim": [1]}, "scale": {"lr": "2"}}]}),
    recipe(architecture={"library": {"source": "timm", "name": "x"}, "tensors": {"tensors": [{"name": "x"}]}}),
    recipe(architecture={"library": {"source": 1, "name": "x"}}),
    recipe(architecture={"modules": {"root": {"type": "Linear", "use": "x"}}}),
    recipe(architecture={"modules": {"root": {"type": "Linear", "repeat": 1 << 32}}}),
    rule({}, **NORMAL),
    rule({"tensor": []}, **NORMAL),
    rule({"tensor": "weight"}, **NORMAL),
    rule({"tensors": ["weight"]}, **NORMAL),
    rule({"ndim": ["2"]}, **NORMAL),
    rule({"every": "true"}, **NORMAL),
    rule({"none_of": [{}]}, **NORMAL),
    rule({"shape": [[3, 3]]}, **NORMAL),
    rule(normal={"sdt": 1}),
    rule(normal={"std": [1]}),
    rule(normal={"std": None}),
    rule(normal=1),
    rule(**NORMAL, ones={}),
    rule(**NORMAL, optional=1),
]


@pytest.mark.parametrize("given", BAD, ids=json.dumps)
def test_what_the_reader_refuses_is_not_valid(given: dict[str, Any]) -> None:
    with pytest.raises(RecipeError):
        load_recipe(json.dumps(given))
    assert not VALIDATOR.is_valid(given)


def test_what_only_a_server_refuses_is_told_where_the_comments_say_it() -> None:
    for given in (rule(), recipe(architecture={}), recipe(generator="stream-v2"), rule({"role": ["nrom"]}, **NORMAL)):
        load_recipe(given)
        assert not VALIDATOR.is_valid(given)


def test_comments_are_descriptions_and_examples_are_examples() -> None:
    std = SCHEMA["$defs"]["Normal"]["properties"]["std"]
    assert std["description"] == "Default 1."
    selector = SCHEMA["$defs"]["Selector"]
    assert selector["description"] == reference.text("Selector")
    assert selector["properties"]["module"]["examples"] == [["_BatchNorm", "LayerNorm"]]
    assert SCHEMA["properties"]["seed"]["description"].startswith("Required.")
    for definition in [SCHEMA, *SCHEMA["$defs"].values()]:
        assert definition["additionalProperties"] is False


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
