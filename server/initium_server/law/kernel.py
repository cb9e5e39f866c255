"""The one compiled entry point of random fills: element range in, bytes out, without the interpreter lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_server.law.jit import jit
from initium_server.law.normal import normal_block, quantile_block
from initium_server.law.philox import BLOCK, words_block
from initium_server.law.render import render_block
from initium_server.law.truncated import truncated_block
from initium_server.law.uniform import uniform_block

UNIFORM, NORMAL, TRUNCATED = 0, 1, 2

_BLOCK = np.uint64(BLOCK)
_MIN_NORMAL = np.float32(2.0**-126)
_HALF = np.float32(0.5)


@jit
def copy_bytes(source: Any, target: Any) -> None:
    """target[:] = source; both uint8 of one length."""
    for j in range(np.uint64(source.shape[0])):
        target[j] = source[j]


@jit
def draw_random(
    out: Any, start: Any, identity: Any, kind: Any, params: Any, threshold: Any, code: Any, tiny: Any
) -> bool:
    """Write elements from `start` on into `out` (uint8[:], whole elements) and return True.

    `kind` is UNIFORM, NORMAL or TRUNCATED; `params` float32[:] begins with the bounds; `code` is one of `render`.
    Returns False, and writes nothing, if this thread flushes subnormal numbers to zero, which `tiny` (the smallest
    normal number, from outside so that the compiler cannot know it) shows when halved.
    """
    if tiny * _HALF == np.float32(0):
        return False
    pairs = np.empty(BLOCK // 2, np.uint64)
    xs, logs, values = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    scratch = np.empty(BLOCK, np.float64)
    words, raw = pairs.view(np.uint32), scratch.view(np.uint8)
    size = np.uint64(8 if code == 3 else 4 if code == 0 else 2)
    total, done = np.uint64(out.shape[0]) // size, np.uint64(0)
    while done < total:
        lo = (start + done) % _BLOCK
        hi = min(_BLOCK, lo + (total - done))
        words_block(pairs, (start + done) // _BLOCK, identity)
        if kind == UNIFORM:
            uniform_block(words, values, params)
        else:
            if kind == NORMAL:
                normal_block(words, xs, logs, params)
            else:
                truncated_block(words, xs, logs, params, threshold)
            quantile_block(xs, logs, values, params)
        render_block(values, scratch, code)
        after = done + (hi - lo)
        copy_bytes(raw[lo * size : hi * size], out[done * size : after * size])
        done = after
    return True


def call(out: Any, start: int, identity: Any, kind: int, params: Any, threshold: int, code: int) -> None:
    """`draw_random` with arguments of the exact types it is compiled for.

    RuntimeError if the calling thread flushes subnormal numbers to zero: its bytes could differ from everyone else's.
    """
    if not draw_random(out, np.uint64(start), identity, kind, params, np.uint32(threshold), code, _MIN_NORMAL):
        raise RuntimeError(
            "this thread flushes subnormal floats to zero, so it cannot draw exact values; "
            "find what set it (torch.set_flush_denormal, a library built with -ffast-math) and draw in another thread"
        )
