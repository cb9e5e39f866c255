"""Small files, never half written."""

from __future__ import annotations

import ctypes
import errno
import os
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


def reserve(handle: int, size: int) -> None:
    """Has the file system set aside `size` bytes at once, which makes writing them several times cheaper.

    Where it cannot, nothing happens: the C library's own posix_fallocate would write zeros instead.
    Errors: OSError, e.g. when the disk is full.
    """
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate64
    except (OSError, AttributeError):
        return
    if fallocate(handle, 0, ctypes.c_int64(0), ctypes.c_int64(size)):
        number = ctypes.get_errno()
        if number not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number))


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
