"""Checkpoints of generator `torch`: run into a directory, then read from there."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from initium.errors import ServerError
from initium.v1 import plan_pb2
from initium_law.dtypes import Bytes


class StoredCheckpoint:
    """The files of a plan, weights from a directory and small files from the plan itself."""

    def __init__(self, files: Sequence[plan_pb2.PlannedFile], directory: Path) -> None:
        self.files = files
        self._paths = [directory / file.name for file in files]
        for file, path in zip(files, self._paths, strict=True):
            if file.HasField("content"):
                path.write_bytes(file.content)

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """As `Checkpoint.is_cheap`: reading is."""
        return True

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """As `Checkpoint.read_into`."""
        with self._paths[file].open("rb", buffering=0) as stream:
            stream.seek(offset)
            view = out.data
            while len(view):
                view = view[stream.readinto(view) or self._short(file) :]

    def _short(self, file: int) -> int:
        raise ServerError(f"{self._paths[file].name} is shorter than its plan says", "INTERNAL")


def scratch() -> tempfile.TemporaryDirectory[str]:
    """A private directory for the files of one run of generator `torch`."""
    return tempfile.TemporaryDirectory(prefix="initium-torch-")
