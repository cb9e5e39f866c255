"""What lies beside the weights: digests, provenance, and the optimizer's groups."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from initium.contract import shown
from initium.contract.canonical import canonical_manifest
from initium.contract.leaves import DIGEST_FUNCTION, LEAF
from initium.contract.plans import MANIFEST, check_digests, check_files
from initium.contract.wording import counted
from initium.errors import ManifestError, PlanError, Violation
from initium.files import replace_file
from initium.v1 import manifest_pb2
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, Plan, PlannedTensor

MANIFEST_VERSION = 1
"""Newest manifest_version that this client reads."""

# The options of torch.optim classes that must be int; all others take floats. Struct has only doubles.
_INT_OPTIONS = frozenset(("ns_steps", "max_iter", "max_eval", "history_size"))


class Parameter(Protocol):
    """What is asked of a parameter; `torch.nn.Parameter` has it."""

    @property
    def shape(self) -> Iterable[int]: ...

    @property
    def requires_grad(self) -> bool: ...


@dataclass(frozen=True)
class Manifest:
    """A checkpoint's manifest."""

    proto: manifest_pb2.Manifest
    """The message."""
    tensor_digests: Mapping[str, str] = field(default_factory=dict)
    """Lower-case hex digests by tensor name, if they were asked for when the checkpoint was generated. Not saved."""

    @classmethod
    def load(cls, path: Path | str) -> Manifest:
        """Reads `manifest.json`, or that of a directory. Errors: ManifestError."""
        file = Path(path) / MANIFEST if Path(path).is_dir() else Path(path)
        try:
            data = json.loads(file.read_bytes())
            proto = json_format.ParseDict(data, manifest_pb2.Manifest(), ignore_unknown_fields=_is_newer(data))
        except OSError as error:
            raise ManifestError(f"cannot read {file}: {error.strerror}; an unfinished checkpoint has none") from None
        except (ValueError, RecursionError, json_format.ParseError) as error:
            raise ManifestError(f"{file} is not a manifest: {error}") from None
        return cls(_checked(proto, file))

    def save(self, path: Path | str) -> None:
        """Writes `manifest.json` into a directory. Errors: OutputError."""
        replace_file(Path(path) / MANIFEST, self.to_bytes())

    def to_bytes(self) -> bytes:
        """The content of `manifest.json`: the same bytes for the same manifest."""
        return canonical_manifest(self.proto)

    def __repr__(self) -> str:
        """A line, as notebooks show what a cell returns; `proto` has everything."""
        return shown.line("Manifest of plan", self.plan)

    def _repr_html_(self) -> str:
        return shown.table("Manifest", self.plan)

    @property
    def plan(self) -> Plan:
        """The plan that the files were made from."""
        return self.proto.plan

    @property
    def optimizer(self) -> str:
        """Class name of torch.optim, e.g. `AdamW`; empty if the recipe had no groups."""
        return self.plan.groups.optimizer

    @property
    def frozen(self) -> list[str]:
        """Names of the parameters that must not be trained."""
        return [t.name for t in self.plan.tensors if t.kind != TENSOR_KIND_BUFFER and not t.trainable]

    def param_groups(self, named_parameters: Iterable[tuple[str, Parameter]]) -> list[dict[str, Any]]:
        """The list that a torch.optim class takes, from `model.named_parameters()`.

        Each group is `{"params": [(name, parameter), ...], "name": ..., **options}`; PyTorch 2.6 and later keep the
        names as `param_names`. Tied parameters may come under any of their names.

        Errors: ManifestError that names every parameter that is missing or unknown, has another shape, or whose
        requires_grad disagrees with the plan.
        """
        if not self.plan.HasField("groups"):
            raise ManifestError("the recipe had no `groups`, so the manifest has none; add them and generate again")
        found = _Match(self.plan, named_parameters).parameters
        return [
            {"params": [found[name] for name in group.tensors], "name": group.name, **dict(_options(group.options))}
            for group in self.plan.groups.groups
        ]


def _is_newer(data: Any) -> bool:
    """Whether a newer client wrote `data`. ValueError if it is no manifest at all."""
    version = data.get("manifest_version") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise ValueError("it has no manifest_version")
    return version > MANIFEST_VERSION


