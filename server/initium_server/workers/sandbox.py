"""Limits of a throwaway process: no network, no further processes, bounded memory. Imports nothing heavy.

This is a fence against what libraries do on their own (downloads, version checks, helper processes), and against models
of any size. It is not a jail for hostile native code; none runs, since recipes are data.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

FORBIDDEN = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.system",
        "pty.spawn",
        "socket.bind",
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.sendmsg",
        "socket.sendto",
        "subprocess.Popen",
    }
)
"""Python's audit events (docs.python.org/3/library/audit_events.html) that end in an error."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Environment that keeps the hub clients offline. They read it when they are imported."""

_PR_SET_PDEATHSIG = 1


class Forbidden(RuntimeError):
    """Library code tried to reach the network or to start a process."""


def fence(extra_bytes: int) -> None:
    """Fences this process in, for good. `extra_bytes` is how much memory it may take beyond what it has."""
    limit_memory(extra_bytes)
    sys.addaudithook(_refuse)


def limit_memory(extra_bytes: int) -> None:
    """Caps private writable memory (RLIMIT_DATA) at today's amount plus `extra_bytes`; beyond, allocations fail."""
    limit = data_bytes() + extra_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def data_bytes() -> int:
    """The process's private writable memory, as RLIMIT_DATA counts it."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) << 10
    return 0


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process when its parent `parent` ends. Does nothing where there is no prctl."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # It ended before the request was made.
        os._exit(1)


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in FORBIDDEN:
        shown = ", ".join(repr(arg)[:80] for arg in args)
        raise Forbidden(f"not allowed while a model is built: {event}({shown})")
