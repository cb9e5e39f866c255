"""Promises 6 and 8: flat memory, and resuming through whatever breaks."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

import initium
from initium.contract.leaves import LEAF
from initium.disk.partial import RECORD, SIDECAR
from initium.v1 import service_pb2 as pb
from tests.client.clock import Clock
from tests.client.conftest import FILES, RECIPE, assert_complete
from tests.client.fake import FakeServer, Faults, rich_error, starts
from tests.client.wire import reversed_fields


def test_generate_writes_every_file_and_the_manifest_last(client: initium.Client, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    manifest = client.generate(RECIPE, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert_complete(tmp_path / "out")
    assert initium.Manifest.load(tmp_path / "out").proto == manifest.proto
    assert seen[-1] == (sum(map(len, FILES.values())),) * 2


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("how", ["unavailable", "silent", "reset"])
def test_promise_8_goes_on_from_the_first_missing_leaf(
    client: initium.Client, server: FakeServer, tmp_path: Path, how: str
) -> None:
    server.faults = Faults(break_after=[2, 0, 3], break_how=how)
    client.generate(RECIPE, tmp_path / "out")
    assert_complete(tmp_path / "out")
    assert starts(server) == [(0, 0), (0, 2 * LEAF), (0, 2 * LEAF), (1, LEAF)]


def test_promise_8_another_replica_gets_the_plan(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    server.faults = Faults(forgets=True)
    client.generate(RECIPE, tmp_path / "out")
    assert_complete(tmp_path / "out")
    kinds = [r.source.WhichOneof("source") for r in server.requests]
    assert kinds == ["recipe", "plan_digest", "plan"]


def test_a_silent_stream_is_ended_and_resumed(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence takes half of the patience, so that there is some left to go on."""
    monkeypatch.setattr("initium.client.rpc.MIN_STALL", 0.1)
    server.faults = Faults(break_after=[2], break_how="stall")
    with initium.connect(server.address, patience=3) as client:
        client.generate(server.plan, tmp_path / "out")
    assert_complete(tmp_path / "out")
    assert starts(server)[:2] == [(0, 0), (0, 2 * LEAF)]


@pytest.mark.usefixtures("clock")
def test_generator_torch_restarts_at_zero_and_delivers_each_leaf_once(
    make_server: Callable[..., FakeServer],
) -> None:
    server = make_server(generator="torch")
    server.faults = Faults(break_after=[3, 4])
    with initium.connect(server.address) as client:
        places = [(leaf.file, leaf.offset) for leaf in client.leaves(server.plan)]
    assert places == sorted(set(places))
    assert len(places) == 7
    assert starts(server) == [(0, 0)] * 3


@pytest.mark.usefixtures("clock")
def test_unavailable_servers_are_waited_for(client: initium.Client, server: FakeServer) -> None:
    server.faults = Faults(unavailable=3)
    assert client.capabilities().server_version == "fake"
    assert len(server.requests) == 4


def test_nobody_there(tmp_path: Path, clock: Clock) -> None:
    client = initium.connect(f"unix:{tmp_path}/nobody", patience=5.0)
    with client, pytest.raises(initium.Unavailable, match="no answer from unix:"):
        client.capabilities()
    assert clock.pauses


def test_a_wrong_leaf_on_its_way_to_the_disk_is_asked_for_again_once(
    client: initium.Client, server: FakeServer, tmp_path: Path
) -> None:
    server.faults.corrupt[0, LEAF] = 1
    client.generate(RECIPE, tmp_path / "out")
    assert_complete(tmp_path / "out")
    (again,) = [r for r in server.requests if isinstance(r, pb.ReadRequest)]
    assert (again.file_name, again.offset, again.length) == ("a.safetensors", LEAF, LEAF)


