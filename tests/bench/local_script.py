"""What a user would run without Initium: build, initialize, save. `python -m tests.bench.local_script NAME DIR`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch


def llama_1b(out: Path) -> None:
    """Built in bfloat16 from the start, which is the fastest way that transformers has."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=128256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        tie_word_embeddings=True,
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.save_pretrained(out, max_shard_size="1GB")


def vit_l(out: Path) -> None:
    """timm's own initialization."""
    import timm
    from safetensors.torch import save_file

    save_file(timm.create_model("vit_large_patch16_224").state_dict(), out / "model.safetensors")


def resnet50(out: Path) -> None:
    """The policy of the example recipe by hand."""
    import torchvision
    from safetensors.torch import save_file
    from torch import nn

    model = torchvision.models.resnet50()
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
    save_file(model.state_dict(), out / "model.safetensors")


if __name__ == "__main__":
    directory = Path(sys.argv[2])
    directory.mkdir(parents=True)
    torch.manual_seed(42)
    {"llama_1b": llama_1b, "vit_l": vit_l, "resnet50": resnet50}[sys.argv[1]](directory)
