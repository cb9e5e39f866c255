"""Canonical form and digests of plans, as `initium/v1/plan.proto` defines them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785
from google.protobuf import json_format
from google.protobuf.message import Message

from initium.contract.generators import TORCH
from initium.v1.plan_pb2 import Plan

DIGEST_FIELDS = ("plan_digest", "weights_key")
_KEY_FIELDS = ("generator", "max_shard_bytes", "seed")
_KEY_TENSOR_FIELDS = ("name", "shape", "dtype", "fill", "file")


def to_json(message: Message) -> dict[str, Any]:
    """The proto3 JSON mapping of `message` with the schema's own field names, defaults omitted."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def canonical_json(plan: Plan) -> bytes:
    """The RFC 8785 form of `to_json(plan)`, UTF-8."""
    return rfc8785.dumps(to_json(plan))


def digests(plan: Plan) -> tuple[str, str]:
    """(plan_digest, weights_key): hex SHA-256 of the canonical forms of all, and of what determines bytes."""
    full = to_json(plan)
    body = {key: value for key, value in full.items() if key not in DIGEST_FIELDS}
    key: dict[str, Any] = _pick(full, _KEY_FIELDS)
    key["tensors"] = [_pick(tensor, _KEY_TENSOR_FIELDS) for tensor in full.get("tensors", ())]
    if plan.generator == TORCH:
        key |= _pick(full, ("environment", "recipe"))
    plan_digest, weights_key = (hashlib.sha256(rfc8785.dumps(part)).hexdigest() for part in (body, key))
    return plan_digest, weights_key


def seal(plan: Plan) -> Plan:
    """Writes both digests into `plan` and returns it."""
    plan.plan_digest, plan.weights_key = digests(plan)
    return plan


def _pick(entries: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: entries[key] for key in keys if key in entries}


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
    try:
        value = float.fromhex(text)
    except OverflowError:
        raise ValueError(f"{text!r} is beyond the range of a double") from None
    if hex_float(value) != text:
        raise ValueError(f"{text!r} is not a float in canonical hexadecimal form; write {hex_float(value)!r}")
    return value
