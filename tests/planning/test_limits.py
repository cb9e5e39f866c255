"""A checkpoint beyond the server's limits is refused, at its architecture (promise 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initium.errors import LimitExceeded
from initium.plan.limits import Limits
from initium_law.grammar import Literal
from initium_server.planning import Inventory
from initium_server.planning.casts import add_literal
from tests.planning.inventories import CONVNET, tensor
from tests.planning.recipes import planned

ELEMENTS = 8 * 27 + 8 + 8 + 8 + 64 + 64 + 80 + 8 + 1


def refused(limits: Limits, inventory: Inventory = CONVNET, **fields: Any) -> str:
    with pytest.raises(LimitExceeded) as caught:
        planned(inventory, limits=limits, **fields)
    (violation,) = caught.value.violations
    assert (caught.value.reason, violation.field) == ("TOO_LARGE", "architecture")
    return violation.message


def test_elements_and_the_largest_tensor_are_named() -> None:
    planned(limits=Limits(elements=ELEMENTS))
    message = refused(Limits(elements=ELEMENTS - 1))
    assert str(ELEMENTS) in message
    assert "conv1.weight" in message


def test_tensors() -> None:
    planned(limits=Limits(tensors=len(CONVNET.tensors)))
    assert "9" in refused(Limits(tensors=len(CONVNET.tensors) - 1))


def test_size_is_refused_before_any_rule_is_tried() -> None:
    """Else a tensor that no law could draw were an error of the rule that matches it."""
    huge = Inventory((tensor("w", (1 << 32, 1 << 32)),))
    rules = {"rules": [{"match": {"path": ["nope"]}, "ones": {}}, {"match": {"every": True}, "eye": {}}]}
    refused(Limits(), huge, init=rules)
    refused(Limits(), huge)


def literals(count: int) -> tuple[Inventory, dict[str, bytes]]:
    """Tensors of 16 bytes each with literals of their own, and a literal that nothing uses."""
    stored: dict[str, bytes] = {}
    digests = [add_literal(np.full(4, i, "<f4").tobytes(), stored) for i in range(count)]
    add_literal(bytes(1000), stored)
    return Inventory(tuple(tensor(f"w{i}", (4,), default=Literal(d)) for i, d in enumerate(digests)), stored), stored


def test_bytes_of_the_literals_that_the_plan_holds() -> None:
    inventory, _ = literals(3)
    planned(inventory, limits=Limits(literal_bytes=48))
    assert "literal values" in refused(Limits(literal_bytes=47), inventory)


def test_literals_count_as_they_are_cast_and_once_each() -> None:
    inventory, stored = literals(2)
    planned(inventory, dtype="BF16", limits=Limits(literal_bytes=16))
    refused(Limits(literal_bytes=15), inventory, dtype="BF16")
    twice = Inventory((*inventory.tensors, tensor("again", (4,), default=inventory.tensors[0].default)), stored)
    planned(twice, limits=Limits(literal_bytes=32))


def test_plans_of_generator_torch_hold_no_literals() -> None:
    inventory, _ = literals(3)
    plan = planned(inventory, generator="torch", limits=Limits(literal_bytes=0))
    assert not plan.literals
