"""Servers on this machine that clients start: one that stays for the next command, or one of a client's own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any

from initium.client import staying
from initium.client.client import Client, connect
from initium.contract import stores as store_names
from initium.errors import InitiumError, RequestError, ServerError, ServerMissing, Unavailable

START_SECONDS = 120.0
"""How long a server may take until it listens; the first start on a machine compiles."""
STOP_SECONDS = 5.0
"""How long a server may take to end before it is killed."""
INSTALL = "install the server extra from where initium was installed, e.g. `pip install '.[server]'` in a checkout"
"""What to do where the server is missing."""
SERVER_NEEDS = ("initium_server", "numba", "re2", "grpc_health", "grpc_reflection", "safetensors", "torch")
"""What the server extra brings: the server's own package comes with every installation."""
_BAD_FLAGS = 2  # the server's exit code for a flag that it cannot obey
_TAIL = 20  # lines of the server's log that an error shows
_ERROR = "error: "
_LISTENING = re.compile(rb"listening on (\S+)")


def local(
    *,
    device: str = "auto",
    threads: int | None = None,
    timeout: float = 300.0,
    stay: bool | None = None,
    stores: store_names.Directories | None = None,
) -> Client:
    """A client of a server on this machine that serves this user alone. Close it, or use it in a `with`.

    `device`: as `initium serve --device`, e.g. `cpu` or `cuda:0`; auto is the CPU. `threads`: how many draw; absent:
    all cores. `timeout`: as in `connect`.
    `stay`: whether the server stays for the next client, in this process or another, until ten minutes have passed
    without a call; with False it belongs to this client, and ends with it. Absent: as the environment's INITIUM_LOCAL
    says (`on`, which is the default, or `off`). A server on a GPU never stays, since it would keep the GPU's memory;
    nor does one stay where there is no private directory for its socket.
    `stores`: directories by name, from which recipes with `stored` rules may load.
    Errors: ServerMissing if the server is not installed; RequestError if it refuses `device`, or a store is no
    directory; ServerError with its last words if it dies.
    """
    flags = ["--device", device, "--threads", str(threads or len(os.sched_getaffinity(0)))]
    flags += store_names.flags(store_names.checked(stores or {}))
    if _stays(stay) and device in ("auto", "cpu"):
        with contextlib.suppress(OSError):
            return _shared(flags, timeout)
    return _own(flags, timeout)


def require_server(what: str = "the server", otherwise: str = "") -> None:
    """Errors: ServerMissing where a package that the server needs is not installed."""
    missing = [name for name in SERVER_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ServerMissing(f"{what} is not installed here (no {', '.join(missing)}): {INSTALL}{otherwise}")


def _require_local_server() -> None:
    extras = " (with [vision] or [transformers] for those libraries)"
    require_server("a local server", f"{extras}, or name a server to connect to")


def _stays(wanted: bool | None) -> bool:
    if wanted is not None:
        return wanted
    said = os.environ.get("INITIUM_LOCAL") or "on"
    if said not in ("on", "off"):
        raise RequestError(f"the environment's INITIUM_LOCAL is {said!r}; it is `on` or `off`")
    return said == "on"


def _shared(flags: list[str], timeout: float) -> Client:
    """A client of the server that stays, which is started if it does not run, also when it ends while it is needed."""
    idle = os.environ.get("INITIUM_LOCAL_IDLE") or f"{staying.IDLE_SECONDS:g}"
    place = staying.Place.of([*flags, "--idle", idle])

    def ensure(*_: object) -> None:
        place.ensure(lambda lock: _start_staying(place, lock))

    ensure()
    return connect(place.address, timeout=timeout, on_retry=ensure)


def _start_staying(place: staying.Place, lock: int) -> None:
    """Starts a server that is nobody's child in all but name: no terminal, no pipes, and the lock in its hands."""
    _require_local_server()
    process = _Process(
        ["--listen", place.address, *place.flags],
        place.log,
        stdin=subprocess.DEVNULL,
        pass_fds=[lock],
        cwd="/",
        env=os.environ | place.environment,
    )
    process.wait()
    place.socket.chmod(0o600)
    _STARTED[:] = [*(popen for popen in _STARTED if popen.poll() is None), process.popen]


_STARTED: list[subprocess.Popen[bytes]] = []
"""Servers that this process has started, which may outlive it; those that have ended are reaped with the next start."""


def _own(flags: list[str], timeout: float) -> Client:
    """A client of a server that ends with it."""
    _require_local_server()
    server = _Own(flags)
    client = connect(server.address, timeout=timeout, on_retry=server.check)
    client.on_close = server.end
    return client


class _Own:
    """A server in a directory of its own. It ends when its stdin closes, so it cannot outlive this process."""

    def __init__(self, flags: list[str]) -> None:
        directory = _socket_directory()
        listen = ["--listen", f"unix:{directory}/s", "--exit-with-parent"]
        try:
            self.process = _Process([*listen, *flags], directory / "log", stdin=subprocess.PIPE)
            self.address = self.process.wait()
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self.end = weakref.finalize(self, _end, self.process, directory)
        """Ends it; again does nothing."""

    def check(self, error: Unavailable, pause: float) -> None:
        """Ends retries once the server is gone. Errors: ServerError."""
        if self.process.popen.poll() is not None:
            raise self.process.died() from error


def _socket_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="initium-"))
    if len(f"{directory}/s") <= staying.MAX_SOCKET_PATH:
        return directory
    directory.rmdir()
    return Path(tempfile.mkdtemp(prefix="initium-", dir="/tmp"))


