"""Bare lists of tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from initium.errors import InitiumError
from initium_server.planning.inventory import FanAxes
from initium_server.sources import build_inventory, build_model
from tests.sources.compare import architecture


def listed(*tensors: dict[str, Any]) -> Any:
    return architecture(tensors={"tensors": list(tensors)})


def test_tensors_become_an_inventory() -> None:
    fans = {"fan_in": [-2], "fan_out": [-1]}
    inventory = build_inventory(
        listed(
            {"name": "mean", "shape": [8], "role": "buffer"},
            {"name": "conv.kernel", "shape": [3, 3, 4, 8], "role": "conv", "fans": fans},
            {"name": "scale"},
        )
    )
    assert [t.name for t in inventory.tensors] == ["conv.kernel", "scale", "mean"]
    kernel, scale, mean = inventory.tensors
    assert kernel.fan_axes == FanAxes((2,), (3,))
    assert kernel.roles == ("parameter", "conv")
    assert (scale.shape, scale.roles, scale.fan_axes, scale.trainable) == ((), ("parameter",), None, True)
    assert (mean.kind, mean.roles, mean.trainable) == ("buffer", ("buffer",), False)
    assert all(t.default is None and t.default_error for t in inventory.tensors)


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "required"),
    ({"name": "first"}, "name", "already the name of architecture.tensors.tensors[0]"),
    ({"name": "a", "role": "nrom"}, "role", "unknown role 'nrom'"),
    ({"name": "a", "shape": [2] * 33}, "shape", "at most 32"),
    ({"name": "a", "shape": [2, 3], "fans": {"fan_out": [0]}}, "fans.fan_in", "at least one axis"),
    ({"name": "a", "shape": [2, 3], "fans": {"fan_in": [2], "fan_out": [0]}}, "fans.fan_in", "axis 2"),
    ({"name": "a", "shape": [2, 3], "fans": {"fan_in": [0], "fan_out": [-2]}}, "fans.fan_out", "axis -2 is listed"),
    ({"name": "a", "shape": [2, 3], "fans": {"fan_in": [0], "fan_out": [1], "batch": [-3]}}, "fans.batch", "axis -3"),
]  # fmt: skip


@pytest.mark.parametrize(("tensor", "field", "words"), BAD)
def test_violations_name_the_field(tensor: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InitiumError) as caught:
        build_inventory(listed({"name": "first"}, tensor))
    assert [v.field for v in caught.value.violations] == [f"architecture.tensors.tensors[1].{field}"]
    assert words in caught.value.violations[0].message


def test_an_empty_list_is_an_error() -> None:
    with pytest.raises(InitiumError, match="at least one tensor"):
        build_inventory(architecture(tensors={}))


def test_axes_are_listed_once_in_a_field() -> None:
    with pytest.raises(InitiumError, match="listed twice"):
        build_inventory(listed({"name": "a", "shape": [2, 3], "fans": {"fan_in": [0, -2], "fan_out": [1]}}))


def test_there_is_no_real_model() -> None:
    with pytest.raises(InitiumError, match="stream-v1") as caught:
        build_model(listed({"name": "a"}))
    assert caught.value.reason == "UNSUPPORTED"


def test_no_torch_is_imported() -> None:
    code = "import sys, initium_server.sources.tensors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
