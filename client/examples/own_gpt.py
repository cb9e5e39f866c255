"""A GPT of one's own: captured here, made by a server that never sees this code, loaded strictly, trained a little.

`python own_gpt.py [host:7070]`, or, from the shell:

    initium capture own_gpt:GPT --args '{"layers": 2}' -o own_gpt.yaml
    initium generate own_gpt.yaml --seed 42 -o own_gpt/
"""

import math
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_model
from torch import nn
from torch.nn import functional

import initium
import initium.torch


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm_2, self.mlp = (
            nn.LayerNorm(width),
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    """Its own initialization is that of GPT-2: normal with 0.02, smaller where blocks add to the residual stream."""

    def __init__(
        self, vocabulary: int = 256, context: int = 64, width: int = 64, heads: int = 4, layers: int = 2
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(0.01 * torch.randn(context, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        self.apply(self._fill)
        for block in self.blocks:
            nn.init.normal_(block.attention.out.weight, std=0.02 / math.sqrt(2 * layers))

    @staticmethod
    def _fill(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


RULES = """
init:
  rules:
    - {match: {module: [Embedding]}, normal: {std: 0.01}}   # the rest keeps what the constructor does
groups:
  optimizer: AdamW
  defaults: {lr: 3e-3, weight_decay: 0.1}
  default_group: decay
  rules:
    - {name: no_decay, match: {role: [bias, norm]}, options: {weight_decay: 0.0}}
"""


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 3) -> list[float]:
    """The losses of steps on one batch of text."""
    text = torch.tensor(list(Path(__file__).read_bytes()[: 8 * 33])).reshape(8, 33)
    losses = []
    for _ in range(steps):
        loss = functional.cross_entropy(model(text[:, :-1]).flatten(0, 1), text[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main(address: str | None, directory: Path) -> tuple[GPT, list[float]]:
    """Capture, generate, load, train. Returns the model and its losses."""
    recipe = initium.load_recipe(RULES, seed=42)
    recipe.architecture.CopyFrom(initium.torch.capture(GPT, layers=2))
    with initium.connect(address) if address else initium.local() as client:
        manifest = client.generate(recipe, directory)
    model = GPT(layers=2)
    load_model(model, directory / "model.safetensors", strict=True)
    return model, train(model, torch.optim.AdamW(manifest.param_groups(model.named_parameters())))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        _, found = main(sys.argv[1] if len(sys.argv) > 1 else None, Path(temporary) / "own_gpt")
    print("losses:", ", ".join(f"{loss:.3f}" for loss in found))
