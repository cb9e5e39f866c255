"""What was resolved becomes a plan: fills, groups, dtypes and layout in one self-contained message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from initium.contract.canonical import seal
from initium.contract.plans import OLDEST_PLAN_VERSION
from initium.errors import invalid
from initium.plan.fills import encode_fill, version_of
from initium.plan.layout import RESERVED_NAMES, TensorSpec, file_key, lay_out, limit_of, spec_of, write_layout
from initium.plan.limits import Limits, check_size
from initium.v1 import fill_pb2, plan_pb2, recipe_pb2
from initium_law import LAW
from initium_law.grammar import literals as literals_of
from initium_server.planning.assign import Assignment
from initium_server.planning.groups import Grouping
from initium_server.planning.inventory import TENSOR_KINDS, Inventory


def make_plan(
    recipe: recipe_pb2.Recipe,
    inventory: Inventory,
    assignments: Sequence[Assignment],
    grouping: Grouping | None,
    literals: Mapping[str, bytes],
    files: Mapping[str, bytes],
    limits: Limits,
) -> plan_pb2.Plan:
    """The plan of a resolved recipe, not yet sealed with its digests.

    Errors: LimitExceeded beyond `limits`.
    """
    _check_names(inventory)
    drawn = recipe.generator in ("", LAW)
    used = {digest for a in assignments for digest in literals_of(a.fill)} if drawn and literals else set()
    shapes = ((a.tensor.name, a.tensor.shape) for a in assignments)
    check_size("architecture", shapes, sum(len(literals[digest]) for digest in used), limits)
    plan = plan_pb2.Plan(plan_version=OLDEST_PLAN_VERSION, generator=recipe.generator or LAW, seed=recipe.seed)
    if recipe.output.HasField("max_shard_bytes"):
        plan.max_shard_bytes = recipe.output.max_shard_bytes
    specs = [spec_of(a.tensor.name, a.tensor.shape, a.dtype, i) for i, a in enumerate(assignments)]
    fills: dict[int, fill_pb2.Fill] = {}  # Many tensors have one fill.
    for spec, assignment in sorted(zip(specs, assignments, strict=True), key=lambda pair: file_key(pair[0])):
        fill = None
        if drawn:
            key = id(assignment.fill)
            if key not in fills:
                fills[key] = encode_fill(assignment.fill)
                plan.plan_version = max(plan.plan_version, version_of(assignment.fill))
            fill = fills[key]
        plan.tensors.append(_planned(spec, assignment, fill))
    for digest in used:
        plan.literals[digest] = literals[digest]
    plan.versions.update(inventory.versions)
    if grouping is not None:
        _add_groups(plan, recipe.groups.optimizer, grouping)
    write_layout(plan, lay_out(specs, limit_of(plan)), files)
    return plan


def _check_names(inventory: Inventory) -> None:
    reserved = [tensor.name for tensor in inventory.tensors if tensor.name in RESERVED_NAMES]
    if reserved:
        raise invalid("architecture", f"a tensor cannot be called {reserved[0]!r} in a safetensors file; rename it")


def with_seed(plan: plan_pb2.Plan, seed: int) -> plan_pb2.Plan:
    """The sealed plan that the same recipe gives with another seed: nothing else of a plan depends on the seed."""
    if plan.seed == seed:
        return plan
    other = plan_pb2.Plan()
    other.CopyFrom(plan)
    other.seed = seed
    if other.HasField("recipe"):
        other.recipe.seed = seed
    return seal(other)


def _planned(spec: TensorSpec, assignment: Assignment, fill: fill_pb2.Fill | None) -> plan_pb2.PlannedTensor:
    tensor = assignment.tensor
    return plan_pb2.PlannedTensor(
        name=spec.name,
        shape=spec.shape,
        dtype=spec.dtype,
        aliases=tensor.aliases,
        rule=assignment.rule,
        rule_name=assignment.rule_name,
        initializer=assignment.initializer,
        resolved=assignment.numbers,
        kind=TENSOR_KINDS[tensor.kind],
        trainable=tensor.trainable,
        module_class=next(iter(tensor.owners[0].classes), ""),
        ordinal=spec.ordinal,
        fill=fill,
    )


def _add_groups(plan: plan_pb2.Plan, optimizer: str, grouping: Grouping) -> None:
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    plan.groups.optimizer = optimizer
    for i, group in enumerate(grouping.groups):
        planned = plan.groups.groups.add(name=group.name, elements=group.elements)
        planned.options.update(group.options)
        for tensor in group.tensors:
            planned.tensors.append(tensor.name)
            by_name[tensor.name].group = i
    for name in grouping.frozen:
        by_name[name].trainable = False
