"""The orthogonal matrix: its text followed word by word, its distribution, and what threads may not change."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from initium_law.fills import orthogonal as law
from initium_law.fills.orthogonal import orthogonal

from .test_kernel import X86, assembly

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
SHAPES = [(1, 1), (5, 1), (5, 5), (7, 3), (8, 8), (33, 33), (70, 40), (96, 64), (130, 65)]


def normals(m: int, n: int, seed: int = 0) -> Floats:
    return np.random.default_rng([seed, m, n]).standard_normal((m, n), np.float32)


def reflections(x: Doubles) -> tuple[Any, Any, Any]:
    """Step 1 of the law's text: V, tau and d."""
    m, n = x.shape
    v, tau, d = np.zeros((m, n)), np.zeros(n), np.ones(n)
    for k in range(n):
        s = np.float64(0)
        for i in range(k, m):
            s = s + x[i, k] * x[i, k]
        if s != 0:
            r = np.sqrt(s)
            sigma = -1.0 if x[k, k] < 0 else 1.0
            v[k:, k] = x[k:, k]
            v[k, k] = x[k, k] + sigma * r
            tau[k] = 1.0 / (s + abs(x[k, k]) * r)
            d[k] = -sigma
    return v, tau, d


def reference(normal: Floats) -> Doubles:
    """Steps 1 to 3 of the law's text: Q. An operation on whole rows is as many single ones, side by side."""
    x = normal.astype(np.float64)
    m, n = x.shape
    v, tau, d = reflections(x)
    q = np.zeros((m, n))
    np.fill_diagonal(q, d)
    for first in reversed(range(0, n, 32)):
        panel = range(first, min(first + 32, n))
        g = {(a, b): np.float64(0) for a in panel for b in panel if a < b}
        w, y = {k: np.zeros(n) for k in panel}, dict.fromkeys(panel, np.zeros(n))
        for i in range(first, m):
            for a, b in g:
                g[a, b] = g[a, b] + v[i, a] * v[i, b]
            for k in panel:
                w[k] = w[k] + v[i, k] * q[i]
        for k in reversed(panel):
            t = w[k]
            for later in range(k + 1, panel.stop):
                t = t - g[k, later] * y[later]
            y[k] = tau[k] * t
        for i in range(first, m):
            for k in panel:
                q[i] = q[i] - v[i, k] * y[k]
    return q


def rounded(q: Doubles, gain: float) -> Floats:
    """Step 4 of the law's text."""
    return (np.float64(gain) * q).astype(np.float32)


@pytest.fixture
def doubles(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Doubles]:
    """`orthogonal` without its last step: what differs in binary64 alone is seldom seen after it."""

    def made(x: Floats, *threads_and_slab: int) -> Doubles:
        kept = np.full(x.shape, np.nan)

        def keep(q: Any, gain: float, first: int, out: Floats) -> None:
            kept[:, int(first) : int(first) + q.shape[1]] = q[: len(kept)]

        monkeypatch.setattr(law, "finish", keep)
        orthogonal(x, 1.0, *threads_and_slab)
        return kept

    return made


@pytest.mark.parametrize(("m", "n"), SHAPES)
def test_equals_the_text(doubles: Callable[..., Doubles], m: int, n: int) -> None:
    """Promise 1 (pure): bit for bit what the docstring says, before it is rounded to binary32."""
    assert doubles(normals(m, n)).tobytes() == reference(normals(m, n)).tobytes()


@pytest.mark.parametrize("gain", [1.0, math.sqrt(2.0), -0.3, 1e-38])
def test_is_rounded_as_the_text_says(gain: float) -> None:
    """Promise 1 (pure): one multiplication, one rounding."""
    x = normals(130, 65)
    assert orthogonal(x, gain).tobytes() == rounded(reference(x), gain).tobytes()


