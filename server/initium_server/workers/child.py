"""What a forked process does: one job, and one frame of bytes back.

A task is 8 bytes of length, then pickled; only the serving process sends one. A frame is 8 bytes of length, a tag and
the payload: `R` and the result, `E` and an InitiumError as JSON, `F` and any other failure as JSON. Nothing that the
serving process reads is unpickled.
"""

from __future__ import annotations

import gc
import json
import os
import pickle
import resource
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from initium.errors import REASONS, InitiumError, Violation
from initium_server.workers.sandbox import die_with_parent, fence

Work = Callable[[], bytes]
Job = Callable[[bytes], Work]
"""Imports what it needs for its argument, and returns what is to be done once the fence is up."""

LENGTH = struct.Struct("<Q")
_GRACE = 5  # Seconds beyond the wall limit, should nobody be able to kill.


@dataclass(frozen=True, slots=True)
class Task:
    """A job, and the bounds of the process that runs it."""

    job: Job
    argument: bytes
    seconds: float
    extra_bytes: int
    """Memory beyond what is loaded."""

    def encode(self) -> bytes:
        """What `run` reads."""
        return _framed(pickle.dumps(self))


def run(connection: socket.socket, parent: int) -> None:
    """Reads a task, does it, and sends its frame. `parent` is the process that this one must not outlive."""
    die_with_parent(parent)
    task: Task = pickle.loads(_receive(connection))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    processor = (int(task.seconds) + _GRACE) * (os.cpu_count() or 1)  # The time of all threads together counts.
    resource.setrlimit(resource.RLIMIT_CPU, (processor, processor))
    connection.sendall(_framed(_frame(task)))


def _frame(task: Task) -> bytes:
    try:
        work = task.job(task.argument)  # Imports may start processes, which the fence forbids.
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)
        fence(task.extra_bytes)
        return b"R" + work()
    except BaseException as error:  # SystemExit too: a job must not look as if it had crashed.
        if isinstance(error, InitiumError) and error.reason in REASONS:
            return b"E" + json.dumps(encode_error(error)).encode()
        memory = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        words = f"{type(error).__name__}: {error}"[:2000]
        trace = "" if memory else traceback.format_exc()[-20_000:]
        gc.collect()
        return b"F" + json.dumps({"memory": memory, "words": words, "trace": trace}).encode()


def _framed(payload: bytes) -> bytes:
    return LENGTH.pack(len(payload)) + payload


def _receive(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as stream:
        return stream.read(LENGTH.unpack(stream.read(LENGTH.size))[0])


def encode_error(error: InitiumError) -> dict[str, Any]:
    """An InitiumError of the contract as JSON values."""
    violations = [[violation.field, violation.message] for violation in error.violations]
    return {"message": error.message, "reason": error.reason, "violations": violations, "metadata": error.metadata}


def decode_error(data: dict[str, Any]) -> InitiumError:
    """What `encode_error` wrote."""
    violations = [Violation(field, message) for field, message in data["violations"]]
    return REASONS[data["reason"]][1](data["message"], data["reason"], violations, data["metadata"])
