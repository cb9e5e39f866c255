"""Recipes as messages, and their plans, for tests that go from one to the other without any library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import json_format

from initium.plan.limits import Limits
from initium.v1 import plan_pb2, recipe_pb2
from initium_server.planning import Inventory, check_recipe, resolve
from initium_server.planning.groups import OptionChecker
from tests.planning.inventories import CONVNET

LIBRARY = {"library": {"source": "timm", "name": "toy"}}
BARE = {"tensors": {"tensors": [{"name": "w", "shape": ["2"]}]}}


class AnyOptions:
    """Takes every option, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def check_options(self, optimizer: str, written: Any, groups: Any) -> None:
        self.asked.append((optimizer, list(written), list(groups)))


def recipe(**fields: Any) -> recipe_pb2.Recipe:
    """A recipe of a library's model with these fields; None takes a field out."""
    given: dict[str, Any] = {"architecture": LIBRARY, "seed": 7} | fields
    kept = {name: value for name, value in given.items() if value is not None}
    return json_format.ParseDict(kept, recipe_pb2.Recipe())


def planned(
    inventory: Inventory = CONVNET,
    *,
    optimizers: OptionChecker | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    **fields: Any,
) -> plan_pb2.Plan:
    """The plan of `recipe(**fields)` for an architecture that was built to `inventory`."""
    message = recipe(**fields)
    check_recipe(message)
    return resolve(message, inventory, optimizers or AnyOptions(), environment or {}, limits or Limits())


def by_name(plan: plan_pb2.Plan) -> dict[str, plan_pb2.PlannedTensor]:
    """The planned tensors by their names."""
    return {tensor.name: tensor for tensor in plan.tensors}
