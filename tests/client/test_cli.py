"""The command, as a user sees it: exit codes, streams, and words."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import initium
from initium import cli
from initium.cli import capabilities
from initium.cli.progress import progress
from initium.client import local_server
from initium.contract.leaves import LEAF
from initium.contract.recipe import load
from initium.v1 import service_pb2 as pb
from initium.v1.fill_pb2 import Fill, Part, PartsFill, UniformFill
from tests.client.conftest import FILES, RECIPE
from tests.client.fake import FakeServer, Faults, rich_error


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(RECIPE))
    return str(path)


def run(*argv: str) -> int:
    return cli.main([str(word) for word in argv])


@pytest.mark.parametrize(
    "command", ["capture", "inventory", "plan", "generate", "verify", "diff", "capabilities", "schema", "completion"]
)
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    out = capsys.readouterr().out
    assert re.search(rf"examples:\n.*initium {command}", out)


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


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["plna"], "there is no command 'plna'; did you mean 'plan'? commands: serve, "),
        (
            ["--verson"],
            "there is no argument '--verson' before the command; did you mean --version? see",
        ),
        (["--json", "plan"], "there is no argument '--json' before the command; write it behind; see `initium --help`"),
        (["plan", "x", "--sed", "3"], "there is no argument '--sed'; did you mean --seed? see `initium plan --help`"),
        (["plan", "x", "y"], "there is no argument 'y'; see `initium plan --help`"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
        (["generate", "a b/x.y.yaml"], "For example: initium generate 'a b/x.y.yaml' -o x/\n"),
        (["generate", "-", "--seed", "3"], "For example: initium generate - --seed 3 -o checkpoint/\n"),
        (["generate", "resnet50"], "For example: initium generate resnet50 -o checkpoint/\n"),
        (["generate", "./.yaml"], "For example: initium generate ./.yaml -o yaml/\n"),
        (["generate", "x", "-o", "/dev/null"], "argument -o/--output: '/dev/null' is no directory"),
        (["verify", "/dev/null"], "argument DIR: '/dev/null' is no directory"),
        ([], "usage: initium [-h]"),
    ],
)
def test_wrong_usage_is_told_the_right(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "code", "printed"),
    [
        ([], 0, "resnet18\nresnet50\nvgg11\n"),
        (["50"], 0, "resnet50\n"),
        (["vit"], 1, ""),
        (["--json"], 0, '["resnet18", "resnet50", "vgg11"]\n'),
    ],
)
def test_models_are_listed_line_by_line(
    server: FakeServer, argv: list[str], code: int, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As grep does, it says by its exit code whether there is one."""
    assert run("models", "torchvision", *argv, "--server", server.address) == code
    assert "".join(capsys.readouterr().out.split()) == "".join(printed.split())


ERROR = {
    "type": "RequestError",
    "reason": "INVALID_REQUEST",
    "message": "there is no argument '--sed'; did you mean --seed? see `initium plan --help`",
    "violations": [],
    "metadata": {},
    "retryable": False,
}


