"""Holds captured fills against tensors that the library really made."""

from __future__ import annotations

import math
from typing import Any

import torch
from google.protobuf import json_format

from initium.v1 import architecture_pb2
from initium_law.grammar import Constant, Copy, Dirac, Eye, Fill, Literal, Normal, Parts, TruncNormal, Uniform
from initium_server.planning.inventory import Inventory, InventoryTensor
from initium_server.sources import build_inventory, build_model

SIGMAS = 6.0


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


def check_against_real(declared: architecture_pb2.Architecture, seed: int = 0) -> Inventory:
    """Captures and really builds an architecture, and compares everything. Returns the inventory."""
    inventory = build_inventory(declared)
    torch.manual_seed(seed)
    model = build_model(declared)
    check_tensors(inventory, model)
    return inventory


def check_tensors(inventory: Inventory, model: torch.nn.Module) -> None:
    """Names, order, ties, shapes, dtypes and values."""
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
        if tensor.default is not None:
            check_values(name, tensor.default, real.detach(), inventory)
        match tensor.default:
            case Copy(origin, fill) if origin in found and found[origin].default == fill:
                assert torch.equal(real.reshape(-1), state[origin].reshape(-1)), f"{name} is no copy of {origin}"


def check_values(name: str, fill: Fill, real: torch.Tensor, inventory: Inventory) -> None:
    """One tensor's real values against its fill: exact, or by bounds, mean and standard deviation."""
    match fill:
        case Constant():
            expected = torch.full_like(real, fill.value)
            assert torch.equal(real, expected), f"{name}: {fill} against {real.flatten()[:4]}"
        case Literal():
            data = real.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            assert data == inventory.literals[fill.digest], name
        case Eye():
            assert torch.equal(real, torch.eye(*real.shape)), name
        case Dirac():
            assert torch.equal(real, torch.nn.init.dirac_(torch.empty_like(real), fill.groups)), name
        case Parts():
            _check_parts(name, fill, real, inventory)
        case Uniform() | Normal() | TruncNormal():
            _check_draws(name, fill, real.double().reshape(-1))
        case Copy():
            check_values(name, fill.fill, real, inventory)
        case _:
            raise AssertionError(f"{name}: no comparison for {fill}")


def _check_parts(name: str, fill: Parts, real: torch.Tensor, inventory: Inventory) -> None:
    free = torch.ones_like(real, dtype=torch.bool)
    for index, part in reversed(list(enumerate(fill.parts))):
        box = tuple(slice(a, b) for a, b in zip(part.start, part.stop, strict=True))
        seen = real[box] if bool(free[box].all()) else real[box][free[box]]
        check_values(f"{name} part {index}", part.fill, seen, inventory)
        free[box] = False
    if bool(free.any()):
        check_values(f"{name} base", fill.base, real[free], inventory)


def _check_draws(name: str, fill: Uniform | Normal | TruncNormal, values: torch.Tensor) -> None:
    mean, std, low, high = moments(fill)
    count = values.numel()
    ulp = 1e-6 * max(abs(low), abs(high)) if math.isfinite(low) else 0.0
    assert float(values.min()) >= low - ulp, f"{name}: {float(values.min())} below {fill}"
    assert float(values.max()) <= high + ulp, f"{name}: {float(values.max())} above {fill}"
    assert abs(float(values.mean()) - mean) <= SIGMAS * std / math.sqrt(count) + ulp, f"{name}: mean against {fill}"
    if count >= 64:
        spread = abs(float((values - mean).square().mean().sqrt()) - std)
        assert spread <= SIGMAS * std / math.sqrt(2 * count), f"{name}: std against {fill}"


def moments(fill: Uniform | Normal | TruncNormal) -> tuple[float, float, float, float]:
    """Mean, standard deviation and bounds."""
    match fill:
        case Uniform():
            return (fill.low + fill.high) / 2, (fill.high - fill.low) / math.sqrt(12), fill.low, fill.high
        case Normal():
            return fill.mean, fill.std, -math.inf, math.inf
    alpha, beta = (fill.a - fill.mean) / fill.std, (fill.b - fill.mean) / fill.std
    mass = _cdf(beta) - _cdf(alpha)
    shift = (_pdf(alpha) - _pdf(beta)) / mass
    scale = 1 + (alpha * _pdf(alpha) - beta * _pdf(beta)) / mass - shift**2
    return fill.mean + fill.std * shift, fill.std * math.sqrt(scale), fill.a, fill.b


def _pdf(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _cdf(x: float) -> float:
    return (1 + math.erf(x / math.sqrt(2))) / 2
