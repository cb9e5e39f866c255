"""Plans from outside: everything is checked before anything is drawn."""

from __future__ import annotations

import hashlib
import re

from initium.canonical import DIGEST_FIELDS, digests
from initium.v1 import plan_pb2
from initium_server.core.layout import file_key
from initium_server.core.limits import Limits, check_size
from initium_server.core.numbers import check_numbers
from initium_server.core.plan import GENERATORS, PLAN_VERSION, RESERVED_NAMES, specs_of, write_layout
from initium_server.errors import InitiumError, Violation, invalid
from initium_server.law import ITEM_SIZE, LAW

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
MAX_DIMENSIONS = 64


def check_plan(plan: plan_pb2.Plan, limits: Limits) -> None:
    """Checks version, digests, names, shapes and layout of a plan that a client sent, and fills in missing digests.

    Fills are checked when they are decoded and prepared. Raises InitiumError: UNSUPPORTED, PLAN_DIGEST_MISMATCH,
    INVALID_PLAN or TOO_LARGE.
    """
    if plan.plan_version != PLAN_VERSION:
        raise InitiumError("UNSUPPORTED", f"plan_version is {plan.plan_version}; this server reads {PLAN_VERSION}")
    check_numbers(plan, "INVALID_PLAN")
    for field, actual in zip(DIGEST_FIELDS, digests(plan), strict=True):
        _check_digest(plan, field, actual)
    if plan.generator not in GENERATORS:
        raise invalid("generator", f"unknown generator {plan.generator!r}", "INVALID_PLAN")
    _check_tensors(plan)
    _check_literals(plan)
    literals = sum(map(len, plan.literals.values()))
    check_size("tensors", ((t.name, tuple(t.shape)) for t in plan.tensors), literals, limits)
    _check_layout(plan)


def _check_digest(plan: plan_pb2.Plan, field: str, actual: str) -> None:
    given = getattr(plan, field)
    if given and given != actual:
        raise InitiumError(
            "PLAN_DIGEST_MISMATCH",
            violations=[
                Violation(field, f"the plan says {given} but its content gives {actual}; resolve the recipe again")
            ],
        )
    setattr(plan, field, actual)


def _check_tensors(plan: plan_pb2.Plan) -> None:
    found: list[Violation] = []
    seen: set[str] = set()
    for i, tensor in enumerate(plan.tensors):
        path = f"tensors[{i}]"
        if tensor.name in (*RESERVED_NAMES, *seen):
            found.append(Violation(f"{path}.name", f"{tensor.name!r} is empty, reserved or stands twice"))
        seen.add(tensor.name)
        if tensor.dtype not in ITEM_SIZE:
            found.append(Violation(f"{path}.dtype", f"unknown dtype {tensor.dtype!r}"))
        if len(tensor.shape) > MAX_DIMENSIONS:
            found.append(Violation(f"{path}.shape", f"{len(tensor.shape)} dimensions; at most {MAX_DIMENSIONS}"))
        if plan.generator == LAW and not tensor.HasField("fill"):
            found.append(Violation(f"{path}.fill", "required"))
    if found:
        raise InitiumError("INVALID_PLAN", violations=found)
    specs = specs_of(plan)
    if specs != sorted(specs, key=file_key):
        raise invalid("tensors", "not in file order; see Plan.tensors in plan.proto", "INVALID_PLAN")


def _check_literals(plan: plan_pb2.Plan) -> None:
    for digest, data in plan.literals.items():
        if hashlib.sha256(data).hexdigest() != digest:
            raise invalid(f"literals[{digest!r}]", "the bytes have another SHA-256", "INVALID_PLAN")


def _check_layout(plan: plan_pb2.Plan) -> None:
    expected = plan_pb2.Plan()
    expected.CopyFrom(plan)
    small = {file.name: file.content for file in plan.files if file.HasField("content")}
    for i, file in enumerate(plan.files):
        if not _FILE_NAME.fullmatch(file.name):
            raise invalid(f"files[{i}].name", f"{file.name!r} is not a plain file name", "INVALID_PLAN")
    if plan.HasField("max_shard_bytes") and plan.max_shard_bytes < 1:
        raise invalid("max_shard_bytes", "must be 1 or more", "INVALID_PLAN")
    write_layout(expected, small)
    if len({file.name for file in expected.files}) != len(expected.files):
        raise invalid("files", "two files have one name", "INVALID_PLAN")
    for field in ("files", "tensors"):
        pairs = zip(getattr(plan, field), getattr(expected, field), strict=False)
        for i, (given, wanted) in enumerate(pairs):
            if given != wanted:
                raise invalid(f"{field}[{i}]", f"not where the layout puts {wanted.name}", "INVALID_PLAN")
    if len(plan.files) != len(expected.files):
        raise invalid("files", f"{len(plan.files)} files given; the layout has {len(expected.files)}", "INVALID_PLAN")
