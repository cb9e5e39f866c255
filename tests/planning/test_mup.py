"""muP: base shapes, and what microsoft/mup's init makes of them (init.proto, BaseShapes and Mup)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initium.errors import RecipeError
from initium.v1 import init_pb2
from initium_law import grammar as fills
from initium_server.planning import Inventory, check_recipe
from initium_server.planning.bases import base_shapes
from initium_server.planning.inventory import FanAxes, InventoryTensor
from tests.planning.inventories import owner, tensor
from tests.planning.recipes import LIBRARY, by_name, planned, recipe
from tests.planning.rules import failure, run


def sized(width: int) -> Inventory:
    return Inventory(
        (
            tensor("embed", (50, width)),
            tensor("hidden", (4 * width, width)),
            tensor("bias", (width,)),
            tensor("head", (10, width)),
            tensor("scale", (3,)),
            tensor("conv", (width, width, 3, 3)),
        )
    )


WIDE, BASE = sized(256), sized(64)
SHAPES = {t.name: {"extents": list(map(str, t.shape))} for t in BASE.tensors}


def resolved(rule: dict[str, Any], name: str, base: dict[str, Any] | None = None) -> fills.Fill:
    init = {"rules": [{"match": {"path": [name]}, "mup": {"of": rule}}], "base": base or {"shapes": SHAPES}}
    shapes = base_shapes(init_policy(init), WIDE, None)
    return run(init["rules"][0], inventory=WIDE, base=shapes)[name].fill


def init_policy(init: dict[str, Any]) -> init_pb2.InitPolicy:
    return recipe(init=init).init


ROOT = math.sqrt(2.0)
# By hand from mup/init.py: constant_std_init_ divides by sqrt(width_mult) for two infinite dimensions;
# _inf_fan_adjust_kaiming and _inf_fan_adjust_xavier put the base fan in the place of an infinite one, and hidden
# weights scale as 1 / sqrt(fan_in).
CASES: dict[str, tuple[dict[str, Any], str, fills.Fill]] = {
    "normal, hidden": ({"normal": {"std": 0.02}}, "hidden", fills.Normal(0.0, 0.02 * (1 / math.sqrt(4)))),
    "normal, input": ({"normal": {"std": 0.02}}, "embed", fills.Normal(0.0, 0.02)),
    "normal, output": ({"normal": {"mean": 1, "std": 0.02}}, "head", fills.Normal(1.0, 0.02)),
    "normal, vector": ({"normal": {"std": 0.02}}, "bias", fills.Normal(0.0, 0.02)),
    "normal, no width": ({"normal": {"std": 0.02}}, "scale", fills.Normal(0.0, 0.02)),
    "uniform, hidden": ({"uniform": {"a": -0.1, "b": 0.1}}, "hidden", fills.Uniform(-0.05, 0.05)),
    "truncated, hidden": (
        {"trunc_normal": {"std": 0.02, "a": -0.04, "b": 0.04}},
        "hidden",
        fills.TruncNormal(0.0, 0.01, -0.02, 0.02),
    ),
    "kaiming fan_in, hidden": ({"kaiming_normal": {}}, "hidden", fills.Normal(0.0, ROOT / math.sqrt(64) / 2)),
    "kaiming fan_in, output": ({"kaiming_normal": {}}, "head", fills.Normal(0.0, ROOT / math.sqrt(64))),
    "kaiming fan_in, input": ({"kaiming_normal": {}}, "embed", fills.Normal(0.0, ROOT / math.sqrt(64))),
    "kaiming fan_out, hidden": (
        {"kaiming_normal": {"mode": "fan_out"}},
        "hidden",
        fills.Normal(0.0, ROOT / math.sqrt(4 * 64) / 2),
    ),
    "kaiming, conv": ({"kaiming_normal": {}}, "conv", fills.Normal(0.0, ROOT / math.sqrt(64 * 9) / 2)),
    "xavier, hidden": ({"xavier_normal": {}}, "hidden", fills.Normal(0.0, math.sqrt(2 / (5 * 64)) / 2)),
    "xavier, output": ({"xavier_normal": {}}, "head", fills.Normal(0.0, math.sqrt(2 / 74))),
    "zeros, hidden": ({"zeros": {}}, "hidden", fills.Constant(0.0)),
    "ones, vector": ({"ones": {}}, "bias", fills.Constant(1.0)),
    "computed": ({"normal": {}, "computed": {"std": "1 / sqrt(fan_in)"}}, "hidden", fills.Normal(0.0, 0.125 / 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_mup_is_what_its_authors_make(name: str) -> None:
    rule, tensor_name, expected = CASES[name]
    assert resolved(rule, tensor_name) == expected


def test_the_plan_says_width_and_scale() -> None:
    rule = {"match": {"path": ["hidden"]}, "mup": {"of": {"kaiming_normal": {}}}}
    plan = planned(WIDE, init={"rules": [rule], "base": {"shapes": SHAPES}})
    numbers = dict(by_name(plan)["hidden"].resolved)
    assert (numbers["width"], numbers["infinite"], numbers["scale"]) == ("0x1p+2", "2", "0x1p-1")
    assert (numbers["base.fan"], numbers["base.fans"]) == ("64", "torch")


def test_the_base_may_be_an_architecture() -> None:
    """Built by whoever resolves; planning sees its inventory."""
    init = {
        "rules": [{"match": {"path": ["hidden"]}, "mup": {"of": {"normal": {}}}}],
        "base": {"architecture": LIBRARY},
    }
    shapes = base_shapes(init_policy(init), WIDE, BASE)
    assert shapes == {t.name: t.shape for t in BASE.tensors}


@pytest.mark.parametrize(
    ("expression", "name", "expected"),
    [
        ("width", "hidden", 4.0),
        ("width", "head", 4.0),
        ("width", "embed", 4.0),
        ("width", "bias", 4.0),
        ("width", "scale", 1.0),
        ("width", "conv", 4.0),
        ("base_fan_in", "hidden", 64.0),
        ("base_fan_out", "hidden", 256.0),
        ("base_fan_in", "conv", 64.0 * 9),
    ],
)
def test_expressions_know_the_base(expression: str, name: str, expected: float) -> None:
    shapes = {t.name: t.shape for t in BASE.tensors}
    rule = {"match": {"path": [name]}, "constant": {}, "computed": {"val": expression}}
    assert run(rule, inventory=WIDE, base=shapes)[name].fill == fills.Constant(expected)


def test_the_slices_of_a_fused_weight_have_their_share_of_the_base() -> None:
    wide, shapes = Inventory((tensor("qkv", (3 * 256, 256)),)), {"qkv": (3 * 64, 64)}
    part = {"mup": {"of": {"kaiming_normal": {"mode": "fan_out"}}}}
    rule = {"match": {"every": True}, "split": {"count": 3, "parts": [part]}}
    assert run(rule, inventory=wide, base=shapes)["qkv"].fill == fills.Normal(0.0, ROOT / math.sqrt(64) / 2)
    uneven = {"match": {"every": True}, "split": {"sizes": [767, 1], "parts": [part]}}
    (violation,) = failure(uneven, inventory=wide, base=shapes).violations
    assert violation.field == "init.rules[0].split.parts[0].mup"
    assert "has no base shape" in violation.message


def test_declared_axes_say_which_width_it_is() -> None:
    """A Flax kernel is (in, out)."""
    own = InventoryTensor((owner("w"),), (256, 1024), "F32", "parameter", True, None, fan_axes=FanAxes((0,), (1,)))
    rule = {"match": {"every": True}, "mup": {"of": {"normal": {}}}}
    done = run(rule, inventory=Inventory((own,)), base={"w": (64, 512)})["w"]
    assert done.fill == fills.Normal(0.0, 0.5)


@pytest.mark.parametrize(
    ("rule", "shape", "base", "field", "text"),
    [
        ({"normal": {}}, (4, 4), None, "mup", "w has no base shape; give one in init.base"),
        ({"normal": {}}, (4, 4, 4), (2, 2, 2), "mup", "axes [0, 1, 2] are wider than the base [2, 2, 2]"),
        ({"normal": {}}, (4, 4, 4), (2, 4, 2), "mup", "axes [0, 2] are wider"),
        ({"normal": {"mean": 1}}, (4, 4), (2, 2), "mup.of", "those of hidden weights of mean 0"),
        ({"uniform": {}}, (4, 4), (2, 2), "mup.of", "mup takes constants, uniform, normal"),
        ({"trunc_normal": {"a": -1}}, (4, 4), (2, 2), "mup.of", "mup takes constants"),
        ({"ones": {}}, (4, 4), (2, 2), "mup.of", "mup takes constants"),
        ({"orthogonal": {}}, (4, 4), (4, 2), "mup.of", "mup takes constants"),
        ({"normal": {}}, (4, 4), (0, 2), "mup", "its base shape has no elements"),
        ({"library_default": {}}, (4, 4), (2, 2), "mup.of.library_default", "a part of a tensor has no default"),
    ],
)
def test_what_mup_is_not_defined_for(
    rule: dict[str, Any], shape: tuple[int, ...], base: tuple[int, ...] | None, field: str, text: str
) -> None:
    own = Inventory((tensor("w", shape),))
    rules = {"match": {"every": True}, "mup": {"of": rule}}
    (violation,) = failure(rules, inventory=own, base={"w": base} if base else {}).violations
    assert violation.field == f"init.rules[0].{field}"
    assert text in violation.message


@pytest.mark.parametrize(
    ("base", "built", "field", "text"),
    [
        (
            {"shapes": {"hiden": {"extents": ["1"]}}},
            None,
            "init.base.shapes",
            "no tensor 'hiden'; did you mean hidden?",
        ),
        (
            {"shapes": {"hidden": {"extents": ["4"]}}},
            None,
            "init.base.shapes",
            "hidden has the base shape [4], and the model's [1024, 256] has 2 axes",
        ),
        (
            {"architecture": LIBRARY},
            Inventory(BASE.tensors[:-1]),
            "init.base.architecture",
            "it has no tensor 'conv'; only sizes may differ from the model's",
        ),
        (
            {"architecture": LIBRARY},
            Inventory((*BASE.tensors, tensor("more", (1,)))),
            "init.base.architecture",
            "the model has no tensor 'more'",
        ),
    ],
)
def test_a_base_that_does_not_fit_the_model(
    base: dict[str, Any], built: Inventory | None, field: str, text: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        base_shapes(init_policy({"base": base}), WIDE, built)
    (violation,) = caught.value.violations
    assert violation.field == field
    assert text in violation.message


@pytest.mark.parametrize("base", [{}, {"architecture": LIBRARY, "shapes": SHAPES}])
def test_a_base_is_one_of_two_kinds(base: dict[str, Any]) -> None:
    with pytest.raises(RecipeError) as caught:
        check_recipe(recipe(init={"base": base}))
    (violation,) = caught.value.violations
    assert str(violation) == "init.base: give exactly one of architecture, shapes"


def test_base_shapes_may_be_of_some_tensors() -> None:
    rule = {"match": {"path": ["hidden"]}, "mup": {"of": {"normal": {}}}}
    plan = planned(WIDE, init={"rules": [rule], "base": {"shapes": {"hidden": SHAPES["hidden"]}}})
    assert by_name(plan)["hidden"].fill.normal.std == "0x1p-1"


def test_many_mismatches_are_cut_short() -> None:
    shapes = {f"x{i}": {"extents": ["1"]} for i in range(100)}
    with pytest.raises(RecipeError) as caught:
        base_shapes(init_policy({"base": {"shapes": shapes}}), WIDE, None)
    assert len(caught.value.violations) == 20