@pytest.mark.parametrize(
    "x",
    [
        np.zeros((9, 4)),
        np.eye(9, 4),
        -np.eye(9, 4),
        np.full((9, 4), -0.0),
        np.where(np.eye(9, 4) == 1, -0.0, 0.3),
        np.ones((40, 35)),
    ],
)
def test_equals_the_text_at_its_edges(doubles: Callable[..., Doubles], x: Doubles) -> None:
    """Promise 1 (pure): columns of zeros, negative zeros and sums that cancel; no negative zero comes out."""
    single = x.astype(np.float32)
    q = doubles(single)
    assert q.tobytes() == reference(single).tobytes()
    assert not np.signbit(q[q == 0]).any()


@pytest.mark.parametrize(("m", "n"), [(300, 200), (257, 257), (2000, 8), (64, 1)])
def test_threads_and_slabs_change_nothing(doubles: Callable[..., Doubles], m: int, n: int) -> None:
    """Promise 1 (pure): any thread count, any slab width, any layout of the input."""
    x = normals(m, n)
    expected = doubles(x).tobytes()
    for threads, slab in [(2, 64), (3, 7), (5, 33), (1, 1), (2, 1000)]:
        assert doubles(x, threads, slab).tobytes() == expected
    assert doubles(np.asfortranarray(x), 2).tobytes() == expected


def test_empty_and_wide() -> None:
    """Promise 4 (nothing silent): nothing to make is fine, what cannot exist is an error."""
    assert orthogonal(normals(5, 0), 1.0).shape == (5, 0)
    assert orthogonal(normals(0, 0), 1.0, 4).shape == (0, 0)
    with pytest.raises(ValueError, match="3 x 4"):
        orthogonal(normals(3, 4), 1.0)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (300, 200), (1000, 8), (512, 512)])
@pytest.mark.parametrize("gain", [1.0, math.sqrt(2.0)])
def test_columns_are_orthonormal(m: int, n: int, gain: float) -> None:
    q = orthogonal(normals(m, n), gain, 2).astype(np.float64)
    assert np.abs(q.T @ q - gain**2 * np.eye(n)).max() < 1e-6


def test_is_the_product_of_its_reflections() -> None:
    """The panels compute what the text says they do, and the first column is X's own, made a unit vector."""
    x = normals(50, 37)
    v, tau, d = reflections(x.astype(np.float64))
    product = np.eye(50)
    for k in range(37):
        product = product @ (np.eye(50) - tau[k] * np.outer(v[:, k], v[:, k]))
    q = orthogonal(x, 1.0)
    np.testing.assert_allclose(q, product[:, :37] * d, atol=1e-7)
    np.testing.assert_allclose(q[:, 0], x[:, 0] / np.linalg.norm(x[:, 0]), atol=1e-7)


def sample(m: int, n: int, count: int = 4000) -> Doubles:
    drawn = normals(count * m, n).reshape(count, m, n)
    return np.stack([orthogonal(x, 1.0) for x in drawn]).astype(np.float64)


@pytest.mark.parametrize(("m", "n"), [(4, 4), (5, 3)])
def test_moments_are_those_of_haar(m: int, n: int) -> None:
    """Every entry's mean, second and fourth moment, and a moment of four entries that random signs leave alone."""
    q = sample(m, n)
    count = len(q)
    second, fourth = 1 / m, 3 / (m * (m + 2))
    eighth = 105 / (m * (m + 2) * (m + 4) * (m + 6))
    for power, mean, variance in [(1, 0.0, second), (2, second, fourth - second**2), (4, fourth, eighth - fourth**2)]:
        assert np.abs((q**power).mean(axis=0) - mean).max() < 4.5 * math.sqrt(variance / count)
    mixed = q[:, 0, 0] * q[:, 1, 1] * q[:, 0, 1] * q[:, 1, 0]
    assert abs(mixed.mean() + 1 / ((m - 1) * m * (m + 2))) < 4.5 * mixed.std() / math.sqrt(count)


