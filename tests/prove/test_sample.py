"""A seeded sample of the sweep over all words, and the record of the sweep itself. `make prove` does the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.law import reference

from . import maps, samples

RECORD = Path(__file__).with_name("RECORD.md")


def sample() -> maps.Words:
    """2^17 words: random ones, and runs at both ends and around the middle."""
    random = np.random.default_rng(2026).integers(0, 2**32, (1 << 17) - 3072, np.uint32)
    runs = [np.arange(at - 512, at + 512, dtype=np.int64).astype(np.uint32) for at in (0, 2**31, 2**30)]
    return np.concatenate([random, *runs])


@pytest.mark.parametrize("case", maps.CASES)
def test_backends_and_reference_agree(case: str) -> None:
    """Promise 1 (pure): numba, torch and NumPy, bit for bit; Triton's turn is in tests/backends."""
    draw, words = maps.draw_of(case), sample()
    made = maps.BACKENDS["numba"](draw, words)
    assert made.tobytes() == maps.BACKENDS["torch"](draw, words).tobytes()
    assert made.tobytes() == reference.values(words, maps.CASES[case], "F32").tobytes()


@pytest.mark.parametrize("case", maps.CASES)
def test_sampled_values_are_near_the_true_quantiles(case: str) -> None:
    """A chunk in the middle and the two at the ends, against scipy."""
    fill = maps.CASES[case]
    for chunk in (0, 100, maps.CHUNKS - 1):
        part = slice(0, 1 << 16) if chunk < 128 else slice(-(1 << 16), None)
        words = maps.words_of(chunk)[part]
        made = maps.BACKENDS["numba"](maps.draw_of(case), words).astype(np.float64)
        exact = maps.quantiles(fill, words)
        assert np.abs(made - exact).max() < 2e-5 * max(1.0, np.abs(exact).max())


def test_correlations() -> None:
    """Neighbours, and the same elements of other tensors: no score that chance would not give."""
    assert samples.neighbours()["p"] > 1e-3
    assert samples.across()["p"] > 1e-3


def test_the_record_is_of_every_map() -> None:
    """The results of the full sweep stand in the repository."""
    text = RECORD.read_text(encoding="utf-8")
    assert all(f"| {case} |" in text for case in maps.CASES)
    assert "dieharder" in text
