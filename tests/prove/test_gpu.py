"""The proof on GPUs, piece by piece on the CPU, which to it is a device like any other; and a machine without a GPU."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from blake3 import blake3

from initium_law.backends import lanes, torch_ops
from initium_law.maps.random_fills import Draw

from . import gpu, maps

ROOT = Path(__file__).parents[2]
CPU = gpu.Device("cpu", torch_ops.fill, torch_ops.map_words)


def spoilt(draw: Draw, words: torch.Tensor, out: torch.Tensor) -> None:
    """`map_words` with one wrong bit."""
    torch_ops.map_words(draw, words, out)
    out[-1] ^= 1


def spoilt_fill(draw: Draw, counter: int, out: torch.Tensor) -> None:
    """`fill` with wrong bits."""
    torch_ops.fill(draw, counter, out)
    out ^= 1


WRONG = gpu.Device("cpu", spoilt_fill, spoilt)


def test_the_record_has_a_digest_of_every_map() -> None:
    """What a GPU is held against."""
    assert list(gpu.recorded_digests()) == list(maps.CASES)


@pytest.mark.parametrize("case", maps.CASES)
def test_digests_are_those_of_the_sweep(case: str) -> None:
    """Promise 1 (pure): the words in the sweep's order, chunk by chunk, by numba."""
    pieces = [
        maps.numba_values(maps.draw_of(case), maps.words_of(0)[k * 4096 : (k + 1) * 4096]).tobytes() for k in range(3)
    ]
    expected = blake3(b"".join(blake3(piece).digest() for piece in pieces)).hexdigest()
    assert gpu.digest(CPU, case, chunk=4096, chunks=3) == expected
    assert gpu.digest(WRONG, case, chunk=4096, chunks=3) != expected


def test_vectors() -> None:
    """Promise 11 (stable): all that can be drawn; one wrong bit is found by every row."""
    assert all(row.good for row in gpu.vectors(CPU, "torch"))
    assert not any(row.good for row in gpu.vectors(WRONG, "torch"))


def test_rates_and_copies() -> None:
    """Figures for everything, and equal bytes from two streams at once."""
    rows = [*gpu.rates(CPU, size=1 << 18), *gpu.copies(CPU, torch_copy, size=1 << 18, threads=2)]
    assert len(rows) == 1 + 2 * len(gpu.FILLS) + 4
    assert rows[-1] == gpu.Row("bytes of two streams at once", gpu.EQUAL)
    assert not list(gpu.copies(CPU, lambda draw, start, out: None, size=1 << 18, threads=2))[-1].good


def torch_copy(draw: Draw, start: int, out: np.ndarray) -> None:
    """A backend."""
    lanes.Lane("cpu", torch_ops.fill).draw(draw, start, out)


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promises 1 and 4: the CPU steps in and says so once; without a shortage nothing is said, which is a failure."""

    @contextlib.contextmanager
    def full() -> Iterator[None]:
        def none(*size: int, **options: object) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

        with monkeypatch.context() as patched:
            patched.setattr(lanes.torch, "empty", none)
            yield

    (row,) = gpu.memory(CPU, full)
    assert row.good, row
    (row,) = gpu.memory(CPU, contextlib.nullcontext)
    assert (row.figure, row.good) == ("as numba's, 0 of 1 warning", False)
    (row,) = gpu.memory(WRONG, full)
    assert not row.good


def test_what_has_no_time_is_left_out_and_said() -> None:
    """Promise 4 (nothing silent)."""
    part = {"one": lambda: iter([gpu.Row("one", "1")]), "two": lambda: iter([gpu.Row("two", "2")])}
    assert [row.figure for row in gpu.worked_off(part, 60.0)] == ["1", "2"]
    assert [row.good for row in gpu.worked_off({"none": lambda: iter([1 / 0]), **part}, 60.0)] == [False, True, True]
    rows = list(gpu.worked_off(part, -1.0))
    assert [(row.what, row.good) for row in rows] == [("one", False), ("two", False)]
    assert "| one | LEFT OUT: no time | **MISSED** |" in gpu.text_of(rows, "head")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here: make prove-gpu")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    """Promise 4 (nothing silent)."""
    file = tmp_path / "gpu.md"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.prove.gpu", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 2
    assert "THERE IS NO GPU" in ran.stderr
    assert not file.exists()
