"""Plain tables that grep, awk and `column` understand: one row a line, columns two spaces apart, nothing cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Names come from recipes and servers: control characters must not reach the terminal.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; empty cells show as `-`."""
    cells = [[_cell(text) for text in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(header), *cells]) for column in range(len(header))]
    for row in [list(header), *cells]:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def _cell(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text) or "-"
