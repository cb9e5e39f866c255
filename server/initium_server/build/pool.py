"""Runs building jobs, each in a process of its own that can be killed.

Library code never runs in the process that serves. A job is forked from a fork server that has every library loaded
(`preload`), so it starts in tens of milliseconds; it runs inside the sandbox and is killed at its time limit.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import select
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from multiprocessing import forkserver, spawn
from multiprocessing.context import ForkServerProcess
from typing import Any
from unittest.mock import patch

from initium_server.build.worker import LENGTH, Job, Load, decode_error, load_nothing, run_job
from initium_server.errors import InitiumError

PRELOAD = ["initium_server.build.preload"]
POLL_SECONDS = 0.05

_log = logging.getLogger(__name__)
_context = multiprocessing.get_context("forkserver")
_starting = threading.Lock()
_open_pools: set[int] = set()


class BuildPool:
    """At most `workers` jobs at once, each within `seconds` and `bytes` (memory beyond the loaded libraries)."""

    def __init__(
        self,
        seconds: float = 60,
        bytes: int = 4 << 30,
        workers: int = 2,
        queue_seconds: float = 10,
        preload: bool = True,
    ) -> None:
        """Without `preload` each job imports what it needs: right for a server that lives for one request."""
        self._seconds, self._bytes, self._queue_seconds = seconds, bytes, queue_seconds
        self._slots = threading.BoundedSemaphore(workers)
        self._closed = threading.Event()
        _context.set_forkserver_preload(PRELOAD if preload else [])
        _open_pools.add(id(self))

    def warm(self) -> None:
        """Starts the fork server and has it import the libraries (seconds); later jobs start at once."""
        self.run(bytes, b"")

    def run(
        self,
        job: Job,
        argument: bytes,
        cancelled: Callable[[], bool] = lambda: False,
        load: Load = load_nothing,
    ) -> bytes:
        """The job's result.

        `job` and `load` are top-level functions of importable modules. `load` gets the same argument and imports what
        the job needs: imports may start processes, which the sandbox forbids. `cancelled` is asked every 50 ms; once
        it is true the job is killed. Raises the InitiumError that the job raised, or BUILD_FAILED (any other
        exception, in its words), BUILD_TIMEOUT, BUILD_CRASHED (it died, or ran out of memory), BUSY, SHUTTING_DOWN;
        and CancelledError.
        """
        self._take_slot(cancelled)
        try:
            return self._run(load, job, argument, cancelled)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Kills running jobs and, with the last pool, the fork server. Later calls of `run` fail."""
        if self._closed.is_set():
            return
        self._closed.set()
        _open_pools.discard(id(self))
        if not _open_pools:
            _stop_server()

    def __enter__(self) -> BuildPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take_slot(self, cancelled: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._queue_seconds
        while True:
            self._check_wanted(cancelled)
            if self._slots.acquire(timeout=POLL_SECONDS):
                return
            if time.monotonic() > deadline:
                message = f"all build workers were busy for {self._queue_seconds:g} s; try again later"
                raise InitiumError("BUSY", message)

    def _check_wanted(self, cancelled: Callable[[], bool]) -> None:
        if self._closed.is_set():
            raise InitiumError("SHUTTING_DOWN", "the server is shutting down; ask another one")
        if cancelled():
            raise CancelledError

    def _run(self, load: Load, job: Job, argument: bytes, cancelled: Callable[[], bool]) -> bytes:
        results, theirs = _context.Pipe(duplex=False)
        process = _context.Process(
            target=run_job, args=(theirs, load, job, argument, self._seconds, self._bytes), daemon=True
        )
        try:
            _start(process)
            theirs.close()
            frame = self._receive(results.fileno(), cancelled)
            if not frame:
                process.join(1)
            return self._decode(frame, process.exitcode)
        finally:
            theirs.close()
            results.close()
            _end(process)

    def _receive(self, descriptor: int, cancelled: Callable[[], bool]) -> bytes:
        """The job's frame without its length; empty if it ended before sending all."""
        deadline, received = time.monotonic() + self._seconds, bytearray()
        ready = select.poll()  # select.select fails for descriptors from 1024 on
        ready.register(descriptor, select.POLLIN | select.POLLHUP)
        while True:
            self._check_wanted(cancelled)
            if time.monotonic() > deadline:
                raise InitiumError("BUILD_TIMEOUT", f"the architecture was not built within {self._seconds:g} s")
            if not ready.poll(POLL_SECONDS * 1000):
                continue
            chunk = os.read(descriptor, 1 << 20)
            received += chunk
            if len(received) > self._bytes:
                raise InitiumError("TOO_LARGE", f"the built architecture takes more than {self._bytes} bytes")
            if len(received) >= LENGTH.size and len(received) - LENGTH.size == LENGTH.unpack_from(received)[0]:
                return bytes(received[LENGTH.size :])
            if not chunk:
                return b""

    def _decode(self, frame: bytes, exit_code: int | None) -> bytes:
        tag, payload = frame[:1], frame[1:]
        if tag == b"R":
            return payload
        if tag == b"E":
            raise decode_error(json.loads(payload))
        if tag == b"F":
            raise self._failure(json.loads(payload))
        raise InitiumError("BUILD_CRASHED", f"the build process ended by itself ({_ending(exit_code)})")

    def _failure(self, data: dict[str, Any]) -> InitiumError:
        if data["memory"]:
            message = f"building took more than {self._bytes} bytes beyond the loaded libraries: {data['words']}"
            return InitiumError("BUILD_CRASHED", message)
        _log.error("a build job failed: %s\n%s", data["words"], data["trace"])
        return InitiumError("BUILD_FAILED", data["words"])


def _ending(exit_code: int | None) -> str:
    if exit_code is None:
        return "still running"
    return f"signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def _start(process: ForkServerProcess) -> None:
    """Starts a job without running this program's main module in it, as multiprocessing otherwise does."""
    original = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        return {key: value for key, value in original(name).items() if not key.startswith("init_main")}

    with _starting, patch.object(spawn, "get_preparation_data", without_main):
        process.start()


def _end(process: ForkServerProcess) -> None:
    if process.pid is None:
        return
    process.kill()
    process.join()
    process.close()


def _stop_server() -> None:
    """Ends the fork server, which kills whatever it forked. It would else live as long as this process."""
    with _starting:
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # the only way; multiprocessing's own tests use it
