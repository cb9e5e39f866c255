"""All 2^32 binary32 patterns through every rendering: the compiled one, the torch one, and NumPy's or ml_dtypes'."""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from initium_law.dtypes import FLOATS, ITEM_SIZE, largest
from initium_law.maps.render import RENDERINGS, render

from .maps import CHUNK, CHUNKS

SLICE = 1 << 18


def rendering_piece(dtype: str, chunk: int) -> bytes:
    """Digest of a chunk of patterns. AssertionError where two implementations differ."""
    from tests.law.reference_fills import rendered

    digest = blake3()
    for low in range(chunk * CHUNK, (chunk + 1) * CHUNK, SLICE):
        values = np.arange(low, low + SLICE, dtype=np.int64).astype(np.uint32).view(np.float32)
        made = render(values, dtype)
        with np.errstate(all="ignore"):
            assert made.tobytes() == rendered(values, dtype).tobytes(), f"{dtype} at {low:08x}"
        finite = values[np.abs(values) <= np.float32(largest(FLOATS["F32" if dtype == "F64" else dtype]))]
        assert render(finite, dtype).tobytes() == _by_torch(finite, dtype), f"{dtype} at {low:08x} by torch"
        digest.update(made)
    return digest.digest()


def _by_torch(values: npt.NDArray[np.float32], dtype: str) -> bytes:
    import torch

    from initium_law.backends import torch_ops

    torch.set_num_threads(1)
    if not len(values):
        return b""
    made = torch_ops.render(torch.from_numpy(values.copy()), RENDERINGS[dtype])
    return made.view(torch.uint8).numpy().tobytes()[: len(values) * ITEM_SIZE[dtype]]


def swept_rendering(dtype: str, workers: int) -> str:
    """The digest over all patterns, with progress on standard error."""
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        digests = []
        for made in pool.map(partial(rendering_piece, dtype), range(CHUNKS)):
            digests.append(made)
            print(f"\r{dtype}: {len(digests)} of {CHUNKS}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    return blake3(b"".join(digests)).hexdigest()
