"""Initializers that look at another tensor: norms and copies of what the recipe gives it (init.proto)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from initium_law import grammar as fills
from initium_law import prepare
from initium_server.planning import Inventory
from initium_server.planning.assign import MAX_REFERENCES
from tests.planning.inventories import owner, tensor
from tests.planning.rules import failure, run

V, G = tensor("v", (6, 4, 3)), tensor("g", (6, 1, 1))
MODEL = Inventory((G, V, tensor("w", (6, 4, 3), default=fills.Uniform(0.0, 1.0))))
UNIFORM = {"match": {"path": ["v"]}, "xavier_uniform": {}}
NORMS: dict[str, Any] = {"match": {"path": ["g"]}, "norm_of": {"tensor": "v"}}


def drawn(fill: fills.Fill, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    drawer = prepare(fill, 5, name, shape, "F32", {})
    out = np.empty(4 * drawer.elements, np.uint8)
    drawer.draw(0, out)
    return out.view(np.float32).reshape(shape)


def test_norms_are_those_of_what_the_rules_give_the_tensor() -> None:
    """Whether it comes before or behind in the model."""
    done = run(NORMS, UNIFORM, inventory=MODEL)
    assert done["g"].fill == fills.NormOf("v", (6, 4, 3), done["v"].fill, 0)
    g, v = (drawn(done[name].fill, name, done[name].tensor.shape) for name in ("g", "v"))
    assert np.allclose(g.ravel(), np.sqrt((v.reshape(6, -1) ** 2).sum(1)), rtol=1e-6)


def test_norms_of_what_no_rule_matches_are_those_of_its_default() -> None:
    assert run(NORMS, inventory=MODEL)["g"].fill == fills.NormOf("v", (6, 4, 3), fills.Normal(0.0, 1.0), 0)


@pytest.mark.parametrize(("axis", "shape"), [(1, (4,)), (2, (1, 1, 3)), (-1, (3,)), (-3, (6,))])
def test_norms_along_any_axis(axis: int, shape: tuple[int, ...]) -> None:
    inventory = Inventory((tensor("g", shape), V))
    rule = {"match": {"path": ["g"]}, "norm_of": {"tensor": "v", "axis": axis}}
    assert run(rule, inventory=inventory)["g"].fill == fills.NormOf("v", (6, 4, 3), fills.Normal(0.0, 1.0), axis % 3)


def test_a_copy_has_the_values_of_the_other_draw_for_draw() -> None:
    done = run({"match": {"path": ["w"]}, "copy": {"tensor": "v"}}, UNIFORM, inventory=MODEL)
    assert done["w"].fill == fills.Copy("v", done["v"].fill)
    w, v = (drawn(done[name].fill, name, (6, 4, 3)) for name in ("w", "v"))
    assert np.array_equal(w, v)


def test_a_copy_of_a_table_is_cast_as_the_table_is() -> None:
    literals: dict[str, bytes] = {}
    model = Inventory((tensor("a", (2,)), tensor("b", (2,))))
    rules = [
        {"match": {"path": ["a"]}, "copy": {"tensor": "b"}},
        {"match": {"path": ["b"]}, "values": {"values": [1, 2]}},
    ]
    done = run(*rules, inventory=model, dtype="BF16", literals=literals)
    assert done["a"].fill == fills.Copy("b", done["b"].fill)
    assert isinstance(done["b"].fill, fills.Literal)
    assert literals[done["b"].fill.digest] == bytes.fromhex("803f0040")


def test_two_draws_of_one_distribution_are_added_by_a_copy() -> None:
    other = {"pointwise": {"op": "add", "operands": [{"normal": {}}, {"copy": {"tensor": "v"}}]}}
    done = run({"match": {"path": ["w"]}, **other}, inventory=MODEL)
    copied = fills.Copy("v", fills.Normal(0.0, 1.0))
    assert done["w"].fill == fills.Pointwise("add", (fills.Normal(0.0, 1.0), copied))


def test_a_tied_tensor_is_known_by_each_of_its_names() -> None:
    tied = tensor("v", (6, 4, 3), aliases=(owner("tied.v"),))
    model = Inventory((tied, G))
    rules = [{"match": {"path": ["tied.v"]}, "ones": {}}, {"match": {"path": ["g"]}, "norm_of": {"tensor": "tied.v"}}]
    assert run(*rules, inventory=model)["g"].fill == fills.NormOf("v", (6, 4, 3), fills.Constant(1.0), 0)


def copies(count: int) -> tuple[Inventory, list[dict[str, Any]]]:
    """t0 is a copy of t1, t1 of t2 and so on."""
    tensors = tuple(tensor(f"t{i}", (2,)) for i in range(count + 1))
    rules = [{"match": {"path": [f"t{i}"]}, "copy": {"tensor": f"t{i + 1}"}} for i in range(count)]
    return Inventory(tensors), rules


def test_copies_of_copies() -> None:
    inventory, rules = copies(MAX_REFERENCES)
    fill = run(*rules, inventory=inventory)["t0"].fill
    for i in range(1, MAX_REFERENCES + 1):
        assert isinstance(fill, fills.Copy)
        assert fill.name == f"t{i}"
        fill = fill.fill
    assert fill == fills.Normal(0.0, 1.0)


def test_longer_chains_are_refused() -> None:
    inventory, rules = copies(3000)
    error = failure(*rules, inventory=inventory)
    assert error.violations[0].field == "init.rules[0].copy.tensor"
    assert "more than 8 tensors refer to one another in a row" in error.violations[0].message


@pytest.mark.parametrize(
    ("rules", "field", "text"),
    [
        ([NORMS | {"norm_of": {}}], "norm_of.tensor", "required: the full dotted name"),
        ([NORMS | {"norm_of": {"tensor": "vv"}}], "norm_of.tensor", "the model has no tensor 'vv'; did you mean v?"),
        ([NORMS | {"norm_of": {"tensor": "v", "axis": 3}}], "norm_of.axis", "3 is no axis of v [6, 4, 3]"),
        (
            [NORMS | {"norm_of": {"tensor": "v", "axis": 1}}],
            "norm_of",
            "v [6, 4, 3] has 4 norms along axis 1; g has shape",
        ),
        ([{"match": {"path": ["g"]}, "copy": {"tensor": "v"}}], "copy.tensor", "v is F32 [6, 4, 3], not F32 [6, 1, 1]"),
        (
            [{"match": {"path": ["v"]}, "copy": {"tensor": "v"}}],
            "copy.tensor",
            "v > v: the tensors are made from one another",
        ),
        (
            [NORMS, {"match": {"path": ["v"]}, "normal": {"std": -1}}],
            "norm_of.tensor",
            "v has no fill: std is -1.0",
        ),
        (
            [{"match": {"path": ["w"]}, "split": {"count": 2, "parts": [{"copy": {"tensor": "v"}}]}}],
            "split.parts[0].copy",
            "it stands for a whole tensor, and this is a part",
        ),
    ],
)
def test_what_cannot_be_referred_to(rules: list[dict[str, Any]], field: str, text: str) -> None:
    violation = failure(*rules, inventory=MODEL).violations[0]
    assert violation.field == f"init.rules[0].{field}"
    assert text in violation.message


def test_a_cycle_of_several_is_named() -> None:
    inventory, rules = copies(2)
    rules.append({"match": {"path": ["t2"]}, "copy": {"tensor": "t0"}})
    messages = [violation.message for violation in failure(*rules, inventory=inventory).violations]
    assert any("t1 > t2 > t0 > t1: the tensors are made from one another" in message for message in messages)
    assert len(messages) == 3


def test_another_dtype_has_no_norms_and_no_copies() -> None:
    ints = tensor("v", (6, 4, 3), kind="buffer", dtype="I64", default=fills.Constant(1.0))
    model = Inventory((G, tensor("w", (6, 4, 3)), ints))
    (violation,) = failure(NORMS, inventory=model).violations
    assert "v is built in I64; norms are those of F32 tensors" in violation.message
    (violation,) = failure({"match": {"path": ["w"]}, "copy": {"tensor": "v"}}, inventory=model).violations
    assert "v is I64 [6, 4, 3], not F32 [6, 4, 3]" in violation.message


def test_what_has_no_fill_cannot_be_copied() -> None:
    bare = tensor("v", (6, 4, 3), default=None)
    model = Inventory((bare, tensor("w", (6, 4, 3))))
    found = failure({"match": {"path": ["w"]}, "copy": {"tensor": "v"}}, inventory=model).violations
    assert {v.field for v in found} == {"init.rules", "init.rules[0].copy.tensor"}
    assert any("v has no fill: its library gives it no fill" in v.message for v in found)
