"""What every backend of a device must do, whether this process tests it or one that interprets Triton."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from initium_law.backends import numba_kernel
from initium_law.backends.lanes import DeviceFill, Lane
from initium_law.dtypes import ITEM_SIZE
from initium_law.grammar import Normal, TruncNormal, Uniform
from initium_law.maps.philox import BLOCK
from initium_law.maps.random_fills import Draw, resolve
from initium_law.maps.render import RENDERINGS, render_block

from ..law.support import RANDOM_FILLS

IDENTITY = np.array([0xFFFFFFFF, 0x80000000, 0x12345678, 0x00000001], np.uint32)
STARTS = (0, 5, 2**34 - 1001, 2**40 + 3)
COUNT = 4099

FILLS = (
    *RANDOM_FILLS,
    Uniform(-(2.0**-128), 2.0**-127),
    Uniform(-3e38, 3e38),
    Normal(0.0, 1e38),
    Normal(0.0, 1e-6),
    TruncNormal(0.0, 1.0, -8.0, 1e-6),
    TruncNormal(0.0, 1.0, -1e-6, 8.0),
    TruncNormal(0.0, 1.0, -1e30, 0.5),
    TruncNormal(0.0, 1.0, 36.9, 40.0),
    TruncNormal(0.0, 1.0, 0.0, 1e30),
)
"""The maps at their usual and their furthest: subnormal values, overflow to the bounds, thresholds near 0 and 2^32."""

ONE_OF_EACH = (
    Uniform(-0.1, 0.3),
    Normal(0.0, 0.02),
    TruncNormal(0.0, 1.0, -2.0, 2.0),
    TruncNormal(0.5, 1.0, 0.25, 4.0),
    TruncNormal(0.0, 1.0, 5.0, 6.0),
    TruncNormal(1.0, 2.0, -60.0, -9.0),
)
"""Every map once, mirrored too: for an interpreter."""

MapWords = Callable[[Draw, torch.Tensor, torch.Tensor], None]


def draws(fills: Sequence[Uniform | Normal | TruncNormal]) -> list[tuple[str, str, Draw]]:
    """name, dtype and Draw of every fill in every rendering that can hold it."""
    made = []
    for fill in fills:
        for dtype in RENDERINGS:
            try:
                draw = resolve(fill, IDENTITY, dtype)
            except ValueError:  # bounds that the dtype has no value between
                continue
            if isinstance(draw, Draw):
                made.append((f"{fill} as {dtype}", dtype, draw))
    return made


def check_draws(
    fill: DeviceFill,
    fills: Sequence[Uniform | Normal | TruncNormal] = FILLS,
    starts: Sequence[int] = STARTS,
    device: str = "cpu",
) -> None:
    """Any range of any random tensor, as the compiled kernels draw it."""
    lane = Lane(device, fill, piece=1 << 16)
    for name, dtype, draw in draws(fills):
        for start in starts:
            want, got = np.zeros(COUNT * ITEM_SIZE[dtype], np.uint8), np.full(COUNT * ITEM_SIZE[dtype], 0xAA, np.uint8)
            numba_kernel.draw(draw, start, want)
            lane.draw(draw, start, got)
            assert np.array_equal(want, got), f"{name} from {start}: byte {np.flatnonzero(want != got)[0]}"


def check_words(map_words: MapWords, device: str = "cpu") -> None:
    """The words at which a map changes its ways, as `map_block` and `render_block` take them."""
    for name, dtype, draw in draws(FILLS):
        words = boundary_words(draw.threshold)
        want = mapped(draw, words)
        got = torch.full((len(words) * ITEM_SIZE[dtype],), 0xAA, dtype=torch.uint8, device=device)
        map_words(draw, torch.from_numpy(words.view(np.int32)).to(device), got)
        differ = np.flatnonzero(want != got.cpu().numpy())
        assert not len(differ), f"{name}: word {words[differ[0] // ITEM_SIZE[dtype]]:#x}"


def boundary_words(threshold: int) -> npt.NDArray[np.uint32]:
    """0, powers of two, the threshold; their neighbours, mirror images and complements; and some thousand others."""
    edges = [0, threshold, *(1 << k for k in range(33))]
    near = {(edge + step) % 2**32 for edge in edges for step in (-2, -1, 0, 1, 2)}
    near |= {word ^ mask for word in near for mask in (0x80000000, 0xFFFFFFFF, 0x7FFFFFFF)}
    others = np.random.default_rng(7).integers(0, 2**32, 3001, np.uint32)
    return np.concatenate([np.array(sorted(near), np.uint32), others])


def mapped(draw: Draw, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """The elements of words, by the compiled kernels' own parts."""
    blocks = -(-len(words) // BLOCK)
    padded = np.zeros((blocks, BLOCK), np.uint32)
    padded.reshape(-1)[: len(words)] = words
    xs, logs, values = (np.empty(BLOCK, np.float32) for _ in range(3))
    size = next(ITEM_SIZE[dtype] for dtype, code in RENDERINGS.items() if code == draw.code)
    parts = []
    for block in padded:
        numba_kernel.map_block(block, xs, logs, values, draw.kind, draw.params, np.uint32(draw.threshold))
        parts.append(np.empty(BLOCK * size, np.uint8))
        render_block(values, parts[-1], draw.code)
    return np.concatenate(parts)[: len(words) * size]
