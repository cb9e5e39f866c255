"""The wire: transport alone against a bare gRPC echo, and a cold stream against the bound of its parts."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

import initium
from initium.digests import leaf_digest
from initium.framing import Leaf, parse_generate
from initium.v1 import plan_pb2, service_pb2
from initium_server.core import fills
from tests.bench.law import draw
from tests.bench.processes import MIB, UNLIMITED, serving
from tests.bench.report import Report, alternate

SIZE = 1 << 30
THREADS = len(os.sched_getaffinity(0))


def recipe(**initializer: Any) -> dict[str, Any]:
    """A recipe of 1 GiB in 16 tensors."""
    tensors = [{"name": f"layer{i}.weight", "shape": [4096, 4096]} for i in range(SIZE >> 26)]
    rules = [{"match": {"all": []}, **initializer}]
    return {"architecture": {"tensors": {"tensors": tensors}}, "seed": 42, "init": {"rules": rules}}


def run(report: Report) -> None:
    """Both comparisons share the echo."""
    report.section("transport, 1 GiB over loopback TCP")
    with serving("echo") as echo, serving("plain") as plain:
        _alone(report, echo, plain)
    with serving("echo") as echo, serving("full") as full:
        _cold(report, echo, full)


def _alone(report: Report, echo: str, plain: str) -> None:
    """A constant fill with hashing off: framing, pipeline and parsing are what is measured."""
    with initium.connect(plain) as client:
        plan = client.resolve(recipe(zeros={}))
    echo_time, ours = alternate(lambda: _drain_echo(echo), lambda: _drain(plain, plan))
    report.at_least("transport alone / echo", echo_time / ours, 0.9, f"{_rate(ours)} against {_rate(echo_time)}")


def _cold(report: Report, echo: str, full: str) -> None:
    """A normal stream, drawn, hashed, sent and verified, against 1 / (1/echo + 1/draw + 2/hash)."""
    with initium.connect(full) as client, ThreadPoolExecutor(THREADS) as pool:
        plan = client.resolve(recipe(normal={"std": 0.02}))
        out = np.empty(SIZE // 4, np.uint8)
        echo_time, draw_time, hash_time, ours = alternate(
            lambda: _drain_echo(echo),
            lambda: draw(pool, fills.Normal(0.0, 0.02), "F32", 4, out),
            lambda: _hash(pool, out),
            lambda: _verify(client, plan),
        )
    bound = echo_time + 4 * draw_time + 2 * 4 * hash_time
    detail = f"{_rate(ours)}; echo {_rate(echo_time)}, draw {_rate(4 * draw_time)}, hash {_rate(4 * hash_time)}"
    report.at_least("cold normal stream / bound of its parts", bound / ours, 0.85, detail)


def _rate(seconds: float) -> str:
    return f"{SIZE / seconds / 1e9:.2f} GB/s"


def _messages(address: str, method: str, request: bytes, take: Callable[[bytes], int]) -> None:
    with grpc.insecure_channel(address, options=UNLIMITED) as channel:
        total = sum(take(message) for message in channel.unary_stream(method)(request))
    assert total >= SIZE, total


def _drain_echo(address: str) -> None:
    _messages(address, "/echo/Stream", str(SIZE // MIB).encode(), len)


def _drain(address: str, plan: plan_pb2.Plan) -> None:
    source = service_pb2.PlanSource(plan_digest=plan.plan_digest)
    request = service_pb2.GenerateRequest(source=source).SerializeToString()

    def take(message: bytes) -> int:
        leaf = parse_generate(message)
        return len(leaf.data) if isinstance(leaf, Leaf) else 0

    _messages(address, "/initium.v1.InitiumService/Generate", request, take)


def _hash(pool: ThreadPoolExecutor, data: np.ndarray) -> None:
    list(pool.map(lambda i: leaf_digest(data[i : i + MIB]), range(0, len(data), MIB)))


def _verify(client: initium.Client, plan: plan_pb2.Plan) -> None:
    assert sum(len(leaf.data) for leaf in client.leaves(plan)) >= SIZE
