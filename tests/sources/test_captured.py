"""Captured models: the same plan as the library's own, and nothing on trust (promise 5, safe to expose)."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torchvision
import transformers
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import initium.torch
from initium.errors import InitiumError, RecipeError
from initium.plan.limits import Limits
from initium.v1 import architecture_pb2, plan_pb2, recipe_pb2
from initium_law.grammar import Constant, Normal
from initium_server.planning import check_recipe, resolve
from initium_server.planning.inventory import FanAxes, Inventory, InventoryTensor, Owner
from initium_server.pytorch import optimizers
from initium_server.sources import build_inventory, build_model
from initium_server.sources.captured import encode
from tests.sources.compare import architecture, library, modules, tensor_of

SMALL = {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 99, "n_positions": 16}
TRANSFORMER = {"d_model": 8, "nhead": 2, "num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 16}

SAME: dict[str, tuple[Callable[[], nn.Module], architecture_pb2.Architecture]] = {
    "resnet18": (torchvision.models.resnet18, library("torchvision", "resnet18")),
    "gpt2": (
        lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(**SMALL, attn_implementation="eager")),
        library("transformers", "AutoModelForCausalLM", model_type="gpt2", **SMALL),
    ),
    "clones and copies": (
        lambda: nn.Transformer(**TRANSFORMER),
        modules({"type": "Transformer", "args": TRANSFORMER}),
    ),
}
RULES: dict[str, Any] = {
    "init": [
        {"match": {"role": ["norm"], "tensor": ["weight"]}, "normal": {"mean": 1.0, "std": 0.02}},
        {
            "match": {"class_path": ["torch.nn.**", "transformers.**"], "block": [1], "ndim": [2, 4]},
            "xavier_normal": {},
        },
        {"match": {"tied": True}, "uniform": {}, "optional": True},
    ],
    "groups": [{"name": "plain", "match": {"module": ["_NormBase", "LayerNorm"]}, "options": {"weight_decay": 0}}],
}


def planned(declared: architecture_pb2.Architecture, **fields: Any) -> plan_pb2.Plan:
    recipe = initium.load_recipe({"architecture": declared, "seed": 5, **fields})
    check_recipe(recipe)
    return resolve(recipe, build_inventory(declared), optimizers, {}, Limits())


@pytest.mark.parametrize("case", SAME)
def test_nothing_is_lost_on_the_way(case: str) -> None:
    construct, declared = SAME[case]
    captured, own = build_inventory(initium.torch.capture(construct)), build_inventory(declared)
    assert captured.tensors == own.tensors
    assert captured.literals == own.literals
    assert captured.versions["torch"] == torch.__version__


@pytest.mark.parametrize("case", SAME)
def test_the_plan_has_the_weights_key_of_the_library(case: str) -> None:
    construct, declared = SAME[case]
    groups = {"optimizer": "AdamW", "defaults": {"lr": 0.1}, "rules": RULES["groups"]}
    fields = {"init": {"rules": RULES["init"]}, "groups": groups, "dtype": "BF16"}
    captured, own = (planned(each, **fields) for each in (initium.torch.capture(construct), declared))
    assert captured.weights_key == own.weights_key
    assert [tensor.rule for tensor in captured.tensors] == [tensor.rule for tensor in own.tensors]
    assert captured.groups == own.groups


def inventory_with_all() -> Inventory:
    """Every field of an inventory with a value of its own."""
    counts = {field.name: index for index, field in enumerate(dataclasses.fields(Owner)) if field.type == "int | None"}
    owners = (Owner("a.w", ("Mine", "Module"), "own.Mine", **counts), Owner("b.w", ("Module",), "torch.nn.Module"))
    fans = FanAxes((1,), (0,), (2,))
    roles = ("parameter", "weight", "head")
    parameter = InventoryTensor(owners, (2, 3, 4), "BF16", "parameter", False, Normal(0.0, 0.5), "", roles, fans)
    buffer = InventoryTensor((Owner("n", ("Module",), ""),), (), "I64", "buffer", False, Constant(3.0), "", ("buffer",))
    return Inventory((parameter, buffer), {}, {}, {"torch": "1", "own": "2"})


def test_every_field_travels() -> None:
    everything = inventory_with_all()
    assert build_inventory(architecture_pb2.Architecture(captured=encode(everything))) == everything


def test_a_tensor_without_a_fill_needs_a_rule() -> None:
    declared = message()
    declared.captured.tensors[0].ClearField("fill")
    assert tensor_of(build_inventory(declared), "w").default is None
    with pytest.raises(RecipeError, match="captured without a fill; add a rule that matches it"):
        planned(declared)
    planned(declared, init={"rules": [{"match": {"path": ["w"]}, "ones": {}}]})


def test_buffers_come_last() -> None:
    declared = message()
    declared.captured.tensors.add().CopyFrom(declared.captured.tensors[0])
    declared.captured.tensors[0].roles[:], declared.captured.tensors[0].trainable = ["buffer"], False
    declared.captured.tensors[1].owners[0].name = "later"
    assert [tensor.name for tensor in build_inventory(declared).tensors] == ["later", "w"]


def message(**fields: Any) -> architecture_pb2.Architecture:
    """One tensor."""
    ones = {"constant": {"value": "0x1p+0"}}
    owner = {"name": "w", "classes": ["Own", "Module"], "class_path": "own.Own"}
    tensor = {
        "owners": [owner],
        "shape": [2, 3],
        "dtype": "F32",
        "roles": ["parameter"],
        "trainable": True,
        "fill": ones,
    }
    return architecture(captured={"tensors": [{**tensor, **fields}]})


OWNER = {"name": "w", "classes": ["Own"]}
DIGEST = "00" * 32
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"owners": []}, "owners", "at least one"),
    ({"owners": [{**OWNER, "name": ""}]}, "owners[0].name", "'' is no tensor's name"),
    ({"owners": [{**OWNER, "name": "__metadata__"}]}, "owners[0].name", "no tensor's name"),
    ({"owners": [OWNER, OWNER]}, "owners[1].name", "already the name at architecture.captured.tensors[0].owners[0]"),
    ({"owners": [{"name": "w"}]}, "owners[0].classes", "required"),
    ({"owners": [{"name": "w", "classes": ["A", ""]}]}, "owners[0].classes", "required"),
    ({"owners": [{**OWNER, "block": 3, "blocks": 3}]}, "owners[0].blocks", "is 3, and block is 3"),
    ({"owners": [{**OWNER, "groups": 0}]}, "owners[0].groups", "is 0"),
    ({"shape": [1] * 65}, "shape", "65 dimensions; at most 64"),
    ({"shape": [1 << 40] * 4}, "fill", "2^62 elements"),
    ({"dtype": "float32"}, "dtype", "did you mean 'F32'"),
    ({"dtype": "I64"}, "trainable", "I64 has no gradients"),
    ({"roles": ["parameter", "wieght"]}, "roles[1]", "did you mean 'weight'"),
    ({"roles": []}, "roles", "exactly one of parameter and buffer"),
    ({"roles": ["parameter", "buffer"], "trainable": False}, "roles", "exactly one of parameter and buffer"),
    ({"roles": ["buffer"]}, "trainable", "a buffer is not trained"),
    ({"fans": {"fan_in": [0], "fan_out": [2]}}, "fans.fan_out", "axis 2"),
    ({"fill": {}}, "fill", "no kind that is known"),
    ({"fill": {"constant": {"value": "1.0"}}}, "fill.constant.value", "0x"),
    ({"fill": {"normal": {"mean": "0x0p+0", "std": "-0x1p+0"}}}, "fill", "std"),
    ({"fill": {"dirac": {"groups": 0}}}, "fill", "dirac"),
    ({"fill": {"literal": {"digest": DIGEST}}}, "fill", "no literal"),
    ({"fill": {"copy": {"name": "x", "fill": {"eye": {}}}}, "shape": [2]}, "fill", "eye"),
    ({"fill": {"pointwise": {"op": "sin", "operands": [{"eye": {}}]}}}, "fill", "'sin' is not one of"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "field", "words"), BAD, ids=[f"{i} {case[1]}" for i, case in enumerate(BAD)])
def test_violations_name_the_field(fields: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_inventory(message(**fields))
    assert [v.field for v in caught.value.violations] == [f"architecture.captured.tensors[0].{field}"]
    assert words in caught.value.violations[0].message


def test_a_model_has_tensors() -> None:
    with pytest.raises(RecipeError, match=r"architecture.captured.tensors: empty"):
        build_inventory(architecture(captured={}))


@pytest.mark.parametrize(("digest", "words"), [(DIGEST, "another SHA-256"), (None, "no fill uses it")])
def test_literals_are_those_of_their_digests_and_used(digest: str | None, words: str) -> None:
    declared = message()
    digest = digest or hashlib.sha256(b"1234").hexdigest()
    declared.captured.literals[digest] = b"1234"
    with pytest.raises(RecipeError) as caught:
        build_inventory(declared)
    assert words in caught.value.violations[0].message
    assert {v.field for v in caught.value.violations} == {f"architecture.captured.literals['{digest}']"}


def test_fills_do_not_nest_without_end() -> None:
    declared = message()
    fill = declared.captured.tensors[0].fill
    for _ in range(20):
        inner = fill.__class__()
        inner.copy.name = "x"
        inner.copy.fill.CopyFrom(fill)
        fill.CopyFrom(inner)
    with pytest.raises(RecipeError, match="more than 16 deep"):
        build_inventory(declared)


def test_it_is_not_run_as_pytorch() -> None:
    with pytest.raises(InitiumError, match="use the generator stream-v1"):
        build_model(message())


def test_it_needs_no_torch() -> None:
    code = "import sys, initium_server.sources.captured; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


SEED = initium.torch.capture(lambda: nn.Sequential(nn.Embedding(4, 2, padding_idx=0), nn.BatchNorm1d(2)))


def refusal(declared: architecture_pb2.Architecture) -> InitiumError | None:
    """Why there is no plan."""
    recipe = recipe_pb2.Recipe(architecture=declared, seed=1, dtype="BF16")
    try:
        resolve(recipe, build_inventory(declared), None, {}, Limits())
    except InitiumError as error:
        return error
    return None


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_comes_is_planned_or_refused(data: st.DataObject) -> None:
    """Bytes of a good message, spoiled in some places; what protobuf takes must end in a plan or in a clear refusal."""
    spoiled = bytearray(SEED.SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        declared = architecture_pb2.Architecture.FromString(bytes(spoiled))
    except DecodeError:
        return
    refused = refusal(declared)
    assert refused is None or (str(refused) and refused.reason in ("INVALID_RECIPE", "TOO_LARGE"))


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_a_field_holds(data: st.DataObject) -> None:
    """Any value in any field of the first tensor."""
    text = st.sampled_from(["", "w", "F32", "F16", "BOOL", "buffer", "parameter", "0x1p+0", "-0x1p+1", "\0", "é"])
    declared = architecture_pb2.Architecture.FromString(SEED.SerializeToString())
    _spoil(declared.captured.tensors[0], data, text)
    refused = refusal(declared)
    assert refused is None or refused.violations
    assert refused is None or all(violation.field.startswith("architecture") for violation in refused.violations)


def _spoil(part: Any, data: st.DataObject, text: st.SearchStrategy[str]) -> None:
    """Changes one field somewhere in a message."""
    if not part.DESCRIPTOR.fields:
        return None
    field = data.draw(st.sampled_from(list(part.DESCRIPTOR.fields)))
    value = getattr(part, field.name)
    if field.message_type is not None:
        if not field.is_repeated:
            return _spoil(value, data, text)
        return _spoil(data.draw(st.sampled_from(list(value))) if value else value.add(), data, text)
    one: Any = {
        field.CPPTYPE_STRING: text,
        field.CPPTYPE_BOOL: st.booleans(),
        field.CPPTYPE_INT32: st.integers(-(1 << 31), (1 << 31) - 1),
        field.CPPTYPE_INT64: st.integers(-(1 << 63), (1 << 63) - 1),
        field.CPPTYPE_UINT32: st.integers(0, (1 << 32) - 1),
    }.get(field.cpp_type, st.integers(0, (1 << 64) - 1))
    if field.is_repeated:
        value[:] = data.draw(st.lists(one, max_size=3))
    else:
        setattr(part, field.name, data.draw(one))
    return None
