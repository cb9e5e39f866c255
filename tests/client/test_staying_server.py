"""A local server that stays: who finds it, who does not, and how it ends. None is left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.client import local_server, staying
from tests.conftest import EXAMPLES

BARE = EXAMPLES / "bare_tensors.json"
FLAGS = ["--device", "auto", "--threads", "2", "--idle", "600"]
NONE = "no local server is running; a command without --server starts one\n"


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime directory of its own, whose servers are ended."""
    directory = Path(tempfile.mkdtemp(prefix="i-", dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(directory))
    monkeypatch.setenv("INITIUM_LOCAL", "on")
    yield directory
    for server in staying.running():
        staying.stop(server)
    assert not staying.running()
    for process in local_server._STARTED:
        process.wait(10)
    shutil.rmtree(directory)


@pytest.fixture
def temporary(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for temporary files, where there is no runtime directory."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr(tempfile, "tempdir", str(runtime))
    return runtime


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "initium.cli", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ends only when nobody holds its pipes."""
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)


def processes() -> list[int]:
    return [server.process for server in staying.running()]


def place(**options: Any) -> staying.Place:
    return staying.Place.of(options.pop("flags", FLAGS), **options)


def test_one_server_for_commands_that_come_at_once_and_later(runtime: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: run("plan", str(BARE), "-o", "-"), range(2))
    assert (first.returncode, first.stderr) == (0, "")
    assert second.stdout == first.stdout
    (server,) = processes()
    with initium.local() as client, initium.local(stay=False) as other:
        assert client.address != other.address
        assert os.stat(client.address.removeprefix("unix:")).st_mode & 0o777 == 0o600
        assert client.resolve(BARE) == other.resolve(BARE)
        assert processes() == [server]
        os.kill(server, signal.SIGKILL)  # in the middle of a client's life
        assert client.resolve(BARE) == other.resolve(BARE)
    (again,) = processes()
    assert again != server
    assert run("plan", str(BARE), "-o", "-").stdout == first.stdout
    assert processes() == [again]
    shown = run("serve", "--status").stdout
    assert shown.startswith(f"process {again}: ")
    assert re.search(r"--threads \d+ --idle 600\n  log: .*\.log\n$", shown)
    assert run("serve", "--stop").stdout == f"stopped process {again}\n"
    for option in ("--status", "--stop"):
        done = run("serve", option)
        assert (done.returncode, done.stdout, done.stderr) == (0, NONE, "")
    assert os.listdir(runtime / "initium") == []


def test_ctrl_c_is_for_the_command_alone(runtime: Path) -> None:
    with initium.local():
        (server,) = processes()
    with subprocess.Popen(
        command("generate", str(EXAMPLES / "resnet50.yaml"), "-o", str(runtime / "out")),
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as going:
        while not _calls(server):
            time.sleep(0.01)
        os.killpg(going.pid, signal.SIGINT)
        assert going.stderr is not None
        assert going.stderr.read() == "stopped; nothing was written\n"
    assert going.returncode == 130
    assert processes() == [server]
    while _calls(server):  # its job is ended, too
        time.sleep(0.01)


def _calls(server: int) -> bool:
    """Whether the server's zygote, which sits beside its session's leader, has forked."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return any(Path(f"/proc/{child}/task/{child}/children").read_text() for child in children)


def test_it_ends_when_nobody_calls_for_a_while(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_LOCAL_IDLE", "2")
    with initium.local() as client:
        (server,) = processes()
        while processes():
            time.sleep(0.02)
        client.resolve(BARE)  # a client that was made before starts the next one
        assert processes() != [server]


@pytest.mark.parametrize("left", ["nobody listens", "no socket"])
def test_what_dead_servers_leave_is_replaced(runtime: Path, left: str) -> None:
    with initium.local() as client:
        address = Path(client.address.removeprefix("unix:"))
    (server,) = staying.running()
    staying.stop(server)
    if left == "no socket":
        address.write_text("text")
    else:
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(address))
    address.with_name("0123.lock").touch()
    with initium.local() as client:
        assert client.resolve(BARE).plan_digest
    assert not address.with_name("0123.lock").exists()


def test_errors_are_the_same_cold_and_warm(runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.json"
    recipe.write_text(BARE.read_text().replace('"kaiming_normal": {"nonlinearity": "relu"}', '"eye": {}'))
    warm = [run("plan", str(recipe)) for _ in range(2)]
    monkeypatch.setenv("INITIUM_LOCAL", "off")
    cold = run("plan", str(recipe))
    assert cold.returncode == 2
    assert "init.rules[0].eye" in cold.stderr
    assert [(done.returncode, done.stderr) for done in warm] == [(2, cold.stderr)] * 2


# --- places -------------------------------------------------------------------------------------------------------


def test_a_place_is_for_one_set_of_flags_and_one_environment(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = place()
    assert place() == first
    for name in ("TERM", "SSH_TTY", "INITIUM_LOCAL", "INITIUM_LOCAL_IDLE"):
        monkeypatch.setenv(name, "other")
        assert place() == first, name
    others = [place(flags=["--device", "cpu"])]
    for name in ("PYTHONPATH", "HF_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "HOME", "LD_PRELOAD", "TIMM_X"):
        with monkeypatch.context() as changed:
            changed.setenv(name, "other")
            others.append(place())
    for name in ("prefix", "executable", "version"):
        with monkeypatch.context() as changed:
            changed.setattr(sys, name, "other")
            others.append(place())
    assert len({first.stem, *(other.stem for other in others)}) == 1 + len(others)
    assert place() == first


def test_an_edited_checkout_and_an_installation_get_another_place(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packages = tmp_path / "site-packages"
    (packages / "house" / "part").mkdir(parents=True)
    file = packages / "house" / "part" / "one.py"
    file.write_text("1")
    (packages / "house" / "__init__.py").touch()
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(staying, "_PACKAGES", ("house",))
    stems = [place().stem]
    (file.parent / "notes.txt").write_text("no part of the program")
    assert place().stem == stems[0]
    file.write_text("12")
    stems.append(place().stem)
    os.utime(file, ns=(1, 1))
    stems.append(place().stem)
    file.rename(file.with_name("two.py"))
    stems.append(place().stem)
    (packages / "torch-3.dist-info").mkdir()
    stems.append(place().stem)
    assert len(set(stems)) == 5


def test_relative_entries_of_pythonpath_are_made_absolute(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"here{os.pathsep}/there")
    assert place().environment["PYTHONPATH"] == f"{os.getcwd()}/here{os.pathsep}/there"


def test_its_directory_is_in_the_runtime_directory(runtime: Path) -> None:
    assert place().stem.parent == runtime / "initium"
    assert place().stem.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("runtime_directory", ["", "relative", "/missing"])
def test_without_one_it_is_named_by_the_user(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, runtime_directory: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime_directory)
    assert place().stem.parent == temporary / f"initium-{os.geteuid()}"
    assert place().stem.parent.stat().st_mode & 0o777 == 0o700


def spoil_mode(directory: Path) -> None:
    directory.mkdir(0o700)
    directory.chmod(0o750)


def spoil_link(directory: Path) -> None:
    (directory.parent / "elsewhere").mkdir(0o700)
    directory.symlink_to("elsewhere")


@pytest.mark.parametrize("spoil", [spoil_mode, spoil_link, Path.touch])
def test_without_a_private_directory_there_is_a_server_for_one_client(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    spoil(temporary / f"initium-{os.geteuid()}")
    with pytest.raises(OSError, match="is not a directory of this user's alone"):
        place()
    assert started_with(monkeypatch) == "--exit-with-parent"


def test_nor_where_it_is_another_users(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(OSError, match="is not a directory of this user's alone"):
            place()
        assert not staying.running()


def test_a_socket_of_another_users_process_is_nobodys(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime / "s"))
        assert staying._listener(runtime / "s") == 0
        listener.listen()
        assert staying._listener(runtime / "s") == os.getpid()
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
        assert staying._listener(runtime / "s") == 0


def test_nor_where_its_path_is_too_long_for_a_socket(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = runtime / ("x" * 80)
    long.mkdir(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    with pytest.raises(OSError, match="is too long for a socket"):
        place()
    assert started_with(monkeypatch) == "--exit-with-parent"


def test_nor_where_it_cannot_be_written(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert started_with(monkeypatch) == "--exit-with-parent"


@pytest.mark.parametrize(
    ("said", "options", "flag"),
    [
        ("on", {}, "--threads"),
        ("", {"threads": 3}, "--threads"),
        ("off", {}, "--exit-with-parent"),
        ("off", {"stay": True}, "--threads"),
        ("on", {"stay": False}, "--exit-with-parent"),
        ("on", {"device": "cuda:0", "stay": True}, "--exit-with-parent"),
        ("on", {"device": "cpu"}, "--threads"),
    ],
)
def test_what_decides_whether_it_stays(
    runtime: Path, monkeypatch: pytest.MonkeyPatch, said: str, options: dict[str, Any], flag: str
) -> None:
    monkeypatch.setenv("INITIUM_LOCAL", said)
    assert started_with(monkeypatch, **options) == flag


def test_the_environment_says_on_or_off(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INITIUM_LOCAL", "of")
    with pytest.raises(initium.RequestError, match=r"INITIUM_LOCAL is 'of'; it is `on` or `off`"):
        initium.local()


def started_with(monkeypatch: pytest.MonkeyPatch, **options: Any) -> str:
    """The flag that tells how a server was started: it ends at once, in these words."""
    script = Path(tempfile.mkdtemp()) / "python"
    script.write_text('#!/bin/sh\necho "$*" >&2; exit 9\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(initium.ServerError, match="exit code 9") as caught:
        initium.local(**options)
    words = caught.value.message.split()
    return next(word for word in words if word == "--exit-with-parent" or (word == "--threads" and "--idle" in words))
