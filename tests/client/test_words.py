"""Fills as the command writes them, and the table that they stand in."""

from __future__ import annotations

import pytest

from initium.cli import words
from initium.cli.table import table
from initium.v1.fill_pb2 import ConstantFill, CopyFill, Fill, NormalFill, Part, PartsFill, PointwiseFill, UniformFill

FILLS = {
    "add(1)": Fill(pointwise=PointwiseFill(op="add", operands=[Fill(constant=ConstantFill(value="0x1p+0"))])),
    "copy(name=fc.dead, fill=constant(0))": Fill(
        copy=CopyFill(name="fc.dead", fill=Fill(constant=ConstantFill(value="0x0p+0")))
    ),
    "normal(mean=0, std=0.02)": Fill(normal=NormalFill(mean="0x0p+0", std="0x1.47ae147ae147bp-6")),
    "uniform(low=-1, high=1)": Fill(uniform=UniformFill(low="-0x1p+0", high="0x1p+0")),
    "constant(0.333333)": Fill(constant=ConstantFill(value="0x1.5555555555555p-2")),
    "": Fill(),
}


@pytest.mark.parametrize("text", FILLS)
def test_fills_in_words(text: str) -> None:
    assert words.fill(FILLS[text]) == text


def pointwise(op: str, *operands: Fill | str) -> Fill:
    of = [Fill(constant=ConstantFill(value=x)) if isinstance(x, str) else x for x in operands]
    return Fill(pointwise=PointwiseFill(op=op, operands=of))


ONE, U = "0x1p+0", FILLS["uniform(low=-1, high=1)"]
ARITHMETIC = {
    "uniform(low=-1, high=1) * 1 + 1": pointwise("add", pointwise("multiply", U, ONE), ONE),
    "1 + exp(uniform(low=-1, high=1))": pointwise("add", ONE, pointwise("exp", U)),
    "(uniform(low=-1, high=1) + 1) * 1": pointwise("multiply", pointwise("add", U, ONE), ONE),
    "1 / (uniform(low=-1, high=1) / 1)": pointwise("divide", ONE, pointwise("divide", U, ONE)),
    "1 + (1 + 1) + 1": pointwise("add", pointwise("add", ONE, pointwise("add", ONE, ONE)), ONE),
    "clamp(uniform(low=-1, high=1), 1, 1)": pointwise("clamp", U, ONE, ONE),
}


@pytest.mark.parametrize("text", ARITHMETIC)
def test_functions_are_written_as_arithmetic_is(text: str) -> None:
    assert words.fill(ARITHMETIC[text]) == text


def test_parts_in_words() -> None:
    part = Part(start=[0, 0], stop=[1, 8], fill=Fill(constant=ConstantFill(value="0x0p+0")))
    fill = Fill(parts=PartsFill(base=FILLS["normal(mean=0, std=0.02)"], parts=[part]))
    assert words.fill(fill) == "parts(base=normal(mean=0, std=0.02), parts=[(0:1,0:8) constant(0)])"


def test_tables_keep_control_characters_from_the_terminal() -> None:
    assert list(table(("a", "b"), [("x\x1b[31m", ""), ("yy", "z")])) == ["a       b", "x\ufffd[31m  -", "yy      z"]
