"""Work by several threads, and yet in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol, TypeVar

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


class Pending(Protocol[R_co]):
    """As `concurrent.futures.Future`."""

    def result(self) -> R_co:
        """Waits for it."""

    def cancel(self) -> object:
        """Drops it if it has not begun."""


def in_order(started: Iterable[Pending[T]], ahead: int) -> Iterator[T]:
    """The results in order, at most `ahead` of them under way. Closing the iterator drops what was started."""
    rest = iter(started)
    pending = deque(islice(rest, ahead))
    try:
        while pending:
            result = pending.popleft().result()
            pending.extend(islice(rest, 1))
            yield result
    finally:
        for each in pending:
            each.cancel()
