"""What runs in worker processes: bytes in, bytes out. Only here do recipes meet library code."""

from __future__ import annotations

import contextlib
import gc
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from initium.contract.generators import TORCH
from initium.contract.recipe import read_recipe
from initium.plan.fills import encode_fill
from initium.plan.limits import Limits, check_size
from initium.plan.stores import Stores
from initium.v1 import architecture_pb2, plan_pb2, recipe_pb2, service_pb2
from initium_server import planning
from initium_server.planning.inventory import TENSOR_KINDS, InventoryTensor
from initium_server.pytorch import known_options
from initium_server.sources import build_base, build_inventory, needs_of
from initium_server.workers.child import Work

_PYTORCH = "initium_server.pytorch."
"""The modules below import torch, which bare tensors do not need."""


def needs(recipe: recipe_pb2.Recipe) -> list[str]:
    """The modules that resolving the recipe takes, for whoever starts the job. Imports none."""
    modules = [*needs_of(recipe.architecture), *needs_of(recipe.init.base.architecture)]
    if recipe.HasField("groups") and not known_options.suffice(recipe.groups):
        modules.append("torch")
    if recipe.generator == TORCH:
        modules.append(f"{_PYTORCH}generator")
    return modules


CAPABILITIES_NEED = (f"{_PYTORCH}generator",)


def check(recipe: bytes) -> Work:
    """What is wrong with a serialized Recipe by itself; `resolve` says the same, first. Returns nothing."""

    def work() -> bytes:
        planning.check_recipe(recipe_pb2.Recipe.FromString(recipe))
        return b""

    return work


def _pytorch(name: str) -> Any:
    return importlib.import_module(_PYTORCH + name)


def resolve(limits: Limits, device: str, threads: int, stores: Mapping[str, str], recipe: bytes) -> Work:
    """Serialized Recipe to serialized, sealed Plan. Errors: InitiumError for all that can be wrong with a recipe.

    `stores`: directories by name, from which the recipe may load.
    """
    message = recipe_pb2.Recipe.FromString(recipe)
    optimizers = _pytorch("optimizers") if message.HasField("groups") else None
    generator = _pytorch("generator") if message.generator == TORCH else None

    def work() -> bytes:
        planning.check_recipe(message)
        inventory, base = build_inventory(message.architecture), build_base(message.init)
        environment = generator.fingerprint(device, threads) if generator else {}
        gc.disable()  # Planning makes no cycles; to look for them among many tensors takes a tenth of its time.
        try:
            plan = planning.resolve(message, inventory, optimizers, environment, limits, base, Stores(stores).source)
        finally:
            gc.enable()
        return plan.SerializeToString(deterministic=True)

    return work


def read(text: bytes) -> Work:
    """The text of a recipe to a serialized Recipe."""
    return lambda: read_recipe(text).SerializeToString()


def inventory(limits: Limits, architecture: bytes) -> Work:
    """Serialized Architecture to a serialized ListTensorsResponse with all its tensors."""
    message = architecture_pb2.Architecture.FromString(architecture)

    def work() -> bytes:
        tensors = build_inventory(message).tensors
        check_size("architecture", ((tensor.name, tensor.shape) for tensor in tensors), 0, limits)
        return service_pb2.ListTensorsResponse(tensors=map(_inventory_message, tensors)).SerializeToString()

    return work


def explain(limits: Limits, tensor: str, stores: Mapping[str, str], recipe: bytes) -> Work:
    """Serialized Recipe and the name of a tensor to a serialized ExplainResponse. `stores`: as in `resolve`."""
    message = recipe_pb2.Recipe.FromString(recipe)

    def work() -> bytes:
        if not message.HasField("seed"):
            message.seed = 0  # it explains nothing
        planning.check_recipe(message)
        inventory, base = build_inventory(message.architecture), build_base(message.init)
        check_size("architecture", ((one.name, one.shape) for one in inventory.tensors), 0, limits)
        return planning.explain(message, inventory, tensor, base, Stores(stores).source).SerializeToString()

    return work


def _inventory_message(tensor: InventoryTensor) -> service_pb2.InventoryTensor:
    owner = tensor.owners[0]
    message = service_pb2.InventoryTensor(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        kind=TENSOR_KINDS[tensor.kind],
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


def models(source: bytes) -> Work:
    """The name of a model library to a serialized ListModelsResponse with all its models."""
    library = importlib.import_module("initium_server.sources.library")  # It imports torch.
    names, types = library.models(source.decode())
    return service_pb2.ListModelsResponse(names=sorted(set(names)), model_types=sorted(types)).SerializeToString


def capabilities(device: str, threads: int, argument: bytes) -> Work:
    """What torch says: a serialized GetCapabilitiesResponse with its optimizers and its environment."""
    optimizers, generator = _pytorch("optimizers"), _pytorch("generator")

    def work() -> bytes:
        response = service_pb2.GetCapabilitiesResponse(optimizers=sorted(optimizers.names()))
        # A device that torch cannot reach is no reason for a server not to start: `stream-v1` needs none.
        with contextlib.suppress(RuntimeError, AssertionError):
            response.torch_environment.update(generator.fingerprint(device, threads))
        return response.SerializeToString()

    return work


def run_torch(limits: Limits, directory: str, device: str, threads: int, plan: bytes) -> Work:
    """Runs a plan of generator `torch` and writes its weight files into `directory`. Returns nothing."""
    message, generator = plan_pb2.Plan.FromString(plan), _pytorch("generator")
    resolved = resolve(limits, device, threads, {}, message.recipe.SerializeToString())

    def work() -> bytes:
        own = plan_pb2.Plan.FromString(resolved())
        generator.check_resolved_here(message, own)
        generator.write_checkpoint(own, Path(directory), device, threads)
        return b""

    return work
