"""Presets against what they are named after: the rules give what the library's own code gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import initium
from initium.plan.limits import Limits
from initium.v1 import architecture_pb2, init_pb2, plan_pb2
from initium_law.grammar import Fill, Normal, Orthogonal
from initium_server.planning import resolve
from initium_server.planning.assign import assign
from initium_server.planning.inventory import Inventory
from initium_server.planning.presets import presets
from initium_server.planning.rules import compile_rules
from initium_server.sources import build_inventory
from tests.conftest import EXAMPLES
from tests.law.support import whole
from tests.sources.compare import architecture, library, modules

SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "vocab_size": 100,
}
GPT2 = {"model_type": "gpt2", "n_layer": 3, "n_embd": 64, "n_head": 2, "vocab_size": 100}
MAMBA = {"model_type": "mamba", "hidden_size": 64, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 100}
VIT = "vit_tiny_patch16_224"


def transformer(name: str, model_type: str) -> architecture_pb2.Architecture:
    return library("transformers", name, model_type=model_type, **SMALL)


MODELS: dict[str, tuple[str, architecture_pb2.Architecture, str]] = {
    "gpt2": ("gpt2", library("transformers", "AutoModelForCausalLM", **GPT2), ""),
    "llama": ("llama", transformer("AutoModelForCausalLM", "llama"), ""),
    "qwen2, with biases": ("llama", transformer("AutoModelForCausalLM", "qwen2"), ""),
    "bert": ("bert", transformer("AutoModelForMaskedLM", "bert"), ""),
    "mamba": ("mamba", library("transformers", "AutoModelForCausalLM", **MAMBA), ""),
    "vit": ("vit_timm", library("timm", VIT, depth=2, reg_tokens=4), "patch_embed."),
    "vit of jax": ("vit_jax", library("timm", VIT, depth=2, weight_init="jax"), ""),
    "convnext": ("convnext", library("timm", "convnext_atto", depths=[1, 1, 2, 1]), ""),
    "convnext of torchvision": ("convnext", library("torchvision", "convnext_tiny"), ""),
    "resnet50 of torchvision": ("resnet", library("torchvision", "resnet50", zero_init_residual=True), "fc."),
    "resnext50 of timm": ("resnet", library("timm", "resnext50_32x4d"), "fc."),
    "resnet18 of timm": ("resnet_basic", library("timm", "resnet18"), "fc."),
    "efficientnet": ("efficientnet", library("timm", "efficientnet_b0"), ""),
    "mobilenet": ("efficientnet", library("timm", "mobilenetv3_small_050"), ""),
}
"""The preset, a model whose own init it is, and how the names begin that it leaves to PyTorch's init."""


def fills_of(preset: str, inventory: Inventory, kept: str = "") -> dict[str, Fill]:
    """What the preset decides where no parameter has a default, but for those kept."""
    hidden = tuple(
        dataclasses.replace(tensor, default=None, default_error="hidden")
        if tensor.kind == "parameter" and not (kept and tensor.name.startswith(kept))
        else tensor
        for tensor in inventory.tensors
    )
    rules = compile_rules(init_pb2.InitPolicy(preset=preset))
    made = assign(dataclasses.replace(inventory, tensors=hidden), rules, "F32", {})
    return {each.tensor.name: each.fill for each in made}


def values(fill: Fill, shape: tuple[int, ...], inventory: Inventory) -> npt.NDArray[np.float32]:
    return np.frombuffer(whole(fill, shape, "F32", inventory.literals), np.float32)


@pytest.mark.parametrize("case", MODELS)
def test_the_rules_give_what_the_library_gives(case: str) -> None:
    """The same numbers from the same draws, but for last digits that another order of operations gives."""
    preset, declared, kept = MODELS[case]
    inventory = build_inventory(declared)
    ours = fills_of(preset, inventory, kept)
    for tensor in inventory.tensors:
        assert tensor.default is not None
        if ours[tensor.name] != tensor.default:
            mine, theirs = (values(fill, tensor.shape, inventory) for fill in (ours[tensor.name], tensor.default))
            np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=1e-9, err_msg=tensor.name)


# --- Keras and Flax, whose tensors are bare ----------------------------------------------------------------------

DEFAULTS = [
    line.split()
    for line in (Path(__file__).parent / "vectors" / "defaults.txt").read_text().splitlines()
    if not line.startswith("#")
]
_BUFFERS = ("moving_mean", "moving_variance", ".mean", ".var")


def bare(name: str, shape: list[int], role: str = "") -> dict[str, Any]:
    return {"name": name, "shape": shape, "role": "buffer" if name.endswith(_BUFFERS) else role}


