"""The torch operations against the compiled kernels, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from initium_law.backends import numba_kernel, torch_ops
from initium_law.grammar import Normal
from initium_law.maps.random_fills import Draw, resolve

from . import conformance


def test_ranges() -> None:
    """Promise 1 (pure): every map, every rendering, counters that overflow 32 bits, ranges of no round length."""
    conformance.check_draws(torch_ops.fill)


def test_boundary_words() -> None:
    """Promise 1 (pure): the words at which a map's branches, exponents and conversions change."""
    conformance.check_words(torch_ops.map_words)


def test_ranges_longer_than_a_block() -> None:
    """Promise 6 (flat memory): a block at a time, without a seam."""
    made = resolve(Normal(0.0, 1.0), conformance.IDENTITY, "BF16")
    assert isinstance(made, Draw)
    count = 2 * torch_ops.CPU_BLOCK + 12
    want, got = np.zeros(2 * count, np.uint8), torch.zeros(2 * count, dtype=torch.uint8)
    numba_kernel.draw(made, 4 * 77, want)
    torch_ops.fill(made, 77, got)
    assert np.array_equal(want, got.numpy())


def test_roots_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise 1 (pure): the root by way of float64, which devices take, is the correctly rounded one."""
    x = np.random.default_rng(1).uniform(2.0**-20, 1100.0, 1 << 16).astype(np.float32)
    x = np.concatenate([x, np.nextafter(np.arange(1, 33, dtype=np.float32) ** 2, np.float32(0))])
    assert np.array_equal(torch_ops._root_by_float64(torch.from_numpy(x)).numpy(), np.sqrt(x))


@pytest.fixture
def _flushing() -> Iterator[None]:
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush subnormal numbers")
    yield
    torch.set_flush_denormal(False)


@pytest.mark.usefixtures("_flushing")
def test_flushing_threads_are_refused() -> None:
    """Promise 4 (nothing silent): a thread that flushes subnormal numbers gets an error, not other bytes."""
    made = resolve(Normal(0.0, 1.0), conformance.IDENTITY, "F32")
    assert isinstance(made, Draw)
    with pytest.raises(RuntimeError, match="flushes subnormal"):
        torch_ops.fill(made, 0, torch.zeros(16, dtype=torch.uint8))
