"""Initializers that are made of others: slices with their own fans, boxes, functions, repetitions (init.proto)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from initium.contract.canonical import hex_float
from initium_law import grammar as fills
from initium_law import prepare
from initium_server.planning import Inventory
from initium_server.planning.inventory import FanAxes, InventoryTensor
from initium_server.planning.rules import MAX_DEPTH
from tests.planning.inventories import owner, tensor
from tests.planning.rules import failure, run

ALL: dict[str, Any] = {"match": {"every": True}}
XAVIER: dict[str, Any] = {"xavier_normal": {}}


def resolved(rule: dict[str, Any], shape: tuple[int, ...], **changes: Any) -> tuple[fills.Fill, dict[str, str]]:
    done = run({**ALL, **rule}, inventory=Inventory((tensor("w", shape, **changes),)))["w"]
    return done.fill, done.numbers


def made(rule: dict[str, Any], shape: tuple[int, ...], **changes: Any) -> fills.Fill:
    return resolved(rule, shape, **changes)[0]


def drawn(fill: fills.Fill, shape: tuple[int, ...], name: str = "w") -> np.ndarray[Any, Any]:
    drawer = prepare(fill, 5, name, shape, "F32", {})
    out = np.empty(4 * drawer.elements, np.uint8)
    drawer.draw(0, out)
    return out.view(np.float32).reshape(shape)


def xavier(fan_in: int, fan_out: int) -> fills.Normal:
    return fills.Normal(0.0, math.sqrt(2 / (fan_in + fan_out)))


def rows(start: int, stop: int, fill: fills.Fill, columns: int = 8) -> fills.Part:
    return fills.Part((start, 0), (stop, columns), fill)


def test_a_fused_projection_has_the_fans_of_its_slices() -> None:
    """torch's own MultiheadAttention takes the fan_out of all three; llm-foundry and timm's moco those of one."""
    fill, numbers = resolved({"split": {"count": 3, "parts": [XAVIER]}}, (24, 8))
    assert fill == xavier(8, 8)
    assert numbers == {
        "parts.fan_in": "8",
        "parts.fan_out": "8",
        "parts.fans": "torch",
        "parts.gain": "0x1p+0",
        "parts.std": hex_float(math.sqrt(2 / 16)),
    }


def test_slices_of_different_sizes_and_initializers() -> None:
    """Grouped queries: q has 8 rows, k and v 2 each."""
    parts = [XAVIER, {"normal": {}, "computed": {"std": "1 / shape[0]"}}, {"zeros": {}}]
    fill, numbers = resolved({"split": {"sizes": [8, 2, 2], "parts": parts}}, (12, 8))
    half = fills.Normal(0.0, 0.5)
    expected = (rows(0, 8, xavier(8, 8)), rows(8, 10, half), rows(10, 12, fills.Constant(0.0)))
    assert fill == fills.Parts(fills.Constant(0.0), expected)
    assert numbers["parts[0].fan_out"] == "8"
    assert numbers["parts[1].std"] == "0x1p-1"
    assert not [key for key in numbers if key.startswith("parts[2]")]


def test_one_initializer_for_slices_of_different_sizes_resolves_for_each() -> None:
    fill, numbers = resolved({"split": {"sizes": [8, 2], "parts": [XAVIER]}}, (10, 8))
    assert fill == fills.Parts(fills.Constant(0.0), (rows(0, 8, xavier(8, 8)), rows(8, 10, xavier(8, 2))))
    assert (numbers["parts[0].fan_out"], numbers["parts[1].fan_out"]) == ("8", "2")


def test_without_sizes_there_are_as_many_slices_as_initializers() -> None:
    fill = made({"split": {"axis": -1, "parts": [{"ones": {}}, {"zeros": {}}]}}, (4, 6))
    one, zero = fills.Constant(1.0), fills.Constant(0.0)
    assert fill == fills.Parts(zero, (fills.Part((0, 0), (4, 3), one), fills.Part((0, 3), (4, 6), zero)))


def test_slices_are_drawn_where_they_lie() -> None:
    """What is equal in all slices is one draw of the whole; what is not has the words of its place."""
    whole = drawn(fills.Normal(0.0, 1.0), (24, 8))
    fill = made({"split": {"sizes": [8, 16], "parts": [{"normal": {}}, {"normal": {"std": 2}}]}}, (24, 8))
    values = drawn(fill, (24, 8))
    assert np.array_equal(values[:8], whole[:8])
    assert np.array_equal(values[8:], drawn(fills.Normal(0.0, 2.0), (24, 8))[8:])


def test_orthogonal_slices_are_orthogonal_each_and_differ() -> None:
    values = drawn(made({"split": {"count": 4, "parts": [{"orthogonal": {}}]}}, (32, 8)), (32, 8))
    for block in values.reshape(4, 8, 8):
        assert np.allclose(block @ block.T, np.eye(8), atol=1e-5)
    assert len({block.tobytes() for block in values.reshape(4, 8, 8)}) == 4


EXPERTS: dict[str, Any] = {"split": {"squeeze": True, "parts": [XAVIER]}}


@pytest.mark.parametrize(("axis", "shape"), [(0, (5, 8, 4)), (1, (8, 5, 4)), (2, (8, 4, 5)), (-1, (8, 4, 5))])
def test_stacked_experts_have_the_fans_of_one_expert(axis: int, shape: tuple[int, ...]) -> None:
    rule = {"split": {"axis": axis, "squeeze": True, "parts": [XAVIER]}}
    fill, numbers = resolved(rule, shape)
    assert fill == xavier(4, 8)
    assert (numbers["parts.fan_in"], numbers["parts.fan_out"]) == ("4", "8")


def test_without_squeeze_a_slice_keeps_the_axis() -> None:
    _, numbers = resolved({"split": {"count": 5, "parts": [XAVIER]}}, (5, 8, 4))
    assert (numbers["parts.fan_in"], numbers["parts.fan_out"]) == ("32", "4")


def test_declared_axes_go_with_the_slices() -> None:
    axes = FanAxes((1,), (2,), batch=(0,))
    own = InventoryTensor((owner("w"),), (5, 4, 8), "F32", "parameter", True, None, fan_axes=axes)
    for rule in (EXPERTS, {"split": {"count": 5, "parts": [XAVIER]}}):
        done = run({**ALL, **rule}, inventory=Inventory((own,)))["w"]
        assert (done.numbers["parts.fan_in"], done.numbers["parts.fan_out"]) == ("4", "8")


SQUEEZED: dict[str, tuple[dict[str, Any], tuple[int, ...], fills.Fill]] = {
    "ranges": ({"arange": {}}, (2, 3, 4), fills.Arange(0.0, 1.0, 2)),
    "equal steps": ({"linspace": {"start": 0, "end": 1, "axis": 0}}, (2, 3, 4), fills.Linspace(0.0, 1.0, 1)),
    "functions": (
        {"log_arange": {}},
        (2, 3, 4),
        fills.Pointwise("log", (fills.Arange(1.0, 1.0, 2),)),
    ),
    "boxes": (
        {"padded": {"row": 1, "of": {"normal": {}}}},
        (2, 3, 4),
        fills.Parts(fills.Normal(0.0, 1.0), (fills.Part((0, 1, 0), (1, 2, 4), fills.Constant(0.0)),)),
    ),
    "repetitions": (
        {"broadcast": {"axes": [0], "of": {"normal": {}}}},
        (2, 3, 4),
        fills.Broadcast((1,), fills.Normal(0.0, 1.0)),
    ),
}


@pytest.mark.parametrize("name", SQUEEZED)
def test_what_a_squeezed_slice_holds_is_put_back_in_its_place(name: str) -> None:
    inner, shape, expected = SQUEEZED[name]
    other = {"constant": {"val": 7}}
    fill = made({"split": {"squeeze": True, "parts": [inner, other]}}, shape)
    assert isinstance(fill, fills.Parts)
    assert fill.parts[0] == fills.Part((0, 0, 0), (1, 3, 4), expected)
    values = drawn(fill, shape)
    assert (values[1] == 7).all()
    if "normal" not in str(inner):
        assert np.array_equal(values[0], drawn(made(inner, (3, 4)), (3, 4)))


def test_orthogonal_experts_that_are_stacked_last() -> None:
    fill = made({"split": {"axis": 2, "squeeze": True, "parts": [{"orthogonal": {}}]}}, (6, 4, 3))
    values = drawn(fill, (6, 4, 3))
    for k in range(3):
        assert np.allclose(values[:, :, k].T @ values[:, :, k], np.eye(4), atol=1e-5)


def test_pieces_lie_over_their_base() -> None:
    pieces = [
        {"start": [0, 0], "stop": [1, 4], "init": {"zeros": {}}},
        {"start": [2, 1], "stop": [4, 3], "init": {"normal": {}, "computed": {"std": "shape[0] * shape[1] / fan_in"}}},
    ]
    fill, numbers = resolved({"pieces": {"base": XAVIER, "pieces": pieces}}, (4, 4))
    assert fill == fills.Parts(
        xavier(4, 4),
        (
            fills.Part((0, 0), (1, 4), fills.Constant(0.0)),
            fills.Part((2, 1), (4, 3), fills.Normal(0.0, 2.0)),
        ),
    )
    assert numbers["base.fan_in"] == "4"
    assert numbers["pieces[1].std"] == "0x1p+1"


def test_a_base_may_be_the_librarys_default() -> None:
    pieces = [{"start": [0], "stop": [1], "init": {"zeros": {}}}]
    fill = made({"pieces": {"base": {"library_default": {}}, "pieces": pieces}}, (4,), default=fills.Uniform(0.0, 3.0))
    assert fill == fills.Parts(fills.Uniform(0.0, 3.0), (fills.Part((0,), (1,), fills.Constant(0.0)),))


def test_pointwise_of_rules() -> None:
    """EdgeNeXt: a truncated normal, times 0.5, plus 1."""
    product = {"pointwise": {"op": "multiply", "operands": [{"trunc_normal": {}}, {"constant": {"val": 0.5}}]}}
    fill, numbers = resolved({"pointwise": {"op": "add", "operands": [product, {"ones": {}}]}}, (3,))
    inner = fills.Pointwise("multiply", (fills.TruncNormal(0.0, 1.0, -2.0, 2.0), fills.Constant(0.5)))
    assert fill == fills.Pointwise("add", (inner, fills.Constant(1.0)))
    assert not numbers
    scaled = {"pointwise": {"op": "sqrt", "operands": [{"constant": {}, "computed": {"val": "numel"}}]}}
    assert resolved(scaled, (3,)) == (fills.Pointwise("sqrt", (fills.Constant(3.0),)), {"operands[0].val": "0x1.8p+1"})


def test_broadcast_repeats_along_axes() -> None:
    fill, numbers = resolved({"broadcast": {"axes": [-1, 0], "of": XAVIER}}, (2, 3, 4))
    assert fill == fills.Broadcast((0, 2), xavier(3, 1))
    assert numbers["of.fan_in"] == "3"
    values = drawn(fill, (2, 3, 4))
    assert np.array_equal(values, np.broadcast_to(values[:1, :, :1], (2, 3, 4)))


ONE_SLICE: dict[str, Any] = {"split": {"parts": [XAVIER]}}


@pytest.mark.parametrize(
    ("rule", "shape", "field", "text"),
    [
        (ONE_SLICE, (4, 4), "split.count", "required with one part: how many equal slices"),
        (
            {"split": {"count": 3, "parts": [XAVIER]}},
            (4, 4),
            "split.count",
            "3 slices; from 1 to 1024, and they divide the",
        ),
        ({"split": {"count": 0, "parts": [XAVIER]}}, (4, 4), "split.count", "0 slices"),
        ({"split": {"count": 4294967295, "parts": [XAVIER]}}, (4, 4), "split.count", "4294967295 slices"),
        ({"split": {"parts": [XAVIER] * 3}}, (4, 4), "split.count", "3 slices"),
        (
            {"split": {"sizes": [2, 1], "parts": [XAVIER]}},
            (4, 4),
            "split.sizes",
            "2 sizes of the sum 3; at most 1024, of the sum 4",
        ),
        ({"split": {"sizes": [4], "count": 1, "parts": [XAVIER]}}, (4, 4), "split.count", "`sizes` are given, too"),
        ({"split": {"sizes": [2, 2], "parts": [XAVIER] * 3}}, (4, 4), "split.parts", "3 initializers for 2 slices"),
        ({"split": {"count": 2}}, (4, 4), "split.parts", "required: an initializer for each slice, or one for all"),
        ({"split": {"axis": 2, "count": 2, "parts": [XAVIER]}}, (4, 4), "split.axis", "axis 2 is none of the 2"),
        (
            {"split": {"squeeze": True, "count": 2, "parts": [XAVIER]}},
            (4, 4),
            "split.squeeze",
            "slices of [2, 2] along axis 0",
        ),
        (
            {"split": {"squeeze": True, "parts": [XAVIER]}},
            (4, 4),
            "split.parts[0].xavier_normal",
            "fans need 2 or more",
        ),
        (
            {"split": {"squeeze": True, "parts": [{"orthogonal": {}}]}},
            (3, 4, 4),
            "split.parts[0]",
            "Orthogonal goes by all axes of its tensor, so the law does not have it for slices of axis 0",
        ),
        (
            {"split": {"axis": 2, "squeeze": True, "parts": [{"eye": {}}]}},
            (4, 4, 3),
            "split.parts[0]",
            "Eye goes by all axes",
        ),
        ({"split": {"count": 2, "parts": [{"eye": {}}]}}, (4,), "split.parts[0].eye", "w has a part of shape [2]"),
        (
            {"split": {"count": 2, "parts": [{"library_default": {}}]}},
            (4, 4),
            "split.parts[0].library_default",
            "a part of a tensor has no default fill of its own",
        ),
        (
            {"split": {"count": 2, "parts": [{"normal": {}, "computed": {"std": "1 / (shape[0] - 2)"}}]}},
            (4, 4),
            "split.parts[0].computed.std",
            "division by zero",
        ),
        (
            {"pieces": {"pieces": [{"start": [0], "stop": [1], "init": XAVIER}]}},
            (4,),
            "pieces.base",
            "required: an initializer",
        ),
        ({"pieces": {"base": {"ones": {}}}}, (4,), "pieces.pieces", "0 pieces; give 1 to 1024"),
        (
            {"pieces": {"base": {"ones": {}}, "pieces": [{"start": [0], "stop": [1]}]}},
            (4,),
            "pieces.pieces[0].init",
            "required: an initializer",
        ),
        (
            {"pieces": {"base": {"ones": {}}, "pieces": [{"start": [0], "stop": [1, 1], "init": {"ones": {}}}]}},
            (4,),
            "pieces.pieces[0].stop",
            "it has 2 numbers and needs one per axis; w has shape [4]",
        ),
        (
            {"pieces": {"base": {"ones": {}}, "pieces": [{"start": [0], "stop": [5], "init": {"ones": {}}}]}},
            (4,),
            "pieces.pieces[0].stop",
            "the box from [0] to [5] does not lie inside; w has shape [4]",
        ),
        (
            {"pieces": {"base": {"ones": {}}, "pieces": [{"start": [3], "stop": [2], "init": {"ones": {}}}]}},
            (4,),
            "pieces.pieces[0].stop",
            "does not lie inside",
        ),
        (
            {
                "pieces": {
                    "base": {"ones": {}},
                    "pieces": [{"start": [0], "stop": [1], "init": {"normal": {"std": -1}}}],
                }
            },
            (4,),
            "pieces.pieces[0].init.normal",
            "std is -1.0",
        ),
        (
            {"pointwise": {"op": "exp2", "operands": []}},
            (4,),
            "pointwise.op",
            "'exp2' is no function; did you mean 'exp'",
        ),
        (
            {"pointwise": {"op": "add", "operands": [XAVIER]}},
            (4, 4),
            "pointwise.operands",
            "add takes 2 operands, not 1",
        ),
        (
            {"pointwise": {"op": "sqrt", "operands": [{"eye": {}}]}},
            (4,),
            "pointwise.operands[0].eye",
            "eye needs 2 dimensions",
        ),
        ({"broadcast": {"axes": [0]}}, (4, 4), "broadcast.of", "required: an initializer"),
        ({"broadcast": {"of": {"ones": {}}}}, (4, 4), "broadcast.axes", "give at least one axis, and none twice"),
        ({"broadcast": {"axes": [0, -2], "of": {"ones": {}}}}, (4, 4), "broadcast.axes", "none twice"),
        ({"broadcast": {"axes": [2], "of": {"ones": {}}}}, (4, 4), "broadcast.axes", "axis 2 is none of the 2"),
    ],
)
def test_errors_name_the_part(rule: dict[str, Any], shape: tuple[int, ...], field: str, text: str) -> None:
    (violation,) = failure({**ALL, **rule}, inventory=Inventory((tensor("w", shape),))).violations
    assert violation.field == f"init.rules[0].{field}"
    assert text in violation.message


@pytest.mark.parametrize(
    ("inner", "field", "text"),
    [
        ({"match": {"every": True}, "ones": {}}, "match", "only the outermost rule has it"),
        ({"dtype": "F16", "ones": {}}, "dtype", "only the outermost rule has it"),
        ({"optional": True, "ones": {}}, "optional", "only the outermost rule has it"),
        ({"ties": "first", "ones": {}}, "ties", "only the outermost rule has it"),
        ({}, "", "the rule has no initializer; give exactly one of uniform, normal"),
        ({"normal": {}, "computed": {"sdt": "1"}}, "computed.sdt", "did you mean 'std'?"),
        ({"normal": {}, "computed": {"std": "("}}, "computed.std", "is missing before 'the end'"),
    ],
)
def test_inner_rules_are_checked_without_a_model(inner: dict[str, Any], field: str, text: str) -> None:
    places = {
        "split.parts[1]": {"split": {"parts": [{"ones": {}}, inner]}},
        "padded.of": {"padded": {"of": inner}},
        "pieces.pieces[0].init": {"pieces": {"base": {"ones": {}}, "pieces": [{"init": inner}]}},
        "pointwise.operands[0].mup.of": {"pointwise": {"op": "log", "operands": [{"mup": {"of": inner}}]}},
    }
    for place, rule in places.items():
        (violation,) = failure({**ALL, **rule}).violations
        assert violation.field == ".".join(filter(None, ["init.rules[0]", place, field]))
        assert text in violation.message


def test_an_inner_rule_may_have_a_label() -> None:
    assert made({"padded": {"row": 0, "of": {"name": "tokens", "zeros": {}}}}, (2, 2))


def nested(depth: int) -> dict[str, Any]:
    rule: dict[str, Any] = {"zeros": {}}
    for _ in range(depth):
        rule = {"padded": {"row": 0, "of": rule}}
    return rule


def test_rules_nest_so_deep_and_no_deeper() -> None:
    assert made(nested(MAX_DEPTH - 1), (2,))  # the law has fills 16 deep, and that is 15 paddings of zeros
    (violation,) = failure({**ALL, **nested(MAX_DEPTH + 1)}).violations
    assert violation.field == "init.rules[0]" + ".padded.of" * (MAX_DEPTH + 1)
    assert f"more than {MAX_DEPTH} deep" in violation.message


def test_experts_are_what_llm_foundry_makes_of_them() -> None:
    """stacked_param_init_helper: the initializer, called for each slice with the slice's own shape."""
    stacked = torch.empty(3, 8, 4)
    bound = math.sqrt(6 / sum(torch.nn.init._calculate_fan_in_and_fan_out(stacked[0])))
    fill = made({"split": {"squeeze": True, "parts": [{"xavier_uniform": {}}]}}, (3, 8, 4))
    assert isinstance(fill, fills.Uniform)
    assert fill.high == pytest.approx(bound, rel=2e-16)
