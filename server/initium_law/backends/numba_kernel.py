"""The one compiled entry point of random fills: element range in, bytes out, without the interpreter lock."""

from __future__ import annotations

from typing import Any

import numpy as np

from initium_law.dtypes import Bytes
from initium_law.jit import jit
from initium_law.maps.far import far_block, far_values_block
from initium_law.maps.normal import log_block, symmetric_block, values_block
from initium_law.maps.philox import BLOCK, words_block
from initium_law.maps.random_fills import FAR, NORMAL, UNIFORM, Draw
from initium_law.maps.render import F32, render_block, size_of
from initium_law.maps.truncated import sided_block
from initium_law.maps.uniform import uniform_block

_BLOCK = np.uint64(BLOCK)
_MIN_NORMAL = np.float32(2.0**-126)
_HALF = np.float32(0.5)


@jit
def copy_bytes(source: Any, target: Any) -> None:
    """target[:] = source; both uint8 of one length."""
    for j in range(np.uint64(source.shape[0])):
        target[j] = source[j]


@jit
def map_block(words: Any, xs: Any, logs: Any, values: Any, kind: Any, params: Any, threshold: Any) -> None:
    """The values (float32[BLOCK]) of a block of words (uint32[BLOCK]); xs and logs are scratch."""
    if kind == UNIFORM:
        uniform_block(words, values, params)
    elif kind == FAR:
        far_block(words, xs, logs, params)
        log_block(logs)
        far_values_block(xs, logs, values, params)
    else:
        if kind == NORMAL:
            symmetric_block(words, xs, logs, params)
        else:
            sided_block(words, xs, logs, params, threshold)
        log_block(logs)
        values_block(xs, logs, values, params)


@jit
def draw_random(out: Any, start: Any, identity: Any, kind: Any, params: Any, threshold: Any, code: Any) -> None:
    """Write elements from `start` on into `out` (uint8[:], whole elements).

    `kind` is UNIFORM, NORMAL, TRUNCATED or FAR; `params` float32[:] begins with the bounds; `code` is one of `render`.
    Whole blocks are made in place, at any address: no processor that numba compiles for minds.
    """
    pairs, keys = np.empty(BLOCK // 2, np.uint64), identity.astype(np.uint64)
    xs, logs, values = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    words, size = pairs.view(np.uint32), np.uint64(size_of(code))
    scratch = np.empty(_BLOCK * size, np.uint8)
    total, done = np.uint64(out.shape[0]) // size, np.uint64(0)
    while done < total:
        lo = (start + done) % _BLOCK
        hi = min(_BLOCK, lo + (total - done))
        whole, target = hi - lo == _BLOCK, out[done * size : (done + (hi - lo)) * size]
        elements = target if whole else scratch
        words_block(pairs, (start + done) // _BLOCK, keys)
        if code == F32:
            map_block(words, xs, logs, elements.view(np.float32), kind, params, threshold)
        else:
            map_block(words, xs, logs, values, kind, params, threshold)
            render_block(values, elements, code)
        if not whole:
            copy_bytes(scratch[lo * size : hi * size], target)
        done += hi - lo


@jit
def draw_words(out: Any, start: Any, identity: Any) -> None:
    """The words themselves of elements from `start` on, uint32[:]."""
    pairs = np.empty(BLOCK // 2, np.uint64)
    words, keys = pairs.view(np.uint32), identity.astype(np.uint64)
    total, done = np.uint64(out.shape[0]), np.uint64(0)
    while done < total:
        lo = (start + done) % _BLOCK
        hi = min(_BLOCK, lo + (total - done))
        words_block(pairs, (start + done) // _BLOCK, keys)
        out[done : done + (hi - lo)] = words[lo:hi]
        done += hi - lo


@jit
def _flushes(tiny: Any) -> bool:
    """Whether half of the smallest normal number, from outside so that the compiler cannot know it, is zero here."""
    return bool(tiny * _HALF == np.float32(0))


def refuse_flush_to_zero() -> None:
    """RuntimeError if the calling thread flushes subnormals to zero: its bytes could differ from everyone else's."""
    if _flushes(_MIN_NORMAL):
        raise RuntimeError(
            "this thread flushes subnormal floats to zero, so it cannot draw exact values; "
            "find what set it (torch.set_flush_denormal, a library built with -ffast-math) and draw in another thread"
        )


def draw(fill: Draw, start: int, out: Bytes) -> None:
    """The numba backend: elements of `fill` from `start` on into `out`. RuntimeError as `refuse_flush_to_zero`."""
    refuse_flush_to_zero()
    draw_random(out, np.uint64(start), fill.identity, fill.kind, fill.params, np.uint32(fill.threshold), fill.code)
