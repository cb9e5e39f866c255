"""From the symbolic value of one tensor to its fill."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import torch

from initium_law.grammar import (
    POINTWISE,
    Broadcast,
    Constant,
    Copy,
    Dirac,
    Eye,
    Fill,
    Normal,
    NormOf,
    Orthogonal,
    Part,
    Parts,
    Permutation,
    Pointwise,
    TruncNormal,
    Uniform,
    inner_fills,
)
from initium_server.capture.boxes import Box, whole
from initium_server.capture.identities import Identities, Inexpressible, Spot, spot
from initium_server.capture.layouts import contiguous, layout_of
from initium_server.capture.symbols import (
    Apply,
    Boxes,
    Computed,
    Const,
    Draw,
    Leaf,
    Norms,
    Symbol,
    Unwritten,
    atoms,
    covers,
    told,
)

_EXACT_INTEGER = 1 << 53


def is_exact(value: object) -> bool:
    """Whether a binary64 number holds the constant: finite, real, and no integer beyond 2^53."""
    return isinstance(value, int | float) and abs(value) <= (
        _EXACT_INTEGER if isinstance(value, int) else sys.float_info.max
    )


@dataclass(frozen=True, slots=True)
class Expression:
    """The fill of a tensor in the making."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    identities: Identities
    computed: Callable[[Computed, torch.dtype], Fill]
    """Numbers that no random one went into, in a dtype."""

    def fill(self, symbol: Symbol) -> Fill:
        """The fill. Errors: Inexpressible, and what `computed` raises."""
        full = whole(self.shape)
        if not isinstance(symbol, Boxes):
            return self._leaf(symbol, full, {})
        hidden = covers(symbol, self.shape)
        if isinstance(symbol.base, Unwritten) and not hidden:
            raise Inexpressible(f"partly uninitialized: {symbol.base.call}")
        seen = [*symbol.parts] if hidden else [(full, symbol.base), *symbol.parts]
        homes = _homes(seen)
        made = [Part(box.start, box.stop, self._leaf(leaf, box, homes)) for box, leaf in seen]
        first = made[0].fill
        if _is_of_anywhere(first) and all(part.fill == first for part in made):
            return first
        based = not hidden or _is_of_anywhere(first)
        return Parts(first, tuple(made[1:])) if based else Parts(Constant(0.0), tuple(made))

    def _leaf(self, leaf: Leaf, box: Box, homes: dict[Draw, list[Box]]) -> Fill:
        """The fill of a box; `homes` has the boxes in which draws stand more than once."""
        drawn = list(_drawn(leaf, self.shape, box, homes))
        identities = self.identities.claim(self.name, [(item.draw, item.spot) for item in drawn])
        _check(leaf, self.dtype, box.shape)
        known = {item.stands: (identity, item.axes) for item, identity in zip(drawn, identities, strict=True)}
        return self._made(leaf, self.name, self.dtype, known)

    def _made(self, leaf: Leaf, here: str, dtype: torch.dtype, known: _Known) -> Fill:
        """The fill of a leaf in a tensor whose draws have the identity `here`."""
        owners = {known[draw][0] for draw in _random(leaf)}
        owner = owners.pop() if len(owners) == 1 else here
        if isinstance(leaf, Norms):
            return NormOf(owner, leaf.shape, self._made(leaf.of, owner, torch.float32, known), leaf.axis)
        if owner != here:
            return Copy(owner, self._made(leaf, owner, dtype, known))
        match leaf:
            case Const():
                return _constant(leaf)
            case Draw():
                axes = known[leaf][1] if leaf in known else ()
                return Broadcast(axes, leaf.fill) if axes else leaf.fill
            case Computed():
                return self.computed(leaf, dtype)
            case Apply() if leaf.op in POINTWISE:
                return Pointwise(leaf.op, tuple(self._made(x, here, torch.float32, known) for x in leaf.operands))
            case Unwritten():
                raise Inexpressible(f"uninitialized: {leaf.call}")
        raise Inexpressible(f"cannot express {told(leaf)}")


_Known = dict[Draw, tuple[str, tuple[int, ...]]]
"""Identity and repeated axes of the draws in a leaf."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Draws in a leaf: as they stand there, and where and how without what repeats them."""

    stands: Draw
    axes: tuple[int, ...]
    draw: Draw
    spot: Spot


def _random(leaf: Leaf) -> Iterator[Draw]:
    """All that is drawn in a leaf, in order."""
    for atom in atoms(leaf):
        if isinstance(atom, Norms):
            yield from _random(atom.of)
        elif isinstance(atom, Draw) and not isinstance(atom.fill, Eye | Dirac):
            yield atom


