"""All 2^32 words through every map in every backend: one digest, exact moments, largest error, monotonicity."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from typing import Any

import numpy as np
from blake3 import blake3

from .maps import BACKENDS, CASES, CHUNK, CHUNKS, Singles, descends, draw_of, quantiles, words_of


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk of words gives."""

    digest: bytes
    first: float
    last: float
    sums: tuple[float, float, float, float]
    """Of the values and of their second, third and fourth powers."""
    error: float
    relative: float
    """Largest error over the magnitude of the true value, where that is above 2^-24."""
    reversals: int
    drop: float
    """The largest step down from one word to the next."""
    drop_ulp: float


def piece(case: str, backend: str, chunk: int) -> Piece:
    """One chunk through one backend; all but the digest is worked out for numba only, since the bytes are the same."""
    words = words_of(chunk)
    values = BACKENDS[backend](draw_of(case), words)
    digest = blake3(values.tobytes()).digest()
    if backend != "numba":
        return Piece(digest, 0.0, 0.0, (0.0,) * 4, 0.0, 0.0, 0, 0.0, 0.0)
    wide = values.astype(np.float64)
    sums = [math.fsum((wide**power).reshape(-1, 4096).sum(axis=1)) for power in (1, 2, 3, 4)]
    exact = quantiles(CASES[case], words)
    error = np.abs(wide - exact)
    relative = np.where(np.abs(exact) > 2.0**-24, error / np.maximum(np.abs(exact), 2.0**-24), 0.0)
    reversals, drop, drop_ulp = _reversals(-values if descends(CASES[case]) else values)
    return Piece(
        digest,
        wide[0],
        wide[-1],
        tuple(sums),
        error.max(),
        relative.max(),
        reversals,
        drop,
        drop_ulp,  # type: ignore[arg-type]
    )


def _reversals(values: Singles) -> tuple[int, float, float]:
    """How often a value is less than the one before it, and by how much at most, also in units in the last place."""
    steps = np.diff(values)
    down = steps < 0
    if not down.any():
        return 0, 0.0, 0.0
    drops = -steps[down].astype(np.float64)
    return int(down.sum()), float(drops.max()), float((drops / np.spacing(np.abs(values[1:][down]))).max())


@dataclass(frozen=True, slots=True)
class Swept:
    """A map over all words."""

    digest: str
    mean: float
    variance: float
    skewness: float
    kurtosis: float
    lowest: float
    highest: float
    error: float
    relative: float
    reversals: int
    drop: float
    drop_ulp: float


def joined(pieces: Sequence[Piece]) -> Swept:
    """The pieces of all chunks, in order."""
    count = float(CHUNK * len(pieces))
    m1, m2, m3, m4 = (math.fsum(p.sums[k] for p in pieces) / count for k in range(4))
    variance = m2 - m1 * m1
    third = m3 - 3 * m1 * m2 + 2 * m1**3
    fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
    sign = -1.0 if pieces[-1].last < pieces[0].first else 1.0
    ends = [(sign * a.last, sign * b.first) for a, b in pairwise(pieces)]
    seams = [(last, first) for last, first in ends if first < last]
    return Swept(
        digest=blake3(b"".join(p.digest for p in pieces)).hexdigest(),
        mean=m1,
        variance=variance,
        skewness=third / variance**1.5 if variance else 0.0,
        kurtosis=fourth / variance**2 if variance else 0.0,
        lowest=pieces[0].first,
        highest=pieces[-1].last,
        error=max(p.error for p in pieces),
        relative=max(p.relative for p in pieces),
        reversals=sum(p.reversals for p in pieces) + len(seams),
        drop=max([p.drop for p in pieces] + [a - b for a, b in seams]),
        drop_ulp=max(p.drop_ulp for p in pieces),
    )


def _started() -> None:
    """In each worker: Triton interprets (there is no GPU to share), torch stays in its thread."""
    os.environ["TRITON_INTERPRET"] = "1"
    import torch

    torch.set_num_threads(1)


def sweep(case: str, backend: str, workers: int) -> Swept:
    """One map through one backend, all words, with progress on standard error."""
    with ProcessPoolExecutor(workers, get_context("spawn"), _started) as pool:
        pieces = []
        for made in pool.map(partial(piece, case, backend), range(CHUNKS)):
            pieces.append(made)
            print(f"\r{case} by {backend}: {len(pieces)} of {CHUNKS}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return joined(pieces)


def record(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the record from what `sweep` gave, by "case by backend". AssertionError where digests differ."""
    yield "| map | mean | variance | kurtosis | range | largest error, relative | reversals; the largest |"
    yield "|---|---|---|---|---|---|---|"
    for case in CASES:
        yield _line(case, Swept(**results[f"{case} by numba"]["swept"]))
    yield ""
    yield "| map | digest of all 2^32 values | equal in |"
    yield "|---|---|---|"
    for case in CASES:
        given = {name: results[f"{case} by {name}"]["swept"] for name in BACKENDS if f"{case} by {name}" in results}
        digests = {name: swept["digest"] for name, swept in given.items()}
        assert len(set(digests.values())) == 1, f"{case}: the backends differ: {digests}"
        yield f"| {case} | `{digests['numba']}` | {', '.join(digests)} |"


def _line(case: str, swept: Swept) -> str:
    order = f"{swept.reversals:,}; {swept.drop:.1e} ({swept.drop_ulp:.0f} ulp)" if swept.reversals else "none"
    ends = sorted((swept.lowest, swept.highest))
    return (
        f"| {case} | {swept.mean:.3e} | {swept.variance:.10f} | {swept.kurtosis:.9f} | {ends[0]:.7g} to {ends[1]:.7g} "
        f"| {swept.error:.2e}, {swept.relative:.2e} | {order} |"
    )
