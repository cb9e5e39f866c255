"""Jobs for the build pool: top-level functions from bytes to bytes."""

from __future__ import annotations

import io
import pickle
from typing import Any

from initium.v1 import architecture_pb2
from initium_server.core.inventory import Inventory

_TRUSTED = ("initium_server.core.fills", "initium_server.core.inventory")


def inventory_job(architecture: bytes) -> bytes:
    """The inventory of a serialized `Architecture`; read it with `read_inventory`."""
    from initium_server.build import build_inventory

    return pickle.dumps(build_inventory(architecture_pb2.Architecture.FromString(architecture)))


def read_inventory(data: bytes) -> Inventory:
    """What `inventory_job` wrote. Only the inventory's own classes are accepted: the worker has run library code."""
    inventory = _Reader(io.BytesIO(data)).load()
    if not isinstance(inventory, Inventory):
        raise pickle.UnpicklingError(f"expected an Inventory, got {type(inventory).__name__}")
    return inventory


def no_job(argument: bytes) -> bytes:
    """Gives the argument back: starts the fork server, and nothing else."""
    return argument


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _TRUSTED and not name.startswith("_"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no class of an inventory")
