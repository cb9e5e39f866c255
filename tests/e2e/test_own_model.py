"""A model of the user's own, whose code no server has: from its class to a trained step."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from initium import Manifest
from tests.e2e.servers import EXAMPLES, ServerProcess


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("own_gpt", EXAMPLES / "own_gpt.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_own_gpt_is_captured_generated_loaded_and_trained(
    example: ModuleType, tcp_server: ServerProcess, tmp_path: Path
) -> None:
    model, losses = example.main(tcp_server.address, tmp_path / "out")
    assert len(losses) == 3
    assert losses[0] > losses[1] > losses[2]
    made = load_file(tmp_path / "out" / "model.safetensors")
    tensors = dict(model.named_parameters())
    assert made.keys() == tensors.keys()  # the head is tied
    assert not any(torch.equal(made[name], tensor) for name, tensor in tensors.items())  # all were trained
    deviations = {"tokens.weight": 0.01, "positions": 0.01, "blocks.1.attention.out.weight": 0.01}
    assert {name: round(made[name].std().item(), 3) for name in deviations} == deviations
    groups = Manifest.load(tmp_path / "out").plan.groups.groups
    assert {group.name: "tokens.weight" in group.tensors for group in groups} == {"decay": True, "no_decay": False}
