"""Disks that are as full as a test wants."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def with_free(monkeypatch: pytest.MonkeyPatch, directory: Path, blocks: int, block_bytes: int | None = None) -> int:
    """Has every disk say that so many blocks are free; their size is that of the disk of `directory` unless given.

    Returns the bytes that are free.
    """
    real = os.statvfs(directory)
    size = real.f_frsize if block_bytes is None else block_bytes
    fake = os.statvfs_result((real[0], size, real[2], real[3], blocks, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda path: fake)
    return blocks * size
