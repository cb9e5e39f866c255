"""Medians, ratios and targets."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

ROUNDS = 5


def available_threads() -> int:
    """Hardware threads that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(slots=True)
class Report:
    """Prints each ratio as it is measured, and remembers which targets were missed."""

    missed: list[str] = field(default_factory=list)
    met: int = 0

    def section(self, title: str) -> None:
        """Starts a section."""
        print(f"\n{title}", flush=True)

    def note(self, text: str) -> None:
        """A figure without target."""
        print(f"  {text}", flush=True)

    def at_least(self, name: str, ratio: float, target: float, detail: str = "") -> None:
        """A ratio that should reach `target`."""
        self._judge(name, ratio, ratio >= target, f">= {target:g}", detail)

    def at_most(self, name: str, ratio: float, target: float, detail: str = "") -> None:
        """A ratio that should stay below `target`."""
        self._judge(name, ratio, ratio <= target, f"<= {target:g}", detail)

    def ratio(self, name: str, ratio: float, target: float, detail: str) -> None:
        """`at_least` where there is a target, else a figure without one."""
        if target:
            self.at_least(name, ratio, target, detail)
        else:
            self.note(f"     {name:<44} {ratio:8.2f}  {detail}")

    def _judge(self, name: str, ratio: float, good: bool, target: str, detail: str) -> None:
        self.met += good
        if not good:
            self.missed.append(name)
        print(f"  {'ok  ' if good else 'MISS'} {name:<44} {ratio:8.2f}  (target {target})  {detail}", flush=True)

    def finish(self) -> int:
        """The summary line, last; the exit status."""
        total = self.met + len(self.missed)
        print(f"\nbench: {self.met} of {total} targets met" + "".join(f"; missed: {name}" for name in self.missed))
        return 1 if self.missed else 0


def alternate(*functions: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each function; rounds interleave them, so that all meet the same noise.

    A function that returns a float has measured its own seconds.
    """
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(rounds):
        for function, collected in zip(functions, times, strict=True):
            start = time.perf_counter()
            own = function()
            collected.append(own if isinstance(own, float) else time.perf_counter() - start)
    return [statistics.median(collected) for collected in times]