def test_entries_have_the_exact_distribution() -> None:
    """u^T Q w has a Beta distributed square for all unit vectors u and w: no direction is special."""
    m, n = 5, 3
    q = sample(m, n)
    entry = stats.beta(0.5, (m - 1) / 2)
    for i in range(m):
        for j in range(n):
            assert stats.kstest(q[:, i, j] ** 2, entry.cdf).pvalue > 1e-4
    rng = np.random.default_rng(1)
    for _ in range(5):
        u, w = rng.standard_normal(m), rng.standard_normal(n)
        along = (q @ (w / np.linalg.norm(w))) @ (u / np.linalg.norm(u))
        assert stats.kstest(along**2, entry.cdf).pvalue > 1e-4


def test_trace_determinant_and_angles_are_those_of_haar() -> None:
    """O(4): the trace's moments are 0, 1, 3; both components are equally likely; Weyl's densities of the angles."""
    q = sample(4, 4)
    trace, count = np.trace(q, axis1=1, axis2=2), len(q)
    for power, mean in [(1, 0.0), (2, 1.0), (4, 3.0)]:
        assert abs((trace**power).mean() - mean) < 4 * (trace**power).std() / math.sqrt(count)
    rotation = np.linalg.det(q) > 0
    assert abs(rotation.mean() - 0.5) < 4 * 0.5 / math.sqrt(count)

    def angles(matrices: Any) -> Any:
        """Of each matrix, the angles of its eigenvalues' upper half, ascending."""
        return np.sort(np.abs(np.angle(np.linalg.eigvals(matrices))), axis=1)

    # A rotation has two angles (each twice here), jointly like (cos a - cos b)^2; either one is taken, by chance.
    pairs = angles(q[rotation])[:, [0, 2]]
    either = pairs[np.arange(len(pairs)), np.random.default_rng(2).integers(0, 2, len(pairs))]
    assert stats.kstest(either, lambda a: (a + np.sin(2 * a) / 4) / np.pi).pvalue > 1e-3
    # The others have the eigenvalues 1 and -1 and one angle, like sin^2.
    single = angles(q[~rotation])[:, 1]
    assert stats.kstest(single, lambda a: (a - np.sin(2 * a) / 2) / np.pi).pvalue > 1e-3


def test_large_matrices_look_normal() -> None:
    q = orthogonal(normals(512, 512), 1.0, 2)
    assert stats.kstest(q.ravel() * math.sqrt(512), "norm").pvalue > 1e-3


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_ends_the_work(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Promise 5 (safe): Ctrl-C is not kept waiting for the rest of a large matrix."""
    calls: list[None] = []

    def interrupted(g: Any, tau: Any, w: Any) -> None:
        calls.append(None)
        if w.shape[1] == 2:
            raise KeyboardInterrupt  # in the last slab, which goes first
        time.sleep(0.05)

    monkeypatch.setattr(law, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        orthogonal(normals(302, 302), 1.0, threads, slab=4)
    assert len(calls) < 8  # the next slab alone has ten panels


def test_a_slab_gives_up_when_told_to() -> None:
    stop, out = threading.Event(), np.zeros((64, 64), np.float32)
    stop.set()
    law._slab([law._panel(normals(64, 64), first) for first in (0, 32)], range(64), 1.0, out, stop)
    assert not out.any()


@pytest.mark.skipif(not X86, reason="reads x86-64 assembly")
def test_kernels_are_vectorized_and_nothing_is_contracted() -> None:
    """Promises 1 and 7 (pure, faster): packed double arithmetic, no fused multiply-add."""
    v, q, w, tau = np.ones((64, 32)), np.ones((64, 64)), np.ones((32, 64)), np.ones(32)
    heavy = [
        assembly(law.weigh, v, q, w),
        assembly(law.subtract, v, w, q),
        assembly(law.solve, w[:, :32].copy(), tau, w),
    ]
    for text in heavy:
        assert re.search(r"\bv?mulpd\b", text)
        assert re.search(r"\bv?(add|sub)pd\b", text)
    x, out = np.ones((64, 64), np.float32), np.ones((64, 64), np.float32)
    light = [assembly(law.reflect, x, np.uint64(0), v, tau, tau), assembly(law.finish, q, 1.0, np.uint64(0), out)]
    assert not re.search(r"\bvfn?m(add|sub)", "".join(heavy + light))
