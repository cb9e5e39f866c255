"""Initializers: torch.nn.init's defaults and bounds, and the numbers that explain fills (init.proto; promises 3, 4)."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytest
import torch
from google.protobuf import json_format

from initium.contract.canonical import hex_float
from initium.errors import RecipeError
from initium.v1 import init_pb2
from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.assign import assign
from initium_server.planning.fans import calculate_gain, fans
from initium_server.planning.initializers import INITIALIZERS, NOT_OF_TORCH, Resolution
from initium_server.planning.inventory import FanAxes, InventoryTensor, Owner
from initium_server.planning.rules import compile_rules
from initium_server.planning.target import Target
from tests.planning.inventories import tensor

ROOT = math.sqrt(2.0)


def resolved(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> Resolution:
    """What the initializer makes of a tensor `w`, by way of a rule."""
    rule = json_format.ParseDict({"match": {"every": True}, name: arguments}, init_pb2.InitRule())
    (done,) = assign(Inventory((tensor("w", shape),)), compile_rules(init_pb2.InitPolicy(rules=[rule])), "F32", {})
    return Resolution(done.fill, done.numbers)


def refusal(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> str:
    with pytest.raises(RecipeError) as caught:
        resolved(name, arguments, shape)
    (violation,) = caught.value.violations
    assert violation.field == f"init.rules[0].{name}"
    return violation.message


def delta(start: tuple[int, ...], stop: tuple[int, ...], gain: float = 1.0) -> fills.Parts:
    return fills.Parts(fills.Constant(0.0), (fills.Part(start, stop, fills.Orthogonal(gain)),))


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "expected"),
    [
        ("uniform", {}, (3,), fills.Uniform(0.0, 1.0)),
        ("uniform", {"a": -2, "b": -1}, (3,), fills.Uniform(-2.0, -1.0)),
        ("uniform", {"a": 1}, (3,), fills.Uniform(1.0, 1.0)),
        ("normal", {}, (), fills.Normal(0.0, 1.0)),
        ("normal", {"mean": -3, "std": 0}, (), fills.Normal(-3.0, 0.0)),
        ("trunc_normal", {}, (3,), fills.TruncNormal(0.0, 1.0, -2.0, 2.0)),
        ("trunc_normal", {"mean": 1, "std": 2, "a": 3, "b": 4}, (3,), fills.TruncNormal(1.0, 2.0, 3.0, 4.0)),
        ("trunc_normal", {"mean": -1, "std": 0, "a": -1, "b": 4}, (3,), fills.TruncNormal(-1.0, 0.0, -1.0, 4.0)),
        ("trunc_normal", {"mean": 4, "std": 0, "a": -1, "b": 4}, (3,), fills.TruncNormal(4.0, 0.0, -1.0, 4.0)),
        ("trunc_normal", {"mean": 9, "std": 1}, (3,), fills.TruncNormal(9.0, 1.0, -2.0, 2.0)),
        ("constant", {"val": 0}, (), fills.Constant(0.0)),
        ("constant", {"val": -0.1}, (2, 2), fills.Constant(-0.1)),
        ("ones", {}, (2, 2), fills.Constant(1.0)),
        ("zeros", {}, (2, 2), fills.Constant(0.0)),
        ("eye", {}, (2, 3), fills.Eye()),
        ("dirac", {}, (4, 2, 3), fills.Dirac(1)),
        ("dirac", {"groups": 4}, (4, 2, 3, 3), fills.Dirac(4)),
        ("dirac", {"groups": 2}, (4, 2, 3, 3, 3), fills.Dirac(2)),
        ("orthogonal", {}, (4, 2), fills.Orthogonal(1.0)),
        ("orthogonal", {"gain": -2}, (4, 2, 3), fills.Orthogonal(-2.0)),
        ("sparse", {"sparsity": 0}, (4, 2), fills.Sparse(0.0, 0.01)),
        ("sparse", {"sparsity": 1, "std": 0}, (4, 2), fills.Sparse(1.0, 0.0)),
        ("delta_orthogonal", {}, (4, 4, 3), delta((0, 0, 1), (4, 4, 2))),
        ("delta_orthogonal", {"gain": 3}, (4, 2, 1, 4), delta((0, 0, 0, 1), (4, 2, 1, 2), 3.0)),
        ("delta_orthogonal", {}, (4, 2, 5, 2, 6), delta((0, 0, 2, 0, 2), (4, 2, 3, 1, 3))),
        ("corrected_trunc_normal", {"mean": 2, "std": 0}, (4,), fills.Constant(2.0)),
    ],
)
def test_arguments_and_their_defaults(
    name: str, arguments: dict[str, Any], shape: tuple[int, ...], expected: fills.Fill
) -> None:
    done = resolved(name, arguments, shape)
    assert done.fill == expected
    assert not done.numbers


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "text"),
    [
        ("uniform", {"a": 2, "b": 1}, (3,), "a = 2.0 is greater than b = 1.0"),
        ("normal", {"std": -0.5}, (3,), "std is -0.5; it must be 0 or more"),
        ("normal", {"mean": "Infinity"}, (3,), "mean is inf; it must be finite"),
        ("trunc_normal", {"a": 2, "b": -2}, (3,), "a = 2.0 is not less than b = -2.0"),
        ("trunc_normal", {"mean": 2.5, "std": 0}, (3,), "std is 0 and mean = 2.5 lies outside"),
        ("trunc_normal", {"mean": -2.5, "std": 0}, (3,), "std is 0 and mean = -2.5 lies outside"),
        ("trunc_normal", {"std": -1}, (3,), "std is -1.0"),
        ("constant", {"val": "-Infinity"}, (3,), "val is -inf; it must be finite"),
        ("eye", {}, (3,), "w has shape [3]"),
        ("eye", {}, (3, 3, 3), "w has shape [3, 3, 3]"),
        ("dirac", {}, (4, 4), "w has shape [4, 4]"),
        ("dirac", {}, (4, 4, 1, 1, 1, 1), "dirac needs 3 to 5 dimensions"),
        ("dirac", {"groups": 0}, (4, 4, 1), "groups = 0 must be 1 or more"),
        ("orthogonal", {}, (3,), "orthogonal needs 2 dimensions or more; w has shape [3]"),
        ("orthogonal", {"gain": "NaN"}, (3, 3), "gain is nan"),
        ("delta_orthogonal", {}, (2, 3, 1), "as many output channels as input channels"),
        ("delta_orthogonal", {}, (3, 3), "3 to 5 dimensions; w has shape [3, 3]"),
        ("delta_orthogonal", {}, (3, 3, 1, 1, 1, 1), "3 to 5 dimensions"),
        ("sparse", {"sparsity": -0.1}, (3, 3), "sparsity is -0.1"),
        ("sparse", {"sparsity": 1.1}, (3, 3), "sparsity is 1.1"),
        ("sparse", {"sparsity": 0.5}, (3,), "sparse needs 2 dimensions; w has shape [3]"),
        ("sparse", {"sparsity": 0.5, "std": -1}, (3, 3), "std is -1.0"),
        ("corrected_trunc_normal", {"cut": 0.09}, (3,), "cut is 0.09"),
        ("corrected_trunc_normal", {"cut": 37}, (3,), "cut is 37.0"),
        ("corrected_trunc_normal", {"cut": 37, "std": 0}, (3,), "cut is 37.0"),
        ("corrected_trunc_normal", {"std": -1}, (3,), "std is -1.0"),
        ("xavier_uniform", {"gain": -1}, (3, 3), "gain is -1.0; it must be 0 or more"),
        ("xavier_normal", {"gain": "NaN"}, (3, 3), "gain is nan; it must be finite"),
        ("xavier_normal", {}, (3,), "w has shape [3]. Match weights only"),
        ("kaiming_normal", {}, (), "w has shape []. Match weights only"),
        ("kaiming_uniform", {"mode": "fan_avg"}, (3, 3), "mode is 'fan_avg'; did you mean"),
        ("kaiming_uniform", {"a": "NaN"}, (3, 3), "a is nan; it must be finite"),
        ("kaiming_normal", {"nonlinearity": "gelu"}, (3, 3), "did you mean 'selu'"),
        ("kaiming_normal", {"a": 1e200}, (3, 3), "its numbers are out of range"),
        ("xavier_uniform", {"gain": 1.7e308}, (1, 1), "inf is not finite"),
        ("kaiming_uniform", {}, (0, *[1 << 40] * 26), "its numbers are out of range"),
    ],
)
def test_what_cannot_apply_is_reported_with_the_number_at_fault(
    name: str, arguments: dict[str, Any], shape: tuple[int, ...], text: str
) -> None:
    assert text in refusal(name, arguments, shape)


@pytest.mark.parametrize("cut", [0.1, 36.9])
def test_the_cut_of_a_corrected_normal_may_be_as_near_and_far_as_the_contract_has_it(cut: float) -> None:
    fill = resolved("corrected_trunc_normal", {"cut": cut, "std": 0.5, "mean": 1}, (3,)).fill
    assert isinstance(fill, fills.TruncNormal)
    assert (fill.mean - fill.a) / fill.std == pytest.approx(cut)
    assert (fill.b - fill.mean) / fill.std == pytest.approx(cut)
    assert fill.std == pytest.approx(0.5 if cut > 30 else 0.5 / (cut / math.sqrt(3)), rel=1e-2)


@pytest.mark.parametrize(
    ("name", "arguments", "numbers", "last", "value"),
    [
        ("xavier_uniform", {}, {"fan_in": "18", "fan_out": "36", "fans": "torch", "gain": 1.0}, "bound", 1 / 3),
        (
            "xavier_normal",
            {"gain": 3},
            {"fan_in": "18", "fan_out": "36", "fans": "torch", "gain": 3.0},
            "std",
            3 * math.sqrt(2 / 54),
        ),
        (
            "kaiming_uniform",
            {},
            {"fan": "18", "mode": "fan_in", "fans": "torch", "gain": ROOT},
            "bound",
            math.sqrt(6 / 18),
        ),
        (
            "kaiming_uniform",
            {"a": 1, "mode": "fan_out"},
            {"fan": "36", "mode": "fan_out", "fans": "torch", "gain": 1.0},
            "bound",
            math.sqrt(3 / 36),
        ),
        (
            "kaiming_normal",
            {"nonlinearity": "tanh"},
            {"fan": "18", "mode": "fan_in", "fans": "torch", "gain": 5 / 3},
            "std",
            5 / 3 / math.sqrt(18),
        ),
        (
            "kaiming_normal",
            {"mode": "fan_in", "a": 0},
            {"fan": "18", "mode": "fan_in", "fans": "torch", "gain": ROOT},
            "std",
            math.sqrt(2 / 18),
        ),
        (
            "kaiming_normal",
            {"nonlinearity": "leaky_relu"},
            {"fan": "18", "mode": "fan_in", "fans": "torch", "gain": ROOT},
            "std",
            math.sqrt(2 / 18),
        ),
    ],
)
def test_a_scaled_fill_is_explained_by_its_numbers(
    name: str, arguments: dict[str, Any], numbers: dict[str, Any], last: str, value: float
) -> None:
    done = resolved(name, arguments, (4, 2, 3, 3))
    exact = {key: hex_float(text) if isinstance(text, float) else text for key, text in numbers.items()}
    assert {key: text for key, text in done.numbers.items() if key != last} == exact
    resolved_number = float.fromhex(done.numbers[last])
    assert resolved_number == pytest.approx(value, rel=1e-15)
    uniform, normal = fills.Uniform(-resolved_number, resolved_number), fills.Normal(0.0, resolved_number)
    assert done.fill == (uniform if last == "bound" else normal)


@pytest.mark.parametrize("name", ["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal"])
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (0, 3, 0)])
def test_a_tensor_without_elements_has_a_fill(name: str, shape: tuple[int, ...]) -> None:
    """torch divides by zero, or warns; a plan must have finite numbers, whatever they are."""
    fill = resolved(name, {}, shape).fill
    if name.endswith("uniform"):
        assert isinstance(fill, fills.Uniform)
        assert -math.inf < fill.low == -fill.high <= 0
    else:
        assert isinstance(fill, fills.Normal)
        assert fill.mean == 0
        assert 0 <= fill.std < math.inf


@pytest.mark.parametrize(("shape", "stop"), [((2, 0, 1), (2, 0, 1)), ((0, 0, 3), (0, 0, 2)), ((2, 2, 0), (2, 2, 0))])
def test_an_empty_kernel_has_its_tap_inside(shape: tuple[int, ...], stop: tuple[int, ...]) -> None:
    fill = resolved("delta_orthogonal", {}, shape).fill
    assert isinstance(fill, fills.Parts)
    assert fill.parts[0].stop == stop


AXES = {
    "torch's own": ((4, 2, 3, 5), None, (30, 60)),
    "a matrix": ((4, 2), None, (2, 4)),
    "channels last": ((3, 5, 2, 4), FanAxes((2,), (3,)), (30, 60)),
    "several axes on a side": ((2, 3, 5, 7), FanAxes((0, 1), (2, 3)), (6, 35)),
    "stacked experts": ((8, 2, 4), FanAxes((1,), (2,), batch=(0,)), (2, 4)),
    "stacked kernels": ((8, 3, 2, 4), FanAxes((2,), (3,), batch=(0,)), (6, 12)),
    "one axis": ((6,), FanAxes((0,), (0,)), (6, 6)),
}


@pytest.mark.parametrize(("shape", "axes", "expected"), AXES.values(), ids=AXES)
def test_fans_multiply_their_axes_and_all_that_are_not_batch(
    shape: tuple[int, ...], axes: FanAxes | None, expected: tuple[int, int]
) -> None:
    own = InventoryTensor((Owner("w", (), ""),), shape, "F32", "parameter", True, None, fan_axes=axes)
    assert fans(Target.of(own)) == expected


def test_an_unknown_gain_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="leaky_relu, linear, relu, selu, sigmoid, tanh"):
        calculate_gain("swish", 0.0)


def test_the_decorator_of_initializers_returns_the_function() -> None:
    """Whoever writes one outside can call it in a test."""
    assert {name: getattr(sys.modules[each.__module__], name) for name, each in INITIALIZERS.items()} == INITIALIZERS


def test_generator_torch_runs_what_torch_has_and_what_is_made_of_that() -> None:
    functions = {name.removesuffix("_") for name in dir(torch.nn.init) if name.endswith("_")}
    lines_of_a_script = {"split", "pieces", "padded", "values", "copy"}
    assert INITIALIZERS.keys() - NOT_OF_TORCH == (INITIALIZERS.keys() & functions) | lines_of_a_script
