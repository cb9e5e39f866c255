"""Small modules out of tensor expressions, captured and really built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from initium_law.grammar import Constant, Fill, Pointwise
from initium_server.capture import capture, describe
from initium_server.planning.inventory import Inventory
from tests.sources.compare import check_tensors


def op(name: str, *operands: Fill | float) -> Pointwise:
    """A pointwise fill; numbers are constants."""
    return Pointwise(name, tuple(Constant(float(x)) if isinstance(x, int | float) else x for x in operands))


Make = Callable[[], torch.Tensor]
Several = Callable[[], Sequence[torch.Tensor]]


def holding(tensors: Sequence[torch.Tensor], buffer: bool = True) -> nn.Module:
    """A module that holds tensors as `t0`, `t1`, ..."""
    module = nn.Module()
    for index, tensor in enumerate(tensors):
        if buffer:
            module.register_buffer(f"t{index}", tensor)
        else:
            module.register_parameter(f"t{index}", nn.Parameter(tensor))
    return module


def inventory_of(*tensors: Make, buffer: bool = False) -> Inventory:
    """The inventory of a module that holds what the functions make, as `t0`, `t1`, ..."""
    return describe(capture(lambda: holding([make() for make in tensors], buffer)))


def fills_of(make: Several) -> list[tuple[Fill | None, str]]:
    """Fill and error of each of several buffers that are made together."""
    return [(tensor.default, tensor.default_error) for tensor in describe(capture(lambda: holding(make()))).tensors]


def fill_of(make: Make) -> tuple[Fill | None, str]:
    """Fill and error of one buffer."""
    return fills_of(lambda: [make()])[0]


def faithful(make: Several, seed: int = 0) -> Inventory:
    """The inventory of what was made, after its comparison with the same tensors really made, byte for byte."""
    captured = capture(lambda: holding(make()))
    inventory = describe(captured)
    torch.manual_seed(seed)
    check_tensors(captured, inventory, holding(make()), seed)
    return inventory


def in_place(*steps: Callable[[torch.Tensor], Any], shape: tuple[int, ...] = (4, 6)) -> Make:
    """A fresh tensor with steps applied to it."""

    def make() -> torch.Tensor:
        tensor = torch.empty(shape)
        with torch.no_grad():
            for step in steps:
                step(tensor)
        return tensor

    return make