def test_a_leaf_that_is_wrong_twice_is_an_error(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    server.faults.corrupt[0, LEAF] = 2
    with pytest.raises(initium.IntegrityError, match=r"a.safetensors at byte 1048576"):
        client.generate(RECIPE, tmp_path / "out")
    assert not set(FILES) & set(os.listdir(tmp_path / "out"))


def test_a_wrong_trailer_is_an_error(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    server.faults.wrong_trailer = True
    with pytest.raises(initium.IntegrityError, match="the server states 0000"):
        client.generate(RECIPE, tmp_path / "out")
    assert not set(FILES) & set(os.listdir(tmp_path / "out"))


def test_fields_of_chunks_in_any_order(client: initium.Client, server: FakeServer, tmp_path: Path) -> None:
    server.faults.encode = reversed_fields
    client.generate(RECIPE, tmp_path / "out")
    assert_complete(tmp_path / "out")


@pytest.mark.parametrize("name", ["offset", "length"])
@pytest.mark.parametrize("value", [-1, 2**64])
def test_ranges_that_cannot_be_are_refused(client: initium.Client, server: FakeServer, name: str, value: int) -> None:
    with pytest.raises(initium.RequestError, match=f"{name} is {value}; it must be in 0"):
        client.read(server.plan, "a.safetensors", **{name: value})
    assert not server.requests


def test_errors_carry_reason_violations_and_metadata(client: initium.Client, server: FakeServer) -> None:
    server.faults.error = rich_error(3, "INVALID_RECIPE", "no", (("init.rules[0]", "matches nothing"),))
    with pytest.raises(initium.RecipeError) as caught:
        client.resolve(RECIPE)
    assert caught.value.reason == "INVALID_RECIPE"
    assert [str(v) for v in caught.value.violations] == ["init.rules[0]: matches nothing"]
    assert caught.value.metadata == {"key": "value"}


def test_promise_6_few_leaves_are_in_flight(
    make_server: Callable[..., FakeServer], tmp_path: Path, monkeypatch: Any
) -> None:
    sent = 0

    def count(number: int) -> None:
        nonlocal sent
        sent = number

    server = make_server({"big.safetensors": bytes(80 * LEAF)})
    server.faults.on_leaf = count
    gate = threading.Event()
    monkeypatch.setattr("os.pwrite", lambda *_: (gate.wait(), LEAF)[1])
    with initium.connect(server.address) as client:
        thread = threading.Thread(target=client.generate, args=(server.plan, tmp_path / "out"))
        thread.start()
        stalled_at = -1
        while not sent or sent != stalled_at:
            stalled_at = sent
            time.sleep(0.2)
        gate.set()
        thread.join()
    assert stalled_at < 60  # 16 in the pipeline, a window of 16 MiB, and what the socket holds


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_keep_partials_and_the_next_run_goes_on(
    server: FakeServer, tmp_path: Path, number: int, code: int
) -> None:
    out = tmp_path / "out"
    plan_file = tmp_path / "plan.json"
    initium.write_plan(server.plan, plan_file)
    stopped = threading.Event()
    server.faults.on_leaf = lambda count: stopped.wait(30) if count == 3 else None
    command = [sys.executable, "-m", "initium.cli", "generate", str(plan_file), "-o", str(out)]
    process = subprocess.Popen([*command, "--server", server.address], stderr=subprocess.PIPE, text=True)
    while not (out / SIDECAR).exists() or len((out / SIDECAR).read_bytes().partition(b"\n")[2]) < 3 * RECORD.size:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    stopped.set()
    assert process.returncode == code
    assert "run the same command again to go on" in stderr
    assert "Traceback" not in stderr
    assert sorted(os.listdir(out)) == ["a.safetensors.partial", SIDECAR]
    server.faults = Faults()
    server.requests.clear()
    with initium.connect(server.address) as client:
        client.generate(server.plan, out)
    assert starts(server) == [(0, 3 * LEAF)]
    assert_complete(out)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_before_anything_arrived(server: FakeServer, tmp_path: Path, number: int, code: int) -> None:
    plan_file, reached, stopped = tmp_path / "plan.json", threading.Event(), threading.Event()
    initium.write_plan(server.plan, plan_file)

    def pause(count: int) -> None:
        reached.set()
        stopped.wait(30)

    server.faults.on_leaf = pause
    command = [sys.executable, "-m", "initium.cli", "generate", str(plan_file), "-o", str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--server", server.address], stderr=subprocess.PIPE, text=True)
    assert reached.wait(30)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    stopped.set()
    assert (process.returncode, stderr) == (code, "stopped; nothing was written\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.timeout(60)
def test_sigterm_ends_the_local_server_and_removes_its_directory(tmp_path: Path) -> None:
    recipe = Path(__file__).parents[2] / "client" / "examples" / "llama_1b.yaml"
    command = [sys.executable, "-m", "initium.cli", "generate", str(recipe), "-o", str(tmp_path / "out")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(tmp_path)})
    while not list(tmp_path.glob("initium-*/s")):
        assert process.poll() is None
        time.sleep(0.01)
    assert running(tmp_path)
    process.terminate()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 143, stderr
    assert stderr.startswith("stopped; ")
    assert not list(tmp_path.glob("initium-*"))
    assert not running(tmp_path)


def running(directory: Path) -> list[str]:
    """The servers that listen below `directory`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(file.read_text())
    return [line for line in found if f"unix:{directory}" in line]


def test_status_codes_of_foreign_servers(client: initium.Client, server: FakeServer) -> None:
    class Plain(grpc.Status):  # type: ignore[misc] # grpc has no annotations
        code = grpc.StatusCode.UNAUTHENTICATED
        details = "who are you"
        trailing_metadata = ()

    server.faults.error = Plain()
    with pytest.raises(initium.AccessDenied, match="who are you"):
        client.capabilities()
