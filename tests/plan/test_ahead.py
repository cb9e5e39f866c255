"""Results in order, few of them under way, and none left behind."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

from hypothesis import given
from hypothesis import strategies as st

from initium.plan.ahead import in_order


class Started:
    """Futures of 0, 1, 2, ...; all but the first few are never done, but can be cancelled."""

    def __init__(self, count: int, done: int) -> None:
        self.futures: list[Future[int]] = []
        self._count, self._done = count, done

    def __iter__(self) -> Iterator[Future[int]]:
        for i in range(self._count):
            future: Future[int] = Future()
            if i < self._done:
                future.set_result(i)
            self.futures.append(future)
            yield future


@given(st.integers(0, 9), st.integers(1, 5))
def test_all_come_in_order(count: int, ahead: int) -> None:
    started = Started(count, done=count)
    for i, result in enumerate(in_order(started, ahead)):
        assert result == i
        assert len(started.futures) == min(count, i + 1 + ahead)
    assert len(started.futures) == count


def test_closing_cancels_what_has_not_begun() -> None:
    started = Started(9, done=2)
    results = in_order(started, 3)
    assert [next(results), next(results)] == [0, 1]
    results.close()  # type: ignore[attr-defined] # an Iterator to callers, a generator in fact
    assert [future.cancelled() for future in started.futures] == [False, False, True, True, True]
