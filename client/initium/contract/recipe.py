"""Recipes from wherever users keep them: dicts, files, YAML or JSON text, messages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from initium.contract import yaml12
from initium.contract.plans import plan_from_data
from initium.contract.strict import MAX_VIOLATIONS, TooMany, Walk, kind_of
from initium.contract.wording import did_you_mean, joined
from initium.errors import PlanError, RecipeError, Violation
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe

RecipeLike = Mapping[str, Any] | Path | str | Recipe
"""A recipe as plain data, the path of its file, its YAML or JSON text, or as a message."""

_SUFFIXES = (".yaml", ".yml", ".json")

_SCHEMA: Any = Recipe.DESCRIPTOR

MAX_SEED = (1 << 64) - 1
_SEED_MISSING = (
    "required: there is no default, so that nobody trains on an accidental seed; write e.g. `seed: 42` "
    "(any integer in 0..2^64-1)"
)


def load_recipe(source: RecipeLike, *, seed: int | None = None, require_seed: bool = True) -> Recipe:
    """The recipe that `source` holds, read strictly.

    `seed` replaces the recipe's own. A `str` of one line that names a file is its path; any other is text.
    In a dict, a message may stand where its mapping would, e.g. the Architecture of `initium.torch.capture`.
    Errors: RecipeError with the path of every field at fault.
    """
    loaded = load(source, seed=seed, require_seed=require_seed)
    if isinstance(loaded, Plan):
        raise RecipeError("this is a plan, not a recipe; it has a `plan_version`")
    return loaded


def read_recipe(text: bytes) -> Recipe:
    """The recipe that UTF-8 text holds, read strictly; it need not have a seed. Errors: as `load_recipe`."""
    return _from_data(yaml12.load(_decoded(text, "the recipe")), None, False)


def load(source: RecipeLike | Plan, *, seed: int | None = None, require_seed: bool = True) -> Recipe | Plan:
    """The recipe or the plan that `source` holds; a plan is known by its `plan_version`.

    Errors: as `load_recipe`, and PlanError if a plan is not valid, was changed, or has another seed than `seed`.
    """
    if isinstance(source, Plan):
        return _check_plan_seed(source, seed)
    if isinstance(source, Recipe):
        return _finish(source, seed, require_seed)
    file = _file_of(source)
    text = None if file is None else _read_file(file)
    with _naming(file):
        data = _read_text(source) if text is None else yaml12.load(text)
        if not isinstance(data, Mapping) or "plan_version" not in data:
            return _from_data(data, seed, require_seed)
    return _check_plan_seed(plan_from_data(data, file), seed)


@contextmanager
def _naming(file: Path | None) -> Iterator[None]:
    """Has a RecipeError begin with the file that it is about."""
    try:
        yield
    except RecipeError as error:
        if file is None:
            raise
        raise RecipeError(f"{file}: {error.message}", error.reason, error.violations) from None


def _file_of(source: Any) -> Path | None:
    """The file that `source` is, or names: text of one line, if it exists or looks like a recipe's name."""
    if isinstance(source, str) and "\n" not in source and (os.path.isfile(source) or _is_file_name(source)):
        return Path(source)
    return source if isinstance(source, Path) else None


def _is_file_name(text: str) -> bool:
    try:
        return text.endswith(_SUFFIXES) and isinstance(yaml12.load(text), str)
    except RecipeError:
        return False


def _read_text(source: Any) -> Any:
    if isinstance(source, str):
        data = yaml12.load(source)
        if isinstance(data, str):
            raise RecipeError(f"a recipe is a mapping, not the text {data[:60]!r}, which is no file's name either")
        return data
    if not isinstance(source, Mapping):
        raise RecipeError(f"a recipe is a mapping, a pathlib.Path, text or a Recipe message, not {kind_of(source)}")
    return source


def _read_file(path: Path) -> str:
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        hint = did_you_mean(path.name, _recipes_beside(path)) if isinstance(error, FileNotFoundError) else ""
        raise RecipeError(joined(f"cannot read {path}: {error.strerror}", hint)) from None


def _recipes_beside(path: Path) -> list[str]:
    """Names of what may be recipes in the directory of `path`."""
    with suppress(OSError):
        return [name for name in os.listdir(path.parent) if name.endswith(_SUFFIXES)]
    return []


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"{what} is not UTF-8: byte {error.start} is {data[error.start]:#04x}; a recipe is text"
        ) from None


def _from_data(data: Any, seed: int | None, require_seed: bool) -> Recipe:
    if not isinstance(data, Mapping):
        raise RecipeError(f"a recipe is a mapping, not {kind_of(data)}")
    if "manifest_version" in data:
        raise RecipeError("this is the manifest of a checkpoint; give the recipe, or the plan, that it was made from")
    if seed is not None:
        data = {**data, "seed": seed}
    clean, violations = _walk(data)
    if require_seed and "seed" not in data and len(violations) < MAX_VIOLATIONS:
        violations.append(Violation("seed", _SEED_MISSING))
    if violations:
        raise RecipeError("the recipe is not valid", "INVALID_RECIPE", violations)
    return _parse(clean)


def _walk(data: Mapping[str, Any]) -> tuple[Any, list[Violation]]:
    walk = Walk()
    try:
        return walk.message(_SCHEMA, data, ""), walk.violations
    except TooMany:
        return None, walk.violations


def _parse(clean: Any) -> Recipe:
    try:
        return json_format.ParseDict(clean, Recipe())
    except (json_format.ParseError, ValueError) as error:
        raise RecipeError(f"the recipe is not valid: {error}", "INVALID_RECIPE") from None


def _finish(recipe: Recipe, seed: int | None, require_seed: bool) -> Recipe:
    if seed is not None:
        _check_seed(seed)
        result = Recipe()
        result.CopyFrom(recipe)
        result.seed = seed
        return result
    if require_seed and not recipe.HasField("seed"):
        raise RecipeError("the recipe is not valid", "INVALID_RECIPE", [Violation("seed", _SEED_MISSING)])
    return recipe


def _check_seed(seed: int) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        message = f"must be an integer in 0..2^64-1, not {seed!r}"
        raise RecipeError("the recipe is not valid", "INVALID_RECIPE", [Violation("seed", message)])


def _check_plan_seed(plan: Plan, seed: int | None) -> Plan:
    if seed is not None and seed != plan.seed:
        raise PlanError(f"the plan has seed {plan.seed}, not {seed}; resolve the recipe again to change it")
    return plan
