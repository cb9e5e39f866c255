"""Canonical form and digests of plans, as `initium/v1/plan.proto` defines them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import rfc8785
from google.protobuf import json_format
from google.protobuf.message import Message

from initium.v1.plan_pb2 import Plan

DIGEST_FIELDS = ("plan_digest", "weights_key")
_WITH_NUMBERS = ("groups", "recipe")
"""Fields with free-form JSON in them: only there RFC 8785's rules for numbers and for sorting any key matter."""
_KEY_FIELDS = ("generator", "max_shard_bytes", "seed")
_KEY_TENSOR_FIELDS = ("name", "shape", "dtype", "fill", "file")


def to_json(message: Message) -> dict[str, Any]:
    """The proto3 JSON mapping of `message` with the schema's own field names, defaults omitted."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def canonical_json(plan: Plan) -> bytes:
    """The RFC 8785 form of `to_json(plan)`, UTF-8."""
    return _canonical(to_json(plan))


def digests(plan: Plan) -> tuple[str, str]:
    """(plan_digest, weights_key): hex SHA-256 of the canonical forms of all, and of what determines bytes."""
    full = to_json(plan)
    body = {key: value for key, value in full.items() if key not in DIGEST_FIELDS}
    key: dict[str, Any] = _pick(full, _KEY_FIELDS)
    key["tensors"] = [_pick(tensor, _KEY_TENSOR_FIELDS) for tensor in full.get("tensors", ())]
    if plan.generator == "torch":
        key |= _pick(full, ("environment", "recipe"))
    plan_digest, weights_key = (hashlib.sha256(_canonical(part)).hexdigest() for part in (body, key))
    return plan_digest, weights_key


def plan_digest(plan: Plan) -> str:
    """Lower-case hex SHA-256 of the canonical form without the digest fields."""
    return digests(plan)[0]


def weights_key(plan: Plan) -> str:
    """Lower-case hex SHA-256 of what determines the bytes of the weight files."""
    return digests(plan)[1]


def seal(plan: Plan) -> Plan:
    """Writes both digests into `plan` and returns it."""
    plan.plan_digest, plan.weights_key = digests(plan)
    return plan


def _pick(entries: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: entries[key] for key in keys if key in entries}


def _canonical(body: Mapping[str, Any]) -> bytes:
    """RFC 8785 of an object with ASCII keys, most of it by the standard library, which is several times faster."""
    parts = (json.dumps(key).encode() + b":" + _value(key, body[key]) for key in sorted(body))
    return b"{" + b",".join(parts) + b"}"


def _value(field: str, value: Any) -> bytes:
    """Outside of `_WITH_NUMBERS` plans have strings, booleans and ASCII keys only, unless a stranger wrote them."""
    if field not in _WITH_NUMBERS:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        if text.isascii() or not _has_exotic_keys(value):
            return text.encode()
    return rfc8785.dumps(value)


def _has_exotic_keys(value: Any) -> bool:
    """Whether an object has a key beyond ASCII, which RFC 8785 sorts by UTF-16."""
    if isinstance(value, dict):
        return any(not key.isascii() or _has_exotic_keys(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_exotic_keys, value))


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
