"""Init rules: first match wins, explained, nothing silent (promises 3 and 4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

import initium_law as law
from initium.contract.canonical import parse_hex_float
from initium.v1 import init_pb2
from initium_law import grammar as fills
from initium_server.planning.casts import add_literal
from initium_server.planning.fans import calculate_gain
from initium_server.planning.initializers import INITIALIZERS, LIBRARY_DEFAULT
from initium_server.planning.inventory import FanAxes, Inventory, InventoryTensor
from initium_server.planning.stored import STORED
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.rules import failure, run


def test_first_match_wins_and_is_explained() -> None:
    done = run(
        {
            "name": "convs",
            "match": {"module": ["_ConvNd"], "tensor": ["weight"]},
            "kaiming_normal": {"mode": "fan_out"},
        },
        {"match": {"tensor": ["weight"]}, "normal": {"std": 0.5}},
    )
    conv = done["conv1.weight"]
    assert (conv.rule, conv.rule_name, conv.initializer) == ("init.rules[0]", "convs", "kaiming_normal")
    assert conv.numbers["fan"] == "72"
    assert parse_hex_float(conv.numbers["std"]) == math.sqrt(2.0) / math.sqrt(72)
    assert done["head.weight"].fill == fills.Normal(0.0, 0.5)
    assert done["bn1.bias"].rule == ""


def test_rules_leave_buffers_alone_unless_they_name_them() -> None:
    assert run({"match": {"every": True}, "ones": {}})["bn1.running_mean"].fill == fills.Constant(0.0)
    named = run({"match": {"role": ["buffer"]}, "ones": {}})
    assert named["bn1.running_mean"].fill == fills.Constant(1.0)
    assert named["conv1.weight"].fill == fills.Normal(0.0, 1.0)


def test_dtype_casts_floating_parameters_only() -> None:
    done = run({"match": {"path": ["head.*"]}, "dtype": "F16", "library_default": {}}, dtype="BF16")
    dtypes = {name: done[name].dtype for name in ("conv1.weight", "head.weight", "bn1.running_mean")}
    assert dtypes == {"conv1.weight": "BF16", "head.weight": "F16", "bn1.running_mean": "F32"}
    assert done["bn1.num_batches_tracked"].dtype == "I64"


def test_literals_are_rounded_once_and_saturate() -> None:
    literals: dict[str, bytes] = {}
    digest = add_literal(np.array([0.1, -1e30, np.inf], "<f4").tobytes(), literals)
    inventory = Inventory((tensor("x", (3,), default=fills.Literal(digest)),))
    fill = run(inventory=inventory, dtype="F16", literals=literals)["x"].fill
    assert isinstance(fill, fills.Literal)
    assert np.frombuffer(literals[fill.digest], "<f2").tolist() == [np.float16(0.1), -65504.0, np.inf]


@pytest.mark.parametrize(
    ("rule", "field", "text"),
    [
        ({"match": {"path": ["nope.*"]}, "zeros": {}}, "init.rules[0]", "matches no tensor"),
        ({"match": {"tensor": ["bias"]}, "xavier_normal": {}}, "init.rules[0].xavier_normal", "conv1.bias"),
        ({"match": {"tensor": ["bias"]}, "kaiming_uniform": {}}, "init.rules[0].kaiming_uniform", "2 or more dim"),
        ({"match": {"every": True}, "normal": {"std": -1}}, "init.rules[0].normal", "std is -1"),
        ({"match": {"every": True}, "normal": {"std": "NaN"}}, "init.rules[0].normal", "finite"),
        ({"match": {"every": True}, "uniform": {"a": 2}}, "init.rules[0].uniform", "greater than"),
        ({"match": {"every": True}, "trunc_normal": {"a": 2, "b": 2}}, "init.rules[0].trunc_normal", "not less than"),
        ({"match": {"every": True}, "constant": {}}, "init.rules[0].constant", "val is required"),
        ({"match": {"path": ["head.*"]}, "dirac": {}}, "init.rules[0].dirac", "3 to 5"),
        ({"match": {"ndim": [4]}, "dirac": {"groups": 3}}, "init.rules[0].dirac", "divide"),
        ({"match": {"ndim": [1]}, "orthogonal": {}}, "init.rules[0].orthogonal", "needs 2 dimensions or more"),
        ({"match": {"ndim": [2]}, "delta_orthogonal": {}}, "init.rules[0].delta_orthogonal", "3 to 5"),
        ({"match": {"ndim": [4]}, "sparse": {"sparsity": 0.1}}, "init.rules[0].sparse", "needs 2 dimensions"),
        ({"match": {"ndim": [2]}, "sparse": {}}, "init.rules[0].sparse", "sparsity is required"),
        ({"match": {"ndim": [2]}, "sparse": {"sparsity": 2}}, "init.rules[0].sparse", "from 0 to 1"),
        (
            {"match": {"ndim": [2]}, "corrected_trunc_normal": {"cut": 40}},
            "init.rules[0].corrected_trunc_normal",
            "from 0.1 to less than 37",
        ),
        ({"match": {"ndim": [4]}, "eye": {}}, "init.rules[0].eye", "2 dimensions"),
        (
            {"match": {"ndim": [2]}, "kaiming_normal": {"nonlinearity": "gelu"}},
            "init.rules[0].kaiming_normal",
            "leaky_relu",
        ),
        ({"match": {"ndim": [2]}, "kaiming_normal": {"mode": "fan"}}, "init.rules[0].kaiming_normal", "fan_out"),
        ({"match": {"every": True}}, "init.rules[0]", "no initializer"),
        ({"match": {"every": True}, "zeros": {}, "dtype": "F31"}, "init.rules[0].dtype", "F32"),
        ({"match": {"every": True}, "zeros": {}, "ties": "last"}, "init.rules[0].ties", "first"),
    ],
)
def test_errors_name_rule_tensor_and_remedy(rule: dict[str, Any], field: str, text: str) -> None:
    violation = failure(rule).violations[0]
    assert violation.field == field
    assert text in violation.message


def test_a_shadowed_rule_is_an_error_unless_optional() -> None:
    rules = [{"match": {"every": True}, "zeros": {}}, {"match": {"ndim": [2]}, "ones": {}}]
    error = failure(*rules)
    assert error.violations[0].field == "init.rules[1]"
    assert "init.rules[0]" in error.violations[0].message
    assert run(rules[0], rules[1] | {"optional": True})["head.weight"].fill == fills.Constant(0.0)


def test_std_zero_and_far_bounds_are_legal() -> None:
    done = run(
        {"match": {"ndim": [2]}, "trunc_normal": {"std": 0, "mean": 1}},
        {"match": {"ndim": [4]}, "trunc_normal": {"std": 0.02, "a": -100, "b": 100}},
    )
    assert done["head.weight"].fill == fills.TruncNormal(1.0, 0.0, -2.0, 2.0)
    assert done["conv1.weight"].fill == fills.TruncNormal(0.0, 0.02, -100.0, 100.0)


def test_corrected_trunc_normal_has_the_variance_it_names() -> None:
    """The correction at 2 is jax's and timm's constant; the standard deviation is what it says for any cut."""
    for cut in (0.5, 2.0, 3.0, 8.0):
        done = run({"match": {"ndim": [2]}, "corrected_trunc_normal": {"std": 0.02, "cut": cut, "mean": 1.0}})
        fill = done["head.weight"].fill
        assert isinstance(fill, fills.TruncNormal)
        low, high = (fill.a - fill.mean) / fill.std, (fill.b - fill.mean) / fill.std
        x = np.linspace(low, high, 200_001)
        density = np.exp(-0.5 * x * x)
        variance = np.trapezoid(x * x * density) / np.trapezoid(density)
        assert fill.std * math.sqrt(variance) == pytest.approx(0.02, rel=1e-9)
        correction = parse_hex_float(done["head.weight"].numbers["correction"])
        assert cut != 2.0 or correction == pytest.approx(0.87962566103423978, rel=1e-14)


def test_delta_orthogonal_is_an_orthogonal_matrix_at_the_centre() -> None:
    fill = run({"match": {"ndim": [4]}, "delta_orthogonal": {"gain": 2}})["conv1.weight"].fill
    shape = next(t.shape for t in CONVNET.tensors if t.name == "conv1.weight")
    drawer = law.prepare(fill, 0, "conv1.weight", shape, "F32")
    out = np.empty(drawer.elements * 4, np.uint8)
    drawer.draw(0, out)
    values = out.view(np.float32).reshape(shape)
    centre = values[:, :, (shape[2] - 1) // 2, (shape[3] - 1) // 2].astype(np.float64)
    assert np.count_nonzero(values) == centre.size
    assert np.allclose(centre.T @ centre, 4 * np.eye(shape[1]), atol=1e-6)


def test_a_tensor_with_neither_rule_nor_default_is_an_error() -> None:
    inventory = Inventory((tensor("token", (1, 4), default=None),))
    error = failure(inventory=inventory)
    assert "token" in error.violations[0].message
    assert "add a rule" in error.violations[0].message


TIED = Inventory((tensor("embed.weight", (4, 2), "Embedding", aliases=(owner("head.weight", "Linear"),)),))
EMBEDDING = {"match": {"module": ["Embedding"]}, "normal": {}}
HEAD = {"match": {"path": ["head.*"]}, "zeros": {}}


def test_ties_written_two_ways_are_an_error() -> None:
    violation = failure(EMBEDDING, HEAD, inventory=TIED).violations[0]
    assert violation.field == "init.rules[1]"
    assert "embed.weight = head.weight" in violation.message
    assert "ties: first" in violation.message


def test_ties_first_takes_the_rule_of_the_first_name() -> None:
    assert run(EMBEDDING, HEAD | {"ties": "first"}, inventory=TIED)["embed.weight"].fill == fills.Normal(0.0, 1.0)
    assert run(HEAD, inventory=TIED)["embed.weight"].fill == fills.Constant(0.0)


def test_every_initializer_of_the_contract_is_registered() -> None:
    fields = init_pb2.InitRule.DESCRIPTOR.oneofs_by_name["initializer"].fields
    assert {*INITIALIZERS, LIBRARY_DEFAULT, STORED} == {field.name for field in fields}


SHAPES = [(8, 3, 3, 3), (8, 4, 1, 3, 3), (10, 8), (24, 8), (9, 1, 5)]
ARGUMENTS = [
    ("xavier_uniform", {"gain": 1.5}),
    ("xavier_normal", {}),
    ("kaiming_uniform", {"a": math.sqrt(5)}),
    ("kaiming_uniform", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_normal", {"nonlinearity": "tanh"}),
    ("kaiming_normal", {"nonlinearity": "selu", "mode": "fan_out"}),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "arguments"), ARGUMENTS)
def test_resolved_numbers_equal_what_torch_passes_on(
    name: str, arguments: dict[str, Any], shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.nn.init itself is the oracle: its last call to normal_ or uniform_ has the same numbers, to the bit."""
    seen: list[tuple[float, float]] = []
    for method in ("normal_", "uniform_"):
        monkeypatch.setattr(torch.Tensor, method, lambda self, a, b, generator=None: seen.append((a, b)))
    getattr(torch.nn.init, f"{name}_")(torch.empty(shape), **arguments)
    fill = run({"match": {"every": True}, name: arguments}, inventory=Inventory((tensor("w", shape),)))["w"].fill
    assert isinstance(fill, fills.Normal | fills.Uniform)
    numbers = (fill.mean, fill.std) if isinstance(fill, fills.Normal) else (fill.low, fill.high)
    assert [numbers] == seen


