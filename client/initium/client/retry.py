"""How long a client goes on when servers go away: exponential backoff with jitter, measured from the last progress."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from initium.errors import Unavailable

FIRST_DELAY = 0.1
"""Seconds before the first retry."""
MAX_DELAY = 5.0
"""Longest pause in seconds, unless the server asks for more."""
SHORTEST = 0.01
"""Seconds of patience that are not worth another try."""
GROWTH = 1.6
"""Each pause is this much longer than the one before."""

OnRetry = Callable[[Unavailable, float], None]
"""Called before each pause: what happened and how many seconds it will last. May raise to give up."""


@dataclass(slots=True)
class Patience:
    """Decides after each failure whether to go on, and waits."""

    limit: float
    """Seconds without progress after which the last error is raised."""
    on_retry: OnRetry | None = None
    advice: str = ""
    """What else to say in the end."""
    _since: float = field(default_factory=time.monotonic)
    _delay: float = FIRST_DELAY

    def progress(self) -> None:
        """Something arrived: the clock and the pauses start again."""
        self._since = time.monotonic()
        self._delay = FIRST_DELAY

    def failed(self, error: Unavailable) -> None:
        """Waits for the next try, or raises `error` when patience is at its end, or the server asks for more."""
        waited = time.monotonic() - self._since
        left = self.limit - waited
        if left < SHORTEST or error.retry_after > left:
            raise self._given_up(error, waited) from None
        pause = min(max(self._delay * random.uniform(0.7, 1.3), error.retry_after), left)
        if self.on_retry is not None:
            self.on_retry(error, pause)
        time.sleep(pause)
        self._delay = min(self._delay * GROWTH, MAX_DELAY)

    def _given_up(self, error: Unavailable, waited: float) -> Unavailable:
        message = f"{error.message} (gave up after {round(waited, 1):g} s without progress{self.advice})"
        return type(error)(message, error.reason, error.violations, error.metadata)
