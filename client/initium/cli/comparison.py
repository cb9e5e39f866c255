"""What differs between two plans, or two checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from initium.cli import words
from initium.cli.plan_table import fill_words
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, Plan, PlannedTensor

Pair = tuple[str, str, str]
"""What differs, and what the one and the other have; empty where it has nothing of the kind."""


@dataclass(frozen=True)
class Side:
    """One of the two."""

    plan: Plan
    directory: Path | None = None
    """Where its bytes are, if it is a checkpoint."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """Digests of the bytes of tensors by name, if they are to be compared."""


def plan_differences(one: Side, other: Side) -> Iterator[Pair]:
    """What differs beside the tensors."""
    left, right = _facts(one.plan), _facts(other.plan)
    for what in sorted(left.keys() | right.keys()):
        if left.get(what) != right.get(what):
            yield what, left.get(what, ""), right.get(what, "")


def tensor_differences(one: Side, other: Side) -> Iterator[tuple[str, Pair]]:
    """What differs of each tensor, by name: in the order of the first model, then those that only the other has."""
    left, right = _by_name(one.plan), _by_name(other.plan)
    for name in [*left, *(name for name in right if name not in left)]:
        if name not in right:
            yield name, ("tensor", _whole(one.plan, left[name]), "")
        elif name not in left:
            yield name, ("tensor", "", _whole(other.plan, right[name]))
        else:
            yield from ((name, pair) for pair in _pairs(_of_tensor(one, left[name]), _of_tensor(other, right[name])))


def _pairs(left: Mapping[str, tuple[str, object]], right: Mapping[str, tuple[str, object]]) -> Iterator[Pair]:
    for what, (text, exact) in left.items():
        other_text, other_exact = right[what]
        if exact == other_exact:
            continue
        alike = text == other_text  # words have a few digits
        yield what, str(exact) if alike else text, str(other_exact) if alike else other_text


def _by_name(plan: Plan) -> Mapping[str, PlannedTensor]:
    return {tensor.name: tensor for tensor in sorted(plan.tensors, key=lambda tensor: tensor.ordinal)}


def _whole(plan: Plan, tensor: PlannedTensor) -> str:
    return " ".join((words.shape(tensor.shape), tensor.dtype, fill_words(plan, tensor)))


def _of_tensor(side: Side, tensor: PlannedTensor) -> Mapping[str, tuple[str, object]]:
    """What is compared of a tensor: in words, and exactly."""
    fill, group, digest = fill_words(side.plan, tensor), _group(side.plan, tensor), side.digests.get(tensor.name, "")
    exact = " ".join(str(tensor.fill).split()) or fill
    names = " = ".join([tensor.name, *tensor.aliases])
    texts = {"shape": words.shape(tensor.shape), "dtype": tensor.dtype, "group": group, "names": names}
    return {
        "fill": (fill, exact),
        **{what: (text, text) for what, text in texts.items()},
        "bytes": (digest[:12], digest),
    }


def _group(plan: Plan, tensor: PlannedTensor) -> str:
    if tensor.HasField("group"):
        group = plan.groups.groups[tensor.group]
        return f"{group.name} {words.options(group.options)}".rstrip()
    if tensor.kind == TENSOR_KIND_BUFFER or tensor.trainable:
        return ""
    return "frozen"


def _facts(plan: Plan) -> Mapping[str, str]:
    facts = {"generator": plan.generator, "seed": str(plan.seed), "optimizer": plan.groups.optimizer}
    if plan.HasField("max_shard_bytes"):
        facts["max_shard_bytes"] = str(plan.max_shard_bytes)
    facts |= {f"environment {name}": value for name, value in plan.environment.items()}
    if plan.HasField("recipe"):
        facts["architecture"] = " ".join(str(plan.recipe.architecture).split())
    contents = {file.name: file.content for file in plan.files if file.HasField("content")}
    return facts | {name: f"SHA-256 {sha256(content).hexdigest()}" for name, content in contents.items()}
