"""The law against what else makes random weights on this CPU: values per second of each map and dtype."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

import initium_law as law
from initium_law import grammar as fills
from tests.bench.report import Report, alternate, available_threads

COUNT = 1 << 24
BLOCK = 1 << 18
DTYPES = {"F32": (torch.float32, 4), "BF16": (torch.bfloat16, 2)}

FILLS: dict[str, fills.Fill] = {
    "normal": fills.Normal(0.0, 0.02),
    "trunc_normal": fills.TruncNormal(0.0, 0.02, -0.04, 0.04),
    "uniform": fills.Uniform(-0.1, 0.1),
}
INITS: dict[str, Callable[[torch.Tensor], object]] = {
    "normal": lambda t: torch.nn.init.normal_(t, 0.0, 0.02),
    "trunc_normal": lambda t: torch.nn.init.trunc_normal_(t, 0.0, 0.02, -0.04, 0.04),
    "uniform": lambda t: torch.nn.init.uniform_(t, -0.1, 0.1),
}
TARGETS: Mapping[tuple[str, str], float] = {
    ("normal", "F32"): 3.0,
    ("trunc_normal", "F32"): 42.0,
    ("uniform", "F32"): 3.0,
    ("normal", "BF16"): 3.0,
}
"""Times torch.nn.init, with all threads."""
AVX512: Mapping[tuple[str, str], float] = {**TARGETS, ("normal", "F32"): 3.5, ("trunc_normal", "F32"): 45.0}
"""The same where vectors are twice as wide."""


def run(report: Report) -> None:
    """All maps with one thread and with all, orthogonal matrices, and other generators beside them."""
    law.warm()
    report.note(f"CPU: {_features()}")
    targets = AVX512 if "avx512f" in _features() else TARGETS
    for threads in sorted({1, available_threads()}):
        torch.set_num_threads(threads)
        report.section(f"law against torch.nn.init, {threads} threads each, {COUNT:,} values")
        with ThreadPoolExecutor(threads) as pool:
            for name in FILLS:
                for dtype in DTYPES:
                    target = targets.get((name, dtype), 0.0) if threads == available_threads() else 0.0
                    _against_torch(report, pool, name, dtype, target)
            _against_others(report, pool, threads)
    _orthogonal(report)


def _features() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")), "unknown")
    return f"{model}, {' '.join(flag for flag in ('avx2', 'avx512f', 'fma') if f' {flag}' in info)}"


def _against_torch(report: Report, pool: ThreadPoolExecutor, name: str, dtype: str, target: float) -> None:
    kind, item = DTYPES[dtype]
    tensor, out = torch.empty(COUNT, dtype=kind), np.empty(COUNT * item, np.uint8)
    ours, theirs = alternate(lambda: draw(pool, FILLS[name], dtype, item, out), lambda: INITS[name](tensor))
    report.ratio(f"{name} {dtype}", theirs / ours, target, f"{_rate(ours)} against {_rate(theirs)}")


def _against_others(report: Report, pool: ThreadPoolExecutor, threads: int) -> None:
    """The F32 normal against other counter-based generators, and against writing memory."""
    out = np.empty(4 * COUNT, np.uint8)
    peers: dict[str, Callable[[], object]] = {"memset": lambda: out.fill(0)}
    if importlib.util.find_spec("torch.func._random"):
        stateless = importlib.import_module("torch.func._random")
        tensor, key = torch.empty(COUNT), stateless.key(42)
        peers["torch.func._random.normal_"] = lambda: stateless.normal_(key, tensor)
    generator = np.random.Generator(np.random.Philox(42))
    peers["numpy Philox standard_normal"] = lambda: generator.standard_normal(dtype=np.float32, out=out.view("<f4"))
    if importlib.util.find_spec("jax"):
        peers["jax.random.normal"] = _jax_normal()
    else:
        report.note("     jax is not installed: left out")
    ours, *theirs = alternate(lambda: draw(pool, FILLS["normal"], "F32", 4, out), *peers.values())
    for name, seconds in zip(peers, theirs, strict=True):
        target = 6.0 if name.startswith("torch.func") and threads == available_threads() else 0.0
        report.ratio(f"normal F32 against {name}", seconds / ours, target, f"{_rate(ours)} against {_rate(seconds)}")


def _jax_normal() -> Callable[[], object]:
    import jax

    key = jax.random.key(42)
    normal = jax.jit(lambda: jax.random.normal(key, (COUNT,)))
    normal().block_until_ready()
    return lambda: normal().block_until_ready()


def _orthogonal(report: Report) -> None:
    """Haar matrices, both with all threads; the engine keeps nothing here."""
    threads = available_threads()
    report.section(f"orthogonal F32 against torch.nn.init.orthogonal_, {threads} threads each")
    for n in (512, 1024, 2048):
        _matrix(report, n, law.Engine(threads=threads, cache=law.Cache(0)))


def _matrix(report: Report, n: int, engine: law.Engine) -> None:
    tensor, out = torch.empty(n, n), np.empty(4 * n * n, np.uint8)
    drawer = law.prepare(fills.Orthogonal(1.0), 42, "weight", (n, n), "F32", {}, engine)
    ours, theirs = alternate(lambda: drawer.draw(0, out), lambda: torch.nn.init.orthogonal_(tensor))
    report.at_most(f"{n} x {n}", ours / theirs, 4.0, f"{ours * 1e3:.0f} ms against {theirs * 1e3:.0f} ms")


def _rate(seconds: float) -> str:
    return f"{COUNT / seconds / 1e6:,.0f} M/s"


def draw(pool: ThreadPoolExecutor, fill: fills.Fill, dtype: str, item: int, out: np.ndarray) -> None:
    """One tensor as large as `out`, cut among the threads of `pool`."""
    count = len(out) // item
    drawer = law.prepare(fill, 42, "weight", (count,), dtype, {})
    blocks = range(0, count, BLOCK)
    list(pool.map(lambda i: drawer.draw(i, out[i * item : min(i + BLOCK, count) * item]), blocks))
