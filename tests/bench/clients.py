"""Clients of the transport benchmarks, each in a process of its own that prints its seconds.

`python -m tests.bench.clients echo|drain|verify ADDRESS [DIGEST|PLAN]`: `echo` is bare gRPC; `drain` parses Initium's
stream and drops it; `verify` checks every leaf. The last two tune their process as the `initium` command does.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import grpc

import initium
from initium.client.framing import Leaf, parse_generate
from initium.malloc import keep_freed_memory
from initium.v1 import service_pb2
from tests.bench.processes import MIB, UNLIMITED

SIZE = 1 << 30


def run(*arguments: str) -> float:
    """Runs a client in a process; its seconds, without the start of the process."""
    command = [sys.executable, "-m", "tests.bench.clients", *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _stream(channel: grpc.Channel, method: str, request: bytes) -> grpc.Call:
    return channel.unary_stream(method)(request)


def echo(address: str) -> int:
    """Bytes that a bare stream carries."""
    with grpc.insecure_channel(address, options=UNLIMITED) as channel:
        return sum(map(len, _stream(channel, "/echo/Stream", str(SIZE // MIB).encode())))


def drain(address: str, digest: str) -> int:
    """Bytes of the leaves of a plan that the server holds; nothing is hashed."""
    request = service_pb2.GenerateRequest(
        source=service_pb2.PlanSource(plan_digest=bytes.fromhex(digest))
    ).SerializeToString()
    total = 0
    with grpc.insecure_channel(address, options=UNLIMITED) as channel:
        for message in _stream(channel, "/initium.v1.InitiumService/Generate", request):
            leaf = parse_generate(message)
            total += len(leaf.data) if isinstance(leaf, Leaf) else 0
    return total


def verify(address: str, plan_file: str) -> int:
    """Bytes of the leaves of a plan, each checked against its digest."""
    plan = initium.read_plan(Path(plan_file))
    with initium.connect(address) as client:
        return sum(len(leaf.data) for leaf in client.leaves(plan))


def main(kind: str, *arguments: str) -> None:
    """Prints the seconds that the named client takes."""
    if kind != "echo":
        keep_freed_memory()
    start = time.perf_counter()
    total = {"echo": echo, "drain": drain, "verify": verify}[kind](*arguments)
    print(time.perf_counter() - start)
    assert total >= SIZE, total


if __name__ == "__main__":
    main(*sys.argv[1:])
