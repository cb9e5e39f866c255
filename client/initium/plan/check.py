"""Plans from outside: everything is checked before anything is drawn."""

from __future__ import annotations

import hashlib

from initium.contract.generators import GENERATORS
from initium.contract.messages import check_finite
from initium.contract.plans import PLAN_VERSION, check_digests, check_files
from initium.errors import PlanError, Unsupported, Violation, invalid
from initium.plan.layout import RESERVED_NAMES, file_key, specs_of, write_layout
from initium.plan.limits import Limits, check_size
from initium.v1 import plan_pb2
from initium_law import LAW
from initium_law.draw import MAX_AXES
from initium_law.dtypes import ITEM_SIZE


def check_plan(plan: plan_pb2.Plan, limits: Limits) -> None:
    """Checks a plan from outside: version, digests, names, shapes, layout; fills in a missing layout, missing digests.

    Fills are checked when they are decoded and prepared. Errors: Unsupported, PlanError, LimitExceeded.
    """
    if plan.plan_version != PLAN_VERSION:
        raise Unsupported(f"plan_version is {plan.plan_version}; {PLAN_VERSION} is read here")
    check_finite(plan, PlanError)
    if not plan.files:  # written by hand
        _check_content(plan, limits)
        write_layout(plan, {})
        plan.plan_digest, plan.weights_key = check_digests(plan)
        return
    plan.plan_digest, plan.weights_key = check_digests(plan)
    _check_content(plan, limits)
    _check_layout(plan)


def _check_content(plan: plan_pb2.Plan, limits: Limits) -> None:
    """All that the layout follows from."""
    if plan.generator not in GENERATORS:
        raise invalid("generator", f"unknown generator {plan.generator!r}", PlanError)
    if plan.HasField("max_shard_bytes") and plan.max_shard_bytes < 1:
        raise invalid("max_shard_bytes", "must be 1 or more", PlanError)
    _check_tensors(plan)
    _check_literals(plan)
    literals = sum(map(len, plan.literals.values()))
    check_size("tensors", ((t.name, tuple(t.shape)) for t in plan.tensors), literals, limits)


def _check_tensors(plan: plan_pb2.Plan) -> None:
    found: list[Violation] = []
    seen: set[str] = set()
    for i, tensor in enumerate(plan.tensors):
        path = f"tensors[{i}]"
        if tensor.name in RESERVED_NAMES or tensor.name in seen:
            found.append(Violation(f"{path}.name", f"{tensor.name!r} is empty, reserved or stands twice"))
        seen.add(tensor.name)
        if tensor.dtype not in ITEM_SIZE:
            found.append(Violation(f"{path}.dtype", f"unknown dtype {tensor.dtype!r}"))
        if len(tensor.shape) > MAX_AXES:
            found.append(Violation(f"{path}.shape", f"{len(tensor.shape)} dimensions; at most {MAX_AXES}"))
        if plan.generator == LAW and not tensor.HasField("fill"):
            found.append(Violation(f"{path}.fill", "required"))
    if found:
        raise PlanError(violations=found)
    specs = specs_of(plan)
    if specs != sorted(specs, key=file_key):
        raise invalid("tensors", "not in file order; see Plan.tensors in plan.proto", PlanError)


def _check_literals(plan: plan_pb2.Plan) -> None:
    for digest, data in plan.literals.items():
        if hashlib.sha256(data).hexdigest() != digest:
            raise invalid(f"literals[{digest!r}]", "the bytes have another SHA-256", PlanError)


def _check_layout(plan: plan_pb2.Plan) -> None:
    check_files(plan)
    expected = plan_pb2.Plan()
    expected.CopyFrom(plan)
    write_layout(expected, {file.name: file.content for file in plan.files if file.HasField("content")})
    for field in ("files", "tensors"):
        pairs = zip(getattr(plan, field), getattr(expected, field), strict=False)
        for i, (given, wanted) in enumerate(pairs):
            if given != wanted:
                raise invalid(f"{field}[{i}]", f"not where the layout puts {wanted.name}", PlanError)
    if len(plan.files) != len(expected.files):
        raise invalid("files", f"{len(plan.files)} files given; the layout has {len(expected.files)}", PlanError)
