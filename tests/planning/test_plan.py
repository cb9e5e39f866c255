"""What a plan says of every tensor, and where it lies (promises 1 and 3; the fields are those of plan.proto)."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from initium.contract.plans import check_digests
from initium.errors import RecipeError
from initium.plan.check import check_plan
from initium.plan.limits import Limits
from initium.v1 import plan_pb2
from initium.v1.plan_pb2 import TensorKind
from initium_law.grammar import Constant
from initium_server.planning.inventory import Inventory, InventoryTensor, Owner
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.recipes import by_name, planned

TIED = Inventory(
    (
        tensor("embed.weight", (4, 2), "Embedding", "_Base", aliases=(owner("head.weight"), owner("lm.weight"))),
        tensor("scale", (2,), kind="buffer", default=Constant(1.0)),
    ),
    versions={"torch": "2.14.1", "timm": "1.0.31"},
    files={"config.json": b"{}", "a.txt": b"text"},
)


def test_a_tensor_is_described_with_what_decided_it() -> None:
    rule = {"name": "embeddings", "match": {"ndim": [2]}, "xavier_normal": {"gain": 2}}
    plan = planned(TIED, init={"rules": [rule]})
    described = json_format.MessageToDict(by_name(plan)["embed.weight"], preserving_proto_field_name=True)
    assert described == {
        "name": "embed.weight",
        "shape": ["4", "2"],
        "dtype": "F32",
        "fill": {"normal": {"mean": "0x0p+0", "std": "0x1.279a74590331cp+0"}},
        "aliases": ["head.weight", "lm.weight"],
        "rule": "init.rules[0]",
        "rule_name": "embeddings",
        "initializer": "xavier_normal",
        "resolved": {
            "fan_in": "2",
            "fan_out": "4",
            "fans": "torch",
            "gain": "0x1p+1",
            "std": "0x1.279a74590331cp+0",
        },
        "kind": "TENSOR_KIND_PARAMETER",
        "trainable": True,
        "module_class": "Embedding",
        "offset": described["offset"],
        "size": "32",
    }


def test_a_library_default_is_described_as_such() -> None:
    scale = by_name(planned(TIED))["scale"]
    assert (scale.rule, scale.rule_name, scale.initializer, dict(scale.resolved)) == ("", "", "", {})
    assert (scale.kind, scale.trainable, scale.ordinal) == (TensorKind.TENSOR_KIND_BUFFER, False, 1)
    assert scale.fill.constant.value == "0x1p+0"


def test_a_plan_says_what_it_was_made_of() -> None:
    plan = planned(TIED, seed="3")
    assert (plan.plan_version, plan.generator, plan.seed) == (1, "stream-v1", 3)
    assert dict(plan.versions) == TIED.versions
    assert not plan.HasField("groups")
    assert not plan.HasField("recipe")
    assert not plan.environment
    assert not plan.HasField("max_shard_bytes")
    assert [file.name for file in plan.files] == ["model.safetensors", "a.txt", "config.json"]
    assert [file.content for file in plan.files[1:]] == [b"text", b"{}"]


def test_a_bare_tensor_has_no_class() -> None:
    bare = InventoryTensor((Owner("w", (), ""),), (2,), "F32", "parameter", True, Constant(0.0))
    assert by_name(planned(Inventory((bare,))))["w"].module_class == ""


def test_tensors_stand_in_file_order_with_their_place_in_the_model() -> None:
    """By dtype in safetensors' order, then by the name's UTF-8 bytes; ordinals keep the model's own order."""
    inventory = Inventory(
        (
            tensor("b", (1,)),
            tensor("é", (1,)),
            tensor("a", (1,)),
            tensor("Z", (1,)),
            tensor("half", (1,)),
            tensor("steps", (), kind="buffer", dtype="I64", default=Constant(0.0)),
        )
    )
    plan = planned(inventory, init={"rules": [{"match": {"path": ["half"]}, "dtype": "F16", "library_default": {}}]})
    assert [(tensor.name, tensor.ordinal) for tensor in plan.tensors] == [
        ("steps", 5),
        ("Z", 3),
        ("a", 2),
        ("b", 0),
        ("é", 1),
        ("half", 4),
    ]


