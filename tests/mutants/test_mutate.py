"""The bugs that are planted are bugs, and tests that notice one are told from tests that do not."""

from __future__ import annotations

import ast
from pathlib import Path

from .mutate import mutants
from .run import survives

SOURCE = '''
"""Words."""
from typing import TypeVar
T = TypeVar("T")
Pair = tuple[int, int]
__all__ = ["f"]

def f(x: "int", *, y: int = 3) -> bool:
    """More words."""
    if x < y and not g("a key", "key"):
        raise ValueError(f"{x} is {y + 1}")
    log("message with words")
    return x is not None
'''


def test_every_kind_of_bug_is_planted_once_and_words_are_left_alone() -> None:
    changes = [(mutant.line, mutant.change) for mutant in mutants(SOURCE)]
    assert changes == [
        (8, "3 -> 4"),
        (10, "And -> Or"),
        (10, "Lt -> LtE"),
        (10, "not removed"),
        (10, "'key' changed"),
        (11, "raise removed"),
        (12, "call removed"),
        (13, "returns None"),
        (13, "IsNot -> Is"),
    ]
    sources = [ast.unparse(mutant.plant()) for mutant in mutants(SOURCE)]
    assert len(set(sources)) == len(sources)
    assert ast.unparse(ast.parse(SOURCE)) not in sources


def test_a_mutant_is_noticed_by_the_test_that_is_about_it(tmp_path: Path) -> None:
    module, test = tmp_path / "planted_toy.py", tmp_path / "test_toy.py"
    module.write_text("def double(x):\n    return 2 * x\n")
    test.write_text("import planted_toy\n\ndef test_it():\n    assert planted_toy.double(2) == 4\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (tmp_path / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('mutants', database=None)\n"
    )
    tests = [f"--rootdir={tmp_path}", f"--confcutdir={tmp_path}", "-c", str(tmp_path / "pytest.ini"), str(test)]
    alive = {
        mutant.change: survives("planted_toy", module, compile(mutant.plant(), module, "exec"), tests, 60)
        for mutant in mutants(module.read_text())
    }
    assert alive == {"returns None": False, "Mult -> FloorDiv": False, "2 -> 3": False}
    assert survives("planted_toy", module, None, tests, 60)
