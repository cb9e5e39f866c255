"""The groups of a manifest in the hands of torch.optim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf.struct_pb2 import Struct
from torch import nn

import initium
from initium.contract.canonical import seal
from initium.v1 import manifest_pb2
from initium.v1.plan_pb2 import Group, Plan, PlannedFile, PlannedGroups, PlannedTensor, TensorKind
from tests.disk.checkpoints import READ_HERE


class Tied(nn.Module):
    """Embedding and head share one matrix; `norm` is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.norm = nn.LayerNorm(3)
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embed.weight
        self.norm.requires_grad_(False)


def options(**values: Any) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


def tensor(name: str, shape: list[int], trainable: bool = True, **fields: Any) -> PlannedTensor:
    fields = {"kind": TensorKind.TENSOR_KIND_PARAMETER, "dtype": "F32"} | fields
    return PlannedTensor(name=name, shape=shape, trainable=trainable, **fields)


def tied_manifest(optimizer: str = "AdamW", **first: Any) -> initium.Manifest:
    tensors = [
        tensor("embed.weight", [5, 3], aliases=["head.weight"]),
        tensor("head.bias", [5]),
        tensor("norm.bias", [3], trainable=False),
        tensor("norm.weight", [3], trainable=False),
        tensor("steps", [], trainable=False, kind=TensorKind.TENSOR_KIND_BUFFER),
    ]
    groups = [
        Group(name="base", options=options(**first), tensors=["embed.weight"]),
        Group(name="base", options=options(lr=0.5, weight_decay=0), tensors=["head.bias"]),
    ]
    files = [PlannedFile(name="config.json", size=2)]
    plan = Plan(plan_version=1, tensors=tensors, files=files, groups=PlannedGroups(optimizer=optimizer, groups=groups))
    listed = [manifest_pb2.FileDigest(name="config.json", size=2)]
    return initium.Manifest(manifest_pb2.Manifest(**READ_HERE, plan=seal(plan), files=listed))


def test_adamw_takes_the_groups() -> None:
    model = Tied()
    manifest = tied_manifest(lr=1, betas=[0, 0.95], weight_decay=0.1, amsgrad=True, foreach=None)
    optimizer = torch.optim.AdamW(manifest.param_groups(model.named_parameters()))
    first, second = optimizer.param_groups
    assert first["params"][0] is model.embed.weight
    assert first["param_names"] == ["embed.weight"]
    assert (first["name"], first["lr"], first["betas"], first["amsgrad"]) == ("base", 1.0, (0.0, 0.95), True)
    assert (second["param_names"], second["lr"], second["weight_decay"]) == (["head.bias"], 0.5, 0.0)
    model.head(model.norm(model.embed(torch.tensor([1])))).sum().backward()
    optimizer.step()
    assert manifest.optimizer == "AdamW"
    assert manifest.frozen == ["norm.bias", "norm.weight"]


def test_sgd_takes_the_groups() -> None:
    manifest = tied_manifest("SGD", lr=0.1, momentum=0.9, nesterov=True)
    optimizer = torch.optim.SGD(manifest.param_groups(Tied().named_parameters()))
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0]


def test_options_that_must_be_int_are() -> None:
    manifest = tied_manifest("Muon", lr=1, ns_steps=5, ns_coefficients=[3, 2, 1])
    group = manifest.param_groups(Tied().named_parameters())[0]
    assert isinstance(group["ns_steps"], int)
    torch.optim.Muon([group])


def test_aliases_and_duplicates_are_welcome() -> None:
    model = Tied()
    everything = list(model.named_parameters(remove_duplicate=False))
    assert {name for name, _ in everything} >= {"embed.weight", "head.weight"}
    manifest = tied_manifest(lr=1)
    assert manifest.param_groups(everything)[0]["params"] == [("embed.weight", model.embed.weight)]
    other_name = [pair for pair in everything if pair[0] != "embed.weight"]
    assert manifest.param_groups(other_name)[0]["params"] == [("head.weight", model.embed.weight)]


def test_every_disagreement_is_named() -> None:
    model = Tied()
    model.head.weight = nn.Parameter(torch.zeros(5, 3))
    model.norm = nn.LayerNorm(4)
    del model.head.bias
    model.extra = nn.Parameter(torch.zeros(1))
    with pytest.raises(initium.ManifestError) as caught:
        tied_manifest(lr=1).param_groups(model.named_parameters())
    reported = {violation.field: violation.message for violation in caught.value.violations}
    assert reported.pop("head.weight").startswith("is the same tensor as embed.weight in the manifest")
    assert reported.pop("head.bias") == "is in the manifest but not in the model"
    assert reported.pop("extra") == "is in the model but not in the manifest"
    messages = {str(v) for v in caught.value.violations}
    assert "norm.weight: has shape [4] in the model, [3] in the manifest" in messages
    assert any(text.startswith("norm.bias: has requires_grad=True in the model, but") for text in messages)


def test_a_frozen_model_and_a_training_manifest_disagree() -> None:
    model = Tied()
    model.head.bias.requires_grad_(False)
    with pytest.raises(initium.ManifestError, match=r"head.bias: has requires_grad=False in the model"):
        tied_manifest(lr=1).param_groups(model.named_parameters())


def test_what_is_no_list_of_named_parameters_is_reported() -> None:
    model = Tied()
    for given in (model.parameters(), model.state_dict(), model, None):
        with pytest.raises(initium.ManifestError, match=r"pass model.named_parameters\(\)"):
            tied_manifest(lr=1).param_groups(given)  # type: ignore[arg-type] # wrong on purpose


def test_a_manifest_without_groups_says_so() -> None:
    manifest = initium.Manifest(manifest_pb2.Manifest(**READ_HERE, plan=seal(Plan(plan_version=1))))
    with pytest.raises(initium.ManifestError, match="had no `groups`"):
        manifest.param_groups([])


def test_saved_and_loaded(tmp_path: Path) -> None:
    manifest = tied_manifest(lr=1)
    manifest.save(tmp_path)
    assert initium.Manifest.load(tmp_path) == manifest == initium.Manifest.load(tmp_path / "manifest.json")
