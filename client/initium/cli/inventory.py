"""`initium inventory`: the tensors of an architecture, before any rule."""

from __future__ import annotations

import argparse

from initium.cli import common, words
from initium.cli.table import table
from initium.errors import RecipeError
from initium.v1.recipe_pb2 import Recipe
from initium.v1.service_pb2 import InventoryTensor

_EXAMPLES = """\
  initium inventory resnet50.yaml
  initium inventory resnet50.yaml | grep norm
  echo 'architecture: {library: {source: timm, name: vit_base_patch16_224}}' | initium inventory -"""

_HEADER = ("name", "shape", "dtype", "kind", "class", "module", "roles", "block", "default")


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "list the tensors of a recipe's architecture: what one needs to write rules"
    parser = common.add_command(commands, "inventory", summary, _EXAMPLES)
    common.add_recipe(parser)
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the inventory."""
    recipe = common.read_source(args.source, require_seed=False)
    if not isinstance(recipe, Recipe):
        raise RecipeError("a plan has no inventory; use the recipe it was made from")
    with common.open_client(args) as client:
        tensors = client.inventory(recipe)
    if args.json:
        common.print_json([common.to_numbers(tensor) for tensor in tensors])
    else:
        print(*table(_HEADER, [_row(tensor) for tensor in tensors]), sep="\n")
    return 0


def _row(tensor: InventoryTensor) -> tuple[str, ...]:
    names = " = ".join([tensor.name, *tensor.aliases])
    default = words.fill(tensor.default_fill) if tensor.HasField("default_fill") else f"none: {tensor.default_error}"
    block = str(tensor.block) if tensor.HasField("block") else ""
    owner = tensor.classes[0] if tensor.classes else ""
    roles = ",".join(tensor.roles)
    kind = words.kind(tensor.kind)
    return names, words.shape(tensor.shape), tensor.dtype, kind, owner, tensor.module_path, roles, block, default
