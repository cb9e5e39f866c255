"""What a recipe may ask of a library, and what is refused by name (promise 5, safe to expose)."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from initium.errors import InitiumError
from initium.v1 import architecture_pb2
from initium_server.sources import build_inventory
from tests.sources.compare import architecture, library

GPT2 = {"model_type": "gpt2", "n_layer": 1}
VIT = "vit_tiny_patch16_224"


def failure(declared: architecture_pb2.Architecture) -> InitiumError:
    with pytest.raises(InitiumError) as caught:
        build_inventory(declared)
    return caught.value


BAD: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("tim", VIT, {}, "source", "did you mean 'timm'"),
    ("timm", "", {}, "name", "required"),
    ("torchvision", "resnet5", {}, "name", "did you mean 'resnet50'"),
    ("timm", "vit_tiny_patch16", {}, "name", "did you mean"),
    ("timm", "hf-hub:timm/resnet50", {}, "name", "refused"),
    ("timm", "local-dir:/tmp", {}, "name", "refused"),
    ("timm", "resnet50.a1_in1k", {}, "name", "write 'resnet50'"),
    ("transformers", "AutoModelForCausalLLM", GPT2, "name", "did you mean 'AutoModelForCausalLM'"),
    ("transformers", "AutoTokenizer", GPT2, "name", "no model class"),
    ("transformers", "os", GPT2, "name", "no model class"),
    ("torchvision", "resnet50", {"num_class": 3}, "args.num_class", "did you mean 'num_classes'"),
    ("timm", VIT, {"num_clases": 3}, "args.num_clases", "did you mean 'num_classes'"),
    ("torchvision", "resnet50", {"weights": "DEFAULT"}, "args.weights", "refused"),
    ("torchvision", "fcn_resnet50", {"weights_backbone": None}, "args.weights_backbone", "refused"),
    ("timm", VIT, {"pretrained": True}, "args.pretrained", "refused"),
    ("timm", VIT, {"pretrained_cfg": {"url": "x"}}, "args.pretrained_cfg", "refused"),
    ("timm", VIT, {"checkpoint_path": "/etc/passwd"}, "args.checkpoint_path", "refused"),
    ("timm", VIT, {"cache_dir": "/tmp"}, "args.cache_dir", "refused"),
    ("timm", VIT, {"device": "cuda"}, "args.device", "float32 on the CPU"),
    ("torchvision", "resnet50", {"norm_layer": "hf-hub:x/y"}, "args.norm_layer", "refused"),
    ("transformers", "AutoModel", {**GPT2, "auto_map": {"AutoModel": "x.y"}}, "config.auto_map", "refused"),
    ("transformers", "AutoModel", {**GPT2, "trust_remote_code": True}, "config.trust_remote_code", "refused"),
    ("transformers", "AutoModel", {**GPT2, "dtype": "bfloat16"}, "config.dtype", "recipe's `dtype`"),
    ("transformers", "AutoModel", {**GPT2, "quantization_config": {}}, "config.quantization_config", "refused"),
    ("transformers", "AutoModel", {**GPT2, "n_layers": 2}, "config.n_layers", "did you mean 'n_layer'"),
    ("transformers", "AutoModel", {"n_layer": 2}, "config.model_type", "required"),
    ("transformers", "AutoModel", {"model_type": "gptt2"}, "config.model_type", "did you mean 'gpt2'"),
    ("transformers", "AutoModelForSeq2SeqLM", GPT2, "config.model_type", "no model of type 'gpt2'"),
    ("transformers", "LlamaForCausalLM", GPT2, "config.model_type", "needs 'llama', the config says 'gpt2'"),
    ("transformers", "AutoModel", {"model_type": "clip", "text_config": {"hiden_size": 8}},
     "config.text_config.hiden_size", "did you mean 'hidden_size'"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "name", "given", "field", "words"), BAD)
def test_bad_fields_are_named(source: str, name: str, given: dict[str, Any], field: str, words: str) -> None:
    error = failure(library(source, name, **given))
    assert error.reason == "INVALID_RECIPE"
    assert [violation.field for violation in error.violations] == [f"architecture.library.{field}"]
    assert words in error.violations[0].message


@pytest.mark.parametrize(
    ("source", "name", "given", "words"),
    [
        ("torchvision", "resnet50", {"norm_layer": 3}, "not callable"),
        ("torchvision", "resnet50", {"groups": -1}, "resnet50 could not be built"),
        ("transformers", "AutoModel", {**GPT2, "n_layer": "two"}, "expected int, got str"),
        ("transformers", "AutoModel", {**GPT2, "n_embd": 7}, "divisible by num_heads"),
    ],
)
def test_library_errors_come_in_its_own_words(source: str, name: str, given: dict[str, Any], words: str) -> None:
    error = failure(library(source, name, **given))
    assert error.reason == "BUILD_FAILED"
    assert words in str(error)


def test_args_and_config_are_not_mixed_up() -> None:
    wrong = architecture(library={"source": "timm", "name": VIT, "config": {"depth": 1}})
    assert failure(wrong).violations[0].field == "architecture.library.config"
    wrong = architecture(library={"source": "transformers", "name": "AutoModel", "args": {"n_layer": 1}})
    assert failure(wrong).violations[0].field == "architecture.library.args"


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "initium_server.sources.libraries.timm", raising=False)
    error = failure(library("timm", VIT))
    assert error.reason == "LIBRARY_MISSING"
    assert "install initium[vision]" in error.message


def test_no_architecture_is_an_error() -> None:
    assert failure(architecture_pb2.Architecture()).violations[0].field == "architecture"


def test_numbers_lists_and_floats_arrive_as_the_library_wants_them() -> None:
    inventory = build_inventory(library("timm", VIT, img_size=[64, 32], depth=1, drop_rate=1, init_values=1))
    assert next(t.shape for t in inventory.tensors if t.name == "pos_embed") == (1, 9, 192)
    llama = {"model_type": "llama", "rms_norm_eps": 1, "rope_theta": 10000, "num_hidden_layers": 1, "hidden_size": 64}
    build_inventory(library("transformers", "AutoModel", **llama, num_attention_heads=4, intermediate_size=8))
