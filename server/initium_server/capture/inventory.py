"""From a built model to the inventory: names, owners, roles, blocks and fills of its tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from initium.errors import Unsupported
from initium_law.dtypes import DTYPES
from initium_law.grammar import Fill
from initium_server.capture.fills import Capture
from initium_server.capture.roles import roles_of
from initium_server.planning.inventory import Inventory, InventoryTensor, Owner

_DTYPES = {getattr(torch, dtype.torch): name for name, dtype in DTYPES.items()}
"""torch's dtypes to safetensors' names."""

_Convolution = nn.modules.conv._ConvNd

_STACKS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def describe(
    captured: Capture,
    files: Mapping[str, bytes] | None = None,
    versions: Mapping[str, str] | None = None,
    bare: frozenset[str] = frozenset(),
) -> Inventory:
    """The inventory of a captured model; `bare` names parameters that have no default fill by declaration.

    Errors: Unsupported for a dtype that safetensors does not have.
    """
    owners = _Owners(captured.model)
    parameters = [_Found(name, p, "parameter") for name, p in captured.model.named_parameters()]
    found = parameters + list(_persistent_buffers(captured.model))
    fills, literals = captured.fills([(item.name, item.tensor) for item in found if item.name not in bare])
    tensors = tuple(_tensor(owners, item, fills.get(item.name, (None, BARE_ERROR))) for item in found)
    return Inventory(tensors, literals, files or {}, {"torch": str(torch.__version__), **(versions or {})})


class _Found:
    def __init__(self, name: str, tensor: torch.Tensor, kind: str) -> None:
        self.name, self.tensor, self.kind = name, tensor, kind


def _persistent_buffers(model: nn.Module) -> Iterator[_Found]:
    seen: set[int] = set()
    for path, module in model.named_modules():
        for leaf, buffer in module._buffers.items():
            if buffer is None or leaf in module._non_persistent_buffers_set or id(buffer) in seen:
                continue
            seen.add(id(buffer))
            yield _Found(join(path, leaf), buffer, "buffer")


BARE_ERROR = "a bare parameter has no default fill"


def _tensor(owners: _Owners, item: _Found, default: tuple[Fill | None, str]) -> InventoryTensor:
    tensor, owned = item.tensor, owners.of(item.name, item.tensor)
    if tensor.dtype not in _DTYPES:
        raise Unsupported(f"{item.name} has the dtype {tensor.dtype}, which safetensors does not have")
    return InventoryTensor(
        owners=tuple(owner for owner, _ in owned),
        shape=tuple(tensor.shape),
        dtype=_DTYPES[tensor.dtype],
        kind=item.kind,
        trainable=item.kind == "parameter" and tensor.requires_grad,
        default=default[0],
        default_error=default[1],
        roles=roles_of(item.kind, [(owner, owners.is_head(module)) for owner, module in owned]),
    )


def join(path: str, leaf: str) -> str:
    """A dotted name."""
    return f"{path}.{leaf}" if path else leaf


class _Owners:
    """Every (module, name) under which each tensor of a model is reached."""

    def __init__(self, model: nn.Module) -> None:
        self._owners: dict[int, list[tuple[Owner, nn.Module]]] = {}
        self._head: nn.Module | None = None
        blocks = _blocks(model)
        modules = dict(model.named_modules(remove_duplicate=False))
        for path, module in modules.items():
            owner = original(path, modules)
            for leaf, tensor in (*module._parameters.items(), *module._buffers.items()):
                if tensor is not None:
                    entry = _owner(join(path, leaf), owner, *blocks.get(path, (None, None)))
                    self._owners.setdefault(id(tensor), []).append((entry, owner))
            if any(parameter is not None for parameter in module._parameters.values()):
                self._head = owner

    def of(self, name: str, tensor: torch.Tensor) -> list[tuple[Owner, nn.Module]]:
        """The tensor's owners, the one that names it first."""
        return sorted(self._owners[id(tensor)], key=lambda pair: pair[0].name != name)

    def is_head(self, module: nn.Module) -> bool:
        """Whether it is the last module that owns a parameter."""
        return module is self._head


def _owner(name: str, module: nn.Module, block: int | None, blocks: int | None) -> Owner:
    kind = type(module)
    groups, row = getattr(module, "groups", None), getattr(module, "padding_idx", None)
    return Owner(
        name,
        _classes(kind),
        _qualified(kind),
        block,
        blocks,
        groups if isinstance(module, _Convolution) else None,
        row if isinstance(row, int) else None,
    )


def original(path: str, modules: Mapping[str, nn.Module]) -> nn.Module:
    """The module at `path`; for one that holds a parametrized tensor, the module whose tensor it was."""
    before, mark, _ = path.rpartition("parametrizations.")
    owner = modules.get(before.removesuffix(".")) if mark else None
    return modules[path] if owner is None else owner


def _own_class(cls: type) -> type:
    """The class as written: `torch.nn.utils.parametrize` swaps in a subclass made on the fly."""
    made = cls.__name__.startswith("Parametrized") and cls.__module__ == "torch.nn.utils.parametrize"
    return cls.__bases__[0] if made else cls


def _classes(cls: type) -> tuple[str, ...]:
    return tuple(base.__name__ for base in _own_class(cls).__mro__ if base is not object)


def _qualified(cls: type) -> str:
    cls = _own_class(cls)
    return f"{cls.__module__}.{cls.__qualname__}"


def _blocks(model: nn.Module) -> dict[str, tuple[int, int]]:
    """Block index of every module path that lies in a stack, and how many blocks the stack has."""
    found: dict[str, tuple[int, int]] = {}
    pending: list[tuple[str, nn.Module, tuple[int, int] | None]] = [("", model, None)]
    while pending:
        path, module, block = pending.pop()
        if block is not None:
            found[path] = block
        stacked = block is None and _is_stack(module)
        count = sum(_counts(module, name) for name in module._modules)
        for position, (name, child) in enumerate(module._modules.items()):
            if child is not None:
                own = (position, count) if stacked and _counts(module, name) else block
                pending.append((join(path, name), child, own))
    return found


def _counts(module: nn.Module, name: str) -> bool:
    return isinstance(module, _STACKS) or name.isdigit()


def _is_stack(module: nn.Module) -> bool:
    """Whether two or more children are of one class; outside torch's containers, only children without a name count."""
    classes = [type(child) for name, child in module._modules.items() if _counts(module, name)]
    return len(set(classes)) < len(classes)