def _end(process: _Process, directory: Path) -> None:
    process.end()
    shutil.rmtree(directory, ignore_errors=True)


class _Process:
    """A server's process, its log in a file."""

    def __init__(self, flags: list[str], log: Path, **options: Any) -> None:
        self._log = log
        self._listens = False
        with log.open("wb") as stderr:
            self.popen = subprocess.Popen(
                # -P: a stray file beside the user's script must not shadow a module of the server.
                [sys.executable, "-P", "-m", "initium_server", "serve", *flags],
                stdout=subprocess.PIPE,
                stderr=stderr,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for the client; it decides when the server ends
                **options,
            )

    def wait(self) -> str:
        """Waits until it listens, and says where. Else it is killed. Errors: ServerError, RequestError."""
        try:
            importlib.import_module("initium.client.rpc")  # while it starts: gRPC takes a while to import, too
            address = self._announced()
        except BaseException:
            self.popen.kill()
            self.end()
            raise
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self._listens = True
        return address

    def _announced(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        output, ready = self.popen.stdout, select.poll()
        assert output is not None
        ready.register(output)
        while ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
            line = output.readline()
            if found := _LISTENING.search(line):
                return found[1].decode()
            if not line:
                raise self.died()
        raise ServerError(f"the local server does not listen after {START_SECONDS:g} s{self._tail()}")

    def end(self) -> None:
        """Closes its pipes, and waits until it is gone; kills it if that takes too long."""
        with contextlib.suppress(OSError):
            if self.popen.stdin is not None:
                self.popen.stdin.close()
        if not self._ended(STOP_SECONDS):
            self.popen.kill()
        self.popen.wait()
        if self.popen.stdout is not None:
            self.popen.stdout.close()

    def _ended(self, seconds: float) -> bool:
        """Waits for its end, without the pauses of Popen's own `wait`."""
        if self.popen.returncode is not None:
            return True
        descriptor, ready = os.pidfd_open(self.popen.pid), select.poll()
        with open(descriptor, "rb"):
            ready.register(descriptor, select.POLLIN)
            return bool(ready.poll(seconds * 1000))

    def died(self) -> InitiumError:
        """Why it has ended, in its own words."""
        self._ended(STOP_SECONDS)
        self.popen.poll()
        refusals = [line.removeprefix(_ERROR) for line in self._lines() if line.startswith(_ERROR)]
        if refusals and not self._listens and self.popen.returncode == _BAD_FLAGS:
            return RequestError(refusals[-1])
        return ServerError(f"the local server ended with exit code {self.popen.returncode}{self._tail()}")

    def _lines(self) -> list[str]:
        try:
            return [line for line in self._log.read_text("utf-8", "replace").splitlines() if line][-_TAIL:]
        except OSError:
            return []

    def _tail(self) -> str:
        lines = self._lines()
        return "; its last words:\n" + "\n".join(lines) if lines else " and said nothing"
