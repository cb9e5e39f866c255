"""A plan in the hands of whoever holds it: checked (`check`), laid out in files (`layout`), and read at any byte
(`checkpoint`).

Drawing takes the law's package with numba (`initium[law]`), and neither a server nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from initium.contract.generators import TORCH
from initium.errors import ServerMissing, Unsupported
from initium.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from initium.contract.stores import Directories
    from initium.plan.checkpoint import VirtualCheckpoint


def open_plan(
    plan: Plan, *, device: str = "cpu", threads: int = 1, stores: Directories | None = None
) -> VirtualCheckpoint:
    """The checkpoint of a plan, whose bytes are made when they are read; in this process.

    `device`: what draws, as `initium serve --device` takes it: `cpu`, `auto`, or devices of torch, e.g. `cuda:0`.
    `threads`: how many share a tensor that is made whole.
    `stores`: directories by name, where the plan's stored tensors lie.
    Errors: PlanError, LimitExceeded; Unsupported under generator `torch`; ServerMissing without `initium[law]`, or
    where the device cannot draw; RequestError for a store that is no directory; PreconditionError where a stored tensor
    is not there or is another, now or when it is read.
    """
    if plan.generator == TORCH:
        raise Unsupported("generator `torch` runs on a server; only `stream-v1` can be drawn from a plan")
    try:
        from initium.plan.check import check_plan
        from initium.plan.checkpoint import VirtualCheckpoint
        from initium.plan.limits import Limits
        from initium.plan.stores import Stores
        from initium_law.backends import backend_for
        from initium_law.backends.devices import choose_device
        from initium_law.engine import Engine

        importlib.import_module("numba")  # else kernels do, when the first is called
        _, backend = backend_for(choose_device(device))
    except ImportError as error:
        raise ServerMissing(f"drawing needs numba ({error}): pip install 'initium[law]', or name a server") from None
    except OSError as error:
        raise ServerMissing(str(error)) from None
    own = Plan()
    own.CopyFrom(plan)
    layout = check_plan(own, Limits())
    return VirtualCheckpoint(own, Engine(backend, threads=threads, stores=Stores(stores)), layout)
