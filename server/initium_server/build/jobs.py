"""What runs in worker processes: bytes in, bytes out. Only here do recipes meet library code."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path

from initium.canonical import seal
from initium.v1 import architecture_pb2, plan_pb2, recipe_pb2, service_pb2
from initium_server.build import build_inventory, load
from initium_server.core.codec import encode_fill
from initium_server.core.groups import Group, assign_groups, options_of
from initium_server.core.inventory import Inventory, InventoryTensor
from initium_server.core.limits import Limits, check_size
from initium_server.core.plan import TORCH, check_recipe, make_plan
from initium_server.core.rules import assign, compile_rules

# Imported late: they import torch, which bare tensors do not need.
OPTIMIZERS = "initium_server.build.optimizers"
TORCH_GENERATOR = "initium_server.build.torch_generator"

CONFIG_FILE = "config.json"
TORCH_NAMES = {
    "F64": "float64",
    "F32": "float32",
    "BF16": "bfloat16",
    "F16": "float16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


def load_for_recipe(recipe: bytes) -> None:
    """Imports what `resolve` needs for a serialized Recipe."""
    message = recipe_pb2.Recipe.FromString(recipe)
    load(message.architecture)
    if message.HasField("groups"):
        importlib.import_module(OPTIMIZERS)
    if message.generator == TORCH:
        importlib.import_module(TORCH_GENERATOR)


def load_for_architecture(architecture: bytes) -> None:
    """Imports what `inventory` needs for a serialized Architecture."""
    load(architecture_pb2.Architecture.FromString(architecture))


def load_for_torch(plan: bytes) -> None:
    """Imports what `run_torch` needs for a serialized Plan."""
    load_for_recipe(plan_pb2.Plan.FromString(plan).recipe.SerializeToString())


def load_for_optimizers(argument: bytes) -> None:
    """Imports what `optimizers` needs."""
    importlib.import_module(OPTIMIZERS)


def resolve(limits: Limits, device: str, threads: int, recipe: bytes) -> bytes:
    """Serialized Recipe to serialized, sealed Plan.

    Raises InitiumError for everything that can be wrong with a recipe.
    """
    message = recipe_pb2.Recipe.FromString(recipe)
    check_recipe(message)
    rules = compile_rules(message.init.rules)
    dtype = message.dtype or "F32"
    built = _with_dtype(_inventory(message.architecture, limits), dtype)
    literals = dict(built.literals)
    assignments = assign(built, rules, dtype, literals)
    groups = _groups(message, built) if message.HasField("groups") else None
    plan = make_plan(message, built, assignments, groups, literals, limits)
    if message.generator == TORCH:
        from initium_server.build.torch_generator import fingerprint

        plan.recipe.CopyFrom(message)
        plan.environment.update(fingerprint(device, threads) | dict(built.versions))
    return seal(plan).SerializeToString(deterministic=True)


def _inventory(architecture: architecture_pb2.Architecture, limits: Limits) -> Inventory:
    inventory = build_inventory(architecture)
    check_size("architecture", ((tensor.name, tensor.shape) for tensor in inventory.tensors), 0, limits)
    return inventory


def _with_dtype(built: Inventory, dtype: str) -> Inventory:
    """`config.json` names the dtype that from_pretrained loads into; libraries write it for float32."""
    if dtype == "F32" or CONFIG_FILE not in built.files:
        return built
    config = json.loads(built.files[CONFIG_FILE]) | {"dtype": TORCH_NAMES[dtype]}
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    return replace(built, files={**built.files, CONFIG_FILE: text.encode()})


def _groups(recipe: recipe_pb2.Recipe, inventory: Inventory) -> tuple[list[Group], frozenset[str]]:
    from initium_server.build.optimizers import check_names, check_options

    policy = recipe.groups
    written = [(policy.defaults, "groups.defaults")]
    written += [(rule.options, f"groups.rules[{i}].options") for i, rule in enumerate(policy.rules)]
    groups, frozen = assign_groups(inventory, policy)
    check_names(policy.optimizer, [(options_of(struct), path) for struct, path in written])
    check_options(policy.optimizer, [g.options for g in groups], [g.source for g in groups])
    return groups, frozen


def inventory(limits: Limits, architecture: bytes) -> bytes:
    """Serialized Architecture to a serialized ResolveResponse with its tensors."""
    built = _inventory(architecture_pb2.Architecture.FromString(architecture), limits)
    response = service_pb2.ResolveResponse(inventory=map(_inventory_message, built.tensors))
    return response.SerializeToString()


def _inventory_message(tensor: InventoryTensor) -> service_pb2.InventoryTensor:
    owner = tensor.owners[0]
    message = service_pb2.InventoryTensor(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        kind=tensor.kind,
        module_path=owner.module_path,
        classes=owner.classes,
        class_path=owner.class_path,
        aliases=tensor.aliases,
        roles=tensor.roles,
        block=owner.block,
        default_error=tensor.default_error,
    )
    if tensor.default is not None:
        message.default_fill.CopyFrom(encode_fill(tensor.default))
    return message


def optimizers(argument: bytes) -> bytes:
    """Names of the torch.optim classes, separated by spaces."""
    from initium_server.build.optimizers import names

    return " ".join(sorted(names())).encode()


def run_torch(limits: Limits, directory: str, device: str, threads: int, plan: bytes) -> bytes:
    """Runs a plan of generator `torch` and writes its weight files into `directory`. Returns nothing."""
    from initium_server.build.torch_generator import check_resolved_here, write_checkpoint

    message = plan_pb2.Plan.FromString(plan)
    own = plan_pb2.Plan.FromString(resolve(limits, device, threads, message.recipe.SerializeToString()))
    check_resolved_here(message, own)
    write_checkpoint(own, Path(directory), device, threads)
    return b""
