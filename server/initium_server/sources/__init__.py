"""From an `initium.v1.Architecture` to an `Inventory`, without allocating parameters.

Each kind of architecture is the module of that name in this package, with a function `inventory`, and `model` where
there is code to run. Nothing imports torch before a kind needs it. Call it in a worker process: it runs library code.
"""

from __future__ import annotations

import importlib
from typing import Any

from initium.errors import InitiumError, Unsupported, invalid
from initium.v1 import architecture_pb2, init_pb2
from initium_server.planning.inventory import Inventory
from initium_server.sources.libraries import adapters

KINDS = [field.name for field in architecture_pb2.Architecture.DESCRIPTOR.oneofs_by_name["kind"].fields]


def build_inventory(architecture: architecture_pb2.Architecture) -> Inventory:
    """The architecture's tensors, with the default fills that its library's own constructors give.

    Errors: RecipeError for bad fields, and BUILD_FAILED in the library's words; PreconditionError where the library is
    missing; Unsupported.
    """
    module, declared = _kind(architecture)
    inventory: Inventory = module.inventory(declared)
    return inventory


def build_base(policy: init_pb2.InitPolicy) -> Inventory | None:
    """What the base architecture of an init policy is built to, if it has one.

    Errors: as `build_inventory`, under `init.base`.
    """
    if not policy.base.HasField("architecture"):
        return None
    try:
        return build_inventory(policy.base.architecture)
    except InitiumError as error:
        raise error.under("init.base") from None


def build_model(architecture: architecture_pb2.Architecture) -> Any:
    """The real model, a torch.nn.Module, allocated in float32 on the CPU and initialized from torch's current seed.

    Errors: as `build_inventory`, and Unsupported for bare tensors, which have no constructor.
    """
    module, declared = _kind(architecture)
    if not hasattr(module, "model"):
        kind = architecture.WhichOneof("kind")
        raise Unsupported(f"architecture.{kind} has no PyTorch constructor; use the generator stream-v1")
    return module.model(declared)


def needs_of(architecture: architecture_pb2.Architecture) -> list[str]:
    """The modules that building this architecture takes, as far as they are known. Imports none."""
    kind = architecture.WhichOneof("kind")
    if kind is None:
        return []
    adapter = adapters().get(architecture.library.source) if kind == "library" else None
    return [f"{__name__}.{kind}", *filter(None, [adapter])]


def _kind(architecture: architecture_pb2.Architecture) -> tuple[Any, Any]:
    """The module of a kind, and its message."""
    kind = architecture.WhichOneof("kind")
    if kind is None:
        raise invalid("architecture", f"give exactly one of {', '.join(KINDS)}")
    return importlib.import_module(f"{__name__}.{kind}"), getattr(architecture, kind)
