"""`initium plan --explain`, and rules that decided nothing, as a user reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from initium import cli
from initium.cli.explain import explanation
from initium.v1 import service_pb2 as pb
from initium.v1.fill_pb2 import ConstantFill, Fill
from initium.v1.plan_pb2 import TENSOR_KIND_PARAMETER, PlannedTensor
from tests.client.conftest import RECIPE
from tests.client.fake import FakeServer, rich_error


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    """With rules that decide nothing: the fake server's plan has no tensors."""
    rules = [{"match": {"every": True}, "ones": {}, "optional": True} for _ in range(3)]
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE | {"init": {"rules": rules}}))
    return str(path)


def run(server: FakeServer, *argv: str) -> int:
    return cli.main(["plan", *argv, "--server", server.address])


def test_an_explanation_in_words(server: FakeServer, recipe: str, capsys: Any) -> None:
    assert run(server, recipe, "--explain", "w2") == 0
    assert capsys.readouterr().out.splitlines() == [
        "w1 = w2",
        "  scalar F32 parameter",
        "  ones, by its library's default: no rule matches it",
        "",
        "rules tried for w1, the first match decides",
        "  init.rules[0], ones: match.ndim: ",
        "",
        "rules tried for w2, the first match decides",
        "  init.rules[0] all, ones: so it is",
        "",
        "numbers of ones",
        "  fan = 3",
    ]
    assert run(server, recipe, "--explain", "w2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["trials"][1]["text"] == "so it is"
    assert server.requests[-1].tensor == "w2"


def test_what_decided_or_failed_stands_first() -> None:
    fill = Fill(constant=ConstantFill(value="0x1p+0"))
    fields: dict[str, Any] = {"name": "w", "shape": [2, 3], "dtype": "F32", "kind": TENSOR_KIND_PARAMETER}
    tensor = PlannedTensor(rule="init.rules[1]", rule_name="scales", initializer="ones", fill=fill, **fields)
    assert list(explanation(pb.ExplainResponse(tensor=tensor)))[:3] == [
        "w",
        "  2x3 F32 parameter",
        "  constant(1), by init.rules[1] scales",
    ]
    failed = pb.ExplainResponse(tensor=PlannedTensor(**fields), failure="\n  init.rules: no rule")
    assert list(explanation(failed))[2] == "  no fill: init.rules: no rule"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--all"], "--explain is about one tensor; leave out --all, --match and -o"),
        (["-o", "x"], "--explain is about one tensor"),
        (["--match", "*"], "--explain is about one tensor"),
    ],
)
def test_flags_that_an_explanation_does_not_take(
    server: FakeServer, recipe: str, flags: list[str], said: str, capsys: Any
) -> None:
    assert run(server, recipe, "--explain", "w2", *flags) == 2
    assert said in capsys.readouterr().err


def test_a_plan_and_no_name_cannot_be_explained(server: FakeServer, recipe: str, tmp_path: Path, capsys: Any) -> None:
    assert run(server, recipe, "--explain", "") == 2
    assert "--explain needs the name of a tensor" in capsys.readouterr().err
    plan = str(tmp_path / "plan.json")
    assert run(server, recipe, "-o", plan) == 0
    assert run(server, plan, "--explain", "w2") == 2
    assert "a plan has no rules to explain; use the recipe" in capsys.readouterr().err


def test_rules_that_decided_nothing_say_why(server: FakeServer, recipe: str, capsys: Any) -> None:
    takers = [f"init.rules[{i}]" for i in range(5)]
    server.reaches = [
        pb.RuleReach(path="init.rules[0]"),
        pb.RuleReach(path="init.rules[1]", matched=1, shadowed_by=takers[:1]),
        pb.RuleReach(path="init.rules[2]", matched=12, shadowed_by=takers),
    ]
    assert run(server, recipe) == 0
    first = "the first match decides"
    assert capsys.readouterr().out.splitlines()[-3:] == [
        "init.rules[0] matches no tensor",
        f"init.rules[1] matches 1 tensor, all of which go to init.rules[0]: {first}",
        f"init.rules[2] matches 12 tensors, all of which go to {', '.join(takers[:3])} and others: {first}",
    ]


def test_an_earlier_server_does_not_say_why(server: FakeServer, recipe: str, monkeypatch: Any, capsys: Any) -> None:
    def explain(self: FakeServer, request: Any, context: Any) -> Any:
        context.abort_with_status(rich_error(12, "UNSUPPORTED"))

    monkeypatch.setattr(FakeServer, "explain", explain)
    server.stop()
    earlier = FakeServer({"a.safetensors": b"x"}, server.address + "2")
    try:
        assert run(earlier, recipe) == 0
    finally:
        earlier.stop()
    assert capsys.readouterr().out.splitlines()[-1] == "init.rules[2] decided nothing"
