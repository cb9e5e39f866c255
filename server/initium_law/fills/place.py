"""Where a fill stands: a tensor, and the box of it that the fill covers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from initium_law.dtypes import ITEM_SIZE, Bytes
from initium_law.engine import Engine
from initium_law.fills.boxes import Box, box, overlay
from initium_law.fills.structured import constant
from initium_law.fills.writer import NEAR, SLAB, Writer
from initium_law.grammar import Constant, Random
from initium_law.maps.identity import identity
from initium_law.maps.random_fills import resolve


@dataclass(frozen=True, slots=True)
class Place:
    """What a fill needs to know of its tensor.

    Writers that the makers give back take elements of the *whole* tensor, and fill at least those in the box.
    """

    engine: Engine
    seed: int
    name: str
    whole: tuple[int, ...]
    """Shape of the tensor."""
    start: tuple[int, ...]
    stop: tuple[int, ...]
    dtype: str
    literals: Mapping[str, bytes]
    depth: int = field(default=0)
    whole_elements: list[int] = field(default_factory=list)
    """Elements of each tensor that is made whole for this one; shared by all places of the tensor."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the box, which most fills see as a tensor of its own."""
        return tuple(high - low for low, high in zip(self.start, self.stop, strict=True))

    @property
    def elements(self) -> int:
        """Elements of the box."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return ITEM_SIZE[self.dtype]

    @property
    def box(self) -> Box:
        """The box as ranges of the whole tensor's elements."""
        return box(self.whole, self.start, self.stop)

    def words(self, purpose: str = "") -> npt.NDArray[np.uint32]:
        """The identity whose words the tensor has."""
        return identity(self.seed, self.name, purpose)

    def inside(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Place:
        """A box of this box, in coordinates of this box."""
        box(self.shape, start, stop)
        moved = [tuple(base + k for base, k in zip(self.start, edge, strict=True)) for edge in (start, stop)]
        return replace(self, start=moved[0], stop=moved[1])

    def random(self, fill: Random) -> Writer:
        """The writer of a random fill, by the engine's backend."""
        made = resolve(fill, self.words(), self.dtype)
        if isinstance(made, Constant):
            return constant(made.value, self.dtype)
        backend = self.engine.backend
        return lambda start, out: backend(made, start, out)

    def local(self, write: Writer) -> Writer:
        """The writer over the whole tensor of one that counts the box's own elements."""
        place, size = self.box, self.size
        if place.contiguous:
            return write if place.first == 0 else lambda start, out: write(start - place.first, out)

        def scatter(start: int, out: Bytes) -> None:
            low, high = place.rank(start), place.rank(start + len(out) // size)
            compact = np.empty((high - low) * size, np.uint8)
            write(low, compact)
            overlay(out, compact, np.int64(start), True, np.int64(size), place.shape, place.start, place.stop)

        return scatter

    def gather(self, write: Writer) -> npt.NDArray[np.uint8]:
        """All elements of the box, one after the other, from a writer over the whole tensor.

        However large the tensor is, this takes memory for the box and, at a time, for NEAR * SLAB elements.
        """
        place = self.box
        if place.contiguous:
            out = np.empty(self.elements * self.size, np.uint8)
            if len(out):
                write(place.first, out)
            return out
        gathered = np.empty((self.elements, self.size), np.uint8)
        for low in range(0, self.elements, SLAB):
            at = place.places(low, min(low + SLAB, self.elements))
            gaps = np.flatnonzero(np.diff(at) > NEAR) + 1
            for begin, end in pairwise((0, *gaps.tolist(), len(at))):
                near = at[begin:end] - at[begin]
                drawn = np.empty((int(near[-1]) + 1) * self.size, np.uint8)
                write(int(at[begin]), drawn)
                gathered[low + begin : low + end] = drawn.reshape(-1, self.size)[near]
        return gathered.reshape(-1)
