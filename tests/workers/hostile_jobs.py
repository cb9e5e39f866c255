"""Jobs that misbehave, for the pool's tests. They must be importable, since a job is pickled by name.

Each misbehaves inside the fence, but for `slow_import`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial, wraps

from initium.errors import RecipeError, Violation
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


@fenced
def connect(argument: bytes) -> bytes:
    socket.create_connection(("127.0.0.1", 9), 1)
    return b""


@fenced
def resolve(argument: bytes) -> bytes:
    socket.getaddrinfo("example.org", 80)
    return b""


@fenced
def spawn(argument: bytes) -> bytes:
    subprocess.run(["true"], check=True)
    return b""


@fenced
def system(argument: bytes) -> bytes:
    os.system("true")
    return b""


@fenced
def fork(argument: bytes) -> bytes:
    os.fork()
    return b""


@fenced
def refuse(argument: bytes) -> bytes:
    raise RecipeError(violations=[Violation("a.b", "bad")], metadata={"k": "v"})


@fenced
def fail(argument: bytes) -> bytes:
    raise ValueError("my words")


@fenced
def offline(argument: bytes) -> bytes:
    return os.environ["HF_HUB_OFFLINE"].encode() + os.environ["TRANSFORMERS_OFFLINE"].encode()