def test_errors_are_json_beside_their_words(server: FakeServer, recipe: str, tmp_path: Path, capsys: Any) -> None:
    assert run("plan", recipe, "--json", "--sed") == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": ERROR}
    assert captured.err == f"error: {ERROR['message']}\n"
    fields = (("seed", "bad"), ("dtype", "worse"))
    server.faults = Faults(error=rich_error(3, "INVALID_RECIPE", "", fields))
    for line in (["plan", recipe], ["inventory", recipe], ["generate", recipe, "-o", str(tmp_path / "x")]):
        assert run(*line, "--json", "--server", server.address) == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error.keys() == ERROR.keys()
        assert error["type"] == "RecipeError"
        assert error["violations"] == [{"field": field, "message": message} for field, message in fields]
    assert run("verify", str(tmp_path), "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "ManifestError"


def test_a_server_that_is_away_is_worth_a_retry(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr("initium.client.rpc.FIRST_CONTACT", 0.1)
    assert run("capabilities", "--server", "127.0.0.1:1", "--json") == 1
    assert json.loads(capsys.readouterr().out)["error"]["retryable"]


ASK = {
    "bash": "COMP_WORDS=({line} ''); COMP_CWORD={last}; _initium; printf '%s\\n' ${{COMPREPLY[@]}}",
    "fish": "complete -C '{line}'",
}
"""How to have a shell complete a line whose last word has this index."""


@pytest.mark.parametrize("shell", ASK)
def test_shells_complete_commands_and_flags(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    assert run("completion", shell) == 0
    script = capsys.readouterr().out
    offers = {
        "initium ver": ["verify"],
        "initium plan x.yaml --se": ["--seed", "--server"],
        "initium serve --list": ["--listen"],
        "initium completion ": ["bash", "fish", "zsh"],
    }
    for line, expected in offers.items():
        text = script + ASK[shell].format(line=line, last=line.count(" "))
        done = subprocess.run([shell, "-c", text], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(offer.split("\t")[0] for offer in done.stdout.splitlines()) == expected


def test_zsh_takes_the_script_of_bash(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("completion", "bash") == run("completion", "zsh") == 0
    out = capsys.readouterr().out
    bash, _, zsh = out.partition("autoload -Uz compinit bashcompinit && compinit && bashcompinit\n")
    assert bash == zsh


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"initium {initium.__version__}\n"


EXTRA = ("seconds", "tensor_digests")
"""What `generate --json` says beyond what every checkpoint has."""


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
    assert json.loads(capsys.readouterr().out) == {key: summary[key] for key in summary if key not in EXTRA}
    assert run("verify", str(out), "--redraw", "--server", server.address) == 0
    (out / "config.json").write_text("[]")
    assert run("verify", str(out)) == 1
    assert "config.json: has digest" in capsys.readouterr().err
    assert run("verify", str(out), "--json") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["type"], error["violations"][0]["field"]) == ("VerifyError", "config.json")
    assert run("generate", str(plan), "-o", str(out), "--server", server.address) == 1
    assert "is not empty" in capsys.readouterr().err
    assert run("plan", str(plan), "--seed", "9", "--server", server.address) == 2


def test_seed_replaces_the_recipes(server: FakeServer, recipe: str) -> None:
    assert run("plan", recipe, "--seed", "0x10", "--server", server.address) == 0
    assert server.requests[-1].source.recipe.seed == 16


def test_stdin(server: FakeServer, recipe: str, monkeypatch: Any) -> None:
    for text, code in ((json.dumps(RECIPE), 0), (recipe, 2)):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
        assert run("plan", "-", "--server", server.address) == code


def test_the_plan_to_stdout(server: FakeServer, recipe: str, tmp_path: Path, capsys: Any) -> None:
    assert run("plan", recipe, "-o", "-", "--server", server.address) == 0
    out = capsys.readouterr().out
    initium.write_plan(server.plan, tmp_path / "plan.json")
    assert out == (tmp_path / "plan.json").read_text() + "\n"


def test_violations_come_one_a_line(server: FakeServer, recipe: str, capsys: Any) -> None:
    server.faults = Faults(error=rich_error(3, "INVALID_RECIPE", "", (("seed", "bad"), ("dtype", "worse"))))
    assert run("plan", recipe, "--server", server.address) == 2
    assert capsys.readouterr().err == "error: the recipe is not valid\n  seed: bad\n  dtype: worse\n"


def test_capabilities(server: FakeServer, capsys: Any) -> None:
    assert run("capabilities", "--server", server.address) == 0
    assert capsys.readouterr().out == "server_version: fake\ndevice: none\n"
    listed = {"roles": ["norm", "head"], "presets": [{"name": "gpt2", "text": "rules: []"}, {"name": "llama"}]}
    assert list(capabilities._lines(listed)) == ["roles: norm, head", "presets: gpt2, llama"]
    assert run("capabilities", "--server", server.address, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"server_version": "fake", "device": "none"}


def test_a_preset_is_shown_with_its_rules(server: FakeServer, monkeypatch: Any, capsys: Any) -> None:
    answer = pb.GetCapabilitiesResponse(presets=[{"name": "gpt2", "text": "# GPT-2\nrules: []\n"}])
    monkeypatch.setattr(initium.Client, "capabilities", lambda _: answer)
    assert run("capabilities", "gpt2", "--server", server.address) == 0
    assert capsys.readouterr().out == "# GPT-2\nrules: []\n"
    assert run("capabilities", "gpt2", "--server", server.address, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"name": "gpt2", "text": "# GPT-2\nrules: []\n"}
    assert run("capabilities", "gtp2", "--server", server.address) == 2
    assert capsys.readouterr().err == "error: recipes have no word 'gtp2'; did you mean 'gpt2'?\n"


def test_integers_are_numbers_in_what_only_the_command_prints(
    server: FakeServer, recipe: str, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    out = tmp_path / "out"
    assert run("generate", recipe, "-o", str(out), "--server", server.address, "--json") == 0
    assert [file.get("size", 0) for file in json.loads(capsys.readouterr().out)["files"]] == [*map(len, FILES.values())]
    assert json.loads((out / "manifest.json").read_text())["files"][0]["size"] == str(len(FILES["a.safetensors"]))
    part = Part(start=[0], stop=[8], fill=Fill(uniform=UniformFill(low="-0x1p+0", high="0x1p+0")))
    tensor = pb.InventoryTensor(name="x", shape=[3, 4], default_fill=Fill(parts=PartsFill(parts=[part])))
    monkeypatch.setattr(initium.Client, "inventory", lambda *_: [tensor])
    assert run("inventory", recipe, "--server", server.address, "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["shape"] == [3, 4]
    assert shown["default_fill"]["parts"]["parts"][0]["stop"] == [8]
    assert run("plan", recipe, "--json", "--server", server.address) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [file.get("size", 0) for file in plan["files"]] == [*map(len, FILES.values())]
    assert load(json.dumps(plan)) == server.plan
    answer = pb.GetCapabilitiesResponse(limits=pb.Limits(leaf_bytes=LEAF), libraries={"value": "1", "torch": "2"})
    monkeypatch.setattr(initium.Client, "capabilities", lambda _: answer)
    assert run("capabilities", "--server", server.address, "--json") == 0
    expected = {"limits": {"leaf_bytes": LEAF}, "libraries": {"value": "1", "torch": "2"}}
    assert json.loads(capsys.readouterr().out) == expected


def test_a_redraw_takes_the_recorded_threads(
    make_server: Callable[..., FakeServer], recipe: str, tmp_path: Path, monkeypatch: Any
) -> None:
    server, out, taken = make_server(generator="torch", environment={"threads": "3"}), str(tmp_path / "out"), []

    @contextlib.contextmanager
    def local(*, device: str, threads: int | None, stores: dict[str, str]) -> Iterator[initium.Client]:
        assert stores == {}
        taken.append(threads)
        with initium.connect(server.address) as client:
            yield client

    monkeypatch.setattr("initium.cli.common.local", local)
    assert run("generate", recipe, "-o", out) == 0
    assert run("verify", out, "--redraw") == 0
    assert run("verify", out, "--redraw", "--threads", "2") == 0
    assert taken == [None, 3, 2]


@pytest.mark.parametrize("threads", ["many", "0", "-1"])
def test_recorded_threads_that_are_no_number_are_reported(
    make_server: Callable[..., FakeServer], recipe: str, tmp_path: Path, capsys: Any, threads: str
) -> None:
    server, out = make_server(generator="torch", environment={"threads": threads}), str(tmp_path / "out")
    assert run("generate", recipe, "-o", out, "--server", server.address) == 0
    assert run("verify", out, "--redraw") == 1
    assert f"plan.environment: threads is '{threads}'; it is a whole number from 1" in capsys.readouterr().err


def test_a_server_that_is_away_is_reported_once(server: FakeServer, monkeypatch: Any, capsys: Any) -> None:
    server.faults = Faults(unavailable=4)
    assert run("capabilities", "--server", server.address) == 0
    assert capsys.readouterr().err == f"no answer from {server.address}: going away; trying again\n"
    monkeypatch.setattr("initium.client.rpc.FIRST_CONTACT", 0.3)
    assert run("capabilities", "--server", "127.0.0.1:1") == 1
    first, last = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"no answer from 127.0.0.1:1: Connection refused[ (\d)]*; trying again", first)
    assert re.fullmatch(r"error: no answer from 127.0.0.1:1: Connection refused[ (\d)]* \(gave up after 0.3 s .*", last)


def on_a_terminal(command: list[str]) -> str:
    """What a command writes to stderr if that is a terminal."""
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=slave, env=environment)
    os.close(slave)
    data = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while piece := os.read(master, 4096):
            data += piece
    os.close(master)
    assert process.wait(30) == 0, data
    return data.decode()


def test_a_bar_on_a_terminal(server: FakeServer, recipe: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "initium.cli", "generate", recipe, "-o", str(tmp_path / "[red]x")]
    server.faults.on_leaf = lambda _: time.sleep(0.05)
    shown = on_a_terminal([*command, "--server", server.address])
    assert "[red]x" in shown
    assert "\N{BOX DRAWINGS HEAVY HORIZONTAL}" in shown
    assert "preparing" in shown
    assert re.search(r"5\.0 MiB of 5\.0 MiB, [\d.]+ MiB/s", shown)
    assert not re.search(r"[kMG]B|\?", shown.replace("\x1b[?25", ""))


def test_lines_elsewhere(server: FakeServer, recipe: str, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    clock = itertools.count(60.0, 5.0)  # five seconds a leaf
    monkeypatch.setattr("initium.cli.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert run("generate", recipe, "-o", str(tmp_path / "y"), "--server", server.address) == 0
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "y: 2.0 MiB of 5.0 MiB (40%), 204.8 KiB/s"
    assert last.startswith("4 files, 5.0 MiB in ")


def test_the_clock_of_the_rate_starts_with_the_first_bytes(monkeypatch: Any, capsys: Any) -> None:
    arrived = {60.0: 1, 61.0: 2, 65.0: 11, 66.0: 12, 70.0: 12}  # MiB at a second
    clock = iter(arrived)
    monkeypatch.setattr("initium.cli.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    with progress("x") as report:
        for mebibytes in arrived.values():
            report(mebibytes << 20, 100 << 20)
    assert capsys.readouterr().err.splitlines() == [
        "x: 11.0 MiB of 100.0 MiB (11%), 2.0 MiB/s",
        "x: 12.0 MiB of 100.0 MiB (12%), 204.8 KiB/s",
    ]


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


def test_help_of_serve_is_the_servers() -> None:
    done = subprocess.run([sys.executable, "-m", "initium.cli", "serve", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--whole-memory" in done.stdout
    assert "examples:\n  initium serve" in done.stdout


def test_flags_of_serve_have_near_misses() -> None:
    line = [sys.executable, "-m", "initium.cli", "serve", "--lisen", "x"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: there is no argument '--lisen'; did you mean --listen?" in done.stderr


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


@pytest.mark.parametrize("command", ["plan", "capabilities"])
def test_a_full_disk_under_stdout_is_reported(server: FakeServer, recipe: str, command: str) -> None:
    arguments = [recipe, "--json"] if command == "plan" else ["--json"]
    line = [sys.executable, "-m", "initium.cli", command, *arguments, "--server", server.address]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: No space left on device\n")


def test_a_missing_server_is_reported(monkeypatch: Any, recipe: str, capsys: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("plan", recipe) == 2
    assert "install the server extra from where initium was installed, e.g. `pip" in capsys.readouterr().err
    assert run("serve") == 2
    assert "`pip install '.[server]'` in a checkout" in capsys.readouterr().err


def test_a_local_server_that_dies_shows_its_last_words() -> None:
    with pytest.raises(initium.ServerError, match=r"ended with exit code \d+; its last words:\n"):
        local_server._own(["--no-such-flag"], 1.0)


def test_a_local_server_that_refuses_its_flags_is_bad_input(
    monkeypatch: Any, recipe: str, tmp_path: Path, capsys: Any
) -> None:
    fake = tmp_path / "python"
    fake.write_text(
        "#!/bin/sh\necho noise >&2\necho 'error: --device banana: no such device' >&2\necho noise\nexit 2\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(sys, "executable", str(fake))
    assert run("plan", recipe, "--device", "banana") == 2
    assert capsys.readouterr().err == "error: --device banana: no such device\n"
