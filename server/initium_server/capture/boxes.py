"""Where one view of a storage lies inside another, as a box of indices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from initium_server.capture.recording import Place


@dataclass(frozen=True, slots=True)
class Box:
    """Indices `start[k] <= i[k] < stop[k]` of an outer view."""

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    def intersect(self, other: Box) -> Box | None:
        """The common box, None if there is none."""
        start = tuple(map(max, self.start, other.start))
        stop = tuple(map(min, self.stop, other.stop))
        return Box(start, stop) if all(a < b for a, b in zip(start, stop, strict=True)) else None

    def shift(self, origin: tuple[int, ...], sign: int = 1) -> Box:
        """The box moved by `origin`, backwards with `sign=-1`."""
        return Box(
            tuple(a + sign * o for a, o in zip(self.start, origin, strict=True)),
            tuple(b + sign * o for b, o in zip(self.stop, origin, strict=True)),
        )

    def contains(self, other: Box) -> bool:
        return self.intersect(other) == other


def whole(size: tuple[int, ...]) -> Box:
    """The box of all indices."""
    return Box((0,) * len(size), size)


def part(place: Place, box: Box) -> Place:
    """The elements of a view that lie in a box of it."""
    offset = place.offset + sum(a * s for a, s in zip(box.start, place.stride, strict=True))
    return replace(place, size=box.shape, offset=offset)


def box_in(inner: Place, outer: Place) -> Box | None:
    """The box of `outer` that is exactly the elements of `inner`; None if it is none, or not seen to be one."""
    if inner.dtype != outer.dtype or inner.numel == 0 or outer.numel == 0 or inner.repeats or outer.repeats:
        return None
    axes = sorted((k for k in range(len(outer.size)) if outer.size[k] > 1), key=lambda k: outer.stride[k])
    if any(outer.stride[b] < outer.stride[a] * outer.size[a] for a, b in pairwise(axes)):
        return None
    extents = _extents(inner, outer, axes)
    start = _start(inner.offset - outer.offset, outer, axes)
    if extents is None or start is None:
        return None
    stop = tuple(a + n for a, n in zip(start, extents, strict=True))
    return Box(start, stop) if all(map(int.__le__, stop, outer.size)) else None


def _start(distance: int, outer: Place, axes: list[int]) -> tuple[int, ...] | None:
    start = [0] * len(outer.size)
    for axis in reversed(axes):
        start[axis], distance = divmod(distance, outer.stride[axis])
        if not 0 <= start[axis] < outer.size[axis]:
            return None
    return tuple(start) if distance == 0 else None


def _extents(inner: Place, outer: Place, axes: list[int]) -> tuple[int, ...] | None:
    """Extents of the box: every inner axis must run along one outer axis, or fill several that follow in memory."""
    extents = [1] * len(outer.size)
    for stride, extent in sorted((s, n) for s, n in zip(inner.stride, inner.size, strict=True) if n > 1):
        for axis in axes:
            if extent > 1 and stride == outer.stride[axis] * extents[axis]:
                room = outer.size[axis] // extents[axis]
                if extent > room and extent % room:
                    return None
                taken = min(extent, room)
                extents[axis] *= taken
                stride, extent = stride * taken, extent // taken
        if extent > 1:
            return None
    return tuple(extents)
