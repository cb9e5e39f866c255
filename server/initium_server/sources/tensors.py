"""Bare lists of tensors (`initium.v1.TensorList`), for frameworks that are not PyTorch. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from initium.contract.wording import counted, suggestion
from initium.errors import RecipeError, Violation
from initium.v1 import architecture_pb2
from initium_server.planning.inventory import ROLES, FanAxes, Inventory, InventoryTensor, Owner

FIELD = "architecture.tensors.tensors"
MAX_DIMENSIONS = 32
NO_DEFAULT = "a bare tensor has no default fill"

_SHOWN = 100  # Violations collected before giving up on a list.


def inventory(tensors: architecture_pb2.TensorList) -> Inventory:
    """The listed tensors. Errors: RecipeError with one violation for each bad field."""
    items = list(tensors.tensors)
    violations = [] if items else [Violation(FIELD, "empty; list at least one tensor")]
    first: dict[str, int] = {}
    for index, item in enumerate(items):
        if len(violations) > _SHOWN:
            break
        violations += _check(item, f"{FIELD}[{index}]", index, first)
    if violations:
        raise RecipeError(violations=violations)
    ordered = sorted(items, key=lambda item: item.role == "buffer")
    return Inventory(tuple(map(_tensor, ordered)))


def _check(item: architecture_pb2.BareTensor, path: str, index: int, first: dict[str, int]) -> Iterator[Violation]:
    if not item.name:
        yield Violation(f"{path}.name", "required")
    elif (earlier := first.setdefault(item.name, index)) != index:
        yield Violation(f"{path}.name", f"{item.name!r} is already the name of {FIELD}[{earlier}]; names are unique")
    if item.role and item.role not in ROLES:
        yield Violation(f"{path}.role", f"unknown role {item.role!r}; {suggestion(item.role, ROLES, 'roles')}")
    if len(item.shape) > MAX_DIMENSIONS:
        yield Violation(f"{path}.shape", f"{len(item.shape)} dimensions; at most {MAX_DIMENSIONS} are allowed")
    if item.HasField("fans"):
        yield from check_fans(item, f"{path}.fans")


_WithFans = architecture_pb2.BareTensor | architecture_pb2.CapturedTensor


def check_fans(item: _WithFans, path: str) -> Iterator[Violation]:
    """What is wrong with a tensor's `fans`."""
    ndim, seen = len(item.shape), dict[int, str]()
    for field in ("fan_in", "fan_out", "batch"):
        axes = list(getattr(item.fans, field))
        if not axes and field != "batch":
            yield Violation(f"{path}.{field}", "required: at least one axis")
        for axis in axes:
            if not -ndim <= axis < ndim:
                yield Violation(f"{path}.{field}", f"axis {axis} of a tensor with {counted(ndim, 'dimension')}")
            elif (other := seen.get(axis % ndim)) is not None:
                yield Violation(f"{path}.{field}", f"axis {axis} is listed twice (in {other} and {field})")
            else:
                seen[axis % ndim] = field


def _tensor(item: architecture_pb2.BareTensor) -> InventoryTensor:
    role = item.role or "parameter"
    kind = "buffer" if role == "buffer" else "parameter"
    return InventoryTensor(
        owners=(Owner(item.name, (), ""),),
        shape=tuple(item.shape),
        dtype="F32",
        kind=kind,
        trainable=kind == "parameter",
        default=None,
        default_error=NO_DEFAULT,
        roles=tuple(dict.fromkeys((kind, role))),
        fan_axes=fan_axes(item),
    )


def fan_axes(item: _WithFans) -> FanAxes | None:
    """A tensor's `fans`, if it has any, counted from the start."""
    if not item.HasField("fans"):
        return None
    ndim = len(item.shape)
    return FanAxes(
        *(tuple(axis % ndim for axis in axes) for axes in (item.fans.fan_in, item.fans.fan_out, item.fans.batch))
    )