@pytest.mark.parametrize("preset", ["keras", "flax"])
def test_bare_tensors_get_what_their_library_gave(preset: str) -> None:
    """Mean, standard deviation and largest value of every kind of layer, as the libraries themselves drew them."""
    rows = [row for row in DEFAULTS if row[0] == preset]
    shapes = {name: tuple(map(int, shape.split("x"))) for _, name, shape, *_ in rows}
    inventory = build_inventory(architecture(tensors={"tensors": [bare(n, list(s)) for n, s in shapes.items()]}))
    fills = fills_of(preset, inventory)
    for _, name, _, mean, std, largest in rows:
        drawn = values(fills[name], shapes[name], inventory)
        sampling = 5 * float(std) / len(drawn) ** 0.5
        assert float(drawn.std()) == pytest.approx(float(std), abs=sampling + 1e-4), name
        assert float(drawn.mean()) == pytest.approx(float(mean), abs=1.5 * sampling + 1e-3), name
        if not isinstance(fills[name], Normal | Orthogonal):  # Only bounded draws come near the same largest value.
            assert float(abs(drawn).max()) == pytest.approx(float(largest), rel=0.05, abs=1e-4), name


# --- torch -------------------------------------------------------------------------------------------------------

LAYERS = {
    "conv": ("Conv2d", {"in_channels": 3, "out_channels": 8, "kernel_size": 3}),
    "linear": ("Linear", {"in_features": 72, "out_features": 10}),
    "embedding": ("Embedding", {"num_embeddings": 20, "embedding_dim": 6}),
    "norm": ("BatchNorm2d", {"num_features": 8}),
}
TREE = modules(
    {
        "declare": "Net",
        "children": [{"name": name, "type": kind, "args": args} for name, (kind, args) in LAYERS.items()],
    }
)


def test_torch_names_the_defaults_of_a_module_tree() -> None:
    plans = [planned(TREE, {"init": {"preset": "torch"}}), planned(TREE, {})]
    assert [tensor.fill for tensor in plans[0].tensors] == [tensor.fill for tensor in plans[1].tensors]
    assert {t.initializer for t in plans[0].tensors if t.kind == plan_pb2.TENSOR_KIND_PARAMETER} == {"library_default"}


def test_torch_gives_bare_tensors_the_defaults_of_layers() -> None:
    inventory = build_inventory(TREE)
    layers = {t.name: t for t in inventory.tensors if not t.name.endswith(("bias", "tracked")) or t.name == "norm.bias"}
    roles = {name: "weight" if name.startswith(("conv", "linear")) else name.partition(".")[0] for name in layers}
    roles |= {"norm.running_mean": "buffer", "norm.running_var": "buffer"}
    listed = [bare(name, list(t.shape), roles[name]) for name, t in layers.items() if name != "norm.bias"]
    ours = fills_of("torch", build_inventory(architecture(tensors={"tensors": listed})))
    assert len(ours) == 6
    for name, fill in ours.items():
        default = layers[name].default
        assert default is not None
        mine, theirs = (values(each, layers[name].shape, inventory) for each in (fill, default))
        np.testing.assert_allclose(mine, theirs, rtol=2e-5, err_msg=name)


# --- the classic recipes -----------------------------------------------------------------------------------------


def planned(declared: architecture_pb2.Architecture, rest: dict[str, Any]) -> plan_pb2.Plan:
    recipe = initium.load_recipe({"architecture": declared, "seed": 1} | rest)
    return resolve(recipe, build_inventory(declared), None, {}, Limits())


@pytest.mark.parametrize(
    ("preset", "example"), [("dcgan", "by_class_name"), ("by_type", "by_type"), ("he_fan_out", "he_fan_out")]
)
def test_classic_recipes_have_their_presets(preset: str, example: str) -> None:
    recipe = initium.load_recipe(EXAMPLES / "classic" / f"{example}.yaml")
    inventory = build_inventory(recipe.architecture)
    written = resolve(recipe, inventory, None, {}, Limits())
    recipe.init.CopyFrom(init_pb2.InitPolicy(preset=preset))
    named = resolve(recipe, inventory, None, {}, Limits())
    assert named.weights_key == written.weights_key
    assert {t.initializer for t in named.tensors} == {t.initializer for t in written.tensors}


def test_every_preset_is_tried_here() -> None:
    tried = {preset for preset, _, _ in MODELS.values()} | {"keras", "flax", "torch", "dcgan", "by_type", "he_fan_out"}
    assert tried == set(presets())
