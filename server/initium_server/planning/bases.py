"""Base shapes: what width is measured against (`InitPolicy.base`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from initium.errors import RecipeError, Violation
from initium.v1 import init_pb2
from initium_server.planning.inventory import Inventory, InventoryTensor
from initium_server.planning.target import Shape, unknown_tensor

FIELD = "init.base"
_SHOWN = 20


def check_base(policy: init_pb2.InitPolicy) -> Iterator[Violation]:
    """What shows without a model."""
    if policy.HasField("base") and policy.base.HasField("architecture") == bool(policy.base.shapes):
        yield Violation(FIELD, "give exactly one of architecture, shapes")


def base_shapes(policy: init_pb2.InitPolicy, inventory: Inventory, base: Inventory | None) -> dict[str, Shape]:
    """Base shapes by the first names of tensors; `base` is what the policy's base architecture was built to.

    Errors: RecipeError for names that the model or the base architecture does not have, and for other numbers of axes.
    """
    if not policy.HasField("base"):
        return {}
    tensors = {owner.name: tensor for tensor in inventory.tensors for owner in tensor.owners}
    if base is None:
        given = {name: tuple(shape.extents) for name, shape in policy.base.shapes.items()}
        found = list(_mismatches(given, tensors, f"{FIELD}.shapes"))
    else:
        given = {owner.name: tensor.shape for tensor in base.tensors for owner in tensor.owners}
        found = list(_mismatches(given, tensors, f"{FIELD}.architecture"))
        found += [
            Violation(f"{FIELD}.architecture", f"it has no tensor {name!r}; only sizes may differ from the model's")
            for name in tensors
            if name not in given
        ]
    if found:
        raise RecipeError(violations=found[:_SHOWN])
    return {tensors[name].name: shape for name, shape in given.items()}


def _mismatches(given: Mapping[str, Shape], tensors: Mapping[str, InventoryTensor], path: str) -> Iterator[Violation]:
    for name, shape in given.items():
        if name not in tensors:
            yield Violation(path, unknown_tensor(name, tensors))
        elif len(shape) != len(tensors[name].shape):
            own = list(tensors[name].shape)
            yield Violation(path, f"{name} has the base shape {list(shape)}, and the model's {own} has {len(own)} axes")
