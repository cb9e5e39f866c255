"""Rules leave a library's buffers alone, unless their selector names the role (DESIGN, "Decisions")."""

from __future__ import annotations

from typing import Any

import pytest

from initium.errors import RecipeError
from initium_law.grammar import Constant
from initium_server.planning import Inventory
from tests.planning.inventories import tensor
from tests.planning.recipes import by_name, planned

INVENTORY = Inventory(
    (
        tensor("w", (2,), "Toy", roles=("parameter", "weight")),
        tensor("b", (2,), "Toy", roles=("parameter", "bias")),
        tensor("mean", (2,), "Toy", kind="buffer", default=Constant(0.0), roles=("buffer",)),
        tensor("steps", (), "Toy", kind="buffer", dtype="I64", default=Constant(0.0), roles=("buffer",)),
    )
)
BUFFER = {"role": ["buffer"]}


def decided(match: dict[str, Any]) -> list[str]:
    """The tensors that a rule of this selector decides for, in the model's order."""
    plan = planned(INVENTORY, init={"rules": [{"match": match, "ones": {}}]})
    ruled = {name for name, tensor in by_name(plan).items() if tensor.initializer}
    return [tensor.name for tensor in INVENTORY.tensors if tensor.name in ruled]


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"every": True}, ["w", "b"]),
        ({"module": ["Toy"]}, ["w", "b"]),
        ({"path": ["**"]}, ["w", "b"]),
        ({"role": ["weight", "buffer"]}, ["w", "mean", "steps"]),
        (BUFFER, ["mean", "steps"]),
        (BUFFER | {"path": ["mean"]}, ["mean"]),
        ({"any_of": [{"path": ["w"]}, BUFFER]}, ["w", "mean", "steps"]),
        ({"any_of": [{"path": ["w"]}, {"path": ["mean"]}]}, ["w"]),
        ({"any_of": [{"path": ["w", "mean"]}, BUFFER | {"path": ["steps"]}]}, ["w", "mean", "steps"]),
        ({"all_of": [BUFFER, {"ndim": [1]}]}, ["mean"]),
        ({"all_of": [{"ndim": [1]}, {"any_of": [BUFFER, {"path": ["b"]}]}]}, ["b", "mean"]),
        ({"any_of": [{"all_of": [BUFFER, {"ndim": [0]}]}, {"path": ["b"]}]}, ["b", "steps"]),
        ({"all_of": [{"all_of": [{"all_of": [BUFFER]}]}]}, ["mean", "steps"]),
        ({"any_of": [{"path": ["w"]}], "all_of": [{"any_of": [BUFFER, {"path": ["w"]}]}]}, ["w"]),
        ({"any_of": [{"path": ["mean"]}, BUFFER], "every": True}, ["mean", "steps"]),
        ({"none_of": [BUFFER]}, ["w", "b"]),
        ({"none_of": [{"role": ["weight"]}]}, ["b"]),
        ({"none_of": [{"path": ["steps"]}], "any_of": [BUFFER, {"role": ["bias"]}]}, ["b", "mean"]),
        ({"all_of": [{"none_of": [BUFFER]}]}, ["w", "b"]),
        ({"any_of": [{"none_of": [BUFFER]}, {"path": ["mean"]}]}, ["w", "b"]),
    ],
)
def test_buffers_are_tried_if_the_selector_names_them(match: dict[str, Any], expected: list[str]) -> None:
    assert decided(match) == expected


@pytest.mark.parametrize(
    "match", [{"path": ["mean"]}, {"none_of": [{"role": ["parameter"]}]}, {"none_of": [{"none_of": [BUFFER]}]}]
)
def test_a_selector_that_reaches_buffers_by_other_words_matches_nothing(match: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="matches no tensor"):
        decided(match)


@pytest.mark.parametrize("dtype", ["BF16", "F16"])
def test_buffers_keep_their_dtype_but_for_a_rule_that_names_one(dtype: str) -> None:
    rules = [{"match": BUFFER | {"path": ["mean"]}, "dtype": "F64", "zeros": {}}]
    plan = planned(INVENTORY, dtype=dtype, init={"rules": rules})
    assert {name: tensor.dtype for name, tensor in by_name(plan).items()} == {
        "w": dtype,
        "b": dtype,
        "mean": "F64",
        "steps": "I64",
    }
    assert {tensor.dtype for tensor in planned(INVENTORY, dtype=dtype).tensors} == {dtype, "F32", "I64"}


def test_whole_numbers_have_no_other_dtype() -> None:
    rules = [{"match": BUFFER | {"path": ["steps"]}, "dtype": "F64", "zeros": {}}]
    assert by_name(planned(INVENTORY, init={"rules": rules}))["steps"].dtype == "I64"
    fraction = [{"match": BUFFER | {"path": ["steps"]}, "constant": {"val": 0.5}}]
    with pytest.raises(RecipeError, match="whole number"):
        planned(INVENTORY, init={"rules": fraction})
