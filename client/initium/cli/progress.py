"""How far it is: a bar on a terminal, now and then a line elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from initium.cli.common import human_bytes, say

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

LINE_SECONDS = 5.0
"""Seconds between lines where there is no terminal."""

Report = Callable[[int, int], None]


@contextlib.contextmanager
def progress(title: str) -> Iterator[Report]:
    """A function that takes the bytes done and all bytes."""
    if sys.stderr.isatty():
        with _bar(title) as report:
            yield report
    else:
        yield _Lines(title)


@contextlib.contextmanager
def _bar(title: str) -> Iterator[Report]:
    # Imported here: rich costs more than the rest of the command's start.
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(binary_units=True))
    with Progress(
        *columns, _speed_column(), TimeRemainingColumn(), console=Console(stderr=True), refresh_per_second=4
    ) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _speed_column() -> ProgressColumn:
    """rich's own counts in powers of ten."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Speed(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{human_bytes(speed)}/s" if speed else "", style="progress.data.speed")

    return Speed()


class _Lines:
    def __init__(self, title: str) -> None:
        self._title = title
        self._last: float | None = None
        self._last_done = 0

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._last is None:  # the clock starts here: before, a server started and a model was built
            self._last, self._last_done = now, done
        if now - self._last < LINE_SECONDS:
            return
        rate = (done - self._last_done) / (now - self._last)
        say(f"{self._title}: {human_bytes(done)} of {human_bytes(total)} ({done / total:.0%}), {human_bytes(rate)}/s")
        self._last, self._last_done = now, done
