"""What a difference in a weight file may show in its header, without drawing again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from initium.disk.header import first_difference
from initium.v1.plan_pb2 import Plan, PlannedTensor

ENTRIES: dict[str, dict[str, Any]] = {
    "x": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "y": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]},
}


def header(entries: Any, length: int = 200) -> bytes:
    return length.to_bytes(8, "little") + json.dumps(entries).encode().ljust(length)


START = 208
PLAN = Plan(
    tensors=[
        PlannedTensor(name="elsewhere", dtype="U8", shape=[1], file=0, offset=8, size=1),
        PlannedTensor(name="x", dtype="F32", shape=[2, 3], file=1, offset=START, size=24),
        PlannedTensor(name="y", dtype="I64", file=1, offset=START + 24, size=8),
    ]
)


def difference(path: Path, content: bytes, file: int = 1) -> str:
    (path / "x").write_bytes(content)
    return first_difference(path / "x", PLAN, file)


def test_a_header_that_is_as_planned(tmp_path: Path) -> None:
    reported = "; its header is right, so values differ: verify with redraw names the first"
    assert difference(tmp_path, header(ENTRIES) + bytes(32)) == reported


def test_files_without_tensors_have_no_header(tmp_path: Path) -> None:
    assert difference(tmp_path, b"{}", file=2) == ""


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("x", {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 24]}),
        ("x", {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}),
        ("y", {"dtype": "I64", "shape": [], "data_offsets": [24, 33]}),
        ("y", {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]}),
        ("y", None),
    ],
)
def test_the_first_tensor_that_is_not_as_planned(tmp_path: Path, name: str, entry: dict[str, Any] | None) -> None:
    entries = ENTRIES | {name: entry}
    if entry is None:
        del entries[name]
    reported = f"; its header has {entry} for {name}, the plan {ENTRIES[name]}"
    assert difference(tmp_path, header(entries) + bytes(32)) == reported


def test_a_header_of_another_length_moves_every_tensor(tmp_path: Path) -> None:
    reported = difference(tmp_path, header(ENTRIES | {"__metadata__": {}}, 216))
    assert reported.startswith(
        "; its header has {'dtype': 'F32', 'shape': [2, 3], 'data_offsets': [0, 24]} for x, the plan"
    )
    assert reported.endswith("'data_offsets': [-16, 8]}")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02\0\0",
        header(ENTRIES)[:100],
        header([1]),
        header("x"),
        (3).to_bytes(8, "little") + b"\xff{}",
        (100_000_001).to_bytes(8, "little") + b"{}",
        (200_000).to_bytes(8, "little") + b"[" * 200_000,
    ],
    ids=["empty", "short", "torn", "list", "text", "no text", "too long", "deep"],
)
def test_what_is_no_header_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    assert difference(tmp_path, content) == "; its header cannot be read"


def test_the_longest_header(tmp_path: Path) -> None:
    assert difference(tmp_path, (100_000_000).to_bytes(8, "little") + b"{}").startswith("; its header has None for x")


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    assert first_difference(tmp_path / "missing", PLAN, 1) == "; its header cannot be read"
