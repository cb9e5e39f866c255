"""Module trees: names, copies, ties, and errors that name the path."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from initium.errors import InitiumError
from initium_law.grammar import Uniform
from initium_server.sources import build_inventory, build_model
from tests.sources.compare import modules, tensor_of

LINEAR: dict[str, Any] = {"type": "Linear", "args": {"in_features": 4, "out_features": 4}}
BOUND = math.sqrt(3) * (math.sqrt(2 / (1 + 5)) / math.sqrt(4))  # As torch computes 1 / sqrt(4).
BLOCK: dict[str, Any] = {"declare": "Block", "children": [{**LINEAR, "name": "fc"}, {"type": "ReLU"}]}
NORM: dict[str, Any] = {"type": "LayerNorm", "args": {"normalized_shape": [4]}}
TOKEN: dict[str, Any] = {"name": "token", "shape": [1, 4]}


def sequence(*children: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequential", "children": list(children)}


def test_names_are_those_of_pytorch() -> None:
    root = {
        "declare": "Net",
        "parameters": [TOKEN],
        "children": [
            {"name": "embed", "type": "Embedding", "args": {"num_embeddings": 9, "embedding_dim": 4}},
            {"name": "body", **sequence({"use": "block", "repeat": 2}, NORM)},
            {"name": "head", "type": "Linear", "args": {"in_features": 4, "out_features": 9, "bias": False}},
        ],
    }
    tree = modules(root, blocks={"block": BLOCK}, ties=[{"tensor": "head.weight", "to": "embed.weight"}])
    inventory = build_inventory(tree)
    assert [t.name for t in inventory.tensors] == [
        "token",
        "embed.weight",
        "body.0.fc.weight",
        "body.0.fc.bias",
        "body.1.fc.weight",
        "body.1.fc.bias",
        "body.2.weight",
        "body.2.bias",
    ]
    assert tensor_of(inventory, "embed.weight").aliases == ("head.weight",)
    assert [t.owners[0].block for t in inventory.tensors] == [None, None, 0, 0, 1, 1, 2, 2]
    token = inventory.tensors[0]
    assert (token.default, token.shape, token.owners[0].classes) == (None, (1, 4), ("Net", "Module"))
    assert token.default_error == "a bare parameter has no default fill"
    assert tensor_of(inventory, "body.1.fc.weight").default == Uniform(-BOUND, BOUND)
    assert tensor_of(inventory, "body.0.fc.weight").owners[0].class_path == "torch.nn.modules.linear.Linear"


def test_the_real_model_is_the_same_tree() -> None:
    tree = modules(sequence(LINEAR, BLOCK), ties=[{"tensor": "1.fc.weight", "to": "0.weight"}])
    torch.manual_seed(3)
    model = build_model(tree)
    assert list(dict(model.named_parameters())) == [t.name for t in build_inventory(tree).tensors]
    torch.manual_seed(3)
    assert torch.equal(model.get_parameter("1.fc.weight"), torch.nn.Linear(4, 4).weight)


def deep(levels: int) -> dict[str, Any]:
    root = LINEAR
    for _ in range(levels - 1):
        root = sequence(root)
    return root


def test_depth_and_size_are_counted_after_expansion() -> None:
    build_inventory(modules(deep(24)))
    blocks = {f"b{k}": sequence({"use": f"b{k + 1}"}, {"use": f"b{k + 1}"}) for k in range(20)}
    blocks["b20"] = {"type": "ReLU"}
    with pytest.raises(InitiumError, match="2097151 modules after expansion; at most 100000"):
        build_inventory(modules({"use": "b0"}, blocks=blocks))


BAD: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    ({}, {}, "root", "exactly one of type, declare, use"),
    ({**LINEAR, "name": "x"}, {}, "root.name", "no name, repeat or each"),
    ({**LINEAR, "repeat": 2}, {}, "root.repeat", "no name, repeat or each"),
    ({"type": "Linaer"}, {}, "root.type", "did you mean 'Linear'"),
    ({"type": "LazyLinear"}, {}, "root.type", "name Linear"),
    ({"type": "TransformerEncoder"}, {}, "root.type", "TransformerEncoderLayer with `repeat`"),
    ({"declare": "Linear"}, {}, "root.declare", "is a class of torch.nn"),
    ({"declare": "my-net"}, {}, "root.declare", "not an identifier"),
    ({"use": "bloc"}, {"blocks": {"block": BLOCK}}, "root.use", "did you mean 'block'"),
    ({"use": "a"}, {"blocks": {"a": sequence({"use": "a"})}}, "blocks.a.children[0].use", "a > a"),
    ({**LINEAR, "children": [LINEAR]}, {}, "root.children", "takes no children"),
    ({**LINEAR, "parameters": [TOKEN]}, {}, "root.parameters", "only with `declare`"),
    ({"declare": "Net", "args": {"x": 1}}, {}, "root.args", "only with `type`"),
    ({"declare": "Net", "parameters": [TOKEN, TOKEN]}, {}, "root.parameters[1].name", "taken"),
    ({"declare": "Net", "parameters": [{"name": "a.b"}]}, {}, "root.parameters[0].name", "letters, digits"),
    ({"declare": "Net", "parameters": [{"name": "t", "shape": [2**40, 2**40]}]}, {}, "root.parameters[0].shape", ""),
    (sequence({**LINEAR, "repeat": 0}), {}, "root.children[0].repeat", "at least 1"),
    (sequence({**LINEAR, "repeat": 2, "name": "x"}), {}, "root.children[0].repeat", "not together with a name"),
    (sequence({**LINEAR, "name": "1"}, LINEAR), {}, "root.children[1].name", "two children are named '1'"),
    (sequence({**LINEAR, "name": "forward"}), {}, "root.children[0].name", "taken"),
    (sequence({**LINEAR, "name": "a.b"}), {}, "root.children[0].name", "letters, digits"),
    ({"type": "ModuleDict", "children": [LINEAR]}, {}, "root.children[0].name", "ModuleDict"),
    (deep(25), {}, "root", "25 modules deep"),
    (sequence({"type": "ReLU", "repeat": 200_000}), {}, "root", "200001 modules"),
    (sequence({"type": "Conv2d", "args": {"in_chanels": 3}}), {}, "root.children[0].args.in_chanels",
     "did you mean 'in_channels'"),
    ({"type": "Linear", "args": {"in_features": 4}}, {}, "root.args.out_features", "required by Linear"),
    ({"type": "Linear", "args": {"in_features": 4, "device": "cuda"}}, {}, "root.args.device", "float32 on the CPU"),
    ({"type": "GRU", "args": {"proj_size": 4}}, {}, "root.args.proj_size", "unknown argument"),
    ({"type": "Embedding", "args": {"_weight": [1]}}, {}, "root.args._weight", "unknown argument"),
    (sequence(LINEAR), {"ties": [{"tensor": "0.wight", "to": "0.bias"}]}, "ties[0].tensor", "did you mean '0.weight'"),
    (sequence(LINEAR), {"ties": [{"tensor": "0.weight", "to": "0.bias"}]}, "ties[0]", "(4, 4), '0.bias' has (4,)"),
    (sequence(LINEAR), {"ties": [{"tensor": "0.weight", "to": "0.weight"}]}, "ties[0]", "tied to itself"),
]  # fmt: skip


@pytest.mark.parametrize(("root", "rest", "field", "words"), BAD)
def test_errors_name_the_path(root: dict[str, Any], rest: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InitiumError) as caught:
        build_inventory(modules(root, **rest))
    assert [violation.field for violation in caught.value.violations] == [f"architecture.modules.{field}"]
    assert words in caught.value.violations[0].message


def test_contradicting_ties_are_refused() -> None:
    root = sequence(LINEAR, LINEAR, LINEAR)
    twice = [{"tensor": "1.weight", "to": "0.weight"}, {"tensor": "1.weight", "to": "2.weight"}]
    with pytest.raises(InitiumError, match=r"ties\[1\]\.tensor: '1\.weight' is already tied"):
        build_inventory(modules(root, ties=twice))
    chain = [{"tensor": "1.weight", "to": "0.weight"}, {"tensor": "2.weight", "to": "1.weight"}]
    with pytest.raises(InitiumError, match=r"ties\[1\]\.to: '1\.weight' is itself tied"):
        build_inventory(modules(root, ties=chain))


def test_constructors_speak_for_themselves() -> None:
    args = {"in_channels": 3, "out_channels": 4, "kernel_size": 3, "groups": 2}
    with pytest.raises(InitiumError, match="in_channels must be divisible by groups") as caught:
        build_inventory(modules(sequence({"type": "Conv2d", "args": args})))
    assert caught.value.reason == "BUILD_FAILED"
    assert caught.value.violations[0].field == "architecture.modules.root.children[0].args"
