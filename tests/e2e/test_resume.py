"""Kill any server in mid-stream: the client goes on, same bytes (promise 8); memory stays flat (promise 6)."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

import initium
from initium import Manifest
from initium.disk.partial import RECORD, SIDECAR
from tests.e2e.servers import EXAMPLES, QUIET, ServerProcess, golden, initium_command, serving

MIB = 1 << 20


def test_a_client_outlives_its_server(tmp_path: Path) -> None:
    """The server is killed in mid-stream, twice, and another one takes its port."""
    server = ServerProcess(warm=False)
    address, kills = server.address, [100 * MIB, 300 * MIB]
    restarts: list[threading.Thread] = []

    def replace(old: ServerProcess) -> None:
        nonlocal server
        old.kill()
        server = ServerProcess(listen=address, warm=False)

    def progress(done: int, total: int) -> None:
        if kills and done > kills[0]:
            kills.pop(0)
            if restarts:
                restarts[-1].join()
            restarts.append(threading.Thread(target=replace, args=(server,)))
            restarts[-1].start()

    with initium.connect(address) as client:
        manifest = client.generate(EXAMPLES / "gpt2.yaml", tmp_path / "out", progress=progress)
    for thread in restarts:
        thread.join()
    server.close()
    assert not kills
    assert len(restarts) == 2
    assert {file.name: file.digest for file in manifest.proto.files} == golden("gpt2.yaml")


@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGKILL"])
def test_a_second_run_goes_on_where_the_first_was_stopped(
    signal_name: str, tcp_server: ServerProcess, tmp_path: Path
) -> None:
    import signal

    out = tmp_path / "out"
    command = [sys.executable, "-m", "initium.cli", "generate", str(EXAMPLES / "gpt2.yaml"), "-o", str(out)]
    command += ["--server", tcp_server.address]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=QUIET)
    while process.poll() is None and _recorded(out) < 10:
        threading.Event().wait(0.01)
    process.send_signal(getattr(signal, signal_name))
    _, errors = process.communicate()
    assert process.returncode == (130 if signal_name == "SIGINT" else -9), errors
    assert not (out / "model.safetensors").exists()
    done = initium_command(*command[3:])
    assert "resum" in done.stderr.lower() or "going on" in done.stderr.lower(), done.stderr
    assert {file.name: file.digest for file in Manifest.load(out).proto.files} == golden("gpt2.yaml")


def _recorded(directory: Path) -> int:
    """Leaves that the sidecar names as written."""
    path = directory / SIDECAR
    return path.stat().st_size // RECORD.size if path.exists() else 0


def test_the_servers_memory_is_flat(tmp_path: Path) -> None:
    """Streaming 2.5 GB adds less than 100 MiB to the server's resident memory."""
    with serving(warm=False) as server, initium.connect(server.address) as client:
        list(client.tensors(EXAMPLES / "mlp.yaml"))
        plan = client.resolve(EXAMPLES / "llama_1b.yaml")
        before, peak = server.resident(), 0
        for i, leaf in enumerate(client.leaves(plan)):
            if i % 50 == 0:
                peak = max(peak, server.resident())
            del leaf
        assert peak - before < 100 * MIB


def test_import_initium_loads_no_torch() -> None:
    """Promise 10."""
    code = (
        "import sys, initium, initium.cli; print([m for m in ('torch', 'numba', 'initium_server') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
