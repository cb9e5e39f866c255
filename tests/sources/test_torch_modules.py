"""Every class of torch.nn is allowed or refused with a reason, and the fills of each allowed one are the real ones."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import nn

from initium_law.grammar import Constant, Normal, Part, Parts
from initium_server.sources.modules import accepted_arguments
from initium_server.sources.torch_modules import ALLOWED, CONTAINERS, PARAMETER_BEARING, PARAMETER_FREE, REFUSED
from tests.sources.compare import check_against_real, modules, tensor_of

EXPORTED = {name for name, value in vars(nn).items() if isinstance(value, type) and issubclass(value, nn.Module)}

_NORM = {"num_features": 8}
_RECURRENT = {"input_size": 12, "hidden_size": 10}
_CONV = {"in_channels": 8, "out_channels": 12, "kernel_size": 3}
_LAYER = {"d_model": 16, "nhead": 2, "dim_feedforward": 24}

ARGUMENTS: dict[str, dict[str, Any]] = {
    "AdaptiveLogSoftmaxWithLoss": {"in_features": 16, "n_classes": 40, "cutoffs": [10, 20]},
    "BatchNorm1d": _NORM,
    "BatchNorm2d": _NORM,
    "BatchNorm3d": _NORM,
    "Bilinear": {"in1_features": 5, "in2_features": 6, "out_features": 7},
    "Conv1d": _CONV,
    "Conv2d": {**_CONV, "groups": 4},
    "Conv3d": _CONV,
    "ConvTranspose1d": _CONV,
    "ConvTranspose2d": {**_CONV, "kernel_size": [3, 2]},
    "ConvTranspose3d": _CONV,
    "Embedding": {"num_embeddings": 20, "embedding_dim": 8, "padding_idx": 3},
    "EmbeddingBag": {"num_embeddings": 20, "embedding_dim": 8},
    "GRU": _RECURRENT,
    "GRUCell": _RECURRENT,
    "GroupNorm": {"num_groups": 2, "num_channels": 8},
    "InstanceNorm1d": {**_NORM, "affine": True},
    "InstanceNorm2d": {**_NORM, "affine": True, "track_running_stats": True},
    "InstanceNorm3d": _NORM,
    "LSTM": {**_RECURRENT, "num_layers": 2, "bidirectional": True, "proj_size": 4},
    "LSTMCell": _RECURRENT,
    "LayerNorm": {"normalized_shape": [4, 8]},
    "Linear": {"in_features": 30, "out_features": 20},
    "LinearCrossEntropyLoss": {"in_features": 30, "num_classes": 20},
    "MultiheadAttention": {"embed_dim": 16, "num_heads": 2, "add_bias_kv": True, "kdim": 8, "vdim": 12},
    "PReLU": {"num_parameters": 4, "init": 1},
    "RMSNorm": {"normalized_shape": 8},
    "RNN": {**_RECURRENT, "nonlinearity": "relu"},
    "RNNCell": _RECURRENT,
    "SyncBatchNorm": _NORM,
    "Transformer": {**_LAYER, "num_encoder_layers": 1, "num_decoder_layers": 1},
    "TransformerDecoderLayer": _LAYER,
    "TransformerEncoderLayer": {**_LAYER, "activation": "gelu"},
}

REQUIRED: dict[str, Any] = {
    "block_size": 2,
    "dim": 1,
    "downscale_factor": 2,
    "groups": 2,
    "kernel_size": 2,
    "lambd": 0.5,
    "lower": 0.1,
    "norm_type": 2,
    "output_size": 4,
    "padding": 1,
    "size": 3,
    "threshold": 1,
    "unflattened_size": [2, 2],
    "upscale_factor": 2,
    "value": 2,
}


def test_every_exported_class_is_decided() -> None:
    assert EXPORTED - ALLOWED - set(REFUSED) == set()


def test_no_class_is_both() -> None:
    assert not ALLOWED & set(REFUSED)
    assert not PARAMETER_BEARING & (PARAMETER_FREE | CONTAINERS)


def test_every_parameter_bearing_class_is_tried() -> None:
    assert set(ARGUMENTS) == PARAMETER_BEARING


@pytest.mark.parametrize("name", sorted(PARAMETER_BEARING))
def test_fills_are_those_of_real_construction(name: str) -> None:
    inventory = check_against_real(modules({"type": name, "args": ARGUMENTS[name]}))
    assert [t.default_error for t in inventory.tensors if t.default is None] == []


@pytest.mark.parametrize("name", sorted(PARAMETER_FREE))
def test_parameter_free_classes_build(name: str) -> None:
    accepted = accepted_arguments(getattr(nn, name))
    required = [key for key, parameter in accepted.parameters.items() if parameter.default is inspect.Parameter.empty]
    given = {key: REQUIRED[key] for key in required}
    given |= {"output_size": 2} if name.startswith("Fractional") else {}
    assert check_against_real(modules({"type": name, "args": given})).tensors == ()


def test_buffers_have_their_true_values() -> None:
    inventory = check_against_real(modules({"type": "BatchNorm2d", "args": {"num_features": 5}}))
    fills = {t.name: (t.dtype, t.kind, t.default) for t in inventory.tensors}
    assert fills == {
        "weight": ("F32", "parameter", Constant(1.0)),
        "bias": ("F32", "parameter", Constant(0.0)),
        "running_mean": ("F32", "buffer", Constant(0.0)),
        "running_var": ("F32", "buffer", Constant(1.0)),
        "num_batches_tracked": ("I64", "buffer", Constant(0.0)),
    }


def test_a_padding_row_is_a_part() -> None:
    inventory = check_against_real(modules({"type": "Embedding", "args": ARGUMENTS["Embedding"]}))
    assert tensor_of(inventory, "weight").default == Parts(Normal(0.0, 1.0), (Part((3, 0), (4, 8), Constant(0.0)),))


def test_a_thousand_trillion_elements_cost_nothing() -> None:
    huge = modules({"type": "Embedding", "args": {"num_embeddings": 10**9, "embedding_dim": 10**6}})
    from initium_server.sources import build_inventory

    tensor = build_inventory(huge).tensors[0]
    assert tensor.shape == (10**9, 10**6)
    assert tensor.default == Normal(0.0, 1.0)
    assert torch.get_default_dtype() is torch.float32
