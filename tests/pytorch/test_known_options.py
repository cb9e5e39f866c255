"""The table of options that need no torch, against the torch that is installed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from initium.v1.groups_pb2 import GroupPolicy
from initium_server.pytorch import known_options
from initium_server.pytorch.known_options import (
    FLAGS,
    FRACTION_PAIRS,
    NON_NEGATIVE,
    OPTIONS,
    POSITIVE,
    accepted,
    hold,
    suffice,
)
from initium_server.pytorch.optimizers import _refused, names

ROOT = Path(__file__).parents[2]
LARGE = sys.float_info.max
TINY = 5e-324
NUMBERS = [TINY, 0.5, 1, 3, 1e6, LARGE]
INSIDE = {
    **dict.fromkeys(POSITIVE, NUMBERS),
    **{name: [0, *NUMBERS] for name in NON_NEGATIVE},
    **{name: [[0, 0], [0.9, 0.999], (TINY, 1 - 2**-53)] for name in FRACTION_PAIRS},
    **{name: [True, False] for name in FLAGS},
}
OUTSIDE = {
    **{name: [0, -TINY, -1, float("nan"), True, "1", None, [1]] for name in POSITIVE},
    **{name: [-TINY, -1, float("nan"), True, "1", None, [1]] for name in NON_NEGATIVE},
    **{name: [[0.9, 1], [-TINY, 0.9], [0.9], [0.9, 0.9, 0.9], [True, 0.9], 0.9, None] for name in FRACTION_PAIRS},
    **{name: [0, 1, "true", None] for name in FLAGS},
}


def takes(optimizer: str, options: dict[str, Any]) -> bool:
    """Torch's own verdict."""
    return not list(_refused(optimizer, options, ""))


def test_it_was_compared_with_the_torch_that_is_installed() -> None:
    assert version("torch").startswith(f"{known_options.TORCH}."), "compare the table with this torch, then name it"


def test_it_has_every_class_with_those_of_the_options_that_it_has() -> None:
    assert set(OPTIONS) == set(names())
    for name, options in OPTIONS.items():
        parameters = inspect.signature(getattr(torch.optim, name).__init__).parameters
        alike = {option for option in INSIDE if option in parameters and _alike(option, parameters[option].default)}
        assert options == alike, name


def _alike(option: str, default: object) -> bool:
    """Adafactor's eps are two."""
    if option in FLAGS:
        return isinstance(default, bool)
    return isinstance(default, tuple) == (option in FRACTION_PAIRS)


@pytest.mark.parametrize("name", OPTIONS)
def test_what_it_accepts_torch_accepts(name: str) -> None:
    for option in OPTIONS[name]:
        for value in INSIDE[option]:
            assert accepted(name, {option: value}), (option, value)
            assert takes(name, {option: value}), (option, value)


@given(st.data())
def test_what_it_accepts_together_torch_accepts(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(OPTIONS)))
    chosen = data.draw(st.lists(st.sampled_from(sorted(OPTIONS[name])), unique=True))
    options = {option: data.draw(st.sampled_from(INSIDE[option])) for option in chosen}
    assert accepted(name, options)
    assert takes(name, options)


@pytest.mark.parametrize("name", OPTIONS)
def test_it_leaves_everything_else_to_torch(name: str) -> None:
    for option in OPTIONS[name]:
        assert not any(accepted(name, {option: value}) for value in OUTSIDE[option])
    others = set(inspect.signature(getattr(torch.optim, name).__init__).parameters) - OPTIONS[name]
    assert not any(accepted(name, {option: value}) for option in {*others, "x"} for value in (0.5, True, None))
    assert not accepted(f"{name}s", {"lr": 0.1})


def policy(**fields: Any) -> GroupPolicy:
    return json_format.ParseDict({"optimizer": "SGD", "defaults": {"lr": 0.1}} | fields, GroupPolicy())


@pytest.mark.parametrize(
    ("fields", "enough"),
    [
        ({}, True),
        ({"rules": [{"options": {"momentum": 0.9}, "scale": {"lr": 10}}], "adjust": [{"scale": {"lr": 0.1}}]}, True),
        ({"optimizer": "SDG"}, False),
        ({"defaults": {"lr": -1}}, False),
        ({"rules": [{"options": {"nesterov": True}}]}, False),
        ({"rules": [{"scale": {"lr": -1}}]}, False),
        ({"adjust": [{"scale": {"lr": 0}}]}, False),
        ({"adjust": [{"scale": {"nesterov": 2}}]}, False),
    ],
)
def test_a_policy_needs_torch_where_a_group_might(
    fields: dict[str, Any], enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not suffice(policy(**fields)), "torch is loaded here, and answers for itself"
    monkeypatch.delitem(sys.modules, "torch")
    assert hold()
    assert suffice(policy(**fields)) == enough
    monkeypatch.setattr(known_options, "TORCH", "2.1")
    assert not hold()


def test_without_torch_groups_are_checked_all_the_same() -> None:
    code = """
import sys
from initium.errors import RecipeError
from initium_server.pytorch.optimizers import check_options
check_options("SGD", [({"lr": 0.1}, "a")], [({"lr": 0.1}, "b")])
print("torch" in sys.modules)
try:
    check_options("SGD", [({"lr": 0.1}, "a")], [({"lr": 0.1, "nesterov": True}, "b")])
except RecipeError as error:
    print(error.violations[0].field, "Nesterov momentum requires" in error.violations[0].message)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split() == ["False", "b", "True"], done.stderr
