"""The named libraries' models: captured fills against real construction, in one process, offline."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from initium_law.grammar import Constant, Literal, Normal, Parts, TruncNormal
from initium_server.sources import build_inventory
from tests.sources.compare import check_against_real, library, tensor_of

SMALL = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "vocab_size": 99,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
T5 = {"num_layers": 2, "d_model": 64, "d_ff": 96, "num_heads": 4, "d_kv": 16, "vocab_size": 99}
LLAMA = {"model_type": "llama", **SMALL, "num_key_value_heads": 2}
VIT = "vit_base_patch16_224"

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "resnet50": ("torchvision", "resnet50", {"num_classes": 10}),
    "swin_t": ("torchvision", "swin_t", {}),
    "regnet": ("torchvision", "regnet_y_400mf", {}),
    "mobilenet": ("torchvision", "mobilenet_v3_small", {"dropout": 0}),
    "convnext": ("torchvision", "convnext_tiny", {}),
    "maxvit": ("torchvision", "maxvit_t", {"num_classes": 10}),
    "segmentation": ("torchvision", "lraspp_mobilenet_v3_large", {}),
    "vit base": ("timm", VIT, {"depth": 3}),
    "vit large": ("timm", "vit_large_patch16_224", {"depth": 2, "num_classes": 7}),
    "timm swin": ("timm", "swin_tiny_patch4_window7_224", {}),
    "timm convnext": ("timm", "convnext_tiny", {"depths": [1, 1, 2, 1]}),
    "mixer": ("timm", "mixer_s32_224", {}),
    "gmlp": ("timm", "gmlp_ti16_224", {}),
    "beit": ("timm", "beit_base_patch16_224", {"depth": 2}),
    "edgenext": ("timm", "edgenext_xx_small", {}),
    "convit": ("timm", "convit_tiny", {}),
    "condconv": ("timm", "tf_efficientnet_cc_b0_4e", {}),
    "gpt2": ("transformers", "AutoModelForCausalLM", {"model_type": "gpt2", "n_layer": 2, "vocab_size": 999}),
    "llama tied": ("transformers", "AutoModelForCausalLM", {**LLAMA, "tie_word_embeddings": True}),
    "llama": ("transformers", "LlamaForCausalLM", {**LLAMA, "tie_word_embeddings": False}),
    "bert": ("transformers", "BertForMaskedLM", {"model_type": "bert", **SMALL, "pad_token_id": 0}),
    "t5": ("transformers", "AutoModelForSeq2SeqLM", {"model_type": "t5", **T5}),
    "mistral": ("transformers", "AutoModelForCausalLM", {"model_type": "mistral", **SMALL}),
    "qwen2": ("transformers", "AutoModelForCausalLM", {"model_type": "qwen2", **SMALL}),
}


@pytest.mark.parametrize("case", MODELS)
def test_fills_are_those_of_real_construction(case: str) -> None:
    source, name, given = MODELS[case]
    inventory = check_against_real(library(source, name, **given))
    assert [(t.name, t.default_error) for t in inventory.tensors if t.default is None] == []
    assert inventory.versions.keys() == {"torch", source}


def test_gpt2_scales_residual_projections() -> None:
    """24 of normal(0, 0.02 / sqrt(24)): what a capture under the meta device misses."""
    inventory = build_inventory(library("transformers", "GPT2LMHeadModel", model_type="gpt2"))
    residual = [t.default for t in inventory.tensors if t.name.endswith("c_proj.weight")]
    assert residual == [Normal(0.0, 0.02 / 24**0.5)] * 24
    counted = Counter(t.default for t in inventory.tensors)
    assert counted == {Normal(0.0, 0.02): 26, Constant(0.0): 73, Constant(1.0): 25, residual[0]: 24}


def test_gpt2_ties_its_head() -> None:
    inventory = build_inventory(library("transformers", "AutoModelForCausalLM", model_type="gpt2", n_layer=1))
    tied = tensor_of(inventory, "lm_head.weight")
    assert tied.name == "transformer.wte.weight"
    assert tied.aliases == ("lm_head.weight",)
    assert [owner.classes[0] for owner in tied.owners] == ["Embedding", "Linear"]
    assert tied.roles == ("parameter", "weight", "embedding", "linear", "head")


def test_blocks_are_indices_in_the_outermost_stack() -> None:
    inventory = build_inventory(library("transformers", "AutoModelForCausalLM", model_type="gpt2", n_layer=3))
    assert tensor_of(inventory, "transformer.h.2.attn.c_attn.weight").owners[0].block == 2
    assert tensor_of(inventory, "transformer.wpe.weight").owners[0].block is None


def test_config_json_is_what_save_pretrained_writes() -> None:
    inventory = build_inventory(library("transformers", "AutoModelForCausalLM", **LLAMA))
    config = json.loads(inventory.files["config.json"])
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["dtype"] == "float32"
    assert config["model_type"] == "llama"
    assert config["hidden_size"] == 64
    assert not [key for key in config if key.startswith("_") or "implementation" in key]


def test_full_size_models_are_captured() -> None:
    large = build_inventory(library("timm", "vit_large_patch16_224"))
    assert len(large.tensors) == 296
    assert tensor_of(large, "pos_embed").default == TruncNormal(0.0, 0.02, -2.0, 2.0)
    assert tensor_of(large, "blocks.23.attn.qkv.weight").default == TruncNormal(0.0, 0.02, -2.0, 2.0)
    base = build_inventory(library("timm", VIT))
    assert len(base.tensors) == 152
    resnet = build_inventory(library("torchvision", "resnet50"))
    assert sum(t.kind == "parameter" for t in resnet.tensors) == 161


def test_a_trillion_parameters_cost_nothing() -> None:
    config = {**LLAMA, "hidden_size": 2**16, "vocab_size": 10**9, "num_attention_heads": 512}
    inventory = build_inventory(library("transformers", "AutoModelForCausalLM", **config))
    assert tensor_of(inventory, "model.embed_tokens.weight").shape == (10**9, 2**16)


def test_only_persistent_buffers_are_listed() -> None:
    llama = build_inventory(library("transformers", "AutoModelForCausalLM", **LLAMA))
    assert {t.kind for t in llama.tensors} == {"parameter"}
    swin = build_inventory(library("torchvision", "swin_t"))
    index = tensor_of(swin, "features.1.0.attn.relative_position_index")
    assert isinstance(index.default, Literal)
    assert (index.kind, index.dtype, index.trainable) == ("buffer", "I64", False)
    kinds = [t.kind for t in swin.tensors]
    assert kinds == sorted(kinds, reverse=True)


def test_what_cannot_be_expressed_is_named() -> None:
    config = {"model_type": "mamba", "num_hidden_layers": 1, "hidden_size": 32, "vocab_size": 50}
    inventory = build_inventory(library("transformers", "AutoModelForCausalLM", **config))
    (missing,) = [t for t in inventory.tensors if t.default is None]
    assert missing.name == "backbone.layers.0.mixer.dt_proj.bias"
    assert missing.default_error == "cannot express add > exp > clamp > neg > expm1 > neg > log > add"
    assert isinstance(tensor_of(inventory, "backbone.layers.0.mixer.A_log").default, Literal)


def test_experts_drawn_one_by_one_are_one_fill() -> None:
    inventory = build_inventory(library("timm", "tf_efficientnet_cc_b0_4e"))
    weight = tensor_of(inventory, "blocks.4.0.conv_pw.weight")
    assert weight.shape[0] == 4
    assert isinstance(weight.default, Normal)


def test_a_position_gate_keeps_its_parts() -> None:
    inventory = build_inventory(library("timm", "convit_tiny"))
    assert any(isinstance(t.default, Parts) for t in inventory.tensors)
