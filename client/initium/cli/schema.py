"""`initium schema`: what editors check recipes with."""

from __future__ import annotations

import argparse

from initium.cli import common

_EXAMPLES = """\
  initium schema > recipe.schema.json; sed -i '1i# yaml-language-server: $schema=recipe.schema.json' recipe.yaml"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "print a JSON Schema of recipes, with which editors complete and check them"
    common.add_command(commands, "schema", summary, _EXAMPLES).set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the schema. It is the client's own: no server is asked."""
    from initium.contract.schema import recipe_schema  # other commands need no comments

    common.print_json(recipe_schema())
    return 0
