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
def loaded(names: bytes) -> bytes:
    return str(set(names.decode().split()) <= set(sys.modules)).encode()


@fenced
def answer(size: bytes) -> bytes:
    return bytes(int(size))


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
    "os.exec": lambda: os.execv("/bin/true", ["true"]),
    "os.fork": os.fork,
    "os.forkpty": os.forkpty,
    "os.posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "os.system": lambda: os.system("true"),
    "pty.spawn": lambda: pty.spawn(["true"]),
    "socket.bind": lambda: socket.socket().bind(("127.0.0.1", 0)),
    "socket.connect": lambda: socket.socket().connect(("127.0.0.1", 9)),
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "socket.gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "socket.gethostbyname": lambda: socket.gethostbyname("localhost"),
    "socket.sendmsg": lambda: socket.socket(type=socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", 9)),
    "socket.sendto": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
}
"""All that reaches the network or starts a process, by the audit event that it raises."""


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
