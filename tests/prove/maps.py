"""The maps that are swept, their true quantiles, and each backend's way from raw words to bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.special

from initium_law.backends import numba_kernel
from initium_law.grammar import Normal, Random, TruncNormal, Uniform
from initium_law.maps.philox import BLOCK
from initium_law.maps.random_fills import Draw, resolve

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]

CASES: dict[str, Random] = {
    "uniform": Uniform(-1.0, 1.0),
    "uniform, general": Uniform(0.1, 0.7),
    "normal": Normal(0.0, 1.0),
    "truncated at 2": TruncNormal(0.0, 1.0, -2.0, 2.0),
    "truncated, lopsided": TruncNormal(0.1, 1.0, -2.0, 3.0),
    "one-sided": TruncNormal(0.0, 1.0, 1.5, 9.0),
    "far tail, mirrored": TruncNormal(0.0, 1.0, -13.0, -12.0),
}
"""Every branch of every map."""

INTERPRETED = ("uniform", "normal", "truncated, lopsided", "far tail, mirrored")
"""One case of each map: what the Triton interpreter, at 8 million values a second, is put through."""

CHUNK = 1 << 24
CHUNKS = 1 << 8


def draw_of(case: str, dtype: str = "F32") -> Draw:
    """The resolved draw of a case."""
    draw = resolve(CASES[case], np.zeros(4, np.uint32), dtype)
    assert isinstance(draw, Draw)
    return draw


def words_of(chunk: int) -> Words:
    """The words of a chunk in ascending order of u = word xor 2^31, along which every map should ascend."""
    return np.arange(chunk * CHUNK, (chunk + 1) * CHUNK, dtype=np.int64).astype(np.uint32) ^ np.uint32(1 << 31)


def numba_values(draw: Draw, words: Words) -> Singles:
    """float32[n] of uint32[n], n a multiple of the block."""
    out = np.empty(len(words), np.float32)
    xs, logs = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    numba_kernel.refuse_flush_to_zero()
    for at in range(0, len(words), BLOCK):
        block = slice(at, at + BLOCK)
        numba_kernel.map_block(words[block], xs, logs, out[block], draw.kind, draw.params, np.uint32(draw.threshold))
    return out


def _on_torch(module: str, block: int) -> Callable[[Draw, Words], Singles]:
    def values(draw: Draw, words: Words) -> Singles:
        import importlib

        import torch

        map_words = importlib.import_module(f"initium_law.backends.{module}").map_words
        out = np.empty(len(words), np.float32)
        given, made = torch.from_numpy(words.view(np.int32)), torch.from_numpy(out.view(np.uint8))
        for at in range(0, len(words), block):
            map_words(draw, given[at : at + block], made[4 * at : 4 * (at + block)])
        return out

    return values


BACKENDS: dict[str, Callable[[Draw, Words], Singles]] = {
    "numba": numba_values,
    "torch": _on_torch("torch_ops", 1 << 15),
    "triton": _on_torch("triton_kernels", 1 << 18),
}
"""Backend name -> words to canonical values. Triton runs interpreted where TRITON_INTERPRET is set, else on a GPU."""


def descends(fill: Random) -> bool:
    """Whether values fall as u rises: intervals below the mean are drawn as their mirror images above it."""
    return isinstance(fill, TruncNormal) and fill.b <= fill.mean


@functools.cache
def _tail(x: float) -> float:
    return float(scipy.special.ndtr(-x))


def quantiles(fill: Random, words: Words) -> Doubles:
    """The true values at the middle of each word's share of probability, by scipy in binary64."""
    u = (words ^ np.uint32(1 << 31)).astype(np.float64) + 0.5
    low, high = u * 2.0**-32, (2.0**32 - u) * 2.0**-32
    if descends(fill):
        low, high = high, low
    match fill:
        case Uniform():
            return fill.low * high + fill.high * low
        case Normal():
            return fill.mean + fill.std * _both(low, high)
        case TruncNormal():
            alpha, beta = (fill.a - fill.mean) / fill.std, (fill.b - fill.mean) / fill.std
            below = _tail(-alpha) * high + _tail(-beta) * low
            above = _tail(alpha) * high + _tail(beta) * low
            return fill.mean + fill.std * _both(below, above)


def _both(below: Doubles, above: Doubles) -> Doubles:
    """The normal quantile from the probabilities of both sides, the smaller of which is the more precise."""
    z = scipy.special.ndtri(np.minimum(below, above))
    return np.where(below < above, z, -z)
