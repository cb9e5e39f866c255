"""Small files, never half written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from initium.errors import OutputError

PARTIAL = ".partial"
"""Ends the name of a file that is not complete yet."""


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turns OSError into OutputError with the path."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {error.filename or path}: {error.strerror}") from None


def replace_file(path: Path, data: bytes) -> None:
    """Writes `data` under a temporary name beside `path`, then renames it. Errors: OutputError.

    What is not a regular file, e.g. /dev/stdout, is written to directly.
    """
    with output_errors(path):
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        partial = path.with_name(path.name + PARTIAL)
        partial.write_bytes(data)
        partial.replace(path)
