"""Init rules as data, and what they assign to an inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf import json_format

from initium.errors import InitiumError
from initium.v1 import init_pb2
from initium_server.planning.assign import Assignment, assign
from initium_server.planning.inventory import Inventory
from initium_server.planning.rules import compile_rules
from initium_server.planning.target import Shape
from tests.planning.inventories import CONVNET


def run(
    *rules: dict[str, Any],
    inventory: Inventory = CONVNET,
    dtype: str = "F32",
    literals: dict[str, bytes] | None = None,
    base: Mapping[str, Shape] | None = None,
) -> dict[str, Assignment]:
    """What each tensor gets, by its name."""
    messages = [json_format.ParseDict(rule, init_pb2.InitRule()) for rule in rules]
    done = assign(
        inventory,
        compile_rules(init_pb2.InitPolicy(rules=messages)),
        dtype,
        literals if literals is not None else {},
        base,
    )
    return {assignment.tensor.name: assignment for assignment in done}


def failure(
    *rules: dict[str, Any], inventory: Inventory = CONVNET, base: Mapping[str, Shape] | None = None
) -> InitiumError:
    """The error of rules that must fail."""
    with pytest.raises(InitiumError) as caught:
        run(*rules, inventory=inventory, base=base)
    assert caught.value.reason == "INVALID_RECIPE"
    return caught.value