@pytest.mark.parametrize("name", ["linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "selu"])
def test_gains_are_torchs(name: str) -> None:
    assert calculate_gain(name, 0.0) == torch.nn.init.calculate_gain(name)
    assert calculate_gain("leaky_relu", 0.3) == torch.nn.init.calculate_gain("leaky_relu", 0.3)


def test_declared_fan_axes() -> None:
    """A Flax kernel (height, width, in, out) has the fans of torch's (out, in, height, width)."""
    flax = InventoryTensor(
        (owner("kernel"),), (3, 3, 4, 8), "F32", "parameter", True, None, fan_axes=FanAxes((2,), (3,))
    )
    done = run({"match": {"every": True}, "xavier_normal": {}}, inventory=Inventory((flax,)))
    assert (done["kernel"].numbers["fan_in"], done["kernel"].numbers["fan_out"]) == ("36", "72")


def test_a_tied_tensors_failure_is_reported_for_the_rule_that_failed() -> None:
    bogus = {"match": {"path": ["head.*"]}, "kaiming_normal": {"mode": "bogus"}}
    violations = failure(EMBEDDING, bogus, inventory=TIED).violations
    assert [v.field for v in violations] == ["init.rules[1].kaiming_normal"]


def test_ties_in_two_dtypes_are_an_error() -> None:
    same = {"normal": {}}
    rules = [{"match": {"module": ["Embedding"]}} | same, {"match": {"path": ["head.*"]}, "dtype": "BF16"} | same]
    assert "fill it differently" in failure(*rules, inventory=TIED).violations[0].message
