"""The named libraries' models: captured fills against real construction, in one process, offline."""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any

import pytest

from initium_law.grammar import Constant, Literal, Normal, Parts, TruncNormal
from initium_server.planning.inventory import Inventory
from initium_server.sources import build_inventory
from tests.prove.coverage import EVERY_WORD, words_of
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
RWKV = {"attention_hidden_size": 32, "intermediate_size": 64, "context_length": 16, "num_hidden_layers": 2}
LINEAR = {f"linear_{key}": 4 for key in ("num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim")}
CONVOLUTIONS = {"conv_dim": [32] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4}
LLAMA = {"model_type": "llama", **SMALL, "num_key_value_heads": 2}
VIT = "vit_base_patch16_224"

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "resnet18": ("torchvision", "resnet18", {"num_classes": 10}),
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
    "mamba": (
        "transformers",
        "AutoModel",
        {"model_type": "mamba", "num_hidden_layers": 1, "hidden_size": 32, "vocab_size": 50},
    ),
    "mamba2": (
        "transformers",
        "AutoModel",
        {"model_type": "mamba2", "num_hidden_layers": 1, "hidden_size": 32, "num_heads": 8, "head_dim": 8},
    ),
    "rwkv": ("transformers", "AutoModel", {"model_type": "rwkv", "hidden_size": 32, "vocab_size": 50, **RWKV}),
    "recurrent gemma": (
        "transformers",
        "AutoModel",
        {"model_type": "recurrent_gemma", **SMALL, "num_hidden_layers": 3, "num_key_value_heads": 1, "lru_width": 64},
    ),
    "qwen3 next": ("transformers", "AutoModel", {"model_type": "qwen3_next", **SMALL, **LINEAR, "num_experts": 4}),
    "wav2vec2": ("transformers", "AutoModel", {"model_type": "wav2vec2", **SMALL, **CONVOLUTIONS}),
    "minimax": ("transformers", "AutoModel", {"model_type": "minimax", **SMALL, "block_size": 16}),
    "bloom": ("transformers", "AutoModel", {"model_type": "bloom", "n_layer": 1, "hidden_size": 64, "vocab_size": 99}),
    "dinov2": ("transformers", "AutoModel", {"model_type": "dinov2", "num_hidden_layers": 1, "image_size": 28}),
    "hiera": ("timm", "hiera_tiny_224", {"stages": [1, 1, 1, 1]}),
    "xcit": ("timm", "xcit_nano_12_p16_224", {"depth": 1}),
    "eva": ("timm", "eva02_tiny_patch14_224", {"depth": 1}),
    "swinv2": ("timm", "swinv2_tiny_window8_256", {"depths": [1, 1, 1, 1]}),
    "rope mixed": ("timm", "vit_small_patch16_rope_mixed_224", {"depth": 1}),
    "efficientformer": ("timm", "efficientformer_l1", {}),
}


@functools.cache
def checked(case: str) -> Inventory:
    """A model's inventory, every byte of which was compared with real construction."""
    source, name, given = MODELS[case]
    return check_against_real(library(source, name, **given))


@pytest.mark.parametrize("case", MODELS)
def test_fills_are_those_of_real_construction(case: str) -> None:
    inventory = checked(case)
    assert [(t.name, t.default_error) for t in inventory.tensors if t.default is None] == []
    assert inventory.versions.keys() == {"torch", MODELS[case][0]}


def test_the_models_have_every_kind_of_fill_that_any_model_of_the_libraries_has() -> None:
    """`python -m tests.prove.coverage` finds what all of them have."""
    found = {word for case in MODELS for t in checked(case).tensors if t.default for word in words_of(t.default)}
    assert found >= EVERY_WORD


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


def test_mamba_s_time_steps_are_the_author_s_steps() -> None:
    found = {tensor.name: tensor.default for tensor in checked("mamba").tensors}
    assert isinstance(found["layers.0.mixer.A_log"], Literal)
    bias = found["layers.0.mixer.dt_proj.bias"]
    assert bias is not None
    assert words_of(bias) == {"add", "multiply", "exp", "clamp", "log", "expm1", "uniform", "constant"}


def test_experts_drawn_one_by_one_are_one_fill() -> None:
    inventory = build_inventory(library("timm", "tf_efficientnet_cc_b0_4e"))
    weight = tensor_of(inventory, "blocks.4.0.conv_pw.weight")
    assert weight.shape[0] == 4
    assert isinstance(weight.default, Normal)


def test_a_position_gate_keeps_its_parts() -> None:
    inventory = build_inventory(library("timm", "convit_tiny"))
    assert any(isinstance(t.default, Parts) for t in inventory.tensors)
