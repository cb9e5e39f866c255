"""Jobs that misbehave, for the pool's tests. They must be importable, since a job is pickled by name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from initium_server.errors import InitiumError, Violation


def echo(argument: bytes) -> bytes:
    return argument


def threads(argument: bytes) -> bytes:
    with open("/proc/self/status") as status, open(f"/proc/{os.getppid()}/status") as server:
        return b"".join(line.encode() for line in (*status, *server) if line.startswith("Threads:"))


def pid_then_sleep(path: bytes) -> bytes:
    with open(path, "w") as file:
        file.write(f"{os.getpid()} {os.getppid()}")
    time.sleep(600)
    return b""


def spin(argument: bytes) -> bytes:
    while True:
        pass


def leave(argument: bytes) -> bytes:
    sys.exit(3)


def vanish(argument: bytes) -> bytes:
    os._exit(7)


def overflow(argument: bytes) -> bytes:
    return overflow(argument) + b"x"


def gobble(argument: bytes) -> bytes:
    return bytes(100 << 30)


def gobble_slowly(argument: bytes) -> bytes:
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20) * 16))


def gobble_tensor(argument: bytes) -> bytes:
    import torch

    return bytes(torch.ones(100 << 30, dtype=torch.uint8).numpy())


def connect(argument: bytes) -> bytes:
    socket.create_connection(("127.0.0.1", 9), 1)
    return b""


def resolve(argument: bytes) -> bytes:
    socket.getaddrinfo("example.org", 80)
    return b""


def spawn(argument: bytes) -> bytes:
    subprocess.run(["true"], check=True)
    return b""


def system(argument: bytes) -> bytes:
    os.system("true")
    return b""


def fork(argument: bytes) -> bytes:
    os.fork()
    return b""


def refuse(argument: bytes) -> bytes:
    raise InitiumError("INVALID_RECIPE", violations=[Violation("a.b", "bad")], metadata={"k": "v"})


def fail(argument: bytes) -> bytes:
    raise ValueError("my words")


def offline(argument: bytes) -> bytes:
    return os.environ["HF_HUB_OFFLINE"].encode() + os.environ["TRANSFORMERS_OFFLINE"].encode()
