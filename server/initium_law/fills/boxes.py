"""Boxes of a tensor as ranges of its row-major elements, for fills made of parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from initium_law.jit import jit


@dataclass(frozen=True, slots=True)
class Box:
    """A box with trailing axes merged where it spans them, so that its rows are as long as they can be."""

    shape: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    stop: npt.NDArray[np.int64]
    first: int
    """The box's lowest element in row-major order."""
    end: int
    """One more than its highest; `first` where the box is empty."""
    contiguous: bool
    """Whether it holds every element from `first` to `end`."""

    def covers(self, start: int, end: int) -> bool:
        """Whether every element from `start` to `end` is in the box."""
        return self.contiguous and self.first <= start and end <= self.end

    def rank(self, element: int) -> int:
        """How many of the box's elements come before this one of the whole tensor."""
        return int(_rank(np.int64(element), self.shape, self.start, self.stop))

    def places(self, low: int, high: int) -> npt.NDArray[np.int64]:
        """Where the box's elements number `low` to `high` are in the whole tensor: int64[high - low], ascending."""
        rest, element, stride = np.arange(low, high, dtype=np.int64), np.zeros(high - low, np.int64), 1
        for extent, first, end in zip(self.shape[::-1], self.start[::-1], self.stop[::-1], strict=True):
            rest, index = np.divmod(rest, end - first)
            element += (first + index) * stride
            stride *= int(extent)
        return element


def box(shape: Sequence[int], start: Sequence[int], stop: Sequence[int]) -> Box:
    """The elements with start[k] <= index[k] < stop[k]. ValueError unless 0 <= start[k] <= stop[k] <= shape[k]."""
    if not len(start) == len(stop) == len(shape):
        raise ValueError(f"part {list(start)} to {list(stop)} needs one number per axis of shape {list(shape)}")
    for axis, (low, high, extent) in enumerate(zip(start, stop, shape, strict=True)):
        if not 0 <= low <= high <= extent:
            raise ValueError(f"part {low} to {high} on axis {axis} is not within 0 to {extent} of shape {list(shape)}")
    axes = _merged(shape, start, stop)
    count = math.prod(high - low for _, low, high in axes)
    strides = [math.prod(extent for extent, _, _ in axes[k + 1 :]) for k in range(len(axes))]
    first = sum(low * stride for (_, low, _), stride in zip(axes, strides, strict=True))
    last = sum((high - 1) * stride for (_, _, high), stride in zip(axes, strides, strict=True))
    end = last + 1 if count else first
    columns = [np.array(column, np.int64) for column in zip(*axes, strict=True)]
    return Box(columns[0], columns[1], columns[2], first, end, end - first == count)


def _merged(shape: Sequence[int], start: Sequence[int], stop: Sequence[int]) -> list[tuple[int, int, int]]:
    """(extent, start, stop) per axis, outermost first; an axis that the box spans is merged into the one before it."""
    whole = (1, 0, 1)
    axes = [whole]
    for extent, low, high in zip(shape, start, stop, strict=True):
        outer_extent, outer_low, outer_high = axes[-1]
        if (low, high) == (0, extent):
            axes[-1] = (outer_extent * extent, outer_low * extent, outer_high * extent)
        elif axes[-1] == whole:
            axes[-1] = (extent, low, high)
        else:
            axes.append((extent, low, high))
    return axes


@jit
def _rank(element: Any, shape: Any, start: Any, stop: Any) -> Any:
    """`Box.rank`; shape, start and stop are int64[axes]."""
    count, rest, inside = 0, element, 1
    stride = 1
    for axis in range(shape.shape[0]):
        stride *= shape[axis]
        inside *= stop[axis] - start[axis]
    for axis in range(shape.shape[0]):
        stride //= shape[axis]
        inside //= stop[axis] - start[axis]
        index = rest // stride
        rest -= index * stride
        count += (min(max(index, start[axis]), stop[axis]) - start[axis]) * inside
        if index < start[axis] or index >= stop[axis]:
            break
    return count


@jit
def overlay(out: Any, part: Any, at: Any, compact: Any, size: Any, shape: Any, start: Any, stop: Any) -> None:
    """Put elements of the box where they belong in `out`, uint8[:], which holds the tensor's from `at` (int64) on.

    `part` (uint8[:]) holds the same elements as `out`, or, if `compact`, only those of the box, one after the other.
    `size` (int64) is the bytes of an element; shape, start and stop are int64[axes], rows the last axis.
    """
    end = at + out.shape[0] // size
    inner = shape.shape[0] - 1
    length = shape[inner]
    taken = 0
    for row in range(at // length, (end - 1) // length + 1):
        inside, rest = True, row
        for axis in range(inner - 1, -1, -1):
            index = rest % shape[axis]
            rest //= shape[axis]
            inside = inside and start[axis] <= index < stop[axis]
        if inside:
            low = max(at, row * length + start[inner]) - at
            high = min(end, row * length + stop[inner]) - at
            shift = (taken - low if compact else 0) * size
            for byte in range(low * size, high * size):
                out[byte] = part[byte + shift]
            taken += max(0, high - low)