def test_shards_are_filled_in_the_models_own_order() -> None:
    """As Hugging Face does: one is closed when the next tensor does not fit, what is too large has one of its own."""
    sizes = {"d": 4, "c": 4, "big": 12, "b": 4, "a": 8}
    inventory = Inventory(tuple(tensor(name, (size // 4,)) for name, size in sizes.items()))
    plan = planned(inventory, output={"max_shard_bytes": "8"})
    assert plan.max_shard_bytes == 8
    names = [file.name for file in plan.files]
    assert names == [*(f"model-0000{i}-of-00004.safetensors" for i in range(1, 5)), "model.safetensors.index.json"]
    shards = [{tensor.name for tensor in plan.tensors if tensor.file == file} for file in range(4)]
    assert shards == [{"big"}, {"d", "c"}, {"b"}, {"a"}]
    assert [tensor.ordinal for tensor in plan.tensors] == [[*sizes].index(tensor.name) for tensor in plan.tensors]


SIZES = st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["F32", "I64", "BOOL"])), min_size=1, max_size=9)


@settings(max_examples=40)
@given(SIZES, st.none() | st.integers(1, 40), st.permutations("abcdefghi"))
def test_whoever_reads_a_plan_finds_it_in_order(
    sizes: list[tuple[int, str]], limit: int | None, names: list[str]
) -> None:
    """The reader computes order and layout anew, from what the plan says of each tensor."""
    inventory = Inventory(
        tuple(
            tensor(name, (size,), dtype=dtype, default=Constant(1.0))
            for name, (size, dtype) in zip(names, sizes, strict=False)
        )
    )
    plan = planned(inventory, output={} if limit is None else {"max_shard_bytes": str(limit)})
    check_plan(plan, Limits())
    assert sorted((t.ordinal, t.name) for t in plan.tensors) == [(i, t.name) for i, t in enumerate(inventory.tensors)]


def test_a_plan_is_sealed() -> None:
    plan = planned()
    assert plan.plan_digest
    assert plan.weights_key
    check_digests(plan)


@pytest.mark.parametrize("name", ["__metadata__", ""])
def test_a_name_that_no_safetensors_file_can_hold_is_an_error(name: str) -> None:
    with pytest.raises(RecipeError) as caught:
        planned(Inventory((tensor("w", (1,)), tensor(name, (1,)))))
    (violation,) = caught.value.violations
    assert violation.field == "architecture"
    assert repr(name) in violation.message


GROUPS = {
    "optimizer": "SGD",
    "defaults": {"lr": 0.1, "weight_decay": 1, "nesterov": True, "betas": [0.5, 1]},
    "rules": [
        {"name": "head", "match": {"path": ["head.*"]}, "options": {"weight_decay": 0}},
        {"name": "norms", "match": {"module": ["_BatchNorm"]}},
    ],
    "freeze": [{"match": {"path": ["conv1.bias", "layers.0.**"]}}],
}


def test_groups_stand_in_the_plan_and_every_tensor_says_its_own() -> None:
    plan = planned(groups=GROUPS)
    shared = {"lr": 0.1, "nesterov": True, "betas": [0.5, 1.0]}
    assert json_format.MessageToDict(plan.groups) == {
        "optimizer": "SGD",
        "groups": [
            {
                "name": "head",
                "options": shared | {"weight_decay": 0.0},
                "tensors": ["head.weight"],
                "elements": "80",
            },
            {
                "name": "norms",
                "options": shared | {"weight_decay": 1.0},
                "tensors": ["bn1.weight", "bn1.bias"],
                "elements": "16",
            },
            {
                "name": "default",
                "options": shared | {"weight_decay": 1.0},
                "tensors": ["conv1.weight", "layers.1.fc.weight"],
                "elements": "280",
            },
        ],
    }
    own = {t.name: t.group if t.HasField("group") else None for t in plan.tensors}
    assert own == {
        "head.weight": 0,
        "bn1.weight": 1,
        "bn1.bias": 1,
        "conv1.weight": 2,
        "layers.1.fc.weight": 2,
        "conv1.bias": None,
        "layers.0.fc.weight": None,
        "bn1.running_mean": None,
        "bn1.num_batches_tracked": None,
    }
    assert {name for name, t in by_name(plan).items() if t.trainable} == {
        n for n, group in own.items() if group is not None
    }


def test_without_groups_the_plan_trains_every_parameter() -> None:
    plan = planned()
    assert {t.name for t in plan.tensors if t.trainable} == {t.name for t in CONVNET.tensors if t.kind == "parameter"}
    assert not any(t.HasField("group") for t in plan.tensors)


def by_torch(**fields: Any) -> plan_pb2.Plan:
    return planned(TIED, generator="torch", environment={"torch": "older", "device": "cpu"}, **fields)


def test_generator_torch_has_recipe_and_environment_in_place_of_fills() -> None:
    rules = {"rules": [{"match": {"ndim": [2]}, "normal": {}}]}
    plan = by_torch(init=rules, dtype="BF16")
    assert plan.generator == "torch"
    assert not any(tensor.HasField("fill") for tensor in plan.tensors)
    assert by_name(plan)["embed.weight"].rule == "init.rules[0]"
    assert json_format.MessageToDict(plan.recipe.init, preserving_proto_field_name=True) == rules
    assert (plan.recipe.generator, plan.recipe.seed, plan.recipe.dtype) == ("torch", 7, "BF16")
    check_plan(plan, Limits())


def test_the_environment_of_generator_torch_has_the_versions_that_built_the_model() -> None:
    assert dict(by_torch().environment) == {"device": "cpu", "torch": "2.14.1", "timm": "1.0.31"}
    assert not planned(TIED, environment={"device": "cpu"}).environment


def test_the_law_may_be_named_or_left_out() -> None:
    """It is the default, so both are one plan with one digest."""
    assert planned(TIED, generator="stream-v1") == planned(TIED)
