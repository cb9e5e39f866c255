"""Plans from outside: everything is checked before anything is drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise

from initium.contract.generators import GENERATORS
from initium.contract.messages import check_finite
from initium.contract.plans import OLDEST_PLAN_VERSION, PLAN_VERSION, check_digests, check_files
from initium.contract.wording import counted, suggestion
from initium.errors import PlanError, Unsupported, Violation, invalid
from initium.plan.layout import (
    RESERVED_NAMES,
    Layout,
    TensorSpec,
    file_key,
    lay_out,
    limit_of,
    places_of,
    planned_files,
    spec_of,
    write_layout,
)
from initium.plan.limits import Limits, check_size
from initium.v1 import plan_pb2
from initium.v1.plan_pb2 import TensorKind
from initium_law import LAW
from initium_law.draw import MAX_AXES
from initium_law.dtypes import ITEM_SIZE


def check_plan(plan: plan_pb2.Plan, limits: Limits) -> Layout:
    """Checks a plan from outside: version, digests, names, shapes, layout; fills in a missing layout, missing digests.

    Returns its layout. Fills are checked when they are decoded and prepared.
    Errors: Unsupported, PlanError, LimitExceeded.
    """
    if not plan.plan_version:
        raise invalid("plan_version", f"required: {OLDEST_PLAN_VERSION} to {PLAN_VERSION}", PlanError)
    if not OLDEST_PLAN_VERSION <= plan.plan_version <= PLAN_VERSION:
        text = f"plan_version is {plan.plan_version}; {OLDEST_PLAN_VERSION} to {PLAN_VERSION} are read here"
        raise Unsupported(text)
    if plan.loads and plan.plan_version == OLDEST_PLAN_VERSION:
        raise invalid("loads", f"needs plan_version {PLAN_VERSION}; the plan says {plan.plan_version}", PlanError)
    for part, path in ((plan.groups, "groups"), (plan.recipe, "recipe")):  # Nothing else holds a Struct.
        check_finite(part, PlanError, path)
    if plan.files:
        plan.plan_digest, plan.weights_key = check_digests(plan)
        layout = _checked_content(plan, limits)
        _check_layout(plan, layout)
        return layout
    layout = _checked_content(plan, limits)  # Written by hand.
    write_layout(plan, layout, {})
    plan.plan_digest, plan.weights_key = check_digests(plan)
    return layout


def _checked_content(plan: plan_pb2.Plan, limits: Limits) -> Layout:
    """The layout, after a check of all that it follows from."""
    if plan.generator not in GENERATORS:
        hint = suggestion(plan.generator, GENERATORS, "generators")
        raise invalid("generator", f"unknown generator {plan.generator!r}; {hint}", PlanError)
    if plan.HasField("max_shard_bytes") and plan.max_shard_bytes < 1:
        raise invalid("max_shard_bytes", "must be 1 or more", PlanError)
    specs = _checked_tensors(plan)
    if found := list(check_literals(plan.literals, "literals")):
        raise PlanError(violations=found)
    literals = sum(map(len, plan.literals.values()))
    check_size("tensors", ((spec.name, spec.shape) for spec in specs), literals, limits)
    return lay_out(specs, limit_of(plan))


def _checked_tensors(plan: plan_pb2.Plan) -> list[TensorSpec]:
    """What layout needs to know of the tensors."""
    found: list[Violation] = []
    seen: set[str] = set(RESERVED_NAMES)
    specs: list[TensorSpec] = []
    groups, kinds = len(plan.groups.groups), frozenset(TensorKind.values())
    for i, tensor in enumerate(plan.tensors):
        name, dtype, shape = tensor.name, tensor.dtype, tuple(tensor.shape)
        if name in seen:
            found.append(Violation(f"tensors[{i}].name", f"{name!r} is empty, reserved or stands twice"))
        seen.add(name)
        if dtype not in ITEM_SIZE:
            hint = suggestion(dtype, ITEM_SIZE, "dtypes")
            found.append(Violation(f"tensors[{i}].dtype", f"unknown dtype {dtype!r}; {hint}"))
        if len(shape) > MAX_AXES:
            found.append(Violation(f"tensors[{i}].shape", f"{len(shape)} dimensions; at most {MAX_AXES}"))
        if plan.generator == LAW and not tensor.HasField("fill"):
            found.append(Violation(f"tensors[{i}].fill", "required"))
        if tensor.HasField("group") and tensor.group >= groups:
            found.append(
                Violation(f"tensors[{i}].group", f"is {tensor.group}; the plan has {counted(groups, 'group')}")
            )
        if tensor.kind not in kinds:
            raise Unsupported(f"tensors[{i}].kind is {tensor.kind}, which is not known here")
        if not found:
            specs.append(spec_of(name, shape, dtype, tensor.ordinal))
    if found:
        raise PlanError(violations=found)
    if any(later < sooner for sooner, later in pairwise(map(file_key, specs))):
        raise invalid("tensors", "not in file order; see Plan.tensors in plan.proto", PlanError)
    return specs


def check_literals(literals: Mapping[str, bytes], path: str) -> Iterator[Violation]:
    """The literals whose bytes do not have their digest."""
    for digest, data in literals.items():
        if hashlib.sha256(data).hexdigest() != digest:
            yield Violation(f"{path}[{digest!r}]", "the bytes have another SHA-256")


def _check_layout(plan: plan_pb2.Plan, layout: Layout) -> None:
    check_files(plan)
    small = {file.name: file.content for file in plan.files if file.HasField("content")}
    files = list(planned_files(layout, small))
    for i, (given, wanted) in enumerate(zip(plan.files, files, strict=False)):
        if given != wanted:
            raise invalid(f"files[{i}]", f"not where the layout puts {wanted.name}", PlanError)
    if len(plan.files) != len(files):
        given_files = counted(len(plan.files), "file")
        raise invalid("files", f"{given_files} given; the layout has {len(files)}", PlanError)
    places = places_of(layout)
    for i, tensor in enumerate(plan.tensors):
        if (tensor.file, tensor.offset, tensor.size) != places[tensor.name]:
            raise invalid(f"tensors[{i}]", f"not where the layout puts {tensor.name}", PlanError)
