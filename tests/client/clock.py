"""Clocks for whatever waits: pauses pass at once, and are noted."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest


class Clock:
    """Stands in for `time` and `random` of `initium.client.retry`. What moves it is its pauses, and `passing`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, passing: Callable[[], float]) -> None:
        self.skipped = 0.0
        self.pauses: list[float] = []
        self.jitter: Callable[[float, float], float] = lambda low, high: 1.0
        self._passing = passing
        monkeypatch.setattr("initium.client.retry.time", self)
        monkeypatch.setattr("initium.client.retry.random", SimpleNamespace(uniform=self._uniform))

    def monotonic(self) -> float:
        return self._passing() + self.skipped

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.skipped += seconds

    def _uniform(self, low: float, high: float) -> float:
        return self.jitter(low, high)


def still(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that nothing but its pauses moves."""
    return Clock(monkeypatch, lambda: 0.0)


def skipping(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The real clock, on which pauses pass at once. Patience begins by the real one: set `skipped` to 0 before."""
    return Clock(monkeypatch, time.monotonic)
