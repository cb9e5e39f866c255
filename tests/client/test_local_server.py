"""A server of one's own as a child process: how it is started, how it ends, and what is reported when it dies."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.client import local_server
from tests.client.clock import Clock
from tests.client.fake import FakeServer

WAIT = "cat > /dev/null"
"""Ends when the parent closes its end of the pipe, as a server does."""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has these shell commands run in place of the server."""

    def install(*lines: str) -> None:
        script = tmp_path / "python"
        script.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        script.chmod(0o755)
        monkeypatch.setattr("sys.executable", str(script))

    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    return install


def listening(server: FakeServer) -> str:
    return f"echo listening on {server.address}"


def died(**options: Any) -> str:
    """Its last words."""
    with pytest.raises(initium.ServerError) as caught, initium.local(**options):
        raise AssertionError("it started")
    return caught.value.message


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def test_a_client_of_what_it_announces(server: FakeServer, child: Callable[..., None], tmp_path: Path) -> None:
    child("echo compiling", listening(server), WAIT, f"echo bye > {tmp_path}/ended")
    with initium.local() as client:
        assert client.address == server.address
        assert client.capabilities().server_version == "fake"
        assert not (tmp_path / "ended").exists()
    assert (tmp_path / "ended").exists()
    with pytest.raises(initium.Cancelled):
        client.capabilities()


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ({}, ["--device", "auto", "--threads", str(len(os.sched_getaffinity(0)))]),
        ({"device": "cuda:1", "threads": 3}, ["--device", "cuda:1", "--threads", "3"]),
    ],
)
def test_flags(child: Callable[..., None], options: dict[str, object], flags: list[str]) -> None:
    child('exec >&2; for word in "$@"; do echo "$word"; done; exit 9')
    head, *words = died(**options).splitlines()
    assert head == "the local server ended with exit code 9; its last words:"
    socket = words.pop(words.index("--listen") + 1)
    assert words == ["-P", "-m", "initium_server", "serve", "--listen", "--exit-with-parent", *flags]
    assert re.fullmatch(r"unix:.*/initium-[^/]+/s", socket)
    assert not Path(socket.removeprefix("unix:")).parent.exists()


def test_a_server_may_take_its_directory_away(child: Callable[..., None]) -> None:
    child('rm -r "$(dirname "${6#unix:}")"', "exit 9")
    assert died() == "the local server ended with exit code 9 and said nothing"


def test_its_socket_is_in_a_private_directory(server: FakeServer, child: Callable[..., None], tmp_path: Path) -> None:
    child(f'echo "$6" > {tmp_path}/socket', listening(server), WAIT)
    with initium.local():
        directory = Path((tmp_path / "socket").read_text().strip().removeprefix("unix:")).parent
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()


@pytest.mark.parametrize(("length", "fits"), [(98, True), (99, False)])
def test_where_names_would_be_too_long_for_a_socket_it_is_in_tmp(
    child: Callable[..., None], monkeypatch: pytest.MonkeyPatch, length: int, fits: bool
) -> None:
    child('echo "$6" >&2; exit 9')
    with tempfile.TemporaryDirectory(dir="/tmp") as top:
        place = Path(top) / ("x" * (length - len(top) - len("/") - len("/initium-........")))
        place.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        socket = died().splitlines()[1].removeprefix("unix:")
        assert socket.startswith(f"{place}/initium-" if fits else "/tmp/initium-")
        assert not list(place.iterdir())


def test_a_terminals_signals_are_not_for_it(server: FakeServer, child: Callable[..., None], tmp_path: Path) -> None:
    child(f"cut -d' ' -f1,6 /proc/$$/stat > {tmp_path}/session", listening(server), WAIT)
    with initium.local():
        process, session = (tmp_path / "session").read_text().split()
    assert process == session


def test_a_server_that_does_not_end_is_killed(
    server: FakeServer, child: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "STOP_SECONDS", 0.1)
    child(f"echo $$ > {tmp_path}/process", listening(server), "exec sleep 600")
    with initium.local():
        process = int((tmp_path / "process").read_text())
        assert is_running(process)
    assert not is_running(process)


def test_a_server_that_does_not_listen_is_given_up(
    child: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_server, "START_SECONDS", 0.1)
    child(WAIT)
    assert died() == "the local server does not listen after 0.1 s and said nothing"
    announced = local_server._Process._announced

    def patiently(process: local_server._Process) -> str:
        while "compiling" not in "".join(process._lines()):  # a shell takes its time to start
            time.sleep(0.005)
        return announced(process)

    monkeypatch.setattr(local_server._Process, "_announced", patiently)
    child(f"echo $$ > {tmp_path}/process", "echo still compiling >&2", WAIT)
    assert died() == "the local server does not listen after 0.1 s; its last words:\nstill compiling"
    assert not is_running(int((tmp_path / "process").read_text()))


def test_the_last_twenty_lines_are_shown(child: Callable[..., None]) -> None:
    child("for i in $(seq 30); do echo line $i >&2; done; exit 3")
    head, *words = died().splitlines()
    assert head == "the local server ended with exit code 3; its last words:"
    assert words == [f"line {number}" for number in range(11, 31)]


def test_words_that_are_no_text_are_shown_as_far_as_they_are(child: Callable[..., None]) -> None:
    child(r"printf 'a\377b\n\n' >&2; exit 3")
    assert died().endswith("its last words:\na\ufffdb")


def test_a_server_that_dies_without_a_word(child: Callable[..., None]) -> None:
    child("exit 7")
    assert died() == "the local server ended with exit code 7 and said nothing"


def says(*lines: str) -> str:
    return "; ".join(f"echo {shlex.quote(line)} >&2" for line in lines)


def test_a_refused_flag_is_bad_input_in_the_servers_words(child: Callable[..., None]) -> None:
    child(says("error: one", "error: two", "error: --device x: no such device", "see --help"), "exit 2")
    with pytest.raises(initium.RequestError, match=r"^--device x: no such device$"), initium.local():
        raise AssertionError("it started")


@pytest.mark.parametrize("ending", ["echo usage >&2; exit 2", "echo 'error: out of memory' >&2; exit 1"])
def test_other_ends_are_the_servers_fault(child: Callable[..., None], ending: str) -> None:
    child(ending)
    assert "the local server ended with exit code" in died()


def test_a_server_that_dies_later_ends_the_retries(
    server: FakeServer, child: Callable[..., None], clock: Clock, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "die")
    child(
        f"echo $$ > {tmp_path}/process",
        listening(server),
        f"read word < {tmp_path}/die",
        says("error: the device is lost"),
        "exit 2",
    )
    with initium.local() as client:
        server.faults.unavailable = 2
        client.capabilities()
        assert len(server.requests) == 3
        server.faults.unavailable = 10**6
        (tmp_path / "die").write_text("now\n")
        while is_running(int((tmp_path / "process").read_text())):
            time.sleep(0.005)
        with pytest.raises(initium.ServerError, match=r"exit code 2; its last words:\nerror: the device is lost"):
            client.capabilities()


def test_where_the_server_is_not_installed_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        pytest.raises(initium.ServerMissing, match=r"is not installed here.*: install the server extra"),
        initium.local(),
    ):
        raise AssertionError("it started")
