"""The writer of a fill made of parts: a base and boxes laid over it, the later ones on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from initium_law.dtypes import Bytes
from initium_law.fills.boxes import Box, overlay
from initium_law.fills.writer import Writer, in_slabs


@dataclass(frozen=True, slots=True)
class Layer:
    """A box of the tensor and the writer of its elements, which counts them in the whole tensor."""

    box: Box
    write: Writer


def layered(layers: Sequence[Layer], size: int) -> Writer:
    """The first layer is the base and covers all that is asked for; `size` is the bytes of an element."""

    def write(start: int, out: Bytes) -> None:
        for layer in _visible(layers, start, start + len(out) // size):
            _apply(layer, start, out, size)

    return in_slabs(write, size)


def _visible(layers: Sequence[Layer], start: int, end: int) -> list[Layer]:
    """The layers that reach into the range, without those under one that covers all of it."""
    reaching = [layer for layer in layers if layer.box.first < end and start < layer.box.end]
    covering = [k for k, layer in enumerate(reaching) if layer.box.covers(start, end)]
    return reaching[covering[-1] if covering else 0 :]


def _apply(layer: Layer, start: int, out: Bytes, size: int) -> None:
    """Write the layer's elements in the range that begins at `start`; `out` keeps all others."""
    low = max(layer.box.first, start)
    high = min(layer.box.end, start + len(out) // size)
    target = out[(low - start) * size : (high - start) * size]
    if layer.box.contiguous:
        layer.write(low, target)
        return
    drawn = np.empty_like(target)
    layer.write(low, drawn)
    box = layer.box
    overlay(target, drawn, np.int64(low), False, np.int64(size), box.shape, box.start, box.stop)
