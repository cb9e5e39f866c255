"""The child's side of a job: limits, the call, and one frame of bytes back.

A frame is 8 bytes of length, then a tag and the payload: `R` and the result, `E` and an InitiumError as JSON, `F` and
any other failure as JSON. Nothing that the parent reads is unpickled.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any

from initium_server.build.sandbox import die_with_parent, forbid_network_and_processes
from initium_server.errors import InitiumError, Violation

Job = Callable[[bytes], bytes]
Load = Callable[[bytes], None]

LENGTH = struct.Struct("<Q")
_GRACE = 5  # Seconds of CPU beyond the wall limit, should the parent be unable to kill.


def load_nothing(argument: bytes) -> None:
    """For jobs that import all they need when they are found."""


def run_job(results: Connection, load: Load, job: Job, argument: bytes, seconds: float, extra_bytes: int) -> None:
    """Runs the job in this process and sends its frame. `load` imports what it needs, before the fence is up."""
    die_with_parent(os.getppid())
    _let_server_end()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + _GRACE, int(seconds) + _GRACE))
    load(argument)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    forbid_network_and_processes(extra_bytes)
    _send(results.fileno(), _frame(job, argument))


def _let_server_end() -> None:
    """Closes this process's copy of the pipe by which the fork server sees that the serving process lives."""
    descriptor = getattr(forkserver._forkserver, "_forkserver_alive_fd", None)
    if descriptor is not None:
        os.close(descriptor)


def _frame(job: Job, argument: bytes) -> bytes:
    try:
        return b"R" + job(argument)
    except InitiumError as error:
        return b"E" + json.dumps(encode_error(error)).encode()
    except BaseException as error:  # SystemExit too: a job must not look as if it had crashed.
        memory = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        words = f"{type(error).__name__}: {error}"[:2000]
        trace = "" if memory else traceback.format_exc()[-20_000:]
        gc.collect()
        return b"F" + json.dumps({"memory": memory, "words": words, "trace": trace}).encode()


def _send(descriptor: int, payload: bytes) -> None:
    view = memoryview(LENGTH.pack(len(payload)) + payload)
    while view:
        view = view[os.write(descriptor, view[: 1 << 20]) :]


def encode_error(error: InitiumError) -> dict[str, Any]:
    """An InitiumError as JSON values."""
    violations = [[violation.field, violation.message] for violation in error.violations]
    return {"reason": error.reason, "message": error.message, "violations": violations, "metadata": error.metadata}


def decode_error(data: dict[str, Any]) -> InitiumError:
    """What `encode_error` wrote."""
    violations = [Violation(field, message) for field, message in data["violations"]]
    return InitiumError(data["reason"], data["message"], violations, data["metadata"])
