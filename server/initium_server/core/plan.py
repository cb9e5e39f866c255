"""Recipes with an inventory become plans: fills, groups, dtypes and layout in one self-contained message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from initium.canonical import seal
from initium.v1 import plan_pb2, recipe_pb2
from initium_server.core import dtypes
from initium_server.core.codec import encode_fill
from initium_server.core.fills import literals as literals_of
from initium_server.core.groups import Group
from initium_server.core.initializers import NOT_OF_TORCH
from initium_server.core.inventory import Inventory
from initium_server.core.layout import SmallFile, TensorSpec, WeightFile, file_key, lay_out
from initium_server.core.limits import Limits, check_size
from initium_server.core.numbers import check_numbers
from initium_server.core.rules import Assignment
from initium_server.errors import InitiumError, Violation, invalid
from initium_server.law import LAW

PLAN_VERSION = 1
TORCH = "torch"
GENERATORS = (LAW, TORCH)
RESERVED_NAMES = ("", "__metadata__")
"""Tensor names that a safetensors header cannot hold."""


def check_recipe(recipe: recipe_pb2.Recipe) -> None:
    """Raises InitiumError(INVALID_RECIPE) for what can be told without building the architecture."""
    check_numbers(recipe, "INVALID_RECIPE")
    found = []
    if not recipe.HasField("seed"):
        found.append(Violation("seed", "required: any whole number from 0 to 18446744073709551615"))
    if recipe.generator and recipe.generator not in GENERATORS:
        found.append(
            Violation("generator", f"unknown generator {recipe.generator!r}; known are {', '.join(GENERATORS)}")
        )
    if recipe.dtype and recipe.dtype not in dtypes.FLOATS:
        found.append(Violation("dtype", dtypes.unknown(recipe.dtype)))
    if recipe.output.HasField("max_shard_bytes") and recipe.output.max_shard_bytes < 1:
        found.append(Violation("output.max_shard_bytes", "must be 1 or more; leave it out for a single file"))
    if recipe.generator == TORCH and recipe.architecture.WhichOneof("kind") == "tensors":
        found.append(Violation("generator", "`torch` runs a PyTorch model; a bare tensor list needs `stream-v1`"))
    for i, rule in enumerate(recipe.init.rules if recipe.generator == TORCH else ()):
        if (name := rule.WhichOneof("initializer")) in NOT_OF_TORCH:
            found.append(Violation(f"init.rules[{i}].{name}", "torch.nn.init has no such function; use `stream-v1`"))
    if found:
        raise InitiumError("INVALID_RECIPE", violations=found)


def make_plan(
    recipe: recipe_pb2.Recipe,
    inventory: Inventory,
    assignments: Sequence[Assignment],
    groups: tuple[Sequence[Group], frozenset[str]] | None,
    literals: Mapping[str, bytes],
    limits: Limits,
) -> plan_pb2.Plan:
    """The plan of a resolved recipe, not yet sealed with its digests.

    Raises InitiumError(TOO_LARGE) beyond `limits`.
    """
    _check_names(inventory)
    drawn = recipe.generator in ("", LAW)
    used = {digest for a in assignments for digest in literals_of(a.fill)} if drawn else set()
    shapes = ((a.tensor.name, a.tensor.shape) for a in assignments)
    check_size("architecture", shapes, sum(len(literals[digest]) for digest in used), limits)
    plan = plan_pb2.Plan(plan_version=PLAN_VERSION, generator=recipe.generator or LAW, seed=recipe.seed)
    if recipe.output.HasField("max_shard_bytes"):
        plan.max_shard_bytes = recipe.output.max_shard_bytes
    specs = [TensorSpec(a.tensor.name, a.tensor.shape, a.dtype, i) for i, a in enumerate(assignments)]
    for spec, assignment in sorted(zip(specs, assignments, strict=True), key=lambda pair: file_key(pair[0])):
        plan.tensors.append(_planned(spec, assignment, drawn))
    for digest in used:
        plan.literals[digest] = literals[digest]
    plan.versions.update(inventory.versions)
    if groups is not None:
        _add_groups(plan, recipe, *groups)
    write_layout(plan, inventory.files)
    return plan


def _check_names(inventory: Inventory) -> None:
    reserved = [tensor.name for tensor in inventory.tensors if tensor.name in RESERVED_NAMES]
    if reserved:
        raise invalid("architecture", f"a tensor cannot be called {reserved[0]!r} in a safetensors file; rename it")


def with_seed(plan: plan_pb2.Plan, seed: int) -> plan_pb2.Plan:
    """The sealed plan that the same recipe gives with another seed: nothing else of a plan depends on the seed."""
    other = plan_pb2.Plan()
    other.CopyFrom(plan)
    other.seed = seed
    if other.HasField("recipe"):
        other.recipe.seed = seed
    return seal(other)


def _planned(spec: TensorSpec, assignment: Assignment, drawn: bool) -> plan_pb2.PlannedTensor:
    tensor = assignment.tensor
    planned = plan_pb2.PlannedTensor(
        name=spec.name,
        shape=spec.shape,
        dtype=spec.dtype,
        aliases=tensor.aliases,
        rule=assignment.rule,
        initializer=assignment.initializer,
        resolved=assignment.numbers,
        kind=tensor.kind,
        trainable=tensor.trainable,
        module_class=next(iter(tensor.owners[0].classes), ""),
        ordinal=spec.ordinal,
    )
    if drawn:
        planned.fill.CopyFrom(encode_fill(assignment.fill))
    return planned


def _add_groups(
    plan: plan_pb2.Plan, recipe: recipe_pb2.Recipe, groups: Sequence[Group], frozen: frozenset[str]
) -> None:
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    plan.groups.optimizer = recipe.groups.optimizer
    for i, group in enumerate(groups):
        planned = plan.groups.groups.add(name=group.name, elements=group.elements)
        planned.options.update(group.options)
        for tensor in group.tensors:
            planned.tensors.append(tensor.name)
            by_name[tensor.name].group = i
    for name in frozen:
        by_name[name].trainable = False


def specs_of(plan: plan_pb2.Plan) -> list[TensorSpec]:
    """The plan's tensors as layout sees them, in the plan's order."""
    return [TensorSpec(t.name, tuple(t.shape), t.dtype, t.ordinal) for t in plan.tensors]


def layout_of(plan: plan_pb2.Plan) -> list[WeightFile | SmallFile]:
    """Weight files and index as they follow from the plan's tensors."""
    return lay_out(specs_of(plan), plan.max_shard_bytes if plan.HasField("max_shard_bytes") else None)


def write_layout(plan: plan_pb2.Plan, small: Mapping[str, bytes]) -> None:
    """Fills in files and the place of every tensor, replacing what stands there."""
    del plan.files[:]
    by_name = {tensor.name: tensor for tensor in plan.tensors}
    for i, file in enumerate(layout_of(plan)):
        plan.files.add(name=file.name, size=file.size)
        for placed in file.tensors if isinstance(file, WeightFile) else ():
            tensor = by_name[placed.spec.name]
            tensor.file, tensor.offset, tensor.size = i, placed.offset, placed.spec.size
    for name, content in sorted(small.items()):
        plan.files.add(name=name, size=len(content), content=content)
