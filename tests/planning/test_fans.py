"""How fans are counted, and that the plan says how (init.proto, FANS)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.inventory import FanAxes, InventoryTensor, Owner
from tests.planning.inventories import tensor
from tests.planning.rules import failure, run

ALL: dict[str, Any] = {"match": {"every": True}}
FAN_BASED = [
    *("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "variance_scaling"),
    *("lecun_uniform", "lecun_normal", "siren", "spectral"),
]


def weight(shape: tuple[int, ...], groups: int | None = None, axes: FanAxes | None = None) -> Inventory:
    owner = Owner("w", ("Conv2d", "_ConvNd", "Module"), "torch.nn.Conv2d", groups=groups)
    return Inventory((InventoryTensor((owner,), shape, "F32", "parameter", True, None, fan_axes=axes),))


def numbers(rule: dict[str, Any], inventory: Inventory) -> dict[str, str]:
    return run({**ALL, **rule}, inventory=inventory)["w"].numbers


SHAPE = (8, 4, 3, 5)
CONVENTIONS: dict[str, tuple[dict[str, Any], Inventory, tuple[int, int], str]] = {
    "absent": ({}, weight(SHAPE), (60, 120), "torch"),
    "torch": ({"fans": "torch"}, weight(SHAPE, groups=2), (60, 120), "torch"),
    "transposed": ({"fans": "transposed"}, weight(SHAPE), (120, 60), "transposed"),
    "grouped": ({"fans": "grouped"}, weight(SHAPE, groups=4), (60, 30), "grouped"),
    "of one group": ({"fans": "grouped"}, weight(SHAPE, groups=1), (60, 120), "grouped"),
    "axes": ({"axes": {"fan_in": [2], "fan_out": [3]}}, weight(SHAPE), (32 * 3, 32 * 5), "axes"),
    "axes from the end": ({"axes": {"fan_in": [-2], "fan_out": [-1]}}, weight((3, 5, 4, 8)), (60, 120), "axes"),
    "experts": ({"axes": {"fan_in": [2], "fan_out": [1], "batch": [0]}}, weight((7, 8, 4)), (4, 8), "axes"),
    "several": ({"axes": {"fan_in": [0, 1], "fan_out": [2, 3]}}, weight(SHAPE), (32, 15), "axes"),
    "declared": ({}, weight((4, 8), axes=FanAxes((0,), (1,))), (4, 8), "declared"),
    "axes over declared": (
        {"axes": {"fan_in": [1], "fan_out": [0]}},
        weight((4, 8), axes=FanAxes((0,), (1,))),
        (8, 4),
        "axes",
    ),
}


@pytest.mark.parametrize("name", CONVENTIONS)
def test_each_convention(name: str) -> None:
    arguments, inventory, (fan_in, fan_out), word = CONVENTIONS[name]
    both = numbers({"xavier_uniform": arguments}, inventory)
    assert (both["fan_in"], both["fan_out"], both["fans"]) == (str(fan_in), str(fan_out), word)
    for mode, fan in (("fan_in", fan_in), ("fan_out", fan_out)):
        taken = numbers({"kaiming_normal": {**arguments, "mode": mode}}, inventory)
        assert (taken["fan"], taken["mode"], taken["fans"]) == (str(fan), mode, word)
        assert run({**ALL, "kaiming_normal": {**arguments, "mode": mode}}, inventory=inventory)[
            "w"
        ].fill == fills.Normal(0.0, math.sqrt(2.0) / math.sqrt(fan))


@pytest.mark.parametrize("name", FAN_BASED)
def test_every_initializer_with_fans_takes_every_convention(name: str) -> None:
    for arguments, inventory, _, word in CONVENTIONS.values():
        assert numbers({name: arguments}, inventory)["fans"] == word


def test_the_default_is_torchs_also_where_that_exchanges_the_fans() -> None:
    """nn.ConvTranspose2d keeps (in, out, height, width); torch reads its fan_out off the inputs."""
    layer = torch.nn.ConvTranspose2d(8, 16, 3)
    fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(layer.weight)
    inventory = weight(tuple(layer.weight.shape), groups=1)
    taken = numbers({"kaiming_normal": {"mode": "fan_out"}}, inventory)
    assert (
        (taken["fan"], taken["mode"], taken["fans"]) == (str(fan_out), "fan_out", "torch") == ("72", "fan_out", "torch")
    )
    assert numbers({"kaiming_normal": {}}, inventory)["fan"] == str(fan_in) == "144"
    true = numbers({"kaiming_normal": {"mode": "fan_out", "fans": "transposed"}}, inventory)
    assert (true["fan"], true["fans"]) == ("144", "transposed")


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_grouped_is_what_timm_counts(groups: int) -> None:
    """timm.models._efficientnet_builder._init_weight_goog, captured."""
    from timm.models._efficientnet_builder import _init_weight_goog

    from initium_server.capture import capture, describe

    def build() -> torch.nn.Module:
        layer = torch.nn.Conv2d(8, 16, 3, groups=groups, bias=False)
        _init_weight_goog(layer, "conv")
        return layer

    inventory = describe(capture(build))
    rule = {**ALL, "kaiming_normal": {"mode": "fan_out", "fans": "grouped", "a": 0}}
    own, theirs = run(rule, inventory=inventory)["weight"].fill, inventory.tensors[0].default
    assert isinstance(own, fills.Normal)
    assert isinstance(theirs, fills.Normal)
    assert own.std == pytest.approx(theirs.std, rel=4e-16)  # sqrt(2) / sqrt(fan) there is sqrt(2 / fan)
    exact = {**ALL, "variance_scaling": {"scale": 2, "mode": "fan_out", "fans": "grouped", "distribution": "normal"}}
    assert run(exact, inventory=inventory)["weight"].fill == theirs


@pytest.mark.parametrize(
    ("arguments", "inventory", "field", "text"),
    [
        ({"fans": "transpose"}, weight(SHAPE), "fans", "is no way to count fans; did you mean 'transposed'?"),
        ({"fans": "grouped"}, weight(SHAPE), "fans", "w belongs to no convolution, so it has no groups"),
        ({"fans": "torch", "axes": {"fan_in": [0], "fan_out": [1]}}, weight(SHAPE), "fans", "keep one"),
        ({"axes": {"fan_in": [0], "fan_out": [0]}}, weight((6,)), "axes.fan_out", "axis 0 is listed twice"),
        ({"axes": {"fan_in": [0]}}, weight(SHAPE), "axes.fan_out", "required: at least one axis"),
        ({"axes": {"fan_out": [0]}}, weight(SHAPE), "axes.fan_in", "required: at least one axis"),
        (
            {"axes": {"fan_in": [4], "fan_out": [0]}},
            weight(SHAPE),
            "axes.fan_in",
            "axis 4 is none of the 4; w has shape",
        ),
        ({"axes": {"fan_in": [0], "fan_out": [-5]}}, weight(SHAPE), "axes.fan_out", "axis -5 is none of the 4"),
        (
            {"axes": {"fan_in": [1], "fan_out": [0], "batch": [-3]}},
            weight(SHAPE),
            "axes.batch",
            "axis -3 is listed twice",
        ),
    ],
)
def test_errors_name_the_argument(arguments: dict[str, Any], inventory: Inventory, field: str, text: str) -> None:
    for name in ("xavier_uniform", "variance_scaling"):
        (violation,) = failure({**ALL, name: arguments}, inventory=inventory).violations
        assert violation.field == f"init.rules[0].{name}.{field}"
        assert text in violation.message


def test_one_dimension_has_no_fans() -> None:
    (violation,) = failure({**ALL, "lecun_normal": {}}, inventory=Inventory((tensor("b", (3,)),))).violations
    assert violation.field == "init.rules[0].lecun_normal"
    assert "b has shape [3]. Match weights only" in violation.message
