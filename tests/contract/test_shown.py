"""What notebooks show of plans and inventories: never the whole message."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import initium
from initium.contract.shown import Inventory
from initium.v1.plan_pb2 import Group, PlannedFile, PlannedGroups, PlannedTensor
from initium.v1.service_pb2 import InventoryTensor

PLAN: Any = initium.Plan(
    plan_digest="ab" * 32,
    generator="stream-v1",
    seed=7,
    tensors=[PlannedTensor(name=f"layers.{i}.weight") for i in range(1200)],
    files=[PlannedFile(name="model.safetensors", size=3 << 20)],
    groups=PlannedGroups(optimizer="SGD", groups=[Group(name="<b>decay", tensors=["layers.0.weight"])]),
)


def cells(table: str) -> list[list[str | None]]:
    """Of an HTML table, which must be well-formed."""
    return [[cell.text for cell in row] for row in ElementTree.fromstring(table).iter("tr")]


def test_a_plan_is_a_line_or_a_table() -> None:
    assert repr(PLAN) == "<Plan abababababab: 1,200 tensors, 1 file, 3.0 MiB, 1 group>"
    assert repr(initium.Plan()) == "<Plan without digest: 0 tensors, 0 files, 0 B, 0 groups>"
    assert cells(PLAN._repr_html_()) == [
        ["digest", "ab" * 32],
        ["generator", "stream-v1, seed 7"],
        ["tensors", "1,200"],
        ["files", "1, 3.0 MiB"],
        ["optimizer", "SGD"],
        ["group <b>decay", "1 tensor"],
    ]


def test_print_still_shows_a_plan_whole() -> None:
    assert "layers.1199.weight" in str(PLAN)


def test_an_inventory_is_a_list_that_is_shown_as_a_line_or_a_table() -> None:
    one = InventoryTensor(name="<x>", shape=[2, 3], dtype="F32", classes=["Linear", "Module"])
    assert Inventory([one]) == [one]
    assert repr(Inventory([one])) == "<Inventory: 1 tensor>"
    assert cells(Inventory([one])._repr_html_())[1:] == [["<x>", "[2, 3]", "F32", "Linear"]]
    many = Inventory([one] * 25)._repr_html_()
    assert "<caption>Inventory: 25 tensors, the first 20</caption>" in many
    assert len(cells(many)) == 21
