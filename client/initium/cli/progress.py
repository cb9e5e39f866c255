"""How far it is: a bar on a terminal, now and then a line elsewhere. Always on stderr."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from initium.cli.common import say
from initium.contract.wording import human_bytes

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
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), _amount_column(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bar:
        task = bar.add_task(title, total=None)
        try:
            yield lambda done, total: bar.update(task, completed=done, total=total)
        finally:
            if bar.tasks[task].total is None:  # nothing began, so there is nothing to show
                bar.remove_task(task)


def _amount_column() -> ProgressColumn:
    """How much, and how fast, in powers of two: rich's own columns mix units, and know no word for "not yet"."""
    from rich.progress import ProgressColumn, Task
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        def render(self, task: Task) -> Text:
            if task.total is None:
                return Text("preparing", style="progress.download")
            speed = task.finished_speed or task.speed
            rate = f", {human_bytes(speed)}/s" if speed else ""
            return Text(f"{human_bytes(task.completed)} of {human_bytes(task.total)}{rate}", style="progress.download")

    return Amount(Column(no_wrap=True))


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
