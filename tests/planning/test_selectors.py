"""Selectors: every key, its semantics, and its errors (promises 4 and 5)."""

from __future__ import annotations

import keyword
from typing import Any

import pytest

from initium.errors import InitiumError
from initium.v1 import init_pb2
from initium_server.planning.inventory import InventoryTensor
from initium_server.planning.selectors import _COMPILERS, _NESTED
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.selectors import compiled


def names(selector: dict[str, Any], tensors: tuple[InventoryTensor, ...] = CONVNET.tensors) -> list[str]:
    matches = compiled(selector)
    return [t.name for t in tensors if any(matches(t, o) for o in t.owners)]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"module": ["_ConvNd"]}, ["conv1.weight", "conv1.bias"]),
        ({"module": ["_ConvNd"], "tensor": ["bias"]}, ["conv1.bias"]),
        ({"class_contains": ["Norm2"], "ndim": [1], "tensor": ["weight", "bias"]}, ["bn1.weight", "bn1.bias"]),
        ({"class_contains": ["_ConvNd"]}, []),
        ({"class_path": ["torch.nn.modules.fake.Lin*"]}, ["layers.0.fc.weight", "layers.1.fc.weight", "head.weight"]),
        ({"module_path": ["layers.*.fc"]}, ["layers.0.fc.weight", "layers.1.fc.weight"]),
        ({"path": ["layers.*"]}, []),
        ({"path": ["layers.**"]}, ["layers.0.fc.weight", "layers.1.fc.weight"]),
        ({"path": ["layers.?.fc.weight"]}, ["layers.0.fc.weight", "layers.1.fc.weight"]),
        ({"path": ["head.weight"]}, ["head.weight"]),
        ({"regex": [r"\.1\."]}, ["layers.1.fc.weight"]),
        ({"ndim": [4]}, ["conv1.weight"]),
        ({"shape": [{"extents": [8, 3, -1, -1]}, {"extents": [10, 8]}]}, ["conv1.weight", "head.weight"]),
        ({"block": [1]}, ["layers.1.fc.weight"]),
        ({"role": ["head"]}, ["head.weight"]),
        ({"any_of": [{"role": ["head"]}, {"ndim": [4]}]}, ["conv1.weight", "head.weight"]),
        ({"all_of": [{"path": ["layers.**"]}, {"block": [0]}]}, ["layers.0.fc.weight"]),
        ({"every": True}, [t.name for t in CONVNET.tensors]),
        ({"none_of": [{"path": ["**"]}]}, []),
    ],
)
def test_keys(selector: dict[str, Any], expected: list[str]) -> None:
    assert names(selector) == expected


def test_every_field_of_the_contract_has_a_compiler() -> None:
    assert {*_COMPILERS, *_NESTED} == {field.name for field in init_pb2.Selector.DESCRIPTOR.fields}


CPLUSPLUS = "and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq case class default delete do enum export new"


def test_no_key_is_a_keyword_of_a_clients_language() -> None:
    """A generated client would have to reach it through getattr."""
    names = {field.name for field in init_pb2.Selector.DESCRIPTOR.fields}
    assert not names & {*keyword.kwlist, *CPLUSPLUS.split()}


def test_a_tied_tensor_is_matched_under_each_of_its_names() -> None:
    tied = (tensor("embed.weight", (4, 2), "Embedding", aliases=(owner("head.weight", "Linear"),)),)
    assert names({"module": ["Linear"]}, tied) == names({"path": ["embed.*"]}, tied) == ["embed.weight"]
    assert names({"module": ["Linear"], "path": ["embed.*"]}, tied) == []
    assert names({"tied": True}, tied) == ["embed.weight"]
    assert names({"tied": False}, tied) == []


@pytest.mark.parametrize(
    ("selector", "field", "text"),
    [
        ({}, "match", "every: true"),
        ({"none_of": [{}]}, "match.none_of[0]", "every: true"),
        ({"regex": ["a", "(b"]}, "match.regex[1]", "RE2"),
        ({"regex": [r"(a)\1"]}, "match.regex[0]", "RE2"),
        ({"regex": ["a" * 1001]}, "match.regex[0]", "1001"),
        ({"role": ["wieght"]}, "match.role[0]", "weight"),
        ({"shape": [{"extents": [-2]}]}, "match.shape[0].extents", "-1 for any"),
        ({"class_contains": [""]}, "match.class_contains", "empty"),
    ],
)
def test_errors_name_the_field(selector: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InitiumError) as caught:
        compiled(selector)
    assert caught.value.violations[0].field == field
    assert text in caught.value.violations[0].message


def test_patterns_run_in_linear_time() -> None:
    """Promise 5: a pattern that ruins a backtracking engine is harmless."""
    evil = (tensor("a" * 5000 + "!", (1,)),)
    assert names({"regex": ["^(a|a)*$", "^(a+)+$"]}, evil) == []
    assert names({"path": ["**a**a**a**a**a**a**b"]}, evil) == []
