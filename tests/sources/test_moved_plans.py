"""Plans leave their libraries behind: the bytes are a function of the plan alone (promise 1)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

import initium
import initium.torch
from initium.contract.canonical import seal
from initium.plan.limits import Limits
from initium.v1 import architecture_pb2, plan_pb2
from initium_server.planning import resolve
from initium_server.sources import build_inventory
from tests.capture.making import holding
from tests.sources.compare import library

ELSEWHERE = """
import hashlib, sys
LIBRARIES = ("torch", "torchvision", "timm", "transformers", "initium_server")

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in LIBRARIES:
            raise ModuleNotFoundError(f"no {name} here")

sys.meta_path.insert(0, Nowhere())
import initium
for file in sys.argv[1:]:
    print(hashlib.sha256(initium.open_plan(initium.read_plan(file)).read("model.safetensors")).hexdigest())
assert not set(LIBRARIES) & set(sys.modules)
"""


def planned(declared: architecture_pb2.Architecture) -> plan_pb2.Plan:
    recipe = initium.load_recipe({"architecture": declared, "seed": 9, "dtype": "BF16"})
    return resolve(recipe, build_inventory(declared), None, {}, Limits())


def of_other_versions(plan: plan_pb2.Plan) -> plan_pb2.Plan:
    """As a server with other versions of the libraries would have made it."""
    other = plan_pb2.Plan()
    other.CopyFrom(plan)
    other.versions.clear()
    other.versions.update({"torch": "1.0", "timm": "0.1", "transformers": "9.9"})
    other.plan_digest = other.weights_key = ""
    return seal(other)


@pytest.fixture(scope="module")
def plans() -> list[plan_pb2.Plan]:
    import torch

    tiny = {"model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 99, "n_positions": 16}
    captured = initium.torch.capture(lambda: holding([torch.randn(3, 5), torch.arange(7).sqrt()]))
    return [
        planned(library("timm", "vit_tiny_patch16_224", depth=1)),
        planned(library("transformers", "AutoModelForCausalLM", **tiny)),
        planned(captured),
    ]


def test_the_bytes_are_the_same_without_any_library_or_with_others(plans: list[plan_pb2.Plan], tmp_path: Path) -> None:
    here = [hashlib.sha256(initium.open_plan(plan).read("model.safetensors")).hexdigest() for plan in plans]
    moved = [*plans, *map(of_other_versions, plans)]
    files = [tmp_path / f"{index}.json" for index in range(len(moved))]
    for file, plan in zip(files, moved, strict=True):
        initium.write_plan(plan, file)
    command = [sys.executable, "-c", ELSEWHERE, *map(str, files)]
    there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert there == here + here


def test_versions_are_evidence_and_no_part_of_the_key(plans: list[plan_pb2.Plan]) -> None:
    for plan in plans:
        assert plan.versions["torch"]
        other = of_other_versions(plan)
        assert (other.weights_key, other.plan_digest != plan.plan_digest) == (plan.weights_key, True)
