"""Generator `torch`: bytes equal a local script's in plain PyTorch (promise 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load, save
from torch import nn

import initium
from initium import Manifest
from initium.errors import InitiumError, PreconditionError

# Every initializer, with arguments, and the tensors it can be given: convolution weights, or all matrices.
INITIALIZERS: dict[str, dict[str, Any]] = {
    "uniform": {"a": -0.1, "b": 0.2},
    "normal": {"mean": 0.01, "std": 0.02},
    "trunc_normal": {"std": 0.02, "a": -0.04, "b": 0.04},
    "constant": {"val": 0.3},
    "ones": {},
    "zeros": {},
    "xavier_uniform": {"gain": 1.4},
    "xavier_normal": {},
    "kaiming_uniform": {"a": 2.0},
    "kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"},
    "orthogonal": {"gain": 1.5},
}
CONV_ONLY = {"dirac": {}}
MATRIX_ONLY = {"eye": {}, "sparse": {"sparsity": 0.3}}
MLP: dict[str, Any] = {
    "modules": {
        "root": {
            "type": "Sequential",
            "children": [
                {"type": "Linear", "args": {"in_features": 20, "out_features": 32}},
                {"type": "PReLU"},
                {"type": "Linear", "args": {"in_features": 32, "out_features": 10}},
            ],
        }
    }
}


def script(build: Callable[[], nn.Module], kind: type, initializer: str, arguments: dict[str, Any], seed: int) -> bytes:
    """What a user would write."""
    torch.manual_seed(seed)
    model = build()

    def init(module: nn.Module) -> None:
        if isinstance(module, kind):
            getattr(nn.init, f"{initializer}_")(module.weight, **arguments)

    model.apply(init)
    return save({name: t.contiguous() for name, t in model.state_dict().items()}, metadata={"format": "pt"})


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(20, 32), nn.PReLU(), nn.Linear(32, 10))


def served(client: initium.Client, out: Path, recipe: dict[str, Any]) -> bytes:
    client.generate(recipe | {"seed": 7, "generator": "torch"}, out)
    return (out / "model.safetensors").read_bytes()


@pytest.mark.parametrize("name", [*INITIALIZERS, *CONV_ONLY])
def test_resnet(name: str, client: initium.Client, tmp_path: Path) -> None:
    model = "resnet50" if name == "kaiming_normal" else "resnet18"
    arguments = (INITIALIZERS | CONV_ONLY)[name]
    rule = {"match": {"module": ["Conv2d"], "tensor": ["weight"]}, name: arguments}
    architecture = {"library": {"source": "torchvision", "name": model}}
    ours = served(client, tmp_path / "out", {"architecture": architecture, "init": {"rules": [rule]}})
    assert ours == script(getattr(torchvision.models, model), nn.Conv2d, name, arguments, seed=7)


@pytest.mark.parametrize("name", [*INITIALIZERS, *MATRIX_ONLY])
def test_mlp(name: str, client: initium.Client, tmp_path: Path) -> None:
    arguments = (INITIALIZERS | MATRIX_ONLY)[name]
    rule = {"match": {"module": ["Linear"], "tensor": ["weight"]}, name: arguments}
    ours = served(client, tmp_path / "out", {"architecture": MLP, "init": {"rules": [rule]}})
    assert ours == script(mlp, nn.Linear, name, arguments, seed=7)


def test_bfloat16_is_cast_after_initialization(client: initium.Client, tmp_path: Path) -> None:
    ours = served(client, tmp_path / "out", {"architecture": MLP, "dtype": "BF16"})
    torch.manual_seed(7)
    state = mlp().to(torch.bfloat16).state_dict()
    assert ours == save(dict(state), metadata={"format": "pt"})


def test_shards_hold_what_one_file_holds(client: initium.Client, tmp_path: Path) -> None:
    whole = load(served(client, tmp_path / "whole", {"architecture": MLP}))
    recipe = {"architecture": MLP, "seed": 7, "generator": "torch", "output": {"max_shard_bytes": 2048}}
    client.generate(recipe, tmp_path / "shards")
    index = json.loads((tmp_path / "shards" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 1
    assert set(index["weight_map"]) == set(whole)
    for name, file in index["weight_map"].items():
        assert torch.equal(load((tmp_path / "shards" / file).read_bytes())[name], whole[name])
    initium.verify(tmp_path / "shards")


def test_the_manifest_records_the_environment(client: initium.Client, tmp_path: Path) -> None:
    served(client, tmp_path / "out", {"architecture": MLP})
    environment = Manifest.load(tmp_path / "out").plan.environment
    assert environment["torch"] == torch.__version__
    assert {"device", "device_model", "cpu_capability", "threads"} <= set(environment)
    resnet = {"library": {"source": "torchvision", "name": "resnet18"}}
    plan = client.resolve({"architecture": resnet, "seed": 7, "generator": "torch"})
    assert plan.environment["torchvision"] == torchvision.__version__


def test_ties_first_decides_as_the_plan_says(client: initium.Client, tmp_path: Path) -> None:
    children = [
        {"name": "embed", "type": "Embedding", "args": {"num_embeddings": 8, "embedding_dim": 4}},
        {"name": "head", "type": "Linear", "args": {"in_features": 4, "out_features": 8, "bias": False}},
    ]
    ties = [{"tensor": "head.weight", "to": "embed.weight"}]
    rules = [
        {"match": {"module": ["Embedding"]}, "constant": {"val": 5}},
        {"match": {"module": ["Linear"]}, "constant": {"val": 7}, "ties": "first"},
    ]
    architecture = {"modules": {"root": {"declare": "Net", "children": children}, "ties": ties}}
    ours = load(served(client, tmp_path / "out", {"architecture": architecture, "init": {"rules": rules}}))
    assert ours["embed.weight"].unique().tolist() == [5.0]


def test_a_changed_plan_is_refused(client: initium.Client, tmp_path: Path) -> None:
    plan = client.resolve({"architecture": MLP, "seed": 7, "generator": "torch"})
    plan.tensors[0].rule = "init.rules[9]"
    plan.ClearField("plan_digest")
    with pytest.raises(InitiumError, match="recipe"):
        client.generate(plan, tmp_path / "out")


def test_a_plan_of_another_environment_is_refused(client: initium.Client, tmp_path: Path) -> None:
    plan = client.resolve({"architecture": MLP, "seed": 7, "generator": "torch"})
    plan.environment["torch"] = "1.0"
    plan.ClearField("plan_digest")
    plan.ClearField("weights_key")
    with pytest.raises(PreconditionError, match=r"1\.0"):
        client.generate(plan, tmp_path / "out")