def _checked(proto: manifest_pb2.Manifest, file: Path) -> manifest_pb2.Manifest:
    if proto.manifest_version > MANIFEST_VERSION:
        raise ManifestError(
            f"{file}: manifest_version {proto.manifest_version} is newer than this client reads "
            f"({MANIFEST_VERSION}); upgrade initium"
        )
    try:
        check_files(proto.plan)
        check_digests(proto.plan)
    except PlanError as error:
        text = error.message or "its plan is not valid"
        raise ManifestError(f"{file}: {text}", error.reason, error.violations) from None
    violations = list(_unproven(proto))
    if violations:
        raise ManifestError(f"{file} proves nothing; generate the checkpoint again", violations=violations)
    return proto


def _unproven(proto: manifest_pb2.Manifest) -> Iterator[Violation]:
    """What a manifest must have for its digests to say anything."""
    for name in ("plan_version", "plan_digest", "weights_key"):
        if not getattr(proto.plan, name):
            yield Violation(f"plan.{name}", "is missing")
    for name, wanted in (("leaf_bytes", LEAF), ("digest_function", DIGEST_FUNCTION)):
        if getattr(proto, name) != wanted:
            yield Violation(name, f"is {getattr(proto, name)!r}; {wanted!r} is read here")
    listed = [(file.name, file.size) for file in proto.files]
    planned = [(file.name, file.size) for file in proto.plan.files]
    for have, want in zip(listed, planned, strict=False):
        if have != want:
            yield Violation(have[0], f"listed as {have[0]} of {have[1]} bytes, but the plan has {want[0]} of {want[1]}")
    if len(listed) != len(planned):
        yield Violation("files", f"the manifest lists {counted(len(listed), 'file')}, its plan {len(planned)}")


def _options(options: Struct) -> Iterator[tuple[str, Any]]:
    for key, value in json_format.MessageToDict(options).items():
        yield key, _option(key, value)


def _option(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_option(key, item) for item in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return int(value) if key in _INT_OPTIONS else float(value)
    return value


class _Match:
    """Matches a model's parameters with a plan's tensors; collects everything that disagrees."""

    def __init__(self, plan: Plan, named_parameters: Iterable[tuple[str, Parameter]]) -> None:
        self.parameters: dict[str, tuple[str, Parameter]] = {}
        self._violations: list[Violation] = []
        self._wanted = {tensor.name: tensor for tensor in plan.tensors if tensor.kind != TENSOR_KIND_BUFFER}
        self._names = dict(_all_names(self._wanted.values()))
        for name, parameter in _pairs(named_parameters):
            self._add(name, parameter)
        self._finish()

    def _add(self, name: str, parameter: Parameter) -> None:
        tensor = self._names.get(name)
        if tensor is None:
            self._violations.append(Violation(name, "is in the model but not in the manifest"))
            return
        known = self.parameters.setdefault(tensor.name, (name, parameter))
        if known[1] is not parameter:
            message = f"is the same tensor as {known[0]} in the manifest, but another parameter in the model; tie them"
            self._violations.append(Violation(name, message))
        elif known[0] == name:
            self._compare(name, tensor, parameter)

    def _compare(self, name: str, tensor: PlannedTensor, parameter: Parameter) -> None:
        shape = list(parameter.shape)
        if shape != list(tensor.shape):
            message = f"has shape {shape} in the model, {list(tensor.shape)} in the manifest"
            self._violations.append(Violation(name, message))
        if bool(parameter.requires_grad) != tensor.trainable:
            self._violations.append(Violation(name, _grad_message(tensor.trainable)))

    def _finish(self) -> None:
        for name in self._wanted:
            if name not in self.parameters:
                self._violations.append(Violation(name, "is in the manifest but not in the model"))
        if self._violations:
            raise ManifestError("the model's parameters are not those of the manifest", violations=self._violations)


def _pairs(named_parameters: Any) -> Iterator[tuple[str, Parameter]]:
    for item in named_parameters if isinstance(named_parameters, Iterable) else [None]:
        if not isinstance(item, (tuple, list)) or len(item) != 2 or not isinstance(item[0], str):
            raise ManifestError("these are not pairs of name and parameter; pass model.named_parameters()")
        yield item[0], item[1]


def _all_names(tensors: Iterable[PlannedTensor]) -> Iterator[tuple[str, PlannedTensor]]:
    for tensor in tensors:
        yield tensor.name, tensor
        for alias in tensor.aliases:
            yield alias, tensor


def _grad_message(trainable: bool) -> str:
    if trainable:
        return "has requires_grad=False in the model, but the manifest trains it; set it, or freeze it in the recipe"
    return "has requires_grad=True in the model, but the manifest freezes it; call requires_grad_(False) first"
