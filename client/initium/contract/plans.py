"""Plan files, and what a client must know of a plan before it writes anything."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from initium.contract import canonical, yaml12
from initium.contract.strict import MAX_VIOLATIONS, unknown_keys
from initium.errors import PlanError, RecipeError, Violation, invalid
from initium.files import PARTIAL, replace_file
from initium.v1.fill_pb2 import Fill
from initium.v1.plan_pb2 import Plan, PlannedTensor

PLAN_VERSION = 2
"""The newest plan_version that is written and read."""

OLDEST_PLAN_VERSION = 1
"""The oldest."""

MANIFEST = "manifest.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

_SCHEMA: Any = Plan.DESCRIPTOR


def plan_from_data(data: Mapping[str, Any], file: Path | None = None) -> Plan:
    """The plan of its JSON mapping, with its digests checked. Errors name `file`, where it came from.

    Errors: PlanError if it is newer than this client, not a plan, or does not have its digests.
    """
    try:
        return _parse(data)
    except PlanError as error:
        if file is None:
            raise
        text = error.message or "the plan is not valid"
        raise PlanError(f"{file}: {text}", error.reason, error.violations) from None


def _parse(data: Mapping[str, Any]) -> Plan:
    version = data.get("plan_version")
    if isinstance(version, int) and version > PLAN_VERSION:
        raise PlanError(f"plan_version {version} is newer than this client reads ({PLAN_VERSION}); upgrade initium")
    try:
        plan = _message(dict(data))
    except (json_format.ParseError, ValueError) as error:
        unknown = list(islice(unknown_keys(_SCHEMA, data), MAX_VIOLATIONS))
        text = "not a plan of this client's version" if unknown else f"not a plan: {error}"
        raise PlanError(text, violations=unknown) from None
    check_digests(plan)
    return plan


_CANONICAL: Mapping[str, type] = {
    **dict.fromkeys(("name", "dtype", "kind", "rule", "rule_name", "initializer", "module_class"), str),
    **dict.fromkeys(("offset", "size"), str),
    **dict.fromkeys(("shape", "aliases"), list),
    **dict.fromkeys(("file", "group", "ordinal"), int),
    **dict.fromkeys(("fill", "resolved"), dict),
    "trainable": bool,
}
"""How canonical JSON writes the fields of a tensor."""


def _message(data: dict[str, Any]) -> Plan:
    """The message of a JSON mapping. Canonical tensors are made at once: protobuf's reader takes ten times as long.

    Errors: those of `json_format.ParseDict`.
    """
    fills: dict[str, Fill] = {}
    try:
        tensors = [_tensor(each, fills) for each in _list(data.get("tensors", []))]
    except (AttributeError, KeyError, TypeError, ValueError, json_format.ParseError):
        return json_format.ParseDict(data, Plan())  # Another spelling, or an error: its reader says what.
    plan = json_format.ParseDict({name: value for name, value in data.items() if name != "tensors"}, Plan())
    plan.tensors.extend(tensors)
    return plan


def _tensor(data: dict[str, Any], fills: dict[str, Fill]) -> PlannedTensor:
    """A tensor in the form that `canonical_json` writes. Errors: as they come, for any other."""
    for name, value in data.items():
        if type(value) is not _CANONICAL[name]:
            raise TypeError(name)
    fields = data | {name: _decimal(data[name]) for name in ("offset", "size") if name in data}
    fields["shape"] = [_decimal(extent) for extent in data.get("shape", ())]
    if "fill" in data:
        key = repr(data["fill"])
        fields["fill"] = fills.get(key) or fills.setdefault(key, json_format.ParseDict(data["fill"], Fill()))
    return PlannedTensor(**fields)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return value


def _decimal(text: Any) -> int:
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()):
        raise ValueError("no 64-bit integer as it is written")
    return int(text)


def read_plan(path: Path | str) -> Plan:
    """The plan of a file that `write_plan` wrote. Errors: as `plan_from_data`."""
    path = Path(path)
    try:
        data = yaml12.load(path.read_text("utf-8"))
    except (RecipeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path} is not JSON: {error}") from None
    except OSError as error:
        raise PlanError(f"cannot read {path}: {error.strerror}") from None
    if not isinstance(data, Mapping) or "plan_version" not in data:
        raise PlanError(f"{path} is not a plan: it has no plan_version")
    return plan_from_data(data, path)


def write_plan(plan: Plan, path: Path | str) -> None:
    """Writes the canonical form of `plan` with both digests. Errors: OutputError."""
    replace_file(Path(path), canonical.canonical_json(sealed(plan)))


def check_digests(plan: Plan) -> tuple[str, str]:
    """(plan_digest, weights_key) of the content. Errors: PlanError if `plan` carries others."""
    found = canonical.digests(plan)
    for name, digest in zip(canonical.DIGEST_FIELDS, found, strict=True):
        if (stated := getattr(plan, name)) not in ("", digest):
            raise PlanError(
                "the plan was changed after it was written; resolve the recipe again",
                "PLAN_DIGEST_MISMATCH",
                [Violation(name, f"the plan says {stated}, its content has {digest}")],
            )
    return found


def sealed(plan: Plan) -> Plan:
    """`plan` if it carries both digests, else a copy that does."""
    if plan.plan_digest and plan.weights_key:
        return plan
    result = Plan()
    result.CopyFrom(plan)
    return canonical.seal(result)


def total_bytes(plan: Plan) -> int:
    """Sum of the sizes of all files."""
    return sum(file.size for file in plan.files)


def total_elements(plan: Plan) -> int:
    """Number of elements of all tensors, tied ones once."""
    return sum(elements(tensor) for tensor in plan.tensors)


def elements(tensor: PlannedTensor) -> int:
    """Number of elements of one tensor."""
    return math.prod(tensor.shape)


def check_files(plan: Plan) -> None:
    """PlanError unless every file has a name of its own that is safe to write: nobody is trusted with paths."""
    if not plan.files:
        raise invalid("files", "the plan has no files; resolve the recipe again", PlanError)
    seen: set[str] = set()
    for i, file in enumerate(plan.files):
        if not _FILE_NAME.fullmatch(file.name) or file.name == MANIFEST or file.name.endswith(PARTIAL):
            raise invalid(f"files[{i}].name", f"{file.name!r} is no plain file name, or the client's own", PlanError)
        if file.name in seen:
            raise invalid(f"files[{i}].name", f"two files are called {file.name!r}", PlanError)
        seen.add(file.name)


def locate(plan: Plan, file: int, offset: int) -> PlannedTensor | None:
    """The tensor that holds byte `offset` of file number `file`; None in headers and small files."""
    for tensor in plan.tensors:
        if tensor.file == file and tensor.offset <= offset < tensor.offset + tensor.size:
            return tensor
    return None
