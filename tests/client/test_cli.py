"""The command, as a user sees it: exit codes, streams, and words."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import initium
from initium import cli, embedded
from initium.cli import words
from initium.cli.table import table
from initium.v1.plan_pb2 import ConstantFill, Fill, NormalFill, Part, PartsFill, UniformFill
from tests.client.conftest import RECIPE
from tests.client.fake import FakeServer, Faults, rich_error


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    return str(path)


def run(*argv: str) -> int:
    return cli.main([str(word) for word in argv])


@pytest.mark.parametrize("command", ["serve", "inventory", "plan", "generate", "verify", "capabilities"])
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    out = capsys.readouterr().out
    assert f"examples:\n  initium {command}" in out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["nonsense"],
        ["plan"],
        ["plan", "x.yaml", "--unknown"],
        ["plan", "x.yaml", "--seed", "-1"],
        ["plan", "x.yaml", "--seed", "18446744073709551616"],
        ["plan", "x.yaml", "--threads", "0"],
        ["generate", "x.yaml"],
        ["plan", "missing.yaml"],
        ["plan", "missing.yaml", "--server", "x:1", "--device", "cpu"],
        ["verify", "x", "--server", "x:1"],
    ],
)
def test_usage_and_bad_input_are_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "error: " in captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"initium {initium.__version__}\n"


def test_plan_generate_and_verify(server: FakeServer, recipe: str, tmp_path: Path, capsys: Any) -> None:
    plan, out = tmp_path / "plan.json", tmp_path / "out"
    assert run("plan", recipe, "-o", str(plan), "--server", server.address) == 0
    captured = capsys.readouterr()
    assert f"digest     {server.plan.plan_digest}" in captured.out
    assert captured.err == f"wrote {plan}\n"
    assert initium.read_plan(plan) == server.plan
    assert run("generate", str(plan), "-o", str(out), "--server", server.address, "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["plan_digest"] == server.plan.plan_digest
    assert [file["name"] for file in summary["files"]] == [file.name for file in server.plan.files]
    assert run("verify", str(out), "--json") == 0
    assert json.loads(capsys.readouterr().out)["ok"]
    assert run("verify", str(out), "--redraw", "--server", server.address) == 0
    (out / "config.json").write_text("[]")
    assert run("verify", str(out)) == 1
    assert "config.json: has digest" in capsys.readouterr().err
    assert run("verify", str(out), "--json") == 1
    assert json.loads(capsys.readouterr().out)["differences"][0]["file"] == "config.json"
    assert run("generate", str(plan), "-o", str(out), "--server", server.address) == 1
    assert "is not empty" in capsys.readouterr().err
    assert run("plan", str(plan), "--seed", "9", "--server", server.address) == 2


def test_seed_replaces_the_recipes(server: FakeServer, recipe: str) -> None:
    assert run("plan", recipe, "--seed", "0x10", "--server", server.address) == 0
    assert server.requests[-1].source.recipe.seed == 16


def test_stdin(server: FakeServer, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(RECIPE).encode())))
    assert run("plan", "-", "--server", server.address) == 0


def test_violations_come_one_a_line(server: FakeServer, recipe: str, capsys: Any) -> None:
    server.faults = Faults(error=rich_error(3, "INVALID_RECIPE", "", (("seed", "bad"), ("dtype", "worse"))))
    assert run("plan", recipe, "--server", server.address) == 2
    assert capsys.readouterr().err == "error: the server refuses the request\n  seed: bad\n  dtype: worse\n"


def test_capabilities(server: FakeServer, capsys: Any) -> None:
    assert run("capabilities", "--server", server.address) == 0
    assert capsys.readouterr().out == "server_version: fake\ndevice: none\n"
    assert run("capabilities", "--server", server.address, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"server_version": "fake", "device": "none"}


def test_a_closed_pipe_is_no_traceback(server: FakeServer, recipe: str) -> None:
    command = [sys.executable, "-m", "initium.cli", "plan", recipe, "--server", server.address]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 1
    assert "Traceback" not in errors
    assert "Exception" not in errors


def test_serve_becomes_the_server(monkeypatch: Any) -> None:
    class Replaced(Exception):
        pass

    def execv(path: str, command: list[str]) -> None:
        raise Replaced(*command[1:])

    monkeypatch.setattr("os.execv", execv)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    with pytest.raises(Replaced) as caught:
        run("serve", "--threads", "3", "--grace", "5")
    assert caught.value.args == ("-P", "-m", "initium_server", "serve", "--threads", "3", "--grace", "5")


def test_a_missing_server_is_told(monkeypatch: Any, recipe: str, capsys: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("plan", recipe) == 2
    assert "pip install 'initium[server]'" in capsys.readouterr().err
    assert run("serve") == 2


def test_a_local_server_that_dies_shows_its_last_words(monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(embedded, "_flags", lambda *_: ["--no-such-flag"])
    with pytest.raises(initium.ServerError, match=r"ended with exit code \d+; its last words:\n"), initium.local():
        raise AssertionError("it started")


FILLS = {
    "normal(0, 0.02)": Fill(normal=NormalFill(mean="0x0p+0", std="0x1.47ae147ae147bp-6")),
    "uniform(-1, 1)": Fill(uniform=UniformFill(low="-0x1p+0", high="0x1p+0")),
    "constant(0.333333)": Fill(constant=ConstantFill(value="0x1.5555555555555p-2")),
    "": Fill(),
}


@pytest.mark.parametrize("text", FILLS)
def test_fills_in_words(text: str) -> None:
    assert words.fill(FILLS[text]) == text


def test_parts_in_words() -> None:
    part = Part(start=[0, 0], stop=[1, 8], fill=Fill(constant=ConstantFill(value="0x0p+0")))
    fill = Fill(parts=PartsFill(base=FILLS["normal(0, 0.02)"], parts=[part]))
    assert words.fill(fill) == "normal(0, 0.02) but [0:1,0:8] constant(0)"


def test_tables_keep_control_characters_from_the_terminal() -> None:
    assert list(table(("a", "b"), [("x\x1b[31m", ""), ("yy", "z")])) == ["a       b", "x\ufffd[31m  -", "yy      z"]
