"""`initium diff`: what differs, what does not, and the exit code that says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from initium import cli
from initium.cli.comparison import Side, plan_differences, tensor_differences
from initium.contract.canonical import seal
from initium.contract.plans import write_plan
from initium.v1.fill_pb2 import ConstantFill, Fill, NormalFill
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, TENSOR_KIND_PARAMETER, Plan
from tests.client.conftest import RECIPE
from tests.client.fake import FakeServer
from tests.disk.checkpoints import write_checkpoint


def made(change: Callable[[Plan], object] = lambda plan: None) -> Plan:
    """A plan of three blocks and a head, changed."""
    plan = Plan(plan_version=1, generator="stream-v1", seed=1)
    names = sorted(["head.weight", *(f"h.{i}.weight" for i in range(3)), "mean"])
    for ordinal, name in enumerate(names):
        fill = Fill(normal=NormalFill(mean="0x0p+0", std="0x1p-4"))
        kind = TENSOR_KIND_BUFFER if name == "mean" else TENSOR_KIND_PARAMETER
        plan.tensors.add(
            name=name, shape=[4, 3], dtype="F32", fill=fill, kind=kind, ordinal=ordinal, trainable=name != "mean"
        )
    plan.groups.optimizer = "SGD"
    group = plan.groups.groups.add(name="all", tensors=names[:-1])
    group.options.update({"lr": 0.5})
    for tensor in plan.tensors[:-1]:
        tensor.group = 0
    change(plan)
    return plan


def differences(change: Callable[[Plan], object]) -> tuple[list[Any], list[Any]]:
    one, other = Side(made()), Side(made(change))
    return list(plan_differences(one, other)), list(tensor_differences(one, other))


def first(plan: Plan) -> Any:
    return plan.tensors[0]


def options(plan: Plan) -> None:
    plan.groups.groups[0].options.update({"lr": 2})


def freeze(plan: Plan) -> None:
    first(plan).ClearField("group")
    first(plan).trainable = False


H0 = "h.0.weight"
CHANGES: list[tuple[Callable[[Plan], object], list[Any], list[Any]]] = [
    (lambda plan: None, [], []),
    (lambda plan: setattr(plan, "seed", 2), [("seed", "1", "2")], []),
    (lambda plan: setattr(plan, "max_shard_bytes", 9), [("max_shard_bytes", "", "9")], []),
    (lambda plan: setattr(plan.groups, "optimizer", "Adam"), [("optimizer", "SGD", "Adam")], []),
    (lambda plan: plan.environment.update({"torch": "2"}), [("environment torch", "", "2")], []),
    (
        lambda plan: plan.files.add(name="config.json", content=b"{}"),
        *([("config.json", "", "SHA-256 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")], []),
    ),
    (lambda plan: first(plan).shape.append(1), [], [(H0, ("shape", "4x3", "4x3x1"))]),
    (lambda plan: setattr(first(plan), "dtype", "F16"), [], [(H0, ("dtype", "F32", "F16"))]),
    (lambda plan: first(plan).aliases.append("x"), [], [(H0, ("names", H0, f"{H0} = x"))]),
    (freeze, [], [(H0, ("group", "all lr=0.5", "frozen"))]),
    (
        options,
        [],
        [(name, ("group", "all lr=0.5", "all lr=2.0")) for name in (H0, "h.1.weight", "h.2.weight", "head.weight")],
    ),
    (
        lambda plan: first(plan).fill.CopyFrom(Fill(constant=ConstantFill(value="0x0p+0"))),
        *([], [(H0, ("fill", "normal(mean=0, std=0.0625)", "constant(0)"))]),
    ),
    (
        lambda plan: setattr(first(plan).fill.normal, "std", "0x1.0000000000001p-4"),
        [],
        [
            (
                H0,
                (
                    "fill",
                    'normal { mean: "0x0p+0" std: "0x1p-4" }',
                    'normal { mean: "0x0p+0" std: "0x1.0000000000001p-4" }',
                ),
            )
        ],
    ),
    (
        lambda plan: setattr(first(plan), "name", "new"),
        [],
        [
            (H0, ("tensor", "4x3 F32 normal(mean=0, std=0.0625)", "")),
            ("new", ("tensor", "", "4x3 F32 normal(mean=0, std=0.0625)")),
        ],
    ),
    (lambda plan: first(plan).resolved.update({"fan": "3"}), [], []),
    (lambda plan: plan.versions.update({"torch": "2"}), [], []),
]


@pytest.mark.parametrize(("change", "facts", "tensors"), CHANGES)
def test_what_differs(change: Callable[[Plan], object], facts: list[Any], tensors: list[Any]) -> None:
    assert differences(change) == (facts, tensors)


def test_under_generator_torch_initializers_are_compared() -> None:
    def torch(std: float) -> Plan:
        plan = Plan(generator="torch")
        plan.recipe.init.rules.add().normal.std = std
        plan.tensors.add(name="x", rule="init.rules[0]", initializer="normal")
        return plan

    one, other = Side(torch(1)), Side(torch(2))
    assert list(tensor_differences(one, other)) == [("x", ("fill", "normal(std=1.0)", "normal(std=2.0)"))]
    assert list(tensor_differences(one, one)) == []


def run(*argv: object) -> int:
    return cli.main(["diff", *map(str, argv)])


def test_two_checkpoints_are_compared_by_their_bytes(tmp_path: Path, capsys: Any) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for directory in (one, other):
        directory.mkdir()
        write_checkpoint(directory)
    assert run(one, other) == 0
    assert capsys.readouterr().out == "equal: 3 tensors, by their fills and bytes\n"
    file = other / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert run(one, other, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["equal"], answer["plan"]) == (False, [])
    assert [(each["name"], each["what"]) for each in answer["tensors"]] == [("bytes", "bytes")]
    assert run(one, other) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 3 common tensors differ; 0 only in A, 0 only in B"
    file.unlink()
    assert run(one, other) == 1
    assert "model.safetensors: cannot be read: No such file" in capsys.readouterr().err
    assert run(one, tmp_path) == 1
    assert "an unfinished checkpoint has none" in capsys.readouterr().err


def test_plans_and_recipes_are_compared_and_rows_fold(server: FakeServer, tmp_path: Path, capsys: Any) -> None:
    one, other, recipe = tmp_path / "one.json", tmp_path / "other.json", tmp_path / "recipe.json"

    def change(plan: Plan) -> None:
        for tensor in plan.tensors[:3]:
            tensor.dtype = "BF16"

    write_plan(seal(made()), one)
    write_plan(seal(made(change)), other)
    assert run(one, other) == 1
    assert capsys.readouterr().out.splitlines() == [
        "tensor        what   A    B",
        "h.0-2.weight  dtype  F32  BF16",
        "3 of 5 common tensors differ; 0 only in A, 0 only in B",
    ]
    assert run(one, other, "--all") == 1
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert run(one, copy.copy(one)) == 0
    assert capsys.readouterr().out == "equal: 5 tensors, by their fills\n"
    recipe.write_text(json.dumps(RECIPE))
    assert run(recipe, one, "--server", server.address) == 1
    assert "0 of 0 common tensors differ; 0 only in A, 5 only in B" in capsys.readouterr().out
    assert run(recipe, recipe, "--server", server.address, "--seed", "3") == 0
    assert [request.source.recipe.seed for request in server.requests[-2:]] == [3, 3]


def test_both_cannot_be_stdin(capsys: Any) -> None:
    assert run("-", "-") == 2
    assert "only one of the two can be stdin" in capsys.readouterr().err
