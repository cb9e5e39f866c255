"""What a notebook shows of plans, manifests and inventories: a line, and a small table. `print` shows a plan whole.

A plan is a message, and a wrapped one would be none: so the class of plans is given the two methods that notebooks ask.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from initium.contract.plans import total_bytes
from initium.contract.wording import counted, human_bytes
from initium.v1.plan_pb2 import Plan
from initium.v1.service_pb2 import InventoryTensor

_SHOWN = 20  # rows


class Inventory(list[InventoryTensor]):
    """The tensors of an architecture, before any rule."""

    def __repr__(self) -> str:
        return f"<Inventory: {counted(len(self), 'tensor')}>"

    def _repr_html_(self) -> str:
        rows = [(one.name, list(one.shape), one.dtype, "".join(one.classes[:1])) for one in self[:_SHOWN]]
        more = f", the first {_SHOWN}" if len(self) > _SHOWN else ""
        header = ("name", "shape", "dtype", "class")
        return _table(f"Inventory: {counted(len(self), 'tensor')}{more}", [header, *rows])


def line(kind: str, plan: Plan) -> str:
    """One line about what a plan makes; `kind` says what is shown."""
    counts = counted(len(plan.tensors), "tensor"), counted(len(plan.files), "file"), human_bytes(total_bytes(plan))
    groups = counted(len(plan.groups.groups), "group")
    return f"<{kind} {plan.plan_digest[:12] or 'without digest'}: {', '.join(counts)}, {groups}>"


def table(kind: str, plan: Plan) -> str:
    """The same as an HTML table, with the groups."""
    facts = [
        ("digest", plan.plan_digest),
        ("generator", f"{plan.generator}, seed {plan.seed}"),
        ("tensors", f"{len(plan.tensors):,}"),
        ("files", f"{len(plan.files):,}, {human_bytes(total_bytes(plan))}"),
        ("optimizer", plan.groups.optimizer),
        *((f"group {group.name}", counted(len(group.tensors), "tensor")) for group in plan.groups.groups[:_SHOWN]),
    ]
    return _table(kind, [fact for fact in facts if fact[1]])


def _table(caption: str, rows: Iterable[Sequence[Any]]) -> str:
    cells = ("".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<table><caption>{html.escape(caption)}</caption>{body}</table>"


def _show_plans(message: Any) -> None:
    message.__repr__ = lambda plan: line("Plan", plan)
    message._repr_html_ = lambda plan: table("Plan", plan)


_show_plans(Plan)
