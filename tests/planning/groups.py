"""Grouping policies as data, and the groups that they make of an inventory."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from initium.errors import InitiumError
from initium.v1 import groups_pb2
from initium_server.planning import Inventory
from initium_server.planning.groups import Group, OptionChecker, assign_groups
from tests.planning.inventories import CONVNET
from tests.planning.recipes import AnyOptions

DEFAULTS = {"lr": 0.1, "weight_decay": 0.0005}
"""The options of a policy that writes none."""


def run(
    policy: dict[str, Any], inventory: Inventory = CONVNET, optimizers: OptionChecker | None = None
) -> tuple[list[Group], frozenset[str]]:
    """The groups, and the names of the frozen tensors."""
    full = {"optimizer": "SGD", "defaults": DEFAULTS} | policy
    message = json_format.ParseDict(full, groups_pb2.GroupPolicy())
    grouping = assign_groups(inventory, message, optimizers or AnyOptions())
    return list(grouping.groups), grouping.frozen


def failure(policy: dict[str, Any]) -> InitiumError:
    """The error of a policy that must fail."""
    with pytest.raises(InitiumError) as caught:
        run(policy)
    return caught.value


def table(groups: list[Group]) -> dict[str, list[str]]:
    """The names of each group's tensors by its name."""
    return {group.name: [tensor.name for tensor in group.tensors] for group in groups}
