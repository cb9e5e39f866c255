"""Samples of real streams: chi-squared on exact cells, and correlations between tensors, seeds and neighbours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.stats

from initium_law import prepare
from initium_law.dtypes import ITEM_SIZE
from initium_law.grammar import Normal, Random, TruncNormal, Uniform
from initium_law.maps.random_fills import Draw, resolve
from initium_law.maps.render import render

from .maps import CHUNK, CHUNKS, numba_values, words_of

TENSORS = 64
ELEMENTS = 1 << 24

_CELLS: dict[str, tuple[Random, str]] = {
    f"{name} {dtype}": (fill, dtype)
    for name, fill in (
        ("normal", Normal(0.0, 0.02)),
        ("trunc_normal", TruncNormal(0.0, 0.02, -0.04, 0.04)),
        ("uniform", Uniform(-0.1, 0.1)),
    )
    for dtype in ("BF16", "F16")
}


def chi_squared(fill: Random, dtype: str) -> dict[str, float]:
    """2^30 values of 64 tensors against the exact probability of every value of a 16-bit dtype.

    The probabilities are counts over all 2^32 words; cells that expect fewer than 10 values are taken together.
    """
    exact = _counts_of_all_words(fill, dtype)
    seen = np.zeros(1 << 16, np.int64)
    out = np.empty(ELEMENTS * ITEM_SIZE[dtype], np.uint8)
    for k in range(TENSORS):
        prepare(fill, k, f"layers.{k}.weight", (ELEMENTS,), dtype).draw(0, out)
        seen += np.bincount(out.view("<u2"), minlength=1 << 16)
    assert not seen[exact == 0].any(), "a value that no word gives"
    expected = exact / 2.0**32 * (TENSORS * ELEMENTS)
    rare = expected < 10
    observed = np.append(seen[~rare], seen[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    kept = wanted > 0
    test = scipy.stats.chisquare(observed[kept], wanted[kept])
    assert test.pvalue > 1e-4, f"{fill} in {dtype}: p = {test.pvalue}"
    return {"cells": int(kept.sum()), "chi2": round(float(test.statistic), 1), "p": round(float(test.pvalue), 4)}


def _counts_of_all_words(fill: Random, dtype: str) -> npt.NDArray[np.int64]:
    draw = resolve(fill, np.zeros(4, np.uint32), dtype)
    assert isinstance(draw, Draw)
    counts = np.zeros(1 << 16, np.int64)
    for chunk in range(CHUNKS):
        values = numba_values(draw, words_of(chunk))
        for low in range(0, CHUNK, 1 << 20):
            counts += np.bincount(render(values[low : low + (1 << 20)], dtype).view("<u2"), minlength=1 << 16)
    return counts


def _normals(seed: int, name: str, count: int) -> npt.NDArray[np.float64]:
    out = np.empty(4 * count, np.uint8)
    prepare(Normal(0.0, 1.0), seed, name, (count,), "F32").draw(0, out)
    return out.view("<f4").astype(np.float64)


def _worst(scores: list[float]) -> dict[str, float]:
    """The largest of many independent standard scores, and how likely one so large is."""
    worst = max(map(abs, scores))
    p = -math.expm1(len(scores) * math.log1p(-2 * scipy.stats.norm.sf(worst)))
    assert p > 1e-4, f"a score of {worst} among {len(scores)}"
    return {"scores": len(scores), "largest": round(worst, 3), "p": round(p, 4)}


def neighbours() -> dict[str, float]:
    """Correlation of elements 1 to 64 apart, and 128, 256 ... 2^20 apart: values and their squares."""
    values = _normals(0, "layers.0.weight", 1 << 24)
    squares = (values**2 - 1) / math.sqrt(2)
    lags = [*range(1, 65), *(1 << k for k in range(7, 21))]
    pairs = [(lag, data) for lag in lags for data in (values, squares)]
    return _worst([float(data[lag:] @ data[:-lag]) / math.sqrt(len(data) - lag) for lag, data in pairs])


def _pairs(streams: list[npt.NDArray[np.float64]]) -> dict[str, float]:
    return _worst([float(a @ b) / math.sqrt(len(a)) for a, b in itertools.combinations(streams, 2)])


def tensors() -> dict[str, float]:
    """Correlation of the same elements of 64 tensors whose names differ in a number."""
    return _pairs([_normals(0, f"layers.{k}.weight", 1 << 20) for k in range(64)])


def seeds() -> dict[str, float]:
    """Correlation of one tensor under seeds 0 to 63."""
    return _pairs([_normals(k, "layers.0.weight", 1 << 20) for k in range(64)])


def across() -> dict[str, float]:
    """Mean, variance and lag correlations of element i across 2^17 tensors, for the first 64 elements."""
    table = np.array([_normals(k % 4, f"layers.{k}.weight", 64) for k in range(1 << 17)])
    root = math.sqrt(len(table))
    means = table.mean(axis=0) * root
    variances = ((table**2).mean(axis=0) - 1) * root / math.sqrt(2)
    lags = [float(table[lag:, 0] @ table[:-lag, 0]) / math.sqrt(len(table) - lag) for lag in range(1, 65)]
    return _worst([*means.tolist(), *variances.tolist(), *lags])


CELLS: dict[str, Callable[[], Any]] = {
    name: lambda fill=fill, dtype=dtype: chi_squared(fill, dtype) for name, (fill, dtype) in _CELLS.items()
}
CORRELATIONS: dict[str, Callable[[], Any]] = {
    "neighbours": neighbours,
    "tensors": tensors,
    "seeds": seeds,
    "elements across tensors": across,
}
