"""On the GPUs of this machine, if it has any: the same bytes, from every device, by both backends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from initium_law.backends import backend_for, numba_kernel, torch_ops
from initium_law.grammar import Normal
from initium_law.maps.random_fills import Draw, resolve

from . import conformance

GPUS = [f"cuda:{k}" for k in range(torch.cuda.device_count())]

pytestmark = pytest.mark.skipif(not GPUS, reason="no CUDA or ROCm device here")


def test_torch_operations() -> None:
    """Promise 1 (pure): eager operations on a GPU."""
    conformance.check_draws(torch_ops.fill, device=GPUS[0])
    conformance.check_words(torch_ops.map_words, device=GPUS[0])


def test_triton_kernels() -> None:
    """Promise 1 (pure): compiled kernels on a GPU."""
    pytest.importorskip("triton", reason="TRITON IS NOT INSTALLED, SO ITS KERNELS DID NOT RUN ON THE GPU")
    from initium_law.backends import triton_kernels

    conformance.check_draws(triton_kernels.fill, device=GPUS[0])
    conformance.check_words(triton_kernels.map_words, device=GPUS[0])


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_all_devices_share_the_work(backend: str) -> None:
    """Promise 1 (pure): sixteen threads, long ranges of odd lengths, every device of the machine."""
    made = resolve(Normal(0.0, 0.02), conformance.IDENTITY, "BF16")
    assert isinstance(made, Draw)
    _, draw = backend_for(",".join(GPUS), backend)
    step, count = 2 * 3_000_001, 48
    want, got = np.zeros(step * count, np.uint8), np.zeros(step * count, np.uint8)
    with ThreadPoolExecutor(16) as pool:
        for backend_draw, out in ((numba_kernel.draw, want), (draw, got)):
            list(pool.map(lambda k: backend_draw(made, k * step // 2, out[k * step : (k + 1) * step]), range(count)))  # noqa: B023 # each round ends before the next
    assert np.array_equal(want, got)
