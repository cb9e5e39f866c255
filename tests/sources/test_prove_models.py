"""Long proofs (`make prove`): whole models at full size, and every name of torchvision."""

from __future__ import annotations

from typing import Any

import pytest
import torchvision

from initium_server.sources import build_inventory
from tests.sources.compare import check_against_real, library

pytestmark = pytest.mark.prove

FULL: dict[str, tuple[str, str, dict[str, Any]]] = {
    "resnet50": ("torchvision", "resnet50", {}),
    "vit base": ("timm", "vit_base_patch16_224", {}),
    # Not ViT-L: timm's own truncated normal maps a uniform draw of exactly -1, one in 2^24, to its bound at 100
    # standard deviations, and 300 million draws hold enough of those to move a tensor's deviation beyond chance.
    "gpt2": ("transformers", "AutoModelForCausalLM", {"model_type": "gpt2"}),
}


@pytest.mark.parametrize("case", FULL)
def test_full_size_models_are_those_of_real_construction(case: str) -> None:
    source, name, given = FULL[case]
    inventory = check_against_real(library(source, name, **given))
    assert not [tensor.name for tensor in inventory.tensors if tensor.default is None]


@pytest.mark.parametrize("name", torchvision.models.list_models())
def test_every_torchvision_model_has_all_its_fills(name: str) -> None:
    inventory = build_inventory(library("torchvision", name))
    assert {tensor.name: tensor.default_error for tensor in inventory.tensors if tensor.default is None} == {}
