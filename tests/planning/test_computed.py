"""Numbers that a recipe computes for each tensor: names, gains, the plan's explanation, and errors (promises 3, 4)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initium.contract.canonical import hex_float
from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.inventory import InventoryTensor, Owner
from tests.planning.recipes import by_name, planned
from tests.planning.rules import failure, run


def stacked(name: str, shape: tuple[int, ...], block: int | None = None, blocks: int | None = None) -> InventoryTensor:
    owner = Owner(name, ("Linear", "Module"), "torch.nn.Linear", block, blocks)
    return InventoryTensor((owner,), shape, "F32", "parameter", True, fills.Constant(0.0))


MODEL = Inventory(
    (
        stacked("h.0.w", (8, 4, 3), 0, 6),
        stacked("h.5.w", (8, 4, 3), 5, 6),
        stacked("b", (5,)),
    )
)
WEIGHTS: dict[str, Any] = {"match": {"path": ["h.**"]}}


def std(expression: str, name: str = "h.5.w", **rule: Any) -> float:
    done = run({**WEIGHTS, "normal": {}, "computed": {"std": expression}, **rule}, inventory=MODEL)[name]
    assert isinstance(done.fill, fills.Normal)
    assert done.numbers == {"std": hex_float(done.fill.std)}
    return done.fill.std


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("fan_in", 12.0),
        ("fan_out", 24.0),
        ("block", 5.0),
        ("blocks", 6.0),
        ("numel", 96.0),
        ("shape[0] + shape[1] / shape[2]", 8 + 4 / 3),
        ("0.02 / sqrt(2 * blocks)", 0.02 / math.sqrt(12.0)),  # GPT-2, nanoGPT
        ("0.02 / sqrt(2 * (block + 1))", 0.02 / math.sqrt(12.0)),  # torchtitan's depth_scaled_std
        ("1 / sqrt(fan_in)", 1 / math.sqrt(12.0)),
        ("1 / sqrt(fan_in) * min(1, sqrt(fan_out / fan_in))", 1 / math.sqrt(12.0)),  # spectral muP
    ],
)
def test_names_are_those_of_the_tensor(expression: str, expected: float) -> None:
    assert std(expression) == expected


def test_each_tensor_has_its_own_number() -> None:
    assert std("1 / (block + 1)", "h.0.w") == 1.0
    assert std("1 / (block + 1)", "h.5.w") == 1 / 6


def test_a_bias_has_elements_and_a_shape() -> None:
    rule = {"match": {"path": ["b"]}, "constant": {}, "computed": {"val": "shape[0] * numel"}}
    assert run(rule, inventory=MODEL)["b"].fill == fills.Constant(25.0)


def test_the_plan_shows_the_number_and_the_others_keep_their_default() -> None:
    rule = {"match": {"path": ["head.weight"]}, "trunc_normal": {"mean": 1}, "computed": {"std": "1/4"}}
    (tensor,) = [t for t in planned(init={"rules": [rule]}).tensors if t.name == "head.weight"]
    assert tensor.resolved == {"std": "0x1p-2"}
    assert tensor.fill.trunc_normal.std == "0x1p-2"
    assert tensor.fill.trunc_normal.mean == "0x1p+0"


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        ("relu", math.sqrt(2.0)),
        ("tanh", 5 / 3),
        ("selu", 0.75),
        ("conv_transpose2d", 1.0),
        ("leaky_relu", math.sqrt(2 / (1 + 0.01**2))),
        ("leaky_relu(0.2)", math.sqrt(2 / (1 + 0.2**2))),
        ("relu / sqrt(2 * blocks)", math.sqrt(2.0) / math.sqrt(12.0)),
    ],
)
@pytest.mark.parametrize("name", ["orthogonal", "xavier_normal"])
def test_gain_takes_the_names_of_calculate_gain(name: str, gain: str, expected: float) -> None:
    done = run({**WEIGHTS, name: {}, "computed": {"gain": gain}}, inventory=MODEL)["h.0.w"]
    assert done.numbers["gain"] == hex_float(expected)


def test_gains_are_what_torch_computes() -> None:
    import torch

    for gain in ("linear", "conv1d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"):
        done = run({**WEIGHTS, "orthogonal": {}, "computed": {"gain": gain}}, inventory=MODEL)["h.0.w"]
        assert done.fill == fills.Orthogonal(torch.nn.init.calculate_gain(gain))  # type: ignore[arg-type]
    done = run({**WEIGHTS, "orthogonal": {}, "computed": {"gain": "leaky_relu(0.3)"}}, inventory=MODEL)["h.0.w"]
    assert done.fill == fills.Orthogonal(torch.nn.init.calculate_gain("leaky_relu", 0.3))


ALL: dict[str, Any] = {"match": {"every": True}}


@pytest.mark.parametrize(
    ("rule", "argument", "text"),
    [
        ({"normal": {}, "computed": {"std": "fan_inn"}}, "std", "unknown name 'fan_inn'; did you mean 'fan_in' or"),
        ({"normal": {}, "computed": {"sdt": "1"}}, "sdt", "no argument 'sdt' that is a number; did you mean 'std'?"),
        ({"normal": {"std": 0}, "computed": {"std": "1"}}, "std", "std is given by value, too; keep one"),
        ({"kaiming_normal": {}, "computed": {"mode": "1"}}, "mode", "arguments that are numbers: a"),
        ({"dirac": {}, "computed": {"groups": "1"}}, "groups", "arguments that are numbers: none"),
        ({"values": {}, "computed": {"values": "1"}}, "values", "arguments that are numbers: none"),
        ({"ones": {}, "computed": {"val": "1"}}, "val", "no argument 'val'"),
        ({"normal": {}, "computed": {"std": "relu"}}, "std", "unknown name 'relu'"),
        ({"normal": {}, "computed": {"std": "1 +"}}, "std", "is missing before 'the end', in '1 +'"),
        ({"normal": {}, "computed": {"std": "1 / (block - block)"}}, "std", "division by zero"),
        ({"normal": {}, "computed": {"std": "fan_in"}}, "std", "fans need 2 or more dimensions; b has shape [5]"),
        ({"normal": {}, "computed": {"std": "blocks"}}, "std", "b lies in no stack of blocks"),
        ({"normal": {}, "computed": {"std": "shape[1]"}}, "std", "shape[1] is beyond the last axis; b has shape [5]"),
        ({"normal": {}, "computed": {"std": "width"}}, "std", "b has no base shape; give one in init.base"),
        ({"normal": {}, "computed": {"std": "base_fan_in"}}, "std", "has no base shape; give one in init.base"),
        ({"normal": {}, "computed": {"std": "1e200 * 1e200"}}, "std", "its value is not finite"),
    ],
)
def test_errors_name_the_expression(rule: dict[str, Any], argument: str, text: str) -> None:
    last = {"match": {"path": ["b"]}} if "b " in text or "base" in text else WEIGHTS
    (violation,) = failure({**last, **rule}, inventory=MODEL).violations
    assert violation.field == f"init.rules[0].computed.{argument}"
    assert text in violation.message


def test_an_argument_that_is_computed_is_checked_as_if_it_were_given() -> None:
    (violation,) = failure({**WEIGHTS, "normal": {}, "computed": {"std": "-1"}}, inventory=MODEL).violations
    assert violation.field == "init.rules[0].normal"
    assert violation.message.startswith("h.0.w: std is -1.0")


def test_the_first_of_several_tensors_is_named_and_the_others_counted() -> None:
    (violation,) = failure(
        {**WEIGHTS, "normal": {}, "computed": {"std": "1 / (blocks - 6)"}}, inventory=MODEL
    ).violations
    assert violation.message.startswith("h.0.w: division by zero, in '1 / (blocks - 6)' (and 1 more tensor")


RECIPES: dict[str, tuple[dict[str, Any], fills.Fill]] = {
    "PReLU slope": ({"constant": {"val": 0.25}}, fills.Constant(0.25)),
    "LayerScale": ({"constant": {"val": 1e-5}}, fills.Constant(1e-5)),
    "zero-init": ({"zeros": {}}, fills.Constant(0.0)),
    # Zhang et al. 2019: blocks^(-1 / (2 m - 2)) of kaiming for m = 2 layers a branch.
    "Fixup": (
        {"kaiming_normal": {"nonlinearity": "relu"}},
        fills.Normal(0.0, math.sqrt(2.0) / math.sqrt(12.0)),
    ),
    "Fixup, by its scale": (
        {"normal": {}, "computed": {"std": "sqrt(2 / fan_in) / sqrt(blocks)"}},
        fills.Normal(0.0, math.sqrt(2 / 12) / math.sqrt(6.0)),
    ),
    # Huang et al. 2020: 0.67 N^(-1/4).
    "T-Fixup": (
        {"xavier_normal": {}, "computed": {"gain": "0.67 / sqrt(sqrt(blocks))"}},
        fills.Normal(0.0, 0.67 / math.sqrt(math.sqrt(6.0)) * math.sqrt(2 / 36)),
    ),
    # Wang et al. 2022: beta = (8 N)^(-1/4) of a decoder.
    "DeepNet": (
        {"xavier_normal": {}, "computed": {"gain": "1 / sqrt(sqrt(8 * blocks))"}},
        fills.Normal(0.0, 1 / math.sqrt(math.sqrt(48.0)) * math.sqrt(2 / 36)),
    ),
    "llm-foundry small": (
        {"normal": {}, "computed": {"std": "sqrt(2 / (5 * shape[1]))"}},
        fills.Normal(0.0, math.sqrt(0.1)),
    ),
    "GPT-NeoX residual": (
        {"normal": {}, "computed": {"std": "2 / (blocks * sqrt(shape[1]))"}},
        fills.Normal(0.0, 2 / (6.0 * 2.0)),
    ),
    "uniform with bounds": (
        {"uniform": {}, "computed": {"a": "-1 / sqrt(fan_in)", "b": "1 / sqrt(fan_in)"}},
        fills.Uniform(-1 / math.sqrt(12.0), 1 / math.sqrt(12.0)),
    ),
}


@pytest.mark.parametrize("name", RECIPES)
def test_what_papers_and_libraries_do_is_a_line_of_a_recipe(name: str) -> None:
    rule, expected = RECIPES[name]
    assert run({**WEIGHTS, **rule}, inventory=MODEL)["h.5.w"].fill == expected


def test_a_tied_tensor_is_in_the_block_of_the_name_that_is_matched() -> None:
    other = Owner("h.3.w", ("Linear",), "", 3, 6)
    own = stacked("h.0.w", (4, 4), 0, 6)
    tied = InventoryTensor((own.owners[0], other), (4, 4), "F32", "parameter", True, fills.Constant(0.0))
    rule = {"match": {"path": ["h.3.w"]}, "constant": {}, "computed": {"val": "block"}}
    assert run(rule, inventory=Inventory((tied,)))["h.0.w"].fill == fills.Constant(3.0)


def test_a_computed_plan_is_the_same_every_time() -> None:
    rule = {"match": {"path": ["head.weight"]}, "normal": {}, "computed": {"std": "0.02 / sqrt(2 * fan_in)"}}
    one, two = (by_name(planned(init={"rules": [rule]}))["head.weight"] for _ in range(2))
    assert one == two
