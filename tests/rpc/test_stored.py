"""Checkpoints of generator `torch`, read from where they were run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from initium.errors import ServerError
from initium.v1.plan_pb2 import Plan, PlannedFile
from initium_server.rpc.stored import StoredCheckpoint, scratch

WEIGHTS = bytes(range(200))
PLAN = Plan(
    files=[PlannedFile(name="model.safetensors", size=200), PlannedFile(name="config.json", size=2, content=b"{}")]
)


@pytest.fixture
def stored(tmp_path: Path) -> StoredCheckpoint:
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    return StoredCheckpoint(PLAN.files, tmp_path)


def read(stored: StoredCheckpoint, file: int, offset: int, size: int) -> bytes:
    out = np.full(size, 0xAA, np.uint8)
    stored.read_into(file, offset, out)
    return out.tobytes()


def test_weights_come_from_the_directory_and_small_files_from_the_plan(stored: StoredCheckpoint) -> None:
    assert list(stored.files) == list(PLAN.files)
    assert read(stored, 0, 0, 200) == WEIGHTS
    assert read(stored, 0, 37, 100) == WEIGHTS[37:137]
    assert read(stored, 1, 1, 1) == b"}"
    assert stored.is_cheap(0, 0, 200)


def test_a_file_that_is_too_short_is_a_bug_and_not_a_hang(stored: StoredCheckpoint) -> None:
    with pytest.raises(ServerError, match=r"model.safetensors is shorter than its plan says") as caught:
        read(stored, 0, 150, 51)
    assert caught.value.reason == "INTERNAL"


def test_scratch_goes_away() -> None:
    with scratch() as directory:
        assert Path(directory).name.startswith("initium-torch-")
    assert not Path(directory).exists()
