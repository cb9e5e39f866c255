"""Initializers beyond torch.nn.init: their exact numbers, by timm's own code and the formulas of JAX and Keras."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from initium.contract.canonical import hex_float
from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.inventory import InventoryTensor, Owner
from tests.capture.making import fill_of, in_place
from tests.planning.inventories import tensor
from tests.planning.rules import failure, run

ALL: dict[str, Any] = {"match": {"every": True}}
SHAPE = (8, 4, 3, 3)
FAN_IN, FAN_OUT = 36, 72
CUT = 0.87962566103423978
"""The standard deviation of a standard normal cut at 2: the constant of JAX, Keras and timm."""


def made(name: str, arguments: dict[str, Any], shape: tuple[int, ...] = SHAPE, **changes: Any) -> fills.Fill:
    return run({**ALL, name: arguments}, inventory=Inventory((tensor("w", shape, **changes),)))["w"].fill


def refusal(name: str, arguments: dict[str, Any], shape: tuple[int, ...] = SHAPE, **changes: Any) -> tuple[str, str]:
    inventory = Inventory((tensor("w", shape, **changes),))
    (violation,) = failure({**ALL, name: arguments}, inventory=inventory).violations
    return violation.field.removeprefix(f"init.rules[0].{name}").lstrip("."), violation.message


def timms(name: str, *arguments: Any, **options: Any) -> fills.Fill | None:
    """The fill of a function of timm.layers.weight_init, captured."""
    import timm.layers.weight_init as functions

    function = getattr(functions, f"{name}_")
    fill, error = fill_of(in_place(lambda w: function(w, *arguments, **options), shape=SHAPE))
    assert not error
    return fill


@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("scale", [1.0, 2.0, 0.3])
def test_variance_scaling_is_timms(mode: str, distribution: str, scale: float) -> None:
    arguments = {"scale": scale, "mode": mode, "distribution": distribution}
    assert made("variance_scaling", arguments) == timms("variance_scaling", **arguments)


def test_lecun_normal_is_timms() -> None:
    assert made("lecun_normal", {}) == timms("lecun_normal")


@pytest.mark.parametrize("options", [{}, {"std": 0.02}, {"mean": 1.0, "std": 0.5, "a": -1.0, "b": 3.0}])
def test_trunc_normal_tf_is_timms(options: dict[str, float]) -> None:
    assert made("trunc_normal_tf", options) == timms("trunc_normal_tf", **options)


FANS = {"fan_in": FAN_IN, "fan_out": FAN_OUT, "fan_avg": 54.0, "fan_geo_avg": math.sqrt(FAN_IN * FAN_OUT)}


@pytest.mark.parametrize("mode", FANS)
def test_variance_scaling_is_the_formula_of_jax(mode: str) -> None:
    """jax/_src/nn/initializers.py: normal * sqrt(variance), uniform * sqrt(3 variance), truncated at +-2."""
    variance = 2.0 / FANS[mode]
    given = {"scale": 2, "mode": mode}
    std, bound = math.sqrt(variance), math.sqrt(3 * variance)
    wide = std / CUT
    assert made("variance_scaling", given) == fills.TruncNormal(0.0, wide, -2 * wide, 2 * wide)
    assert made("variance_scaling", {**given, "distribution": "normal"}) == fills.Normal(0.0, std)
    assert made("variance_scaling", {**given, "distribution": "uniform"}) == fills.Uniform(-bound, bound)


def test_variance_scaling_has_the_defaults_of_keras_and_says_its_numbers() -> None:
    done = run({**ALL, "variance_scaling": {}}, inventory=Inventory((tensor("w", SHAPE),)))["w"]
    assert done.fill == made("lecun_normal", {})
    assert done.numbers == {
        "fan": "36",
        "mode": "fan_in",
        "fans": "torch",
        "scale": "0x1p+0",
        "std": hex_float(1 / 6),
        "correction": hex_float(CUT),
    }
    average = run({**ALL, "variance_scaling": {"mode": "fan_avg"}}, inventory=Inventory((tensor("w", SHAPE),)))["w"]
    assert average.numbers["fan"] == hex_float(54.0)


def test_lecun_uniform_is_the_formula_of_keras() -> None:
    bound = math.sqrt(3 / FAN_IN)
    assert made("lecun_uniform", {}) == fills.Uniform(-bound, bound)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
def test_no_variance_is_zero(distribution: str) -> None:
    assert made("variance_scaling", {"scale": 0, "distribution": distribution}) in (
        fills.Constant(0.0),
        fills.Normal(0.0, 0.0),
        fills.Uniform(0.0, 0.0),
    )


def test_siren_is_the_formula_of_its_paper() -> None:
    bound = math.sqrt(6 / FAN_IN) / 30
    assert made("siren", {}) == fills.Uniform(-bound, bound)
    assert made("siren", {"omega": 10}) == fills.Uniform(-math.sqrt(6 / 36) / 10, math.sqrt(6 / 36) / 10)
    assert made("siren", {"first": True, "omega": 10}) == fills.Uniform(-1 / 36, 1 / 36)


@pytest.mark.parametrize("shape", [(8, 4), (4, 8), (16, 16)])
def test_spectral_is_the_formula_of_nanotron(shape: tuple[int, int]) -> None:
    """src/nanotron/scaling/parametrization.py: (1 / sqrt(fan_in)) * min(1, sqrt(fan_out / fan_in))."""
    fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    std = (1.0 / math.sqrt(fan_in)) * min(1.0, math.sqrt(fan_out / fan_in))
    assert made("spectral", {}, shape) == fills.Normal(0.0, std)
    assert made("spectral", {"gain": 2}, shape) == fills.Normal(0.0, 2 * std)


def test_trunc_normal_tf_without_width_is_a_constant() -> None:
    assert made("trunc_normal_tf", {"mean": 3, "std": 0}) == fills.Constant(3.0)
    assert made("trunc_normal_tf", {"mean": 1e300, "std": 1}) == fills.Constant(1e300)


RANGES: dict[str, tuple[str, dict[str, Any], tuple[int, ...], fills.Fill]] = {
    "arange": ("arange", {}, (5,), fills.Arange(0.0, 1.0, 0)),
    "arange of positions": ("arange", {}, (1, 5), fills.Arange(0.0, 1.0, 1)),
    "arange along": ("arange", {"start": 2, "step": -0.5, "axis": 0}, (5, 3), fills.Arange(2.0, -0.5, 0)),
    "linspace": ("linspace", {"start": 0, "end": 0.1}, (5,), fills.Linspace(0.0, 0.1, 0)),
    "linspace along": ("linspace", {"start": 1, "end": 0, "axis": -2}, (5, 3), fills.Linspace(1.0, 0.0, 0)),
    "Mamba's A_log": ("log_arange", {}, (6, 4), fills.Pointwise("log", (fills.Arange(1.0, 1.0, 1),))),
    "log of a range": (
        "log_arange",
        {"start": 9, "step": -2, "axis": 0},
        (5,),
        fills.Pointwise("log", (fills.Arange(9.0, -2.0, 0),)),
    ),
    "permutation": ("permutation", {}, (6,), fills.Permutation()),
}


@pytest.mark.parametrize("name", RANGES)
def test_ranges(name: str) -> None:
    initializer, arguments, shape, expected = RANGES[name]
    assert made(initializer, arguments, shape) == expected


def test_values_are_the_numbers_in_the_dtype_of_the_tensor() -> None:
    literals: dict[str, bytes] = {}
    inventory = Inventory((tensor("w", (2, 3)),))
    numbers = [0.1, -2, 3e-45, 1e39, 0, 7]
    rule = {**ALL, "values": {"values": numbers}}
    fill = run(rule, inventory=inventory, literals=literals)["w"].fill
    assert isinstance(fill, fills.Literal)
    with np.errstate(over="ignore"):
        expected = np.clip(np.array(numbers), -np.finfo("f4").max, np.finfo("f4").max).astype("<f4")
    assert literals[fill.digest] == expected.tobytes()
    cast = run(rule, inventory=inventory, literals=literals, dtype="BF16")["w"].fill
    assert isinstance(cast, fills.Literal)
    torch_cast = torch.from_numpy(expected[[0, 1, 4, 5]]).to(torch.bfloat16).view(torch.uint8).numpy().tobytes()
    own = literals[cast.digest]
    assert own[:4] + own[8:] == torch_cast


def test_values_of_an_integer_buffer() -> None:
    literals: dict[str, bytes] = {}
    buffer = Inventory((tensor("w", (3,), kind="buffer", dtype="I64", roles=("buffer",)),))
    rule = {"match": {"role": ["buffer"]}, "values": {"values": [3, -1, 2]}}
    fill = run(rule, inventory=buffer, literals=literals)["w"].fill
    assert isinstance(fill, fills.Literal)
    assert literals[fill.digest] == np.array([3, -1, 2], "<i8").tobytes()
    (violation,) = failure({**rule, "values": {"values": [0.5, 0, 0]}}, inventory=buffer).violations
    assert "0.5 is not a whole number" in violation.message


def test_block_orthogonal_is_a_grid_of_orthogonal_blocks() -> None:
    """allennlp/nn/initializers.py, block_orthogonal: every block of split_sizes, times gain."""
    fill = made("block_orthogonal", {"split_sizes": [2, 4], "gain": 3}, (4, 8))
    corners = [(i, j) for i in (0, 2) for j in (0, 4)]
    parts = tuple(fills.Part((i, j), (i + 2, j + 4), fills.Orthogonal(3.0)) for i, j in corners)
    assert fill == fills.Parts(fills.Constant(0.0), parts)
    whole = fills.Parts(fills.Constant(0.0), (fills.Part((0, 0), (4, 8), fills.Orthogonal(1.0)),))
    assert made("block_orthogonal", {"split_sizes": [4, 8]}, (4, 8)) == whole


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"p": 0.01}, -math.log((1 - 0.01) / 0.01)),
        ({"p": 0.5}, 0.0),
        ({"p": 1e-300}, -math.log(1e300)),
        ({"classes": 1000}, -math.log(1000)),
        ({"classes": 1}, 0.0),
    ],
)
def test_prior_probability(arguments: dict[str, Any], expected: float) -> None:
    fill = made("prior_probability", arguments, (10,))
    assert isinstance(fill, fills.Constant)
    assert fill.value == pytest.approx(expected, rel=2e-16, abs=0)
    assert fill.value.hex() != "-0x0.0p+0"


def test_the_head_bias_of_timms_vit_is_a_line_of_a_recipe() -> None:
    """timm.models.vision_transformer.init_weights_vit_jax(head_bias=-math.log(num_classes))."""
    from timm.models.vision_transformer import init_weights_vit_jax

    def build() -> torch.Tensor:
        head = torch.nn.Linear(4, 10)
        init_weights_vit_jax(head, "head", head_bias=-math.log(10))
        return head.bias

    rule = {**ALL, "prior_probability": {}, "computed": {"classes": "numel"}}
    done = run(rule, inventory=Inventory((tensor("w", (10,)),)))["w"]
    assert done.fill == fill_of(build)[0] == fills.Constant(-math.log(10))
    assert done.numbers == {"classes": "0x1.4p+3", "value": hex_float(-math.log(10))}


def recurrent(kind: type[torch.nn.Module], *arguments: int, **options: Any) -> Inventory:
    from initium_server.capture import capture, describe

    return describe(capture(lambda: kind(*arguments, **options)))


BIASES: dict[str, Any] = {"match": {"regex": ["bias_(ih|hh)"]}}
LAYERS: dict[str, tuple[Callable[[], Inventory], list[str], str, float]] = {
    "LSTM": (lambda: recurrent(torch.nn.LSTM, 3, 2, num_layers=2, bidirectional=True), ["forget"], "LSTM", 1.0),
    "LSTMCell": (lambda: recurrent(torch.nn.LSTMCell, 3, 2), ["forget", "output"], "LSTM", -2.0),
    "GRU": (lambda: recurrent(torch.nn.GRU, 3, 2), ["update"], "GRU", 0.5),
    "GRUCell": (lambda: recurrent(torch.nn.GRUCell, 3, 2), ["reset", "new"], "GRU", 0.5),
}
ORDER = {"LSTM": ["input", "forget", "cell", "output"], "GRU": ["reset", "update", "new"]}


@pytest.mark.parametrize("name", LAYERS)
def test_a_gates_bias_is_written_once(name: str) -> None:
    build, gates, kind, value = LAYERS[name]
    done = run({**BIASES, "gate_bias": dict.fromkeys(gates, value)}, inventory=build())
    parts = [(i, gate) for i, gate in enumerate(ORDER[kind]) if gate in gates]
    expected = fills.Parts(
        fills.Constant(0.0), tuple(fills.Part((2 * i,), (2 * i + 2,), fills.Constant(value)) for i, _ in parts)
    )
    for path, one in done.items():
        if "bias_ih" in path:
            assert one.fill == expected
        if "bias_hh" in path:
            assert one.fill == fills.Constant(0.0)


@pytest.mark.parametrize("gate", range(4))
def test_the_gates_of_an_lstm_are_where_torch_has_them(gate: int) -> None:
    """A very open gate and very shut ones, run through torch itself: c' = f c + i g, h' = o tanh(c')."""
    done = run({**BIASES, "gate_bias": {ORDER["LSTM"][gate]: 40}}, inventory=recurrent(torch.nn.LSTMCell, 1, 1))
    cell = torch.nn.LSTMCell(1, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()
        fill = done["bias_ih"].fill
        assert isinstance(fill, fills.Parts)
        cell.bias_ih[fill.parts[0].start[0]] = 40.0
        h, c = cell(torch.zeros(1, 1), (torch.zeros(1, 1), torch.ones(1, 1)))
    i, f, _, o = (1.0 if k == gate else 0.5 for k in range(4))
    memory = f * 1.0 + i * (1.0 if gate == 2 else 0.0)
    assert c.item() == pytest.approx(memory)
    assert h.item() == pytest.approx(o * math.tanh(memory))


def test_no_gate_is_all_zeros() -> None:
    done = run({**BIASES, "gate_bias": {}}, inventory=recurrent(torch.nn.GRU, 3, 2))
    assert done["bias_ih_l0"].fill == fills.Constant(0.0)


@pytest.mark.parametrize(
    ("build", "match", "gates", "text"),
    [
        (
            lambda: recurrent(torch.nn.GRU, 3, 2),
            {"regex": ["bias"]},
            {"forget": 1},
            "GRU has no gate 'forget'; gates: reset, ",
        ),
        (lambda: recurrent(torch.nn.LSTM, 3, 2), {"regex": ["bias"]}, {"update": 1}, "LSTM has no gate 'update'"),
        (
            lambda: recurrent(torch.nn.RNN, 3, 2),
            {"regex": ["bias"]},
            {"input": 1},
            "is no bias of an LSTM or GRU layer; match",
        ),
        (
            lambda: recurrent(torch.nn.LSTM, 3, 2),
            {"regex": ["weight"]},
            {"input": 1},
            "weight_ih_l0 is no bias of an LSTM",
        ),
    ],
)
def test_gates_that_are_not_there(build: Any, match: dict[str, Any], gates: dict[str, float], text: str) -> None:
    rule = {"match": match, "gate_bias": gates}
    (violation,) = failure(rule, inventory=build()).violations
    assert violation.field == "init.rules[0].gate_bias"
    assert text in violation.message


def embedding(padding_idx: int | None) -> Inventory:
    owner = Owner("w", ("Embedding", "Module"), "torch.nn.Embedding", padding_idx=padding_idx)
    return Inventory((InventoryTensor((owner,), (6, 4), "F32", "parameter", True, fills.Normal(0.0, 1.0)),))


@pytest.mark.parametrize(("row", "padding_idx", "expected"), [({}, 2, 2), ({"row": 0}, 2, 0), ({"row": -1}, None, 5)])
def test_a_padding_row_is_zero(row: dict[str, int], padding_idx: int | None, expected: int) -> None:
    rule = {**ALL, "padded": {**row, "of": {"normal": {}, "computed": {"std": "1 / shape[1]"}}}}
    done = run(rule, inventory=embedding(padding_idx))["w"]
    part = fills.Part((expected, 0), (expected + 1, 4), fills.Constant(0.0))
    assert done.fill == fills.Parts(fills.Normal(0.0, 0.25), (part,))
    assert done.numbers == {"of.std": "0x1p-2", "row": str(expected)}


def test_torchs_own_embedding_is_padded_library_default() -> None:
    inventory = recurrent(torch.nn.Embedding, 6, 4, padding_idx=2)
    assert inventory.tensors[0].owners[0].padding_idx == 2
    own = run({**ALL, "padded": {"of": {"normal": {}}}}, inventory=inventory)["weight"].fill
    assert own == inventory.tensors[0].default


@pytest.mark.parametrize(
    ("name", "arguments", "shape", "field", "text"),
    [
        ("variance_scaling", {"scale": -1}, SHAPE, "", "scale is -1.0; it must be 0 or more"),
        ("variance_scaling", {"mode": "fan_mean"}, SHAPE, "", "mode is 'fan_mean'; did you mean 'fan_"),
        ("variance_scaling", {"distribution": "untruncated"}, SHAPE, "", "distribution is 'untruncated'; did you mean"),
        ("siren", {"omega": 0}, SHAPE, "", "omega is 0.0; it must be more than 0"),
        ("spectral", {"gain": -1}, SHAPE, "", "gain is -1.0"),
        ("trunc_normal_tf", {"a": 2}, SHAPE, "", "a = 2.0 is not less than b = 2.0; the bounds are multiples of std"),
        ("trunc_normal_tf", {"std": -1}, SHAPE, "", "std is -1.0"),
        ("arange", {"axis": 4}, SHAPE, "", "axis 4 is none of the 4; w has shape [8, 4, 3, 3]"),
        ("arange", {}, (), "", "axis -1 is none of the 0"),
        ("linspace", {"start": 0}, SHAPE, "", "end is required"),
        ("linspace", {"end": 0}, SHAPE, "", "start is required"),
        ("log_arange", {"start": 0}, SHAPE, "", "the logarithm of 0; the range must be more than 0"),
        ("log_arange", {"start": 3, "step": -1}, (4,), "", "the logarithm of 0"),
        ("values", {"values": [1, 2]}, (3,), "", "2 values for 3 elements; w has shape [3]"),
        ("values", {"values": [1, "NaN"]}, (2,), "", "values[1] is nan; it must be finite"),
        ("values", {"values": [0] * 65_537}, (65_537,), "", "a table of a recipe has at most 65,536"),
        ("permutation", {}, (3, 1), "", "permutation needs 1 dimension; w has shape [3, 1]"),
        ("block_orthogonal", {"split_sizes": [2]}, (4, 4), "", "has 1 extents and needs one per axis"),
        ("block_orthogonal", {"split_sizes": [4]}, (4,), "", "of 2 axes or more"),
        ("block_orthogonal", {"split_sizes": [3, 2]}, (4, 4), "", "must divide every extent"),
        ("block_orthogonal", {"split_sizes": [0, 2]}, (4, 4), "", "must divide every extent"),
        ("prior_probability", {}, (4,), "", "give exactly one of p and classes"),
        ("prior_probability", {"p": 0.1, "classes": 2}, (4,), "", "give exactly one of p and classes"),
        ("prior_probability", {"p": 0}, (4,), "", "p is 0.0; it must be between 0 and 1"),
        ("prior_probability", {"p": 1}, (4,), "", "p is 1.0; it must be between 0 and 1"),
        ("prior_probability", {"classes": 0}, (4,), "", "classes is 0.0; it must be more than 0"),
        ("padded", {"of": {"ones": {}}}, (4, 2), "", "w belongs to no module with a padding_idx; give `row`"),
        ("padded", {"row": 4, "of": {"ones": {}}}, (4, 2), "", "row 4 is none of the 4; w has shape [4, 2]"),
        ("padded", {"row": 0, "of": {"ones": {}}}, (), "", "row 0 is none of the 0"),
        ("padded", {"row": 0}, (4, 2), "of", "required: an initializer"),
    ],
)
def test_what_cannot_apply(name: str, arguments: dict[str, Any], shape: tuple[int, ...], field: str, text: str) -> None:
    where, message = refusal(name, arguments, shape)
    assert where == field
    assert text in message
