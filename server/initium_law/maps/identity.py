"""A tensor's identity: what makes its random words its own.

    d = SHA-256("stream-v1" 00 || seed as 8 little-endian bytes || name in UTF-8, not normalized)

The words that choose elements (the zeros of `Sparse`, the order of `Permutation`) have "stream-v1/choice" in its place.

d[0:4] and d[4:8] are the key words of Philox4x32-10, d[8:12] and d[12:16] its counter words 2 and 3, all little-endian.
The two lower counter words count groups of four elements of the whole tensor in row-major order.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from initium_law.grammar import LAW


def identity(seed: int, name: str, purpose: str = "") -> npt.NDArray[np.uint32]:
    """uint32[4]: key0, key1, counter word 2, counter word 3. ValueError for a seed outside [0, 2^64)."""
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed {seed} is not in 0 to 2^64 - 1")
    law = f"{LAW}/{purpose}" if purpose else LAW
    digest = hashlib.sha256(law.encode() + b"\0" + seed.to_bytes(8, "little") + name.encode()).digest()
    return np.frombuffer(digest[:16], "<u4").astype(np.uint32)
