"""The table of `initium plan`: rows that fold, columns that fit, what each rule decided."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from initium import cli
from initium.cli.coverage import coverage
from initium.cli.fold import fold, ranges
from initium.cli.plan_table import plan_table
from initium.cli.table import fits, wrapped, wrapped_table
from initium.v1.fill_pb2 import ConstantFill, Fill, NormalFill, UniformFill
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, TENSOR_KIND_PARAMETER, Group, Plan, PlannedGroups, PlannedTensor
from initium.v1.recipe_pb2 import Recipe
from tests.client.conftest import RECIPE
from tests.client.fake import FakeServer

ZERO = Fill(constant=ConstantFill(value="0x0p+0"))
NORMAL = Fill(normal=NormalFill(mean="0x0p+0", std="0x1.47ae147ae147bp-6"))
UNIFORM = Fill(uniform=UniformFill(low="-0x1p-4", high="0x1p-4"))


def unfolded(name: str) -> list[str]:
    """The names that a folded name stands for."""
    parts = re.split(r"(\d[\d,/-]*)", name)
    choices = (expanded(part) if i % 2 else [part] for i, part in enumerate(parts))
    return ["".join(each) for each in itertools.product(*choices)]


def expanded(text: str) -> list[str]:
    numbers: list[str] = []
    for part in text.split(","):
        run, _, step = part.partition("/")
        first, _, last = run.partition("-")
        numbers += map(str, range(int(first), int(last or first) + 1, int(step or 1)))
    return numbers


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([3], "3"),
        ([0, 1], "0-1"),
        ([0, 2], "0,2"),
        ([0, 2, 4], "0-4/2"),
        ([0, 1, 2, 5, 7, 9, 11], "0-2,5-11/2"),
        ([1, 4, 5], "1,4-5"),
        ([0, 5, 10, 11], "0-10/5,11"),
    ],
)
def test_ranges(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text
    assert [int(number) for number in expanded(text)] == numbers


@given(st.sets(st.integers(0, 60), min_size=1))
def test_ranges_say_every_number_once(numbers: set[int]) -> None:
    assert [int(number) for number in expanded(ranges(sorted(numbers)))] == sorted(numbers)


NAMES = st.builds("{}.{}.w{}".format, st.sampled_from(["h", "enc.layer3"]), st.integers(0, 12), st.integers(1, 3))


@given(st.dictionaries(NAMES, st.sampled_from("ab"), max_size=40))
def test_a_fold_stands_for_the_same_names_with_the_same_rest(rows: dict[str, str]) -> None:
    folded = fold(rows.items())
    assert sorted((name, key) for each, key, _ in folded for name in unfolded(each)) == sorted(rows.items())
    assert all(count == len(unfolded(each)) for each, _, count in folded)
    firsts = [min(list(rows).index(name) for name in unfolded(each)) for each, _, _ in folded]
    assert firsts == sorted(firsts)


def test_what_folds_and_what_does_not() -> None:
    names = ["stem.0.w", *(f"h.{i}.ln_{j}.w" for i in range(12) for j in (1, 2)), "h.1a.w", "h.01.w", "h.02.w"]
    assert [name for name, _, _ in fold((name, 0) for name in names)] == [
        "stem.0.w",
        "h.0-11.ln_1-2.w",
        "h.1a.w",
        "h.01.w",
        "h.02.w",
    ]


def tensor(name: str, shape: Iterable[int], fill: Fill, ordinal: int, **fields: Any) -> PlannedTensor:
    given: dict[str, Any] = {"dtype": "F32", "kind": TENSOR_KIND_PARAMETER, "trainable": True, "group": 0}
    return PlannedTensor(name=name, shape=shape, fill=fill, ordinal=ordinal, **(given | fields))


def buffer(name: str, shape: Iterable[int], ordinal: int, **fields: Any) -> PlannedTensor:
    return tensor(name, shape, ZERO, ordinal, kind=TENSOR_KIND_BUFFER, trainable=False, group=None, **fields)


RULE = {"rule": "init.rules[0]", "rule_name": "all weights", "initializer": "normal"}


def stack() -> Plan:
    """Six blocks of a weight and a batch norm, as plans have them: by dtype, then by name."""
    tensors = [tensor("stem.weight", [8, 3], NORMAL, 0, **RULE)]
    for i in range(6):
        wide = 8 if i % 2 else 16
        tensors.append(tensor(f"blocks.{i}.weight", [8, 8], NORMAL, 1 + 2 * i, **RULE))
        tensors.append(tensor(f"blocks.{i}.bias", [wide], UNIFORM, 2 + 2 * i))
        tensors.append(buffer(f"blocks.{i}.mean", [wide], 20 + 2 * i))
        tensors.append(buffer(f"blocks.{i}.count", [], 21 + 2 * i, dtype="I64"))
    tensors.sort(key=lambda one: (one.dtype != "I64", one.name))
    return Plan(tensors=tensors, groups=PlannedGroups(groups=[Group(name="everything that is trained")]))


def lines(plan: Plan, width: int | None = None, every: bool = False) -> list[str]:
    return list(plan_table(plan, plan.tensors, width, every))


def test_equal_rows_fold_in_the_models_order_with_buffers_behind() -> None:
    shown = [re.split("  +", line) for line in lines(stack())]
    assert [row[0] for row in shown] == [
        "tensor",
        "stem.weight",
        "blocks.0-5.weight",
        "blocks.0-4/2.bias",
        "blocks.1-5/2.bias",
        "**.mean",
        "blocks.0-5.count",
        "25 tensors in 6 rows; --all shows each; `0-10/2` is every second from 0 to 10",
    ]
    rule = "init.rules[0] all weights: normal"
    group = "0 everything that is trained"
    assert shown[2] == ["blocks.0-5.weight", "8x8", "F32", rule, "normal(mean=0, std=0.02)", group]
    assert shown[5] == ["**.mean", "2 shapes", "F32", "library default", "constant(0)", "-"]
    assert shown[6][1:3] == ["scalar", "I64"]


def test_all_shows_each_in_the_models_order() -> None:
    shown = lines(stack(), every=True)
    assert len(shown) == 1 + 25
    assert [line.split()[0] for line in shown[1:6]] == [
        *("stem.weight", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias")
    ]
    assert shown[-1].startswith("blocks.5.count ")


def test_fills_that_look_alike_do_not_fold() -> None:
    plan = stack()
    last = next(one for one in plan.tensors if one.name == "blocks.5.weight")
    last.fill.normal.std = "0x1.47ae147ae147cp-6"
    assert [line.split()[0] for line in lines(plan) if ".weight" in line][1:] == [
        *("blocks.0-4.weight", "blocks.5.weight")
    ]


def test_a_terminal_gets_lines_that_fit_with_every_cell_under_its_header() -> None:
    for width in (120, 90, 80, 60):
        shown = lines(stack(), width)
        assert max(map(len, shown[:-2])) <= width
        place = shown[0].index("fill")
        assert {line[place:].split("(")[0] for line in shown[1:7]} == {"normal", "uniform", "constant"}
    assert shown[0].split() == ["tensor", "shape", "rule", "fill", "group"]
    assert shown[2].split() == ["blocks.0-5.weight", "8x8", "0", "normal(0,", "0.02)", "0"]
    assert shown[6].split()[:3] == ["blocks.0-5.count", "scalar", "I64"]
    assert shown[7] == "dtype F32 where none is said"


def test_columns_without_content_are_left_out_where_room_is_scarce() -> None:
    plan = Plan(tensors=[tensor("a" * 50, [2], UNIFORM, 0, group=None, trainable=False)])
    assert lines(plan, 76)[0].split() == ["tensor", "shape", "fill", "group"]
    assert lines(plan, 76)[1].split()[2:] == ["uniform(±0.0625)", "frozen"]
    plan.tensors[0].trainable = True
    assert lines(plan, 76)[0].split() == ["tensor", "shape", "fill"]


def test_long_names_go_on_in_the_next_line() -> None:
    plan = Plan(tensors=[tensor("encoder.layers.encoder_layer_0.self_attention.weight", [2, 2], NORMAL, 0, group=None)])
    assert lines(plan, 50)[1:4] == [
        "encoder.layers.             2x2    normal(0, 0.02)",
        " encoder_layer_0.",
        " self_attention.weight",
    ]


@given(st.text("ab. ,5", max_size=60), st.integers(5, 30))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    shown = wrapped(text, width)
    assert all(len(line) <= width for line in shown)
    assert "".join(shown).replace(" ", "") == text.replace(" ", "")


def test_wrapped_tables_keep_to_the_width() -> None:
    header, rows = ("name", "x", "what"), [("a.b." * 20, "12345", "some words " * 9)]
    assert not fits(header, rows, 60)
    shown = list(wrapped_table(header, rows, 60, 0, 2))
    assert max(map(len, shown)) <= 60
    assert "".join(line.split()[0] for line in shown[1:]).startswith("a.b.")
    assert sum(line.count("some") for line in shown) == 9


def test_under_generator_torch_the_rule_is_the_fill() -> None:
    rules = {"rules": [{"match": {"every": True}, "kaiming_normal": {"mode": "fan_out"}}]}
    plan = Plan(generator="torch", recipe=json_format.ParseDict({"init": rules}, Recipe()))
    plan.tensors.add(name="a", rule="init.rules[0]", initializer="kaiming_normal", dtype="F32")
    plan.tensors.add(name="b", dtype="F32", ordinal=1)
    plan.tensors.add(name="c", rule="init.preset[gpt2].rules[0]", initializer="normal", dtype="F32", ordinal=2)
    shown = [re.split("  +", line) for line in lines(plan)]
    assert shown[1][4] == "kaiming_normal(mode=fan_out)"
    assert shown[2][3:5] == ["library default", "library default"]
    assert shown[3][3:5] == ["init.preset[gpt2].rules[0]: normal", "normal"]


def test_coverage_counts_what_each_rule_decided() -> None:
    rules = [{"match": {"every": True}, "normal": {}, "name": "all weights"}, {"ones": {}, "optional": True}]
    recipe = json_format.ParseDict({"init": {"rules": rules}}, Recipe())
    rows = [re.split("  +", line) for line in coverage(stack(), recipe)]
    assert rows == [
        ["rule", "tensors", "elements", "initializer"],
        ["init.rules[0] all weights", "7", "408", "normal"],
        ["init.rules[1]", "0", "0", "ones"],
        ["library default", "6", "72", "-"],
        ["library default of buffers", "12", "78", "-"],
    ]
    assert [row[0] for row in map(str.split, coverage(stack(), None))] == [
        "rule",
        "init.rules[0]",
        "library",
        "library",
    ]


@pytest.fixture
def planned(make_server: Any, tmp_path: Path) -> FakeServer:
    server: FakeServer = make_server(tensors=list(stack().tensors), groups=stack().groups)
    (tmp_path / "recipe.json").write_text(str(RECIPE).replace("'", '"'))
    return server


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (["--match", "stem.*"], ["stem.weight"]),
        (["--match", "blocks.[0]", "--match", "stem.weight"], None),
        (["--match", "*.weight"], ["stem.weight"]),
        (["--match", "**.weight"], ["stem.weight", "blocks.0-5.weight"]),
        (
            ["--match", "blocks.?.weight", "--match", "stem.**", "--all"],
            ["stem.weight", *(f"blocks.{i}.weight" for i in range(6))],
        ),
    ],
)
def test_match_filters_by_globs(
    planned: FakeServer, flags: list[str], names: list[str] | None, tmp_path: Path, capsys: Any
) -> None:
    code = cli.main(["plan", str(tmp_path / "recipe.json"), *flags, "--server", planned.address])
    out, err = capsys.readouterr()
    if names is None:
        assert code == 2
        assert "--match 'blocks.[0]' fits no tensor of this plan" in err
    else:
        assert code == 0
        assert [line.split()[0] for line in out.splitlines()[1 : 1 + len(names)]] == names
        assert "\ntensors    25\n" in out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--match", "stem.wieght"], "did you mean stem.weight?"),
        (["--match", "stem*"], "a glob fits a whole name: `*` is any text without a dot"),
        (["--match", "stem.*", "--json"], "--all and --match are for the table; JSON has every tensor"),
        (["--all", "-o", "-"], "--all and --match are for the table"),
    ],
)
def test_filters_that_cannot_be(planned: FakeServer, flags: list[str], said: str, tmp_path: Path, capsys: Any) -> None:
    assert cli.main(["plan", str(tmp_path / "recipe.json"), *flags, "--server", planned.address]) == 2
    assert said in capsys.readouterr().err


def test_columns_of_the_environment_are_heeded(
    planned: FakeServer, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    command = ["plan", str(tmp_path / "recipe.json"), "--server", planned.address]
    for columns, most in (("72", 72), ("", 200)):
        monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
        assert cli.main(command) == 0
        first = capsys.readouterr().out.splitlines()[1]
        assert (len(first) <= 72) == (most == 72)
