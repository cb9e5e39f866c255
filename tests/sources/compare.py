"""Holds captured fills against tensors that the library really made."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import torch
from google.protobuf import json_format

from initium.v1 import architecture_pb2
from initium_server.capture import Capture
from initium_server.planning.inventory import Inventory, InventoryTensor
from initium_server.sources import _kind, build_inventory, build_model
from tests.capture.oracle import differences


def architecture(**kind: Any) -> architecture_pb2.Architecture:
    """An Architecture from its JSON mapping."""
    return json_format.ParseDict(kind, architecture_pb2.Architecture())


def library(source: str, name: str, **given: Any) -> architecture_pb2.Architecture:
    """A library's model; `given` is args, or config for transformers."""
    key = "config" if source == "transformers" else "args"
    return architecture(library={"source": source, "name": name, key: given})


def modules(root: dict[str, Any], **rest: Any) -> architecture_pb2.Architecture:
    """A module tree."""
    return architecture(modules={"root": root, **rest})


def tensor_of(inventory: Inventory, name: str) -> InventoryTensor:
    """The tensor of that name or alias."""
    return next(tensor for tensor in inventory.tensors if name in (tensor.name, *tensor.aliases))


def captured_inventory(declared: architecture_pb2.Architecture) -> tuple[Inventory, Capture]:
    """The inventory of an architecture, and the capture that it was described from."""
    module, _ = _kind(declared)
    with patch.object(module, "describe", wraps=module.describe) as described:
        inventory = build_inventory(declared)
    return inventory, described.call_args.args[0]


def check_against_real(declared: architecture_pb2.Architecture, seed: int = 0) -> Inventory:
    """Captures and really builds an architecture, and compares everything. Returns the inventory."""
    inventory, captured = captured_inventory(declared)
    torch.manual_seed(seed)
    check_tensors(captured, inventory, build_model(declared), seed)
    return inventory


def check_tensors(captured: Capture, inventory: Inventory, model: torch.nn.Module, seed: int) -> None:
    """Names, order, ties, shapes, dtypes, and every byte of what has a fill; `model` was built under this seed."""
    parameters = dict(model.named_parameters())
    aliases = dict(model.named_parameters(remove_duplicate=False))
    state = model.state_dict(keep_vars=True)
    found = {tensor.name: tensor for tensor in inventory.tensors}
    assert [name for name, t in found.items() if t.kind == "parameter"] == list(parameters)
    assert {name for t in found.values() for name in (t.name, *t.aliases)} == set(state)
    for name, tensor in found.items():
        real = parameters[name] if tensor.kind == "parameter" else state[name]
        assert tuple(real.shape) == tensor.shape
        assert tensor.trainable == real.requires_grad
        assert all(aliases[alias] is real for alias in tensor.aliases if tensor.kind == "parameter")
    fills = {name: tensor.default for name, tensor in found.items() if tensor.default is not None}
    assert differences(captured, fills, inventory.literals, model, seed) == []
