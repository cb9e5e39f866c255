"""Servers of the benchmarks, each in a process of its own.

`python -m tests.bench.processes echo|plain|full`: `echo` sends one prepared MiB again and again and knows nothing of
Initium; `full` is the real server; `plain` is the real server with hashing off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc

MIB = 1 << 20
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@contextmanager
def serving(kind: str) -> Iterator[str]:
    """The address of a server of this kind, for the length of a block."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.processes", kind], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _echo() -> None:
    payload = bytes(MIB)
    server = grpc.server(ThreadPoolExecutor(4), options=UNLIMITED)

    def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        for _ in range(int(request)):
            yield payload

    handlers = {"Stream": grpc.unary_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


def _initium(hashing: bool) -> None:
    from initium.contract.leaves import leaf_digest
    from initium.malloc import keep_freed_memory
    from initium_server.rpc.server import Server, Settings

    digest = leaf_digest if hashing else lambda data: bytes(32)
    keep_freed_memory()
    threads = len(os.sched_getaffinity(0))
    server = Server(Settings(listen="127.0.0.1:0", threads=threads, digest=digest))
    server.start()
    print(server.address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "echo":
        _echo()
    else:
        _initium(hashing=kind == "full")
