"""Digests of small tensors: the bytes that every later release, backend and language must give."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import pytest

from initium_server.core.fills import Constant, Dirac, Eye, Fill, Normal, Part, Parts, TruncNormal, Uniform
from initium_server.law import prepare

from .support import draw

VECTORS = Path(__file__).parent / "vectors" / "digests.txt"
FILLS = {kind.__name__: kind for kind in (Constant, Dirac, Eye, Normal, Part, Parts, TruncNormal, Uniform)}


def fill_of(node: ast.expr) -> Fill:
    """A fill from its written form, `Normal(0.0, 0.02)`."""
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    nested = {ast.Call: fill_of, ast.Tuple: lambda t: tuple(map(argument, t.elts))}

    def argument(part: ast.expr) -> object:
        return nested.get(type(part), ast.literal_eval)(part)

    return FILLS[node.func.id](*map(argument, node.args))


def lines() -> list[list[str]]:
    text = VECTORS.read_text().splitlines()
    return [[field.strip() for field in line.split("|")] for line in text if not line.startswith("#")]


@pytest.mark.parametrize("line", lines(), ids=lambda line: f"{line[3]}-{line[2]}")
def test_golden_digests(line: list[str]) -> None:
    """Promise 11 (stable): the bytes of a published law never change."""
    seed, name, dtype, fill, shape, expected = line
    drawer = prepare(fill_of(ast.parse(fill, mode="eval").body), int(seed), name, ast.literal_eval(shape), dtype)
    assert hashlib.sha256(draw(drawer, 0, drawer.elements)).hexdigest() == expected
