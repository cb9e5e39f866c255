"""Endless words of many tensors, for test batteries: `python -m tests.prove.words KIND | dieharder -a -g 200`.

Philox itself is well tested; what is new here is how seeds and names become keys and how elements become words. So the
streams mix what a model would have side by side.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from initium_law.backends.numba_kernel import draw_words
from initium_law.jit import jit
from initium_law.maps.identity import identity

Words = npt.NDArray[np.uint32]

NAMES = 1 << 15


def names(count: int) -> list[tuple[int, str]]:
    """Seeds and names as models have them: alike but for a number."""
    return [(k % 8, f"model.layers.{k // 8}.mlp.up_proj.weight") for k in range(count)]


def interleaved() -> Iterator[Words]:
    """Eight words of each of 1024 tensors, then the next eight of each."""
    keys = [identity(seed, name) for seed, name in names(1024)]
    run = 1 << 13
    block = np.empty((len(keys), run), np.uint32)
    for start in range(0, 1 << 62, run):
        for row, key in zip(block, keys, strict=True):
            draw_words(row, np.uint64(start), key)
        yield np.ascontiguousarray(block.reshape(len(keys), -1, 8).transpose(1, 0, 2)).reshape(-1)


def transposed() -> Iterator[Words]:
    """Element 0 of 2^15 tensors under eight seeds, then element 1 of each, and so on."""
    keys = np.array([identity(seed, name) for seed, name in names(NAMES)], np.uint32)
    out = np.empty((256, NAMES), np.uint32)
    for counter in range(0, 1 << 62, 64):
        _transpose(out, keys, np.uint64(counter))
        yield out.reshape(-1)


@jit
def _transpose(out: Any, keys: Any, counter: Any) -> None:
    """Rows are elements 4 counter, ..., columns tensors: uint32[4 n, tensors] of uint32[tensors, 4]."""
    low, ten = np.uint64(0xFFFFFFFF), np.uint64(32)
    for group in range(np.uint64(out.shape[0] // 4)):
        for j in range(np.uint64(keys.shape[0])):
            at = counter + group
            c0, c1, c2, c3 = at & low, at >> ten, np.uint64(keys[j, 2]), np.uint64(keys[j, 3])
            k0, k1 = np.uint64(keys[j, 0]), np.uint64(keys[j, 1])
            for _ in range(10):
                a, b = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
                c0, c1, c2, c3 = (b >> ten) ^ c1 ^ k0, b & low, (a >> ten) ^ c3 ^ k1, a & low
                k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
            row = np.uint64(4) * group
            out[row, j], out[row + np.uint64(1), j] = np.uint32(c0), np.uint32(c1)
            out[row + np.uint64(2), j], out[row + np.uint64(3), j] = np.uint32(c2), np.uint32(c3)


STREAMS = {"interleaved": interleaved, "transposed": transposed}


def main(kind: str) -> None:
    """Writes words until the reader has had enough."""
    try:
        for words in STREAMS[kind]():
            view = memoryview(words.view(np.uint8))
            while view:
                view = view[os.write(1, view) :]
    except BrokenPipeError:
        pass


if __name__ == "__main__":
    main(sys.argv[1])
