"""Jobs that misbehave, for the pool's tests. They must be importable, since a job is pickled by name.

Each misbehaves inside the fence, but for `slow_import`.
"""

from __future__ import annotations

import os
import pty
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial, wraps

from initium.errors import InitiumError, RecipeError, Violation
from initium_server.workers.child import Job, Work


def fenced(work: Callable[[bytes], bytes]) -> Job:
    """A job that needs no imports."""

    @wraps(work)
    def job(argument: bytes) -> Work:
        return partial(work, argument)

    return job


@fenced
def echo(argument: bytes) -> bytes:
    return argument


@fenced
def threads(argument: bytes) -> bytes:
    with open("/proc/self/status") as status, open(f"/proc/{os.getppid()}/status") as server:
        return b"".join(line.encode() for line in (*status, *server) if line.startswith("Threads:"))


@fenced
def pid_then_sleep(path: bytes) -> bytes:
    with open(path, "w") as file:
        file.write(f"{os.getpid()} {os.getppid()}")
    time.sleep(600)
    return b""


@fenced
def spin(argument: bytes) -> bytes:
    while True:
        pass


@fenced
def leave(argument: bytes) -> bytes:
    sys.exit(3)


@fenced
def vanish(argument: bytes) -> bytes:
    os._exit(7)


@fenced
def overflow(argument: bytes) -> bytes:
    return overflow(argument)() + b"x"


@fenced
def gobble(argument: bytes) -> bytes:
    return bytes(100 << 30)


@fenced
def gobble_slowly(argument: bytes) -> bytes:
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20) * 16))


@fenced
def gobble_tensor(argument: bytes) -> bytes:
    import torch

    return bytes(torch.ones(100 << 30, dtype=torch.uint8).numpy())


ACTIONS: dict[str, Callable[[], object]] = {
    "bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "execute": lambda: os.execv("/bin/true", ["true"]),
    "fork": os.fork,
    "fork with a terminal": os.forkpty,
    "look up an address": lambda: socket.gethostbyaddr("127.0.0.1"),
    "look up a name": lambda: socket.getaddrinfo("localhost", 80),
    "look up a name, the old way": lambda: socket.gethostbyname("localhost"),
    "open a terminal": lambda: pty.spawn(["true"]),
    "run": lambda: subprocess.run(["true"], check=True),
    "run by a shell": lambda: os.system("true"),
    "send a message": lambda: socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", 9)),
    "send to": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
}
"""All that reaches the network or starts a process."""


@fenced
def attempt(action: bytes) -> bytes:
    ACTIONS[action.decode()]()
    return b""


@fenced
def bounds(argument: bytes) -> bytes:
    kinds = (resource.RLIMIT_CPU, resource.RLIMIT_CORE, resource.RLIMIT_DATA)
    return b" ".join(b"%d" % limit for kind in kinds for limit in resource.getrlimit(kind))


@fenced
def refuse(argument: bytes) -> bytes:
    raise RecipeError(violations=[Violation("a.b", "bad")], metadata={"k": "v"})


@fenced
def make_up_a_reason(argument: bytes) -> bytes:
    raise InitiumError("odd", "MADE_UP")


@fenced
def fail(argument: bytes) -> bytes:
    raise ValueError("my words")


@fenced
def offline(argument: bytes) -> bytes:
    return os.environ["HF_HUB_OFFLINE"].encode() + os.environ["TRANSFORMERS_OFFLINE"].encode()
