"""Presets: init rules under a name. Each is a file beside this one: recipe text, whose first comment says what it is.

A preset is data. To add one: add its file, with its source in a comment, and test it against that source.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from initium.contract import yaml12
from initium.contract.recipe import load_recipe
from initium.contract.wording import suggestion
from initium.errors import invalid
from initium.v1 import init_pb2


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as its file has it."""

    name: str
    text: str

    @property
    def summary(self) -> str:
        """Its first comment."""
        return self.text.partition("\n")[0].removeprefix("# ")


@functools.cache
def presets() -> Mapping[str, Preset]:
    """All presets, by name."""
    files = sorted(Path(__file__).parent.glob("*.yaml"))
    return {file.stem: Preset(file.stem, file.read_text(encoding="utf-8")) for file in files}


@functools.cache
def rules_of(name: str) -> Sequence[init_pb2.InitRule]:
    """The rules of a preset. Errors: RecipeError if there is none of that name."""
    preset = presets().get(name)
    if preset is None:
        raise invalid("init.preset", f"unknown preset {name!r}; {suggestion(name, presets(), 'presets')}")
    return tuple(load_recipe({"init": yaml12.load(preset.text)}, require_seed=False).init.rules)
