"""How long a client goes on, on a clock of its own."""

from __future__ import annotations

import pytest

import initium
from initium.client.retry import OnRetry, Patience
from tests.client.clock import Clock, still

GONE = initium.Unavailable("gone")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return still(monkeypatch)


def patience(limit: float, on_retry: OnRetry | None = None) -> Patience:
    """One whose clock starts now, whichever clock that is."""
    result = Patience(limit, on_retry)
    result.progress()
    return result


def asks(seconds: float) -> initium.Unavailable:
    error = initium.Busy("busy")
    error.retry_after = seconds
    return error


def test_pauses_grow_up_to_a_cap(clock: Clock) -> None:
    waiting = patience(1000)
    for _ in range(12):
        waiting.failed(GONE)
    expected = [0.1, 0.16, 0.256, 0.4096, 0.65536, 1.048576, 1.6777216, 2.68435456, 4.294967296, 5, 5, 5]
    assert clock.pauses == pytest.approx(expected)


def test_jitter_spreads_clients_by_three_tenths(clock: Clock) -> None:
    waiting = patience(1000)
    for end in (min, max):
        clock.jitter = end
        waiting.progress()
        waiting.failed(GONE)
        waiting.failed(GONE)
    assert clock.pauses == pytest.approx([0.07, 0.112, 0.13, 0.208])


def test_the_server_may_ask_for_a_longer_pause_and_not_for_a_shorter_one(clock: Clock) -> None:
    waiting = patience(1000)
    for seconds in (7.5, 0.01, 0.0, 60):
        waiting.failed(asks(seconds))
    assert clock.pauses == pytest.approx([7.5, 0.16, 0.256, 60])


def test_progress_starts_the_clock_and_the_pauses_again(clock: Clock) -> None:
    waiting = patience(1.0)
    for _ in range(20):
        waiting.failed(GONE)
        waiting.failed(GONE)
        clock.skipped += 0.5
        waiting.progress()
    assert clock.pauses == pytest.approx([0.1, 0.16] * 20)


def test_the_last_pause_ends_with_the_limit(clock: Clock) -> None:
    waiting = patience(1.0)
    for _ in range(5):
        waiting.failed(GONE)
    with pytest.raises(initium.Unavailable, match=r"gave up after 1 s"):
        waiting.failed(GONE)
    assert clock.pauses == pytest.approx([0.1, 0.16, 0.256, 0.4096, 0.0744])  # the last would have lasted 0.66 s


def test_a_server_that_asks_for_more_than_is_left_is_not_waited_for(clock: Clock) -> None:
    waiting = patience(10.0)
    waiting.failed(asks(3.0))
    with pytest.raises(initium.Unavailable, match=r"gave up after 3 s"):
        waiting.failed(asks(7.5))
    assert clock.pauses == [3.0]


def test_a_pause_may_end_with_the_limit(clock: Clock) -> None:
    waiting = patience(8.0)
    waiting.failed(asks(8.0))
    assert clock.pauses == [8.0]


def test_without_patience_the_first_failure_is_the_last(clock: Clock) -> None:
    reported: list[float] = []
    with pytest.raises(initium.Unavailable):
        patience(0, lambda _, pause: reported.append(pause)).failed(GONE)
    assert reported == clock.pauses == []


def test_what_is_raised_in_the_end_is_the_last_error_and_how_long_it_took(clock: Clock) -> None:
    last = initium.Busy("64 streams run", "BUSY", [initium.Violation("streams", "too many")], {"streams": "64"})
    waiting = patience(0.2)
    waiting.failed(GONE)
    waiting.failed(GONE)
    with pytest.raises(initium.Unavailable) as caught:
        waiting.failed(last)
    error = caught.value
    assert type(error) is initium.Busy
    assert error.message == "64 streams run (gave up after 0.2 s without progress)"
    assert (error.reason, error.violations, error.metadata) == (last.reason, last.violations, last.metadata)


def test_callers_get_each_error_and_pause_before_it(clock: Clock) -> None:
    reported: list[tuple[initium.Unavailable, float, int]] = []
    waiting = patience(1000, lambda error, pause: reported.append((error, pause, len(clock.pauses))))
    busy = asks(3.0)
    waiting.failed(GONE)
    waiting.failed(busy)
    assert reported == [(GONE, pytest.approx(0.1), 0), (busy, 3.0, 1)]
    assert clock.pauses == [pause for _, pause, _ in reported]


def test_callers_may_give_up_earlier(clock: Clock) -> None:
    def enough(error: initium.Unavailable, pause: float) -> None:
        raise initium.ServerError("the child process died") from error

    with pytest.raises(initium.ServerError, match="the child process died"):
        patience(1000, enough).failed(GONE)
    assert clock.pauses == []
