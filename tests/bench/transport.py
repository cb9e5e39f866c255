"""The wire: transport alone against a bare gRPC echo, and a cold stream against the bound of its parts."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import initium
from initium.contract.leaves import leaf_digest
from initium_law import grammar as fills
from tests.bench import clients
from tests.bench.clients import SIZE
from tests.bench.law import draw
from tests.bench.processes import MIB, serving
from tests.bench.report import Report, alternate, available_threads

THREADS = available_threads()


def recipe(**initializer: Any) -> dict[str, Any]:
    """A recipe of 1 GiB in 16 tensors."""
    tensors = [{"name": f"layer{i}.weight", "shape": [4096, 4096]} for i in range(SIZE >> 26)]
    rules = [{"match": {"every": True}, **initializer}]
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
    echo_time, ours = alternate(
        lambda: clients.run("echo", echo), lambda: clients.run("drain", plain, plan.plan_digest)
    )
    report.at_least("transport alone / echo", echo_time / ours, 0.9, f"{_rate(ours)} against {_rate(echo_time)}")


def _cold(report: Report, echo: str, full: str) -> None:
    """A normal stream, drawn, hashed, sent and verified, against 1 / (1/echo + 1/draw + 2/hash)."""
    with initium.connect(full) as client, ThreadPoolExecutor(THREADS) as pool, tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "plan.json"
        initium.write_plan(client.resolve(recipe(normal={"std": 0.02})), path)
        out = np.empty(SIZE // 4, np.uint8)
        echo_time, draw_time, hash_time, ours = alternate(
            lambda: clients.run("echo", echo),
            lambda: draw(pool, fills.Normal(0.0, 0.02), "F32", 4, out),
            lambda: _hash(pool, out),
            lambda: clients.run("verify", full, str(path)),
        )
    bound = echo_time + 4 * draw_time + 2 * 4 * hash_time
    detail = f"{_rate(ours)}; echo {_rate(echo_time)}, draw {_rate(4 * draw_time)}, hash {_rate(4 * hash_time)}"
    report.at_least("cold normal stream / bound of its parts", bound / ours, 0.85, detail)


def _rate(seconds: float) -> str:
    return f"{SIZE / seconds / 1e9:.2f} GB/s"


def _hash(pool: ThreadPoolExecutor, data: np.ndarray) -> None:
    list(pool.map(lambda i: leaf_digest(data[i : i + MIB]), range(0, len(data), MIB)))
