"""Canonical form and digests of plans, as `initium/v1/plan.proto` defines them.

Plans have up to a million tensors, so what happens to each is written out, and `make bench plans` measures it. Going
over protobuf's JSON mapping and a library for RFC 8785 is several times slower; tests hold both ways equal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import rfc8785
from google.protobuf import json_format
from google.protobuf.message import Message

from initium.contract.generators import TORCH
from initium.v1.manifest_pb2 import Manifest
from initium.v1.plan_pb2 import Plan, PlannedTensor, TensorKind

DIGEST_FIELDS = ("plan_digest", "weights_key")
_KEY_FIELDS = ("generator", "max_shard_bytes", "seed")
_BATCH = 1 << 12

_KINDS = {number: f'"{name}"' for name, number in TensorKind.items()}

_quoted: Callable[[str], str] = json.encoder.encode_basestring
"""A JSON string as RFC 8785 wants it: what JSON must escape, in its shortest form, and nothing else."""


def to_json(message: Message) -> dict[str, Any]:
    """The proto3 JSON mapping of `message` with the schema's own field names, defaults omitted."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def canonical_json(plan: Plan) -> bytes:
    """The RFC 8785 form of `to_json(plan)`, UTF-8."""
    members: dict[str, Iterable[str]] = {name: [text] for name, text in _members(plan).items()}
    if plan.tensors:
        members["tensors"] = _listed(text for text, _ in _tensors(plan))
    return "".join(_object(members)).encode()


def canonical_manifest(manifest: Manifest) -> bytes:
    """The RFC 8785 form of `to_json(manifest)`, UTF-8."""
    rest = Manifest()
    rest.CopyFrom(manifest)
    rest.ClearField("plan")
    members = {name: [dumps(value)] for name, value in to_json(rest).items()}
    if manifest.HasField("plan"):
        members["plan"] = [canonical_json(manifest.plan).decode()]
    return "".join(_object(members)).encode()


def digests(plan: Plan) -> tuple[str, str]:
    """(plan_digest, weights_key): hex SHA-256 of the canonical forms of all, and of what determines bytes."""
    members = _members(plan)
    whole = {name: text for name, text in members.items() if name not in DIGEST_FIELDS}
    keys = (*_KEY_FIELDS, "environment", "recipe") if plan.generator == TORCH else _KEY_FIELDS
    key = {name: members[name] for name in keys if name in members}
    sums = hashlib.sha256(), hashlib.sha256()
    before, behind = zip(_around(whole, bool(plan.tensors)), _around(key, True), strict=True)
    for each, text in zip(sums, before, strict=True):
        each.update(text.encode())
    texts, comma = _tensors(plan), ""
    while batch := list(islice(texts, _BATCH)):
        for each, column in zip(sums, zip(*batch, strict=True), strict=True):
            each.update((comma + ",".join(column)).encode())
        comma = ","
    for each, text in zip(sums, behind, strict=True):
        each.update(text.encode())
    return sums[0].hexdigest(), sums[1].hexdigest()


def seal(plan: Plan) -> Plan:
    """Writes both digests into `plan` and returns it."""
    plan.plan_digest, plan.weights_key = digests(plan)
    return plan


def dumps(value: Any) -> str:
    """The RFC 8785 form of JSON values with text for keys."""
    match value:
        case str():
            return _quoted(value)
        case dict():
            members = (f"{_quoted(key)}:{dumps(value[key])}" for key in sorted(value, key=_utf16))
            return f"{{{','.join(members)}}}"
        case list():
            return f"[{','.join(map(dumps, value))}]"
        case _:
            return rfc8785.dumps(value).decode()


def _utf16(text: str) -> bytes:
    """Sort key of members: RFC 8785 orders names by their UTF-16 code units."""
    return text.encode("utf-16-be")


def _members(plan: Plan) -> dict[str, str]:
    """The texts of all members but the tensors."""
    rest = Plan()
    rest.CopyFrom(plan)
    del rest.tensors[:]
    return {name: dumps(value) for name, value in to_json(rest).items()}


def _object(members: Mapping[str, Iterable[str]]) -> Iterator[str]:
    yield "{"
    for i, name in enumerate(sorted(members)):
        yield f'{"," if i else ""}"{name}":'
        yield from members[name]
    yield "}"


def _listed(texts: Iterable[str]) -> Iterator[str]:
    yield "["
    yield ",".join(texts)
    yield "]"


def _around(members: Mapping[str, str], tensors: bool) -> tuple[str, str]:
    """What stands before the texts of all tensors, and behind them."""
    marked = {name: [text] for name, text in members.items()} | ({"tensors": ["[\0]"]} if tensors else {})
    before, _, behind = "".join(_object(marked)).partition("\0")
    return before, behind


def _tensors(plan: Plan) -> Iterator[tuple[str, str]]:
    """The texts of every tensor: in the plan, and in its weights_key. Members come in order of their names."""
    fills: dict[bytes, str] = {}
    for tensor in plan.tensors:
        fill = ""
        if tensor.HasField("fill"):
            data = tensor.fill.SerializeToString(deterministic=True)
            if data not in fills:
                fills[data] = f',"fill":{dumps(to_json(tensor.fill))}'
            fill = fills[data]
        yield _tensor(tensor, fill)


def _tensor(tensor: PlannedTensor, fill: str) -> tuple[str, str]:
    aliases, resolved, shape, kind = tensor.aliases, tensor.resolved, tensor.shape, tensor.kind
    dtype = f',"dtype":{_quoted(tensor.dtype)}' if tensor.dtype else ""
    file = f',"file":{tensor.file}' if tensor.file else ""
    name = f',"name":{_quoted(tensor.name)}' if tensor.name else ""
    extents = f''',"shape":["{'","'.join(map(str, shape))}"]''' if shape else ""
    texts = (
        f',"aliases":[{",".join(map(_quoted, aliases))}]' if aliases else "",
        dtype,
        file,
        fill,
        f',"group":{tensor.group}' if tensor.HasField("group") else "",
        f',"initializer":{_quoted(tensor.initializer)}' if tensor.initializer else "",
        f',"kind":{_KINDS.get(kind, kind)}' if kind else "",
        f',"module_class":{_quoted(tensor.module_class)}' if tensor.module_class else "",
        name,
        f',"offset":"{tensor.offset}"' if tensor.offset else "",
        f',"ordinal":{tensor.ordinal}' if tensor.ordinal else "",
        f',"resolved":{dumps(dict(resolved))}' if resolved else "",
        f',"rule":{_quoted(tensor.rule)}' if tensor.rule else "",
        f',"rule_name":{_quoted(tensor.rule_name)}' if tensor.rule_name else "",
        extents,
        f',"size":"{tensor.size}"' if tensor.size else "",
        ',"trainable":true' if tensor.trainable else "",
    )
    return f"{{{''.join(texts)[1:]}}}", f"{{{(dtype + file + fill + name + extents)[1:]}}}"


def hex_float(value: float) -> str:
    """`value` as `fill.proto` writes floats, and glibc's printf("%a"): exact, and one text per value.

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
