"""From an `initium.v1.Architecture` to an `Inventory`, without allocating parameters.

Each kind of architecture is one module of this package with a function `inventory`, and `model` where there is code to
run; the registry below is the one place that names them. Nothing here imports torch before a kind needs it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from initium.v1 import architecture_pb2
from initium_server.core.inventory import Inventory
from initium_server.errors import InitiumError, invalid

if TYPE_CHECKING:
    from torch import nn

KINDS: Mapping[str, str] = {
    "library": "initium_server.build.library",
    "modules": "initium_server.build.modules",
    "tensors": "initium_server.build.tensors",
}
"""Field of `Architecture.kind` -> the module that builds it."""


def build_inventory(architecture: architecture_pb2.Architecture) -> Inventory:
    """The architecture's tensors, with the default fills that its library's own constructors give.

    Raises InitiumError: INVALID_RECIPE for bad fields, LIBRARY_MISSING, BUILD_FAILED in the library's words, and
    UNSUPPORTED.
    Call it in a worker process (`initium_server.build.pool`): it runs library code.
    """
    kind, message = _kind(architecture)
    inventory = importlib.import_module(KINDS[kind]).inventory(message)
    assert isinstance(inventory, Inventory)
    return inventory


def build_model(architecture: architecture_pb2.Architecture) -> nn.Module:
    """The real model, allocated in float32 on the CPU and initialized from torch's current seed.

    Raises InitiumError as `build_inventory` does, and UNSUPPORTED for bare tensors, which have no constructor.
    """
    kind, declared = _kind(architecture)
    builder = getattr(importlib.import_module(KINDS[kind]), "model", None)
    if builder is None:
        raise InitiumError(
            "UNSUPPORTED", f"architecture.{kind} has no PyTorch constructor; use the generator stream-v1"
        )
    model: nn.Module = builder(declared)
    return model


def load(architecture: architecture_pb2.Architecture) -> None:
    """Imports what building this architecture needs, as far as it is known and installed; runs nothing of it."""
    kind = architecture.WhichOneof("kind")
    if kind is not None:
        module = importlib.import_module(KINDS[kind])
        if kind == "library":
            module.load(architecture.library.source)


def _kind(architecture: architecture_pb2.Architecture) -> tuple[str, Any]:
    kind = architecture.WhichOneof("kind")
    if kind is None:
        raise invalid("architecture", f"give exactly one of {', '.join(KINDS)}")
    return kind, getattr(architecture, kind)
