"""Which rule decided for how much of a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from initium.cli.table import table
from initium.contract.plans import elements
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, Plan, PlannedTensor
from initium.v1.recipe_pb2 import Recipe

_HEADER = ("rule", "tensors", "elements", "initializer")


def coverage(plan: Plan, recipe: Recipe | None) -> Iterator[str]:
    """The lines of a table: each rule with what it decided, in the recipe's order; then what none did.

    `recipe`: what the plan was made from, if it is at hand; it has the rules that decided nothing, too.
    """
    rows = _rules(recipe) if recipe is not None else {}
    tensors, sizes = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for tensor in sorted(plan.tensors, key=lambda tensor: (_place(tensor), tensor.ordinal)):
        key, initializer = _row(tensor)
        rows.setdefault(key, initializer)
        tensors[key] += 1
        sizes[key] += elements(tensor)
    cells = [
        (" ".join(filter(None, key)), f"{tensors[key]:,}", f"{sizes[key]:,}", initializer)
        for key, initializer in rows.items()
    ]
    return table(_HEADER, cells, right=(1, 2))


def idle_rules(plan: Plan, recipe: Recipe) -> list[str]:
    """The paths of the rules that decided nothing, all of which are optional."""
    used = {tensor.rule for tensor in plan.tensors}
    return [path for path, _ in _rules(recipe) if path not in used]


def _rules(recipe: Recipe) -> dict[tuple[str, str], str]:
    return {
        (f"init.rules[{i}]", rule.name): rule.WhichOneof("initializer") or ""
        for i, rule in enumerate(recipe.init.rules)
    }


def _place(tensor: PlannedTensor) -> int:
    """Rules first, the library's own buffers last."""
    return 0 if tensor.rule else 1 + (tensor.kind == TENSOR_KIND_BUFFER)


def _row(tensor: PlannedTensor) -> tuple[tuple[str, str], str]:
    if tensor.rule:
        return (tensor.rule, tensor.rule_name), tensor.initializer
    return ("library default", "of buffers" if tensor.kind == TENSOR_KIND_BUFFER else ""), ""
