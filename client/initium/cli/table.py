"""Plain tables that grep, awk and `column` understand: one row a line, columns two spaces apart, nothing cut off.

For a terminal that is too narrow, long cells go on in the next line.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest

# Names come from recipes and servers: control characters must not reach the terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BREAK = re.compile(r"(?<= )|(?<=\.)(?=[^0-9])")
_GAP = 2
_LEAST = 12
"""Columns that a wrapped cell has at least."""


def width() -> int | None:
    """Columns of the terminal that stdout is, or of COLUMNS; None where lines may have any length."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else None


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> Iterator[str]:
    """The lines of a table; empty cells show as `-`. `right`: columns of numbers."""
    cells = [list(header), *([_cell(text) for text in row] for row in rows)]
    return _lines(cells, _widths(cells), right)


def fits(header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> bool:
    """Whether the table's lines have at most `width` columns."""
    return width is None or sum(_widths([header, *rows])) + _GAP * (len(header) - 1) <= width


def wrapped_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int, first: int, second: int
) -> Iterator[str]:
    """The lines of a table of `width` columns: cells of two columns are wrapped, `first` has more room."""
    cells = [list(header), *([_cell(text) for text in row] for row in rows)]
    widths = _widths(cells)
    room = width - sum(widths) - _GAP * (len(widths) - 1) + widths[first] + widths[second]
    widths[second] = max(_LEAST, min(widths[second], max(room - widths[first], room * 2 // 5)))
    widths[first] = max(_LEAST, room - widths[second])
    for row in cells:
        pieces = [wrapped(text, widths[i]) if i in (first, second) else [text] for i, text in enumerate(row)]
        yield from _lines(zip_longest(*pieces, fillvalue=""), widths)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns, broken behind spaces and dots; all but the first are indented."""
    lines = [""]
    for part in _BREAK.split(text):
        while len(lines[-1]) + len(part.rstrip()) > width:
            if lines[-1].strip():
                lines.append(" ")
            else:  # longer than a line by itself
                room = width - len(lines[-1])
                lines[-1] += part[:room]
                part = part[room:]
                lines.append(" ")
        lines[-1] += part
    return [line.rstrip() for line in lines if line.strip()] or [""]


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def _lines(
    cells: Sequence[Sequence[str]] | Iterator[Sequence[str]], widths: Sequence[int], right: Collection[int] = ()
) -> Iterator[str]:
    for row in cells:
        padded = (
            text.rjust(wide) if i in right else text.ljust(wide)
            for i, (text, wide) in enumerate(zip(row, widths, strict=True))
        )
        yield (" " * _GAP).join(padded).rstrip()


def _cell(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) or "-"
