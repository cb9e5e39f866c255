"""The law against torch.nn.init, both on all cores: values per second of each initializer."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from initium_server import law
from initium_server.core import fills
from tests.bench.report import Report, alternate

THREADS = len(os.sched_getaffinity(0))
COUNT = 1 << 24
BLOCK = 1 << 18

Init = Callable[[torch.Tensor], object]
CASES: list[tuple[str, fills.Fill, Init, float]] = [
    ("normal", fills.Normal(0.0, 0.02), lambda t: torch.nn.init.normal_(t, 0.0, 0.02), 2.5),
    (
        "trunc_normal",
        fills.TruncNormal(0.0, 0.02, -0.04, 0.04),
        lambda t: torch.nn.init.trunc_normal_(t, 0.0, 0.02, -0.04, 0.04),
        25.0,
    ),
    ("uniform", fills.Uniform(-0.1, 0.1), lambda t: torch.nn.init.uniform_(t, -0.1, 0.1), 0.0),
]
DTYPES = {"F32": (torch.float32, 4), "BF16": (torch.bfloat16, 2)}


def run(report: Report) -> None:
    """Every random fill in F32 and BF16. Targets are for F32."""
    torch.set_num_threads(THREADS)
    law.warm()
    report.section(f"law against torch.nn.init, {THREADS} threads each, values per second")
    with ThreadPoolExecutor(THREADS) as pool:
        for name, fill, init, target in CASES:
            for dtype in DTYPES:
                _compare(report, pool, f"{name} {dtype}", fill, init, dtype, COUNT, target)


def _compare(
    report: Report,
    pool: ThreadPoolExecutor,
    name: str,
    fill: fills.Fill,
    init: Init,
    dtype: str,
    count: int,
    target: float,
) -> None:
    kind, item = DTYPES[dtype]
    tensor, out = torch.empty(count, dtype=kind), np.empty(count * item, np.uint8)
    ours, theirs = alternate(lambda: draw(pool, fill, dtype, item, out), lambda: init(tensor))
    detail = f"{count / ours / 1e6:,.0f} M/s against {count / theirs / 1e6:,.0f} M/s"
    if dtype == "F32" and target:
        report.at_least(name, theirs / ours, target, detail)
    else:
        report.note(f"     {name:<44} {theirs / ours:8.2f}  {detail}")


def draw(pool: ThreadPoolExecutor, fill: fills.Fill, dtype: str, item: int, out: np.ndarray) -> None:
    """One tensor as large as `out`, cut among the threads of `pool`."""
    count = len(out) // item
    drawer = law.prepare(fill, 42, "weight", (count,), dtype, {})
    blocks = range(0, count, BLOCK)
    list(pool.map(lambda i: drawer.draw(i, out[i * item : min(i + BLOCK, count) * item]), blocks))
