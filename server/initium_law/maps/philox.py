"""Philox4x32-10: the law's only source of randomness.

Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11); Random123 `philox.h`; ISO C++26
`std::philox4x32`. A pure function of a 128-bit counter and a 64-bit key that gives four 32-bit words.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_law.jit import jit

BLOCK = 1024
"""Words that a kernel holds at a time: small enough for the first-level cache. The bytes do not depend on it.

Kernels always make whole blocks: loops of constant length are what compilers vectorize."""
LENGTH = np.uint64(BLOCK)
"""The same as a loop bound: unsigned, since signed indices bring a test for negative ones."""

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_ONE = np.uint64(1)
_TWO = np.uint64(2)
_HALF_BLOCK = np.uint64(BLOCK // 8)
"""Counters in half a block."""


@jit
def words_block(pairs: Any, block: Any, identity: Any) -> None:
    """Put the words of a block into `pairs`.

    `pairs` is uint64[BLOCK / 2], two words each, the earlier one low. `block` is the block's uint64 index (element i of
    the tensor is in block i // BLOCK), `identity` uint64[4]: key0, key1, counter words 2 and 3. A block's first counter
    is a multiple of BLOCK / 4, so that its low half never carries within the block.

    Words are held in uint64 of which the low half counts, since 32 x 32 -> 64 bits is the multiplication that vector
    units have; the high halves collect left-overs, also those of the keys. (`identity` is uint64 so that the compiler
    cannot know of high halves that are 0: it would then multiply in 64 bits.) Two counters, half a block apart, go side
    by side (c and d), so that one's multiplications fill the other's waiting time. The rounds stand in this loop, not
    in a function of their own: the compiler vectorizes only what it has unrolled by then.
    """
    low = block * (_HALF_BLOCK + _HALF_BLOCK)
    high = low >> _32
    key0, key1, upper2, upper3 = identity[0], identity[1], identity[2], identity[3]
    for j in range(_HALF_BLOCK):
        c0, c1, c2, c3 = low + j, high, upper2, upper3
        d0, d1, d2, d3 = low + j + _HALF_BLOCK, high, upper2, upper3
        k0, k1 = key0, key1
        for _ in range(10):
            ca, cb = _M0 * (c0 & _LOW), _M1 * (c2 & _LOW)
            da, db = _M0 * (d0 & _LOW), _M1 * (d2 & _LOW)
            c0, c1, c2, c3 = (cb >> _32) ^ c1 ^ k0, cb, (ca >> _32) ^ c3 ^ k1, ca
            d0, d1, d2, d3 = (db >> _32) ^ d1 ^ k0, db, (da >> _32) ^ d3 ^ k1, da
            k0, k1 = k0 + _W0, k1 + _W1
        at = _TWO * j
        pairs[at], pairs[at + _ONE] = (c0 & _LOW) | (c1 << _32), (c2 & _LOW) | (c3 << _32)
        at += _TWO * _HALF_BLOCK
        pairs[at], pairs[at + _ONE] = (d0 & _LOW) | (d1 << _32), (d2 & _LOW) | (d3 << _32)
