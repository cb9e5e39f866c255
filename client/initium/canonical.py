"""Canonical form and digests of plans, as `initium/v1/plan.proto` defines them."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from google.protobuf import json_format
from google.protobuf.message import Message

from initium.v1.plan_pb2 import Plan

DIGEST_FIELDS = ("plan_digest", "weights_key")


def to_json(message: Message) -> dict[str, Any]:
    """The proto3 JSON mapping of `message` with the schema's own field names, defaults omitted."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def canonical_json(message: Message) -> bytes:
    """The RFC 8785 form of `to_json(message)`, UTF-8."""
    return rfc8785.dumps(to_json(message))


def plan_digest(plan: Plan) -> str:
    """Lower-case hex SHA-256 of the canonical form without the digest fields."""
    body = {key: value for key, value in to_json(plan).items() if key not in DIGEST_FIELDS}
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def weights_key(plan: Plan) -> str:
    """Lower-case hex SHA-256 of what determines the bytes of the weight files."""
    full = to_json(plan)
    keys = ("generator", "max_shard_bytes", "seed")
    body: dict[str, Any] = {key: full[key] for key in keys if key in full}
    wanted = ("name", "shape", "dtype", "fill", "file")
    body["tensors"] = [{key: tensor[key] for key in wanted if key in tensor} for tensor in full.get("tensors", ())]
    if plan.generator == "torch":
        body |= {key: full[key] for key in ("environment", "recipe") if key in full}
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def seal(plan: Plan) -> Plan:
    """Writes both digests into `plan` and returns it."""
    plan.plan_digest = plan_digest(plan)
    plan.weights_key = weights_key(plan)
    return plan


def hex_float(value: float) -> str:
    """`value` as glibc's printf("%a") writes a double: exact, and one text per value.

    ValueError if it is not finite.
    """
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError(f"{value} is not finite")
    mantissa, _, exponent = float(value).hex().partition("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}"


def parse_hex_float(text: str) -> float:
    """The inverse of `hex_float`. ValueError if `text` is not exactly what `hex_float` writes."""
    value = float.fromhex(text)
    if hex_float(value) != text:
        raise ValueError(f"{text!r} is not a float in canonical hexadecimal form; write {hex_float(value)!r}")
    return value
