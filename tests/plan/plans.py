"""Small plans made by hand: this part needs neither a server nor torch."""

from __future__ import annotations

import hashlib
from typing import Any

from initium.contract.canonical import seal
from initium.plan.fills import encode_fill
from initium.plan.layout import layout_of, write_layout
from initium.v1.plan_pb2 import Plan, TensorKind
from initium_law.grammar import Constant, Dirac, Eye, Fill, Literal, Normal, Orthogonal, Part, Parts

LITERAL = bytes(range(24))
DIGEST = hashlib.sha256(LITERAL).hexdigest()

TENSORS: list[tuple[str, tuple[int, ...], str, Fill]] = [
    ("wide", (3, 5), "F64", Normal(0.5, 2.0)),
    ("eye", (4, 6), "F32", Eye()),
    ("literal", (2, 3), "F32", Literal(DIGEST)),
    ("none", (0, 7), "F32", Normal(0.0, 1.0)),
    ("normal", (11, 13), "F32", Normal(0.0, 1.0)),
    ("orthogonal", (6, 4), "F32", Orthogonal(1.0)),
    ("scalar", (), "F32", Constant(3.0)),
    ("half", (7, 3), "BF16", Parts(Normal(0.0, 1.0), (Part((1, 0), (2, 3), Constant(0.0)),))),
    ("dirac", (2, 2, 3), "U8", Dirac(1)),
]
"""Names, shapes, dtypes and fills, in file order."""

PARAMETER = TensorKind.TENSOR_KIND_PARAMETER
CONFIG = b'{"a": 1}'


def make_plan(tensors: list[tuple[str, tuple[int, ...], str, Fill]] = TENSORS, **fields: Any) -> Plan:
    """A sealed plan of tensors that are registered in reverse order, with a small file."""
    plan = Plan(plan_version=1, generator="stream-v1", seed=5, **fields)
    for i, (name, shape, dtype, fill) in enumerate(tensors):
        plan.tensors.add(
            name=name,
            shape=shape,
            dtype=dtype,
            fill=encode_fill(fill),
            kind=PARAMETER,
            ordinal=len(tensors) - i,
        )
    if any(isinstance(fill, Literal) for *_, fill in tensors):
        plan.literals[DIGEST] = LITERAL
    write_layout(plan, layout_of(plan), {"config.json": CONFIG})
    return seal(plan)


def unsealed(plan: Plan) -> Plan:
    """Without digests, as a plan that somebody wrote by hand."""
    plan.ClearField("plan_digest")
    plan.ClearField("weights_key")
    return plan
