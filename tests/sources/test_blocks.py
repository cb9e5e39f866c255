"""Blocks with arguments: the same tensors as the long form, formulas, and errors that name the path."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium.errors import InitiumError
from initium_server.sources import build_inventory
from initium_server.sources.blocks import MAX_TEXT, MAX_WHOLE, substitute
from tests.sources.compare import check_against_real, modules

Node = dict[str, Any]


def conv(inputs: Any, outputs: Any, kernel: int, stride: Any = 1) -> Node:
    given = {"in_channels": inputs, "out_channels": outputs, "kernel_size": kernel, "stride": stride, "bias": False}
    return {"type": "Conv2d", "args": given}


def norm(channels: Any) -> Node:
    return {"type": "BatchNorm2d", "args": {"num_features": channels}}


def sequence(*children: Node, **rest: Any) -> Node:
    return {"type": "Sequential", "children": list(children), **rest}


def residual(inputs: Any, outputs: Any, stride: Any) -> Node:
    """The body of a bottleneck of ResNet, whose width is a quarter of its output."""
    inner = conv(inputs, outputs, 1), norm(outputs), conv(outputs, outputs, 3, stride), norm(outputs)
    wide = f"{outputs} * 4" if isinstance(outputs, str) else outputs * 4
    return sequence(*inner, conv(outputs, wide, 1), norm(wide))


STAGES = [(64, 64, 3, 1), (256, 128, 4, 2), (512, 256, 6, 2), (1024, 512, 3, 2)]


def long_form() -> Node:
    """ResNet-50's body, written out."""
    units = [
        residual(inputs if first else 4 * width, width, stride if first else 1)
        for inputs, width, count, stride in STAGES
        for first in [True] + [False] * (count - 1)
    ]
    return sequence(*units)


def test_short_and_long_form_have_the_same_tensors() -> None:
    blocks = {
        "residual": residual("$in", "$out", "$stride"),
        "unit": {"use": "residual", "with": {"in": "$out * 4", "out": "$out", "stride": 1}},
    }
    units = []
    for inputs, width, count, stride in STAGES:
        units.append({"use": "residual", "with": {"in": inputs, "out": width, "stride": stride}})
        units.append({"use": "unit", "with": {"out": width}, "repeat": count - 1})
    short = build_inventory(modules(sequence(*units), blocks=blocks))
    assert short.tensors == build_inventory(modules(long_form())).tensors
    assert len(short.tensors) == 16 * 18


def test_each_has_a_copy_for_every_entry_whose_arguments_go_first() -> None:
    entries = [{"in": 3, "out": 8}, {"in": 8}, {"in": 4, "out": "6"}]
    blocks = {"layer": conv("$in", "$out", 3), "shape": {"type": "LayerNorm", "args": {"normalized_shape": "$s"}}}
    root = sequence(
        {"use": "layer", "with": {"out": 4}, "each": entries[:2]},
        {"use": "shape", "each": [{"s": [2, 3]}, {"s": 5}]},
        norm(2),
    )
    inventory = check_against_real(modules(root, blocks=blocks))
    shapes = {t.name: t.shape for t in inventory.tensors if t.kind == "parameter" and t.name.endswith("weight")}
    assert shapes == {
        "0.weight": (8, 3, 3, 3),
        "1.weight": (4, 8, 3, 3),
        "2.weight": (2, 3),
        "3.weight": (5,),
        "4.weight": (2,),
    }


def test_arguments_are_handed_down_and_of_every_kind() -> None:
    blocks = {
        "outer": sequence({"use": "inner", "each": [{"n": "$n * 2", "bias": "$bias"}, {"n": "$n", "bias": True}]}),
        "inner": {
            "type": "Conv2d",
            "args": {
                "in_channels": "$n",
                "out_channels": "$n // 2 + 1",
                "kernel_size": ["$n - 3", 2],
                "bias": "$bias",
                "padding_mode": "zeros",
            },
        },
    }
    inventory = build_inventory(modules({"use": "outer", "with": {"n": 5, "bias": False}}, blocks=blocks))
    assert {t.name: t.shape for t in inventory.tensors} == {
        "0.weight": (6, 10, 7, 2),
        "1.weight": (3, 5, 2, 2),
        "1.bias": (3,),
    }


WHOLE = st.integers(0, 1000)
FORMULAS = st.recursive(
    st.one_of(WHOLE.map(str), st.sampled_from(["$a", "$in", "$_c2"])),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "//"]), inner),
    max_leaves=5,
)


@given(FORMULAS.filter(lambda text: "$" in text and len(text) <= MAX_TEXT), WHOLE, WHOLE, WHOLE)
def test_formulas_are_those_of_whole_numbers(text: str, a: int, b: int, c: int) -> None:
    numbers = {"a": a, "in": b, "_c2": c}
    try:
        expected = eval(text.replace("$in", "b").replace("$", ""), {"a": a, "b": b, "_c2": c})
    except ZeroDivisionError:
        with pytest.raises(InitiumError, match=r"args\.x: .* divides by 0"):
            substitute({"x": text}, numbers, "args")
        return
    assert substitute({"x": text}, numbers, "args") == {"x": expected}


