"""Recipes as data, right and wrong."""

from __future__ import annotations

from typing import Any

ARCHITECTURE = {"library": {"source": "torchvision", "name": "resnet18"}}
RULE = "init.rules[0]"
"""The path of the rule of `rule`."""


def rule(match: Any = None, **rest: Any) -> dict[str, Any]:
    """A recipe with one rule."""
    match = {"tensor": ["weight"]} if match is None else match
    return {"architecture": ARCHITECTURE, "seed": 1, "init": {"rules": [{"match": match} | rest]}}


def recipe(**changes: Any) -> dict[str, Any]:
    """The smallest recipe, with changes."""
    return {"architecture": ARCHITECTURE, "seed": 1} | changes


def args(**values: Any) -> dict[str, Any]:
    """A recipe of a library's model that is built with these arguments."""
    return recipe(architecture={"library": {"source": "timm", "name": "x", "args": values}})
