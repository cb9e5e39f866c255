"""Every kind of fill can be said by a rule: what a library does by itself, a recipe can do by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initium_law import grammar as fills
from initium_server.planning import Inventory
from initium_server.planning.casts import add_literal
from tests.planning.inventories import tensor
from tests.planning.rules import run

Rule = dict[str, Any]


def rule_of(fill: fills.Fill) -> Rule:
    """The rule that says a fill of a whole tensor."""
    match fill:
        case fills.Constant(value):
            return {"constant": {"val": value}}
        case fills.Uniform(low, high):
            return {"uniform": {"a": low, "b": high}}
        case fills.Normal(mean, std):
            return {"normal": {"mean": mean, "std": std}}
        case fills.TruncNormal(mean, std, a, b):
            return {"trunc_normal": {"mean": mean, "std": std, "a": a, "b": b}}
        case fills.Literal():
            return {"values": {"values": VALUES}}
        case fills.Eye():
            return {"eye": {}}
        case fills.Dirac(groups):
            return {"dirac": {"groups": groups}}
        case fills.Arange(start, step, axis):
            return {"arange": {"start": start, "step": step, "axis": axis}}
        case fills.Linspace(start, end, axis):
            return {"linspace": {"start": start, "end": end, "axis": axis}}
        case fills.Orthogonal(gain):
            return {"orthogonal": {"gain": gain}}
        case fills.Sparse(sparsity, std):
            return {"sparse": {"sparsity": sparsity, "std": std}}
        case fills.Permutation():
            return {"permutation": {}}
        case fills.Pointwise(op, operands):
            return {"pointwise": {"op": op, "operands": [rule_of(operand) for operand in operands]}}
        case fills.Broadcast(axes, inner):
            return {"broadcast": {"axes": list(axes), "of": rule_of(inner)}}
        case fills.Parts(base, parts):
            pieces = [{"start": list(p.start), "stop": list(p.stop), "init": rule_of(p.fill)} for p in parts]
            return {"pieces": {"base": rule_of(base), "pieces": pieces}}
        case fills.Copy(name, _):
            return {"copy": {"tensor": name}}
        case fills.NormOf(name, _, _, axis):
            return {"norm_of": {"tensor": name, "axis": axis}}
    raise AssertionError(f"no rule says {fill}")


VALUES = [0.25, -1.0, 3.0, 0.0]
LITERALS: dict[str, bytes] = {}
TABLE = fills.Literal(add_literal(bytes.fromhex("0000803e000080bf0000404000000000"), LITERALS))

OTHER = fills.Uniform(-0.5, 0.5)

KINDS: Mapping[str, tuple[tuple[int, ...], fills.Fill]] = {
    "constant": ((2, 2), fills.Constant(0.1)),
    "uniform": ((2, 2), fills.Uniform(-0.1, 0.3)),
    "normal": ((2, 2), fills.Normal(0.1, 0.3)),
    "trunc_normal": ((2, 2), fills.TruncNormal(0.0, 0.02, -2.0, 2.0)),
    "literal": ((2, 2), TABLE),
    "eye": ((2, 2), fills.Eye()),
    "dirac": ((4, 2, 3), fills.Dirac(2)),
    "parts": ((4, 3), fills.Parts(fills.Normal(0.0, 1.0), (fills.Part((1, 0), (2, 3), fills.Constant(0.0)),))),
    "copy": ((6, 4), fills.Copy("other", OTHER)),
    "arange": ((2, 4), fills.Arange(1.0, 0.5, 1)),
    "linspace": ((2, 4), fills.Linspace(1.0, 0.5, 0)),
    "pointwise": ((4,), fills.Pointwise("log", (fills.Pointwise("add", (fills.Uniform(0.0, 1.0), TABLE)),))),
    "orthogonal": ((4, 2), fills.Orthogonal(1.5)),
    "sparse": ((4, 2), fills.Sparse(0.5, 0.01)),
    "permutation": ((4,), fills.Permutation()),
    "norm_of": ((4,), fills.NormOf("other", (6, 4), OTHER, 1)),
    "broadcast": ((4, 3), fills.Broadcast((0,), fills.Normal(0.0, 1.0))),
}


def said(fill: fills.Fill, shape: tuple[int, ...]) -> fills.Fill:
    model = Inventory((tensor("w", shape), tensor("other", (6, 4), default=OTHER)))
    rule = {"match": {"path": ["w"]}, **rule_of(fill)}
    return run(rule, inventory=model, literals=dict(LITERALS))["w"].fill


def test_every_kind_of_the_grammar_is_asked_for() -> None:
    assert {*KINDS, "stored"} == fills.KINDS.keys(), "stored ones are said in test_stored.py"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fill_can_be_said(kind: str) -> None:
    shape, fill = KINDS[kind]
    assert repr(said(fill, shape)) == repr(fill)


NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)
POSITIVE = st.floats(1.0, 1e3)
LEAVES = st.one_of(
    st.builds(fills.Constant, NUMBERS),
    st.builds(fills.Normal, NUMBERS, POSITIVE),
    st.builds(lambda low, more: fills.Uniform(low, low + more), NUMBERS, POSITIVE),
    st.builds(fills.Arange, NUMBERS, NUMBERS, st.integers(0, 1)),
    st.builds(fills.Linspace, NUMBERS, NUMBERS, st.integers(0, 1)),
    st.builds(fills.Orthogonal, NUMBERS),
    st.builds(fills.Sparse, st.floats(0.0, 1.0), POSITIVE),
    st.just(fills.Eye()),
)
BOXES = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(1, 2), st.integers(1, 2))


def _pieces(base: fills.Fill, boxes: list[tuple[tuple[int, ...], fills.Fill]]) -> fills.Fill:
    parts = tuple(fills.Part((i, j), (i + rows, j + columns), fill) for (i, j, rows, columns), fill in boxes)
    return fills.Parts(base, parts)


def _nesting(inner: st.SearchStrategy[fills.Fill]) -> st.SearchStrategy[fills.Fill]:
    return st.one_of(
        st.builds(lambda a, b: fills.Pointwise("add", (a, b)), inner, inner),
        st.builds(lambda a: fills.Pointwise("sqrt", (a,)), inner),
        st.builds(_pieces, inner, st.lists(st.tuples(BOXES, LEAVES), min_size=1, max_size=3)),
        st.builds(fills.Broadcast, st.sampled_from([(0,), (1,), (0, 1)]), LEAVES),
    )


@given(st.recursive(LEAVES, _nesting, max_leaves=5))
def test_fills_in_fills_can_be_said(fill: fills.Fill) -> None:
    assert repr(said(fill, (3, 3))) == repr(fill)


def op(name: str, *operands: Rule) -> Rule:
    return {"pointwise": {"op": name, "operands": list(operands)}}


def number(value: float) -> Rule:
    return {"constant": {"val": value}}


def test_mambas_time_steps_are_a_recipe() -> None:
    """mamba_ssm: dt = exp(rand (log high - log low) + log low), clamped; dt + log(-expm1(-dt))."""
    low, span = math.log(0.001), math.log(0.1) - math.log(0.001)
    step = op("exp", op("add", op("multiply", {"uniform": {}}, number(span)), number(low)))
    step = op("clamp", step, number(1e-4), number(1e30))
    minus = number(-1.0)
    rule = op("add", step, op("log", op("multiply", op("expm1", op("multiply", step, minus)), minus)))
    done = run({"match": {"every": True}, **rule}, inventory=Inventory((tensor("dt_bias", (8,)),)))
    fill = done["dt_bias"].fill
    assert isinstance(fill, fills.Pointwise)
    assert (fill.op, [each.op for each in fill.operands if isinstance(each, fills.Pointwise)]) == (
        "add",
        ["clamp", "log"],
    )
    assert repr(said(fill, (8,))) == repr(fill)
