"""Plans of many tensors: resolved from a recipe, sent by value, named by digest; the growth from 1,000 to 200,000."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import initium
from tests.bench.processes import serving
from tests.bench.report import Report

COUNTS = (1_000, 10_000, 50_000, 200_000)
SHAPES = ([64, 64], [64], [256, 64], [64, 256], [3, 3, 64, 64])
TARGETS = {"by recipe": 15.0, "by value": 5.0, "by digest": 0.2}
"""Seconds for 200,000 tensors on a quiet machine with two hardware threads."""


def recipe(count: int) -> initium.Recipe:
    """A bare list with the names and shapes of a transformer's blocks, and three rules."""
    tensors = [
        {"name": f"layers.{i // len(SHAPES)}.block.{i % len(SHAPES)}.weight", "shape": SHAPES[i % len(SHAPES)]}
        for i in range(count)
    ]
    rules: list[dict[str, Any]] = [
        {"match": {"ndim": [1]}, "zeros": {}},
        {"match": {"path": ["layers.*.block.4.*"]}, "kaiming_normal": {}},
        {"match": {"every": True}, "normal": {"std": 0.02}},
    ]
    data = {"architecture": {"tensors": {"tensors": tensors}}, "seed": 7, "init": {"rules": rules}}
    return initium.load_recipe(data)


def run(report: Report) -> None:
    """Each count once, from request to the whole plan, or to the first leaf."""
    report.section("plans, seconds (and microseconds a tensor)")
    with (
        serving("full") as one,
        serving("full") as other,
        initium.connect(one) as resolving,
        initium.connect(other) as reading,
    ):
        resolving.resolve(recipe(len(SHAPES)))
        seconds = {count: _measured(resolving, reading, count) for count in COUNTS}
    for count, found in seconds.items():
        figures = ", ".join(f"{name} {took:.2f} ({took / count * 1e6:.0f})" for name, took in found.items())
        report.note(f"{count:>9,} tensors: {figures}")
    for name, target in TARGETS.items():
        report.at_most(f"{name}, {COUNTS[-1]:,} tensors, s", seconds[COUNTS[-1]][name], target)
    for name in ("by recipe", "by value"):
        growth = seconds[COUNTS[-1]][name] / seconds[COUNTS[1]][name] / (COUNTS[-1] / COUNTS[1])
        report.at_most(f"{name}, growth of the time a tensor takes", growth, 1.5)


def _measured(resolving: initium.Client, reading: initium.Client, count: int) -> dict[str, float]:
    given = recipe(count)
    plan, by_recipe = _timed(lambda: resolving.resolve(given))
    _, by_value = _timed(lambda: next(iter(reading.leaves(plan))))
    _, by_digest = _timed(lambda: next(iter(reading.leaves(plan))))
    return {"by recipe": by_recipe, "by value": by_value, "by digest": by_digest}


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start
