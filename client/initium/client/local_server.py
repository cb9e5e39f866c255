"""A server of one's own: started as a child process, gone with the client."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from initium.client.client import Client, connect
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
_MAX_SOCKET_PATH = 100  # the kernel takes 107 bytes
_Take = Callable[[str | None], None]
_ERROR = "error: "
_LISTENING = re.compile(r"listening on (\S+)")


@contextlib.contextmanager
def local(*, device: str = "auto", threads: int | None = None, timeout: float = 300.0) -> Iterator[Client]:
    """A client of a server that runs only for it, on a private socket.

    `device`: as `initium serve --device`, e.g. `cpu` or `cuda:0`. `threads`: how many draw; absent: all cores.
    `timeout`: as in `connect`.
    Errors: ServerMissing if the server is not installed; RequestError if it refuses `device`; ServerError with its
    last words if it dies.
    """
    extras = " (with [vision] or [transformers] for those libraries)"
    require_server("a local server", f"{extras}, or name a server to connect to")
    directory = Path(_socket_directory())
    try:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(_Server(_flags(directory, device, threads)))
            yield stack.enter_context(connect(server.address, timeout=timeout, on_retry=server.check))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def require_server(what: str = "the server", otherwise: str = "") -> None:
    """Errors: ServerMissing where a package that the server needs is not installed."""
    missing = [name for name in SERVER_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise ServerMissing(f"{what} is not installed here (no {', '.join(missing)}): {INSTALL}{otherwise}")


def _flags(directory: Path, device: str, threads: int | None) -> list[str]:
    flags = ["--listen", f"unix:{directory}/s", "--exit-with-parent", "--device", device]
    return flags if threads is None else [*flags, "--threads", str(threads)]


def _socket_directory() -> str:
    directory = tempfile.mkdtemp(prefix="initium-")
    if len(directory) + len("/s") <= _MAX_SOCKET_PATH:
        return directory
    Path(directory).rmdir()
    return tempfile.mkdtemp(prefix="initium-", dir="/tmp")


class _Server:
    """The child process. It ends when its stdin closes, so it cannot outlive this process."""

    def __init__(self, flags: list[str]) -> None:
        self._log: deque[str] = deque(maxlen=_TAIL)
        self._announced: SimpleQueue[str] = SimpleQueue()
        self._process = subprocess.Popen(
            # -P: a stray file beside the user's script must not shadow a module of the server.
            [sys.executable, "-P", "-m", "initium_server", "serve", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C is for the client; it decides when the server ends
        )
        self._readers = [self._read(self._process.stdout, self._listen), self._read(self._process.stderr, self._note)]
        self.address = ""

    def __enter__(self) -> _Server:
        try:
            self.address = self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._pipe().close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def check(self, error: Unavailable, pause: float) -> None:
        """Ends retries once the server is gone. Errors: ServerError."""
        if self._process.poll() is not None:
            raise self._died() from error

    def _pipe(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    def _read(self, stream: IO[str] | None, take: _Take) -> threading.Thread:
        thread = threading.Thread(target=_lines, args=(stream, take), name="initium-server-log", daemon=True)
        thread.start()
        return thread

    def _listen(self, line: str | None) -> None:
        found = _LISTENING.search(line or "")
        if found or line is None:
            self._announced.put(found[1] if found else "")
        else:
            self._note(line)

    def _note(self, line: str | None) -> None:
        if line:
            self._log.append(line)

    def _wait(self) -> str:
        try:
            address = self._announced.get(timeout=START_SECONDS)
        except Empty:
            raise ServerError(f"the local server does not listen after {START_SECONDS:g} s{self._tail()}") from None
        if not address:
            raise self._died()
        return address

    def _died(self) -> InitiumError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for reader in self._readers:
            reader.join(STOP_SECONDS)
        refusals = [line.removeprefix(_ERROR) for line in self._log if line.startswith(_ERROR)]
        if refusals and not self.address and self._process.returncode == _BAD_FLAGS:
            return RequestError(refusals[-1])
        return ServerError(f"the local server ended with exit code {self._process.returncode}{self._tail()}")

    def _tail(self) -> str:
        return "; its last words:\n" + "\n".join(self._log) if self._log else " and said nothing"


def _lines(stream: IO[str], take: _Take) -> None:
    """Gives `take` every line, then None."""
    with contextlib.suppress(ValueError):  # closed while reading
        for line in stream:
            take(line.rstrip("\n"))
    take(None)
