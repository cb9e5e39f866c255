"""Whose random numbers stand in a tensor: the names that its draws have in the law.

In the law a tensor's words follow from its name and the index of the element. A library's draw belongs to the first
tensor that holds it, and has that tensor's name; another tensor that holds the same draw copies it by that name, which
it can where every element has the same index there. A second draw that an expression needs at the same elements has the
tensor's name with `/2` at its end, a third one `/3` and so on: independent words. Torch separates names by dots, so
these are names of no tensor but in a model that calls two of its own `t` and `t/2`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count

from initium_server.capture.boxes import Box, whole
from initium_server.capture.symbols import Draw, Origin


class Inexpressible(Exception):
    """A tensor's values cannot be expressed as a fill; the message says why."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A box of a tensor, which is flat where the box is all of it: then its shape does not matter to any index."""

    shape: tuple[int, ...]
    box: Box
    space: tuple[int, ...] = field(compare=False)
    """The shape as it is."""


def spot(shape: tuple[int, ...], box: Box, repeated: Iterable[int] = ()) -> Spot:
    """A box of the tensor of this shape that is 1 long on the axes along which draws are repeated."""
    ends = dict.fromkeys(repeated, 1)
    space = tuple(ends.get(axis, extent) for axis, extent in enumerate(shape))
    start = tuple(0 if axis in ends else a for axis, a in enumerate(box.start))
    stop = tuple(ends.get(axis, b) for axis, b in enumerate(box.stop))
    if Box(start, stop) != whole(space):
        return Spot(space, Box(start, stop), space)
    flat = (math.prod(space),)
    return Spot(flat, whole(flat), space)


@dataclass(frozen=True, slots=True)
class Claim:
    """Draws in their place: what the law draws under a name for a spot."""

    identity: str
    spot: Spot
    draw: Draw
    """As it stands in the spot."""


class Identities:
    """Every draw that stands in some tensor so far."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        """All of them, in the order in which they were made."""
        self._of: dict[Origin, list[Claim]] = {}
        self._spaces: dict[str, tuple[int, ...]] = {}

    def claim(self, name: str, draws: Sequence[tuple[Draw, Spot]]) -> list[str]:
        """The identity of each of the draws that an expression in the tensor `name` is made of.

        Errors: Inexpressible if another tensor has some of a draw's elements, or has them at other indices.
        """
        found = [self._claimed(*pair) for pair in draws]
        for k, (draw, place) in enumerate(draws):
            if found[k] is None:
                found[k] = self._claimed(draw, place) or self._new(name, draw, place, found)
        return [claim.identity for claim in found if claim is not None]

    def _claimed(self, draw: Draw, place: Spot) -> Claim | None:
        for claim in self._of.get(draw.origin, ()):
            if (claim.draw, claim.spot) == (draw, place):
                return claim
            (low, high), (other_low, other_high) = draw.layout.span, claim.draw.layout.span
            if low < other_high and other_low < high:
                raise Inexpressible(f"cannot express values that share draws with {claim.identity}")
        return None

    def _new(self, name: str, draw: Draw, place: Spot, others: list[Claim | None]) -> Claim:
        taken = {claim.identity for claim in others if claim is not None}
        names = (name if number == 1 else f"{name}/{number}" for number in count(1))
        free = (each for each in names if each not in taken)
        identity = next(each for each in free if self._spaces.get(each, place.space) == place.space)
        self._spaces[identity] = place.space
        claim = Claim(identity, place, draw)
        self.claims.append(claim)
        self._of.setdefault(draw.origin, []).append(claim)
        return claim