def _drawn(leaf: Leaf, shape: tuple[int, ...], box: Box, homes: dict[Draw, list[Box]]) -> Iterator[_Drawn]:
    for atom in atoms(leaf):
        if isinstance(atom, Norms):
            yield from _drawn(atom.of, atom.shape, whole(atom.shape), {})
        elif isinstance(atom, Draw) and not isinstance(atom.fill, Eye | Dirac):
            axes, once = _once(atom, box.shape)
            axes = _common_axes(axes, box, homes.get(once, []))
            yield _Drawn(atom, axes, once, spot(shape, box, axes))


def _once(draw: Draw, size: tuple[int, ...]) -> tuple[tuple[int, ...], Draw]:
    """The axes along which draws are repeated in a tensor of this size, and the draws where those are 1 long."""
    axes = draw.layout.repeats(size)
    if not axes:
        return axes, draw
    place = contiguous(size)
    short = replace(place, size=tuple(1 if axis in axes else extent for axis, extent in enumerate(size)))
    layout = draw.layout.through(short, place)
    assert layout is not None
    return axes, replace(draw, layout=layout)


def _homes(seen: Sequence[tuple[Box, Leaf]]) -> dict[Draw, list[Box]]:
    """The boxes of each draw."""
    homes: dict[Draw, list[Box]] = {}
    for box, leaf in seen:
        for draw in _random(leaf):
            homes.setdefault(_once(draw, box.shape)[1], []).append(box)
    return homes


def _common_axes(axes: tuple[int, ...], box: Box, boxes: Sequence[Box]) -> tuple[int, ...]:
    """The repeated axes with those along which the other boxes of a draw lie: there it is repeated from box to box."""
    apart = {
        k
        for other in boxes
        for k in range(len(box.start))
        if (other.start[k], other.stop[k]) != (box.start[k], box.stop[k])
    }
    repeated = all(k in axes or box.shape[k] == 1 for k in apart)
    return tuple(sorted(apart.union(axes))) if repeated else axes


def _constant(leaf: Const) -> Constant:
    if not is_exact(leaf.value) or isinstance(leaf.value, complex):
        raise Inexpressible(f"cannot express the constant {leaf.value}")
    return Constant(float(leaf.value))


def _check(leaf: Leaf, dtype: torch.dtype, size: tuple[int, ...]) -> None:
    """Errors: Inexpressible if the law has no such fill for this dtype, or in this place."""
    if isinstance(leaf, Apply | Norms) and not dtype.is_floating_point:
        raise Inexpressible(f"cannot express {told(leaf)}")
    for atom in atoms(leaf):
        if isinstance(atom, Norms):
            _check(atom.of, dtype, atom.shape)
            fits = atom.layout == layout_of(contiguous((atom.shape[atom.axis],)))
        elif isinstance(atom, Draw):
            _check_finite(atom)
            if not dtype.is_floating_point and not isinstance(atom.fill, Eye | Dirac | Permutation):
                raise Inexpressible(f"cannot express {told(leaf)}")
            fits = _fits(atom, size)
        else:
            continue
        if not fits:
            raise Inexpressible(f"cannot express a part or another view of {told(leaf)}")


def _fits(draw: Draw, size: tuple[int, ...]) -> bool:
    """Whether a tensor of this size is what was drawn, where a fill's values depend on each other."""
    if isinstance(draw.fill, Uniform | Normal | TruncNormal):
        return True
    if isinstance(draw.fill, Orthogonal):
        rows, columns = draw.size
        transposed = replace(contiguous((rows, columns)), size=(columns, rows), stride=(1, columns))
        turned = draw.layout == layout_of(transposed) and size[:1] == (columns,)
        return turned or (draw.layout == layout_of(contiguous(draw.size)) and size[:1] == (rows,))
    return size == draw.size and draw.layout == layout_of(contiguous(size))


def _check_finite(draw: Draw) -> None:
    numbers = [getattr(draw.fill, item.name) for item in fields(draw.fill)]
    if not all(map(is_exact, numbers)):
        raise Inexpressible(f"cannot express {' > '.join(draw.trail)} with the numbers {numbers}")


def _is_of_anywhere(fill: Fill) -> bool:
    """Whether a fill has the same values at an index in any box, as numbers and independent draws do."""
    if isinstance(fill, Pointwise | Copy | Broadcast):
        return all(map(_is_of_anywhere, inner_fills(fill)))
    return isinstance(fill, Constant | Uniform | Normal | TruncNormal)
