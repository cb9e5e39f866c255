"""Models of users' own classes, captured where their code is (`initium.v1.CapturedModel`). Imports no torch.

`encode` is for whoever captures. What comes in may have been written by anyone, so `inventory` takes nothing on trust.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import Any

from initium.contract.strict import MAX_VIOLATIONS
from initium.contract.wording import suggestion
from initium.errors import PlanError, RecipeError, Violation
from initium.plan.check import check_literals
from initium.plan.fills import decode_fill, encode_fill
from initium.plan.layout import RESERVED_NAMES
from initium.v1 import architecture_pb2
from initium_law import Engine, prepare
from initium_law.draw import MAX_AXES, MAX_ELEMENTS
from initium_law.dtypes import FLOATS, ITEM_SIZE
from initium_law.grammar import Fill, literals
from initium_server.planning.inventory import ROLES, TENSOR_KINDS, Inventory, InventoryTensor, Owner
from initium_server.sources.tensors import check_fans, fan_axes

FIELD = "architecture.captured"
NO_DEFAULT = "it was captured without a fill"

_GRADIENTS = (*FLOATS, "C64")
"""Dtypes of tensors that torch differentiates."""


def encode(inventory: Inventory) -> architecture_pb2.CapturedModel:
    """The message of an inventory, small files aside."""
    tensors = map(_message, inventory.tensors)
    return architecture_pb2.CapturedModel(tensors=tensors, literals=inventory.literals, versions={**inventory.versions})


def _message(tensor: InventoryTensor) -> architecture_pb2.CapturedTensor:
    fans = None if tensor.fan_axes is None else architecture_pb2.FanAxes(**dataclasses.asdict(tensor.fan_axes))
    return architecture_pb2.CapturedTensor(
        owners=[architecture_pb2.CapturedOwner(**dataclasses.asdict(owner)) for owner in tensor.owners],
        shape=tensor.shape,
        dtype=tensor.dtype,
        roles=tensor.roles,
        trainable=tensor.trainable,
        fill=None if tensor.default is None else encode_fill(tensor.default),
        fans=fans,
    )


def inventory(captured: architecture_pb2.CapturedModel) -> Inventory:
    """The captured tensors. Errors: RecipeError that names every field at fault, up to MAX_VIOLATIONS."""
    reader = _Reader(captured)
    violations = list(islice(reader.violations(), MAX_VIOLATIONS))
    if violations:
        raise RecipeError(violations=violations)
    tensors = sorted(map(reader.tensor, captured.tensors), key=lambda tensor: tensor.kind == "buffer")
    return Inventory(tuple(tensors), reader.literals, versions=dict(captured.versions))


class _Reader:
    """Checks a message, and reads its tensors."""

    def __init__(self, captured: architecture_pb2.CapturedModel) -> None:
        self.literals = dict(captured.literals)
        self._captured = captured
        self._fills: dict[bytes, Fill] = {}
        self._drawable: set[tuple[bytes, tuple[int, ...], str]] = set()
        self._names: dict[str, str] = {}

    def violations(self) -> Iterator[Violation]:
        """Whatever is wrong, in the order of the fields."""
        if not self._captured.tensors:
            yield Violation(f"{FIELD}.tensors", "empty; a model has at least one tensor")
        for index, tensor in enumerate(self._captured.tensors):
            yield from self._tensor_violations(tensor, f"{FIELD}.tensors[{index}]")
        yield from check_literals(self.literals, f"{FIELD}.literals")
        used = {digest for fill in self._fills.values() for digest in literals(fill)}
        for digest in self.literals.keys() - used:
            yield Violation(f"{FIELD}.literals[{digest!r}]", "no fill uses it; leave it out")

    def _tensor_violations(self, tensor: architecture_pb2.CapturedTensor, path: str) -> Iterator[Violation]:
        if not tensor.owners:
            yield Violation(f"{path}.owners", "required: at least one, whose name is the tensor's")
        for index, owner in enumerate(tensor.owners):
            yield from self._owner_violations(owner, f"{path}.owners[{index}]")
        yield from _word_violations(tensor, path)
        if len(tensor.shape) > MAX_AXES:
            yield Violation(f"{path}.shape", f"{len(tensor.shape)} dimensions; at most {MAX_AXES} are allowed")
        elif tensor.dtype not in ITEM_SIZE:
            hint = suggestion(tensor.dtype, ITEM_SIZE, "dtypes")
            yield Violation(f"{path}.dtype", f"unknown dtype {tensor.dtype!r}; {hint}")
        elif tensor.HasField("fill"):
            yield from self._fill_violations(tensor, f"{path}.fill")
        if tensor.HasField("fans"):
            yield from check_fans(tensor, f"{path}.fans")

    def _owner_violations(self, owner: architecture_pb2.CapturedOwner, path: str) -> Iterator[Violation]:
        if owner.name in RESERVED_NAMES:
            yield Violation(f"{path}.name", f"{owner.name!r} is no tensor's name; give it another")
        elif (earlier := self._names.setdefault(owner.name, path)) != path:
            yield Violation(f"{path}.name", f"{owner.name!r} is already the name at {earlier}; names are unique")
        if "" in (owner.classes or [""]):
            yield Violation(f"{path}.classes", "required: the names of the owning module's classes, its own first")
        if owner.HasField("blocks") and owner.blocks <= owner.block:
            yield Violation(
                f"{path}.blocks", f"is {owner.blocks}, and block is {owner.block}; there must be more blocks"
            )
        if owner.HasField("groups") and not owner.groups:
            yield Violation(f"{path}.groups", "is 0; a convolution has 1 or more")

    def _fill_violations(self, tensor: architecture_pb2.CapturedTensor, path: str) -> Iterator[Violation]:
        """Has the law try the fill, once for each shape and dtype: whether it fits does not depend on names."""
        key = tensor.fill.SerializeToString(), tuple(tensor.shape), tensor.dtype
        if key in self._drawable:
            return
        try:
            fill = self._fills[key[0]] = decode_fill(tensor.fill, path)
            prepare(fill, 0, "", *key[1:], self.literals, _ANY_SIZE)
            self._drawable.add(key)
        except PlanError as error:
            yield from error.violations
        except ValueError as error:
            yield Violation(path, str(error))

    def tensor(self, message: architecture_pb2.CapturedTensor) -> InventoryTensor:
        """A tensor in which nothing is wrong."""
        has_fill = message.HasField("fill")
        return InventoryTensor(
            owners=tuple(map(_owner, message.owners)),
            shape=tuple(message.shape),
            dtype=message.dtype,
            kind=next(role for role in message.roles if role in TENSOR_KINDS),
            trainable=message.trainable,
            default=self._fills[message.fill.SerializeToString()] if has_fill else None,
            default_error="" if has_fill else NO_DEFAULT,
            roles=tuple(message.roles),
            fan_axes=fan_axes(message),
        )


_ANY_SIZE = Engine(whole_elements=MAX_ELEMENTS)
"""Whether a server has the room for a fill shows when it takes the plan."""


def _word_violations(tensor: architecture_pb2.CapturedTensor, path: str) -> Iterator[Violation]:
    """What is wrong with roles, and with what must go with them."""
    for index, role in enumerate(tensor.roles):
        if role not in ROLES:
            yield Violation(f"{path}.roles[{index}]", f"unknown role {role!r}; {suggestion(role, ROLES, 'roles')}")
    kinds = [role for role in tensor.roles if role in TENSOR_KINDS]
    if len(kinds) != 1:
        yield Violation(f"{path}.roles", f"exactly one of {' and '.join(TENSOR_KINDS)} must be among them")
    if tensor.trainable and "buffer" in kinds:
        yield Violation(f"{path}.trainable", "a buffer is not trained; only parameters are")
    if tensor.trainable and tensor.dtype in ITEM_SIZE and tensor.dtype not in _GRADIENTS:
        yield Violation(f"{path}.trainable", f"a tensor of dtype {tensor.dtype} has no gradients")


def _owner(message: architecture_pb2.CapturedOwner) -> Owner:
    """Fields have one name on both sides."""
    return Owner(**{field.name: _plain(message, field.name) for field in dataclasses.fields(Owner)})


def _plain(message: architecture_pb2.CapturedOwner, name: str) -> Any:
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    if field.is_repeated:
        return tuple(getattr(message, name))
    return None if field.has_presence and not message.HasField(name) else getattr(message, name)
