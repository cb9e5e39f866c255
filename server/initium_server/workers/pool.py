"""Runs jobs, each in a process of its own that is killed at its limits."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import Any

from initium.errors import Busy, InitiumError, LimitExceeded, RecipeError, Unavailable
from initium.plan.limits import Limits
from initium_server.workers.child import LENGTH, Job, Task, Work, decode_error
from initium_server.workers.zygote import ENDING, MARK, Zygote

POLL_SECONDS = 0.05
END_SECONDS = 5.0
"""How long a killed process may take to be gone."""
_PIECE = 1 << 20

_log = logging.getLogger(__name__)


def physical_memory() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@dataclass(frozen=True, slots=True)
class JobLimits:
    """Bounds of one job."""

    seconds: float = 120
    bytes: int = 8 << 30
    """Memory beyond the loaded libraries."""
    answer_bytes: int = Limits().plan_bytes
    """What it may send back."""


class Pool:
    """At most `workers` jobs at once. A job waits for `queue_seconds` until one ends."""

    def __init__(self, zygote: Zygote, limits: JobLimits, workers: int = 2, queue_seconds: float = 10) -> None:
        self._zygote, self._limits, self._queue_seconds = zygote, limits, queue_seconds
        self._slots = threading.BoundedSemaphore(workers)
        self._closed = threading.Event()

    def warm(self) -> None:
        """Waits until the zygote has loaded the libraries (seconds); later jobs start at once."""
        self.run(_nothing, b"")

    def has(self, modules: Iterable[str]) -> bool:
        """Whether these are loaded, or were tried: a job that needs them starts at once."""
        return self._zygote.has(modules)

    def run(
        self,
        job: Job,
        argument: bytes,
        cancelled: Callable[[], bool] = lambda: False,
        modules: Iterable[str] = (),
    ) -> bytes:
        """The job's result.

        `job` is a top-level function of an importable module, or a `partial` of one; `modules` are loaded before it
        starts. `cancelled` is asked every 50 ms; once it is true the job is killed. Errors: the InitiumError that the
        job raised, or BUILD_FAILED (any other exception, in its words), BUILD_TIMEOUT, BUILD_CRASHED (it died, or ran
        out of memory), BUSY, SHUTTING_DOWN; and CancelledError.
        """
        self._take_slot(cancelled)
        try:
            task = Task(job, argument, self._limits.seconds, self._limits.bytes)
            with self._zygote.fork(modules) as connection:
                try:
                    received = self._exchange(connection, memoryview(task.encode()), cancelled)
                finally:
                    _end(connection)
            return self._decode(received)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Kills running jobs. Later calls of `run` fail."""
        self._closed.set()

    def _take_slot(self, cancelled: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self._queue_seconds
        while True:
            self._check_wanted(cancelled)
            if self._slots.acquire(timeout=POLL_SECONDS):
                return
            if time.monotonic() > deadline:
                raise Busy(f"all build workers were busy for {self._queue_seconds:g} s; try again later")

    def _check_wanted(self, cancelled: Callable[[], bool]) -> None:
        if self._closed.is_set():
            raise Unavailable("the server is shutting down; ask another one", "SHUTTING_DOWN")
        if cancelled():
            raise CancelledError

    def _exchange(self, connection: socket.socket, task: memoryview, cancelled: Callable[[], bool]) -> bytearray:
        """Sends the task, and receives until there is a whole frame or the process has ended."""
        deadline, received = time.monotonic() + self._limits.seconds, bytearray()
        connection.setblocking(False)
        ready = select.poll()  # select.select fails for descriptors from 1024 on
        while _frame(received) is None:
            self._check_wanted(cancelled)
            if time.monotonic() > deadline:
                text = f"the architecture was not built within {self._limits.seconds:g} s"
                raise LimitExceeded(text, "BUILD_TIMEOUT")
            ready.register(connection, select.POLLIN | (select.POLLOUT if task else 0))
            for _, events in ready.poll(POLL_SECONDS * 1000):
                if events & select.POLLOUT:
                    task = task[_sent(connection, task[:_PIECE]) :]
                if events & (select.POLLIN | select.POLLHUP):
                    piece = _received(connection)
                    if not piece:
                        return received
                    received += piece
                    self._check_answer(received)
        return received

    def _check_answer(self, received: bytearray) -> None:
        """What is too large is found by its length, before it comes. Errors: LimitExceeded."""
        only_ended = len(received) == ENDING.size and received.startswith(MARK)
        if len(received) >= LENGTH.size and not only_ended:
            size, most = LENGTH.unpack_from(received)[0], self._limits.answer_bytes
            if size > most:
                raise LimitExceeded.of(f"the plan has {size:,} bytes", "plan_bytes", most, "make the model smaller")

    def _decode(self, received: bytearray) -> bytes:
        frame = _frame(received)
        if frame is None:
            raise LimitExceeded(f"the build process ended by itself ({_ending(received)})", "BUILD_CRASHED")
        tag, payload = frame[:1], frame[1:]
        if tag == b"R":
            return payload
        data = json.loads(payload)
        raise decode_error(data) if tag == b"E" else self._failure(data)

    def _failure(self, data: dict[str, Any]) -> InitiumError:
        if data["memory"]:
            text = f"building took more than {self._limits.bytes} bytes beyond the loaded libraries: {data['words']}"
            return LimitExceeded(text, "BUILD_CRASHED")
        _log.error("a build job failed: %s\n%s", data["words"], data["trace"])
        return RecipeError(data["words"], "BUILD_FAILED")


def _nothing(argument: bytes) -> Work:
    return bytes


def _frame(received: bytearray) -> bytes | None:
    """The frame without its length, once all of it is here."""
    if len(received) < LENGTH.size:
        return None
    end = LENGTH.size + LENGTH.unpack_from(received)[0]
    return bytes(received[LENGTH.size : end]) if len(received) >= end else None


def _sent(connection: socket.socket, piece: memoryview) -> int:
    """How much of a piece was taken; all of it where nobody is left to take it."""
    try:
        return connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):
        return len(piece)


def _received(connection: socket.socket) -> bytes:
    """The next piece; nothing at the end, also where the process left a part of its task unread."""
    try:
        return connection.recv(_PIECE)
    except ConnectionResetError:
        return b""


def _end(connection: socket.socket) -> None:
    """Has the zygote kill what still runs. The end of the socket is the end of the process."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(END_SECONDS)
        while connection.recv(_PIECE):
            pass


def _ending(received: bytearray) -> str:
    mark, code = ENDING.unpack(received[-ENDING.size :].rjust(ENDING.size, b"\0"))
    if mark != MARK:
        return "with the process that had forked it"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
