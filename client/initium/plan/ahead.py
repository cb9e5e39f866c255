"""Work by several threads, and yet in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_order(started: Iterable[Future[T]], ahead: int) -> Iterator[T]:
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
