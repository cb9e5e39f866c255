"""`initium inventory`: the tensors of an architecture, before any rule."""

from __future__ import annotations

import argparse

from initium.cli import words
from initium.cli.common import (
    Commands,
    add_command,
    add_json,
    add_recipe,
    add_server,
    open_client,
    print_json,
    read_source,
    to_numbers,
)
from initium.cli.table import table
from initium.errors import RecipeError
from initium.v1.recipe_pb2 import Recipe
from initium.v1.service_pb2 import InventoryTensor

_EXAMPLES = """\
  initium inventory resnet50.yaml
  initium inventory resnet50.yaml | grep norm
  echo 'architecture: {library: {source: timm, name: vit_base_patch16_224}}' | initium inventory -"""

_HEADER = ("name", "shape", "dtype", "kind", "class", "module", "roles", "block", "default")


def register(commands: Commands) -> None:
    """Adds the command."""
    summary = "list the tensors of a recipe's architecture: what one needs to write rules"
    parser = add_command(commands, "inventory", summary, _EXAMPLES)
    add_recipe(parser)
    add_server(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the inventory."""
    recipe = read_source(args.source, require_seed=False)
    if not isinstance(recipe, Recipe):
        raise RecipeError("a plan has no inventory; use the recipe it was made from")
    with open_client(args) as client:
        tensors = client.inventory(recipe)
    if args.json:
        print_json([to_numbers(tensor) for tensor in tensors])
    else:
        print(*table(_HEADER, [_row(tensor) for tensor in tensors]), sep="\n")
    return 0


def _row(tensor: InventoryTensor) -> tuple[str, ...]:
    names = " = ".join([tensor.name, *tensor.aliases])
    default = words.fill(tensor.default_fill) if tensor.HasField("default_fill") else f"none: {tensor.default_error}"
    block = str(tensor.block) if tensor.HasField("block") else ""
    owner = tensor.classes[0] if tensor.classes else ""
    roles = ",".join(tensor.roles)
    return names, words.shape(tensor.shape), tensor.dtype, tensor.kind, owner, tensor.module_path, roles, block, default