@pytest.mark.parametrize(("text", "expected"), [("$a * 2 + 1", 2 * MAX_WHOLE - 1), ("$a - 1 - 1", MAX_WHOLE - 3)])
def test_precedence_and_the_range(text: str, expected: int) -> None:
    if expected > MAX_WHOLE:
        with pytest.raises(InitiumError, match=r"\$a \* 2 is 18014398509481982; .* up to 2\^53"):
            substitute(text, {"a": MAX_WHOLE - 1}, "args")
    else:
        assert substitute(text, {"a": MAX_WHOLE - 1}, "args") == expected


BLOCK = {"layer": conv("$in", "$out", 3)}
BAD: list[tuple[Node, dict[str, Node], str, str]] = [
    (sequence({"use": "layer", "with": {"in": 3, "otu": 4}}), BLOCK, "root.children[0].with.otu",
     "block 'layer' has no argument 'otu'; did you mean 'out'? its arguments: in, out"),
    (sequence({"use": "layer", "with": {"in": 3}}), BLOCK, "root.children[0].with.out",
     "required: block 'layer' names $out"),
    ({"use": "layer"}, BLOCK, "root.with.in", "required"),
    (sequence({"use": "layer", "with": {"in": 3}, "each": [{"out": 2}, {}]}), BLOCK, "root.children[0].each[1].out",
     "required"),
    (sequence({"use": "layer", "each": [{"in": 3, "out": 2, "k": 1}]}), BLOCK, "root.children[0].each[0].k",
     "has no argument 'k'"),
    (sequence({"use": "r", "with": {"k": 1}}), {"r": norm(3)}, "root.children[0].with.k", "its arguments: none"),
    (sequence({"use": "layer", "each": [{"in": 1, "out": 1}], "repeat": 2}), BLOCK, "root.children[0].each",
     "not together with repeat"),
    (sequence({"use": "layer", "each": [{"in": 1, "out": 1}], "name": "x"}), BLOCK, "root.children[0].each",
     "not together with a name"),
    ({"use": "layer", "each": [{"in": 1, "out": 1}]}, BLOCK, "root.each", "no name, repeat or each"),
    ({**norm(3), "with": {"k": 1}}, {}, "root.with", "only with `use`; this node has `type`"),
    ({"declare": "Net", "children": [{**norm(3), "each": [{}]}]}, {}, "root.children[0].each", "only with `use`"),
    (sequence(norm("$c")), {}, "root.children[0].args.num_features", "only a block has arguments; $c stands in none"),
    ({"use": "a"}, {"a": {"use": "layer", "each": [{}]}, **BLOCK}, "blocks.a", "no name, repeat or each"),
    ({"use": "a"}, {"a": sequence({"use": "layer", "with": {"in": 1}}), **BLOCK}, "blocks.a.children[0].with.out",
     "required"),
    *[({"use": "a", "with": {"n": 1}}, {"a": norm(text)}, "blocks.a.args.num_features", "no argument such as `$out`")
      for text in ("$", "$n $n", "$n +", "$n ** 2", "$n / 2", "-$n", "f($n)", "$n.real", "$n == 1", "$n, 1", "$n(2)",
                   "n * $n * out", "$n * 1.5", "$n * 0x10", "$nä", "$n" + " + $n" * 40)],
    ({"use": "a", "with": {"n": 0}}, {"a": norm("4 // $n")}, "blocks.a.args.num_features", "4 // $n divides by 0"),
    ({"use": "a", "with": {"n": "x"}}, {"a": norm("$n * 2")}, "blocks.a.args.num_features", "$n is 'x'; formulas"),
    ({"use": "a", "with": {"n": True}}, {"a": norm("$n * 2")}, "blocks.a.args.num_features", "$n is True; formulas"),
    ({"use": "a", "with": {"n": 1.5}}, {"a": norm("$n * 2")}, "blocks.a.args.num_features", "$n is 1.5; formulas"),
    ({"use": "a", "with": {"n": -3}}, {"a": norm("$n * 2")}, "blocks.a.args", "(where n = -3)"),
    ({"use": "a", "with": {"n": 3}}, {"a": {"type": "Conv2d", "args": {"x": "$n"}}}, "blocks.a.args.x",
     "(where n = 3)"),
]  # fmt: skip


@pytest.mark.parametrize(("root", "blocks", "field", "words"), BAD)
def test_errors_name_the_path(root: Node, blocks: dict[str, Node], field: str, words: str) -> None:
    with pytest.raises(InitiumError) as caught:
        build_inventory(modules(root, blocks=blocks))
    assert [violation.field for violation in caught.value.violations] == [f"architecture.modules.{field}"]
    assert words in caught.value.violations[0].message


def test_copies_of_each_count() -> None:
    blocks = {
        "a": sequence({"use": "b", "each": [{"n": 1}] * 400}),
        "b": sequence({"use": "c", "each": [{"n": "$n"}] * 400}),
        "c": norm("$n"),
    }
    with pytest.raises(InitiumError, match="160401 modules after expansion; at most 100000"):
        build_inventory(modules({"use": "a"}, blocks=blocks))
