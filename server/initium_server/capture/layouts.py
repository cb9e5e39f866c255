"""Which elements of something stand in a tensor, in the tensor's own order.

A `Layout` counts through a storage, or through the elements of a joined tensor, in nested loops, the last axis fastest.
Its axes need not be the tensor's: they are merged where they follow each other, so equal layouts mean equal elements in
equal order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from initium_server.capture.boxes import box_in
from initium_server.capture.recording import Place

Axis = tuple[int, int]
"""Extent and stride."""
Joint = tuple[int, int, int]
"""Extent, stride in the storage of a view, and stride in a layout."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Elements `offset + sum(index[k] * stride[k])`, for all indices of the axes in row-major order."""

    axes: tuple[Axis, ...]
    offset: int

    @property
    def numel(self) -> int:
        return math.prod(extent for extent, _ in self.axes)

    @property
    def span(self) -> tuple[int, int]:
        """First element and one past the last."""
        reach = sum((extent - 1) * stride for extent, stride in self.axes)
        return self.offset, self.offset + reach + 1

    def through(self, view: Place, outer: Place) -> Layout | None:
        """The elements that `view` shows, where `outer`, a view of the same storage, shows this layout's.

        None if some of them are not in `outer`, or if nested loops do not reach them (not seen to do so).
        """
        if view == outer:
            return self
        joints = _joined(outer, self)
        if joints is None or view.numel == 0 or view.dtype != outer.dtype:
            return None
        walk = _Walk(joints, view.offset - outer.offset)
        axes = [walk.along(extent, stride) for extent, stride in zip(view.size, view.stride, strict=True)]
        if not walk.inside or None in axes:
            return None
        start = sum(first * own for first, (_, _, own) in zip(walk.start, walk.joints, strict=True))
        return Layout(_merged(axis for piece in axes for axis in piece or ()), self.offset + start)

    def repeats(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """The axes of a tensor of this size, in row-major order, along which nothing changes."""
        found, place = [], contiguous(size)
        for axis, extent in enumerate(size):
            line = replace(place, size=tuple(extent if k == axis else 1 for k in range(len(size))))
            seen = self.through(line, place)
            if extent > 1 and seen is not None and seen.axes == ((extent, 0),):
                found.append(axis)
        return tuple(found)


def contiguous(size: tuple[int, ...]) -> Place:
    """Row-major memory of its own, of no dtype in particular."""
    stride, strides = 1, list[int]()
    for extent in reversed(size):
        strides.append(stride)
        stride *= extent
    return Place(size, tuple(reversed(strides)), 0, torch.float32)


def holds(outer: Place, view: Place) -> bool:
    """Whether all elements of a view are seen to be among those of another view of its storage."""
    return box_in(view, outer) is not None or layout_of(contiguous(outer.size)).through(view, outer) is not None


def layout_of(place: Place) -> Layout:
    """The elements of its storage that a view means, in its order."""
    return Layout(_merged(zip(place.size, place.stride, strict=True)), place.offset)


def _merged(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """The axes without those of extent 1, and with those that follow each other as one."""
    merged: list[Axis] = []
    for extent, stride in axes:
        if extent == 1:
            continue
        if merged and merged[-1][1] == stride * extent:
            merged[-1] = (merged[-1][0] * extent, stride)
        else:
            merged.append((extent, stride))
    return tuple(merged)


def _joined(outer: Place, layout: Layout) -> list[Joint] | None:
    """Loops that count through a view and a layout at once, the outermost first; None if no such loops do."""
    ours = [(n, s) for n, s in zip(outer.size, outer.stride, strict=True) if n != 1]
    theirs = list(layout.axes)
    joints: list[Joint] = []
    while ours and theirs:
        (extent, stride), (other, own) = ours.pop(), theirs.pop()
        common = min(extent, other)
        if extent % common or other % common:
            return None
        if joints and (stride, own) == (joints[-1][0] * joints[-1][1], joints[-1][0] * joints[-1][2]):
            joints[-1] = (joints[-1][0] * common, *joints[-1][1:])
        else:
            joints.append((common, stride, own))
        if extent > common:
            ours.append((extent // common, stride * common))
        if other > common:
            theirs.append((other // common, own * common))
    return joints[::-1]


class _Walk:
    """Steps through a storage, followed along loops that do not overlap."""

    def __init__(self, joints: list[Joint], distance: int) -> None:
        self.joints = sorted(joints, key=lambda joint: joint[1])
        self._room = [extent for extent, _, _ in self.joints]
        steps, rest = self._steps(distance)
        apart = all(a[0] * a[1] <= b[1] for a, b in pairwise(self.joints))
        self.inside = apart and rest == 0 and all(map(int.__lt__, steps, self._room)) and min(steps, default=0) >= 0
        self.start = steps
        self._at = list(steps)

    def _steps(self, distance: int) -> tuple[list[int], int]:
        """How far along each loop it is to a place so far away in the storage, and what is left."""
        steps = [0] * len(self.joints)
        for k in reversed(range(len(self.joints))):
            if stride := self.joints[k][1]:
                steps[k], distance = divmod(distance, stride)
        return steps, distance

    def along(self, extent: int, stride: int) -> tuple[Axis, ...] | None:
        """The axes of a layout that an axis of a view becomes, the outermost first; None if it leaves the loops."""
        if extent == 1 or stride == 0:
            return ((extent, 0),)
        steps, rest = self._steps(stride)
        if rest:
            return None
        reach = [at + (extent - 1) * step for at, step in zip(self._at, steps, strict=True)]
        if all(map(int.__lt__, reach, self._room)):
            self._at = reach
            return ((extent, sum(step * own for step, (_, _, own) in zip(steps, self.joints, strict=True))),)
        return self._into_the_next(extent, stride, steps)

    def _into_the_next(self, extent: int, stride: int, steps: list[int]) -> tuple[Axis, ...] | None:
        """As `along`, where a loop is walked to its end and then the next one."""
        k = next(k for k, step in enumerate(steps) if step)
        taken, odd = divmod(self._room[k], steps[k])
        if odd or taken < 2 or extent % taken or stride != steps[k] * self.joints[k][1] or self._at[k] >= steps[k]:
            return None
        self._at[k] += (taken - 1) * steps[k]
        outer = self.along(extent // taken, stride * taken)
        return None if outer is None else (*outer, (taken, steps[k] * self.joints[k][2]))
