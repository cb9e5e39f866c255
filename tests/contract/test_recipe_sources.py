"""Where recipes come from, and which seed they have in the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.contract.recipe import load
from initium.v1.recipe_pb2 import Recipe
from tests.contract.recipes import ARCHITECTURE, recipe

READERS: tuple[Callable[..., Any], ...] = (initium.load_recipe, load)
MISSING = (
    "seed: required: there is no default, so that nobody trains on an accidental seed; write e.g. `seed: 42` "
    "(any integer in 0..2^64-1)"
)


def refusal(read: Callable[..., Any], source: Any, **options: Any) -> initium.RecipeError:
    with pytest.raises(initium.RecipeError) as caught:
        read(source, **options)
    assert caught.value.reason == "INVALID_RECIPE"
    return caught.value


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("source", [{"architecture": ARCHITECTURE}, Recipe(dtype="F32")], ids=["data", "message"])
def test_a_seed_is_required_unless_it_is_not(read: Callable[..., Any], source: Any) -> None:
    error = refusal(read, source)
    assert error.message == "the recipe is not valid"
    assert [str(violation) for violation in error.violations] == [MISSING]
    assert not read(source, require_seed=False).HasField("seed")
    assert read(source, seed=0).HasField("seed")


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_a_seed_from_outside_changes_nothing_else(seed: int) -> None:
    message, data = initium.load_recipe(recipe(dtype="BF16")), recipe(dtype="BF16")
    for source in (message, data, json.dumps(data)):
        loaded = initium.load_recipe(source, seed=seed)
        assert (loaded.seed, loaded.dtype) == (seed, "BF16")
        assert loaded.architecture == message.architecture
    assert message.seed == data["seed"] == 1
    assert initium.load_recipe(message) is message


@pytest.mark.parametrize("seed", [-1, 2**64, True, "x", 1.5])
def test_a_seed_from_outside_must_be_one(seed: Any) -> None:
    for source in (Recipe(seed=3), recipe()):
        (violation,) = refusal(initium.load_recipe, source, seed=seed).violations
        assert str(violation) == f"seed: must be an integer in 0..2^64-1, not {seed!r}"


@pytest.mark.parametrize(
    ("source", "kind"), [(3, "a number"), (None, "nothing"), (["x"], "a list"), (b"x", "a Python bytes")]
)
def test_what_no_recipe_can_be_is_refused_with_what_one_can_be(source: Any, kind: str) -> None:
    reported = "a recipe is a mapping, a pathlib.Path, text or a Recipe message, not "
    assert refusal(initium.load_recipe, source).message == reported + kind


@pytest.mark.parametrize(("text", "kind"), [("[1]", "a list"), ("3", "a number"), ("~", "nothing")])
def test_text_that_holds_no_mapping(text: str, kind: str) -> None:
    assert refusal(initium.load_recipe, text).message == f"a recipe is a mapping, not {kind}"


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
def test_what_ends_like_a_file_is_read_as_one_unless_it_is_no_name(suffix: str) -> None:
    assert refusal(initium.load_recipe, f"no such{suffix}").message.startswith(f"cannot read no such{suffix}: No such")
    for text in (f"a: {{b: x{suffix}", f"'x{suffix}"):  # neither is valid YAML: it was meant as text
        assert refusal(initium.load_recipe, text).message == "the text is not valid YAML 1.2 or JSON"
    assert "a: unknown key" in str(refusal(initium.load_recipe, f"a: x{suffix}"))
    assert "no file's name" in str(refusal(initium.load_recipe, f"x{suffix}.txt"))


def test_a_plan_is_recognized_by_its_version_in_text_too(tmp_path: Path) -> None:
    text = '{"plan_version": 1, "seed": "3"}'
    (tmp_path / "x.json").write_text(text)
    for source in (text, json.loads(text), tmp_path / "x.json", str(tmp_path / "x.json")):
        loaded = load(source)
        assert isinstance(loaded, initium.Plan)
        assert loaded.seed == 3
        assert refusal(initium.load_recipe, source).message.startswith("this is a plan, not a recipe")


def test_a_files_errors_name_it(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a: 1\na: 2\n")
    error = refusal(initium.load_recipe, file)
    assert error.message == f"{file}: the text is not valid YAML 1.2 or JSON"
    assert [str(violation) for violation in error.violations] == ["line 2:1: the key 'a' is given twice; keep one"]
    file.write_text("seeed: 1")
    assert refusal(initium.load_recipe, file).message == f"{file}: the recipe is not valid"
    file.write_text("words")
    assert refusal(initium.load_recipe, file).message == f"{file}: a recipe is a mapping, not text"
    file.write_text('{"manifest_version": 1}')
    assert refusal(initium.load_recipe, file).message.startswith(f"{file}: this is the manifest of a checkpoint; give")
    (tmp_path / "directory").mkdir()
    assert "Is a directory" in refusal(initium.load_recipe, tmp_path / "directory").message
