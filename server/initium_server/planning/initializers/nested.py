"""Initializers that are made of others: slices, boxes, functions, repetitions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from initium.contract.wording import suggestion
from initium.v1 import init_pb2
from initium_law import grammar as fills
from initium_law.draw import MAX_PARTS
from initium_server.planning.fields import At, at
from initium_server.planning.initializers.registry import Resolution, below, initializer, inner, required
from initium_server.planning.initializers.squeezed import with_axis
from initium_server.planning.target import Target, axis_of

_WHOLE = fills.Constant | fills.Uniform | fills.Normal | fills.TruncNormal
"""Fills that are the same in a slice as in the whole: draws are indexed there, and constants have no index."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice along an axis, and the rule that fills it."""

    axis: int
    start: int
    stop: int
    squeezed: bool
    rule: init_pb2.InitRule
    field: str
    target: Target


@initializer
def split(args: Any, target: Target) -> Resolution:
    cut = slices(args, target)
    different = {(each.field, each.target.shape): each for each in cut}  # Where a slice begins makes no difference.
    filled = {key: _filled(each) for key, each in different.items()}
    made = [filled[each.field, each.target.shape] for each in cut]
    return Resolution(_joined([each.fill for each in made], cut, target), _numbers(made))


def slices(args: Any, target: Target) -> list[Slice]:
    """The slices that a Split makes of the target. Errors: ValueError."""
    with at("axis"):
        axis = axis_of(args.axis if args.HasField("axis") else 0, target)
    if not args.parts:
        raise At("parts", "required: an initializer for each slice, or one for all")
    sizes = _sizes(args, target.shape[axis], target)
    if len(args.parts) not in (1, len(sizes)):
        raise At("parts", f"{len(args.parts)} initializers for {len(sizes)} slices; give one for each, or one for all")
    if args.squeeze and any(size != 1 for size in sizes):
        raise At(
            "squeeze", f"slices of {sizes} along axis {axis}; only slices of extent 1 can lose the axis; {target.shown}"
        )
    stops = list(itertools.accumulate(sizes))
    return [
        _slice(args, target, axis, i, stop - size, stop)
        for i, (size, stop) in enumerate(zip(sizes, stops, strict=True))
    ]


def _sizes(args: Any, extent: int, target: Target) -> list[int]:
    if args.sizes:
        if args.HasField("count"):
            raise At("count", "`sizes` are given, too; keep one")
        if sum(args.sizes) != extent or len(args.sizes) > MAX_PARTS:
            text = f"{len(args.sizes)} sizes of the sum {sum(args.sizes)}; at most {MAX_PARTS}, of the sum {extent}"
            raise At("sizes", f"{text}; {target.shown}")
        return list(args.sizes)
    count = args.count if args.HasField("count") else extent if args.squeeze else len(args.parts)
    if count < 2 and not args.HasField("count") and not args.squeeze:
        raise At("count", "required with one part: how many equal slices there are (or `sizes`, or `squeeze: true`)")
    if not 1 <= count <= MAX_PARTS or extent % count:
        raise At(
            "count", f"{count} slices; from 1 to {MAX_PARTS}, and they divide the axis of {extent}; {target.shown}"
        )
    return [extent // count] * count


def _slice(args: Any, target: Target, axis: int, index: int, start: int, stop: int) -> Slice:
    part = target.resized((*target.shape[:axis], stop - start, *target.shape[axis + 1 :]))
    which = index if len(args.parts) > 1 else 0
    part = part.without((axis,)) if args.squeeze else part
    return Slice(axis, start, stop, args.squeeze, args.parts[which], f"parts[{which}]", part)


def _filled(cut: Slice) -> Resolution:
    made = inner(cut.rule, cut.target, cut.field)
    with at(cut.field):
        return replace(made, fill=with_axis(made.fill, cut.axis)) if cut.squeezed else made


def _joined(made: Sequence[fills.Fill], cut: Sequence[Slice], target: Target) -> fills.Fill:
    if isinstance(made[0], _WHOLE) and all(repr(each) == repr(made[0]) for each in made):
        return made[0]
    return fills.Parts(
        fills.Constant(0.0), tuple(_part(one, fill, target) for one, fill in zip(cut, made, strict=True))
    )


def _part(cut: Slice, fill: fills.Fill, target: Target) -> fills.Part:
    start, stop = [0] * len(target.shape), list(target.shape)
    start[cut.axis], stop[cut.axis] = cut.start, cut.stop
    return fills.Part(tuple(start), tuple(stop), fill)


def _numbers(made: Sequence[Resolution]) -> dict[str, str]:
    """The numbers of all slices, once where they are the same."""
    if all(each.numbers == made[0].numbers for each in made):
        return below("parts", made[0])
    return {key: value for i, each in enumerate(made) for key, value in below(f"parts[{i}]", each).items()}


@initializer
def pieces(args: Any, target: Target) -> Resolution:
    base = required(args, target, "base")
    numbers, parts = below("base", base), []
    for i, (piece, start, stop, part) in enumerate(boxes(args, target)):
        with at(f"pieces[{i}]"):
            made = required(piece, part, "init")
        parts.append(fills.Part(start, stop, made.fill))
        numbers |= below(f"pieces[{i}]", made)
    return Resolution(fills.Parts(base.fill, tuple(parts)), numbers)


Index = tuple[int, ...]


def boxes(args: Any, target: Target) -> Iterator[tuple[Any, Index, Index, Target]]:
    """The pieces of a Pieces, each with its box and what it fills. Errors: ValueError."""
    if not 1 <= len(args.pieces) <= MAX_PARTS:
        raise At("pieces", f"{len(args.pieces)} pieces; give 1 to {MAX_PARTS}")
    for i, piece in enumerate(args.pieces):
        with at(f"pieces[{i}]"):
            start, stop = _box(piece, target)
        yield piece, start, stop, target.resized(tuple(high - low for low, high in zip(start, stop, strict=True)))


def _box(piece: Any, target: Target) -> tuple[Index, Index]:
    for name in ("start", "stop"):
        if len(getattr(piece, name)) != len(target.shape):
            raise At(name, f"it has {len(getattr(piece, name))} numbers and needs one per axis; {target.shown}")
    start, stop = tuple(piece.start), tuple(piece.stop)
    if not all(low <= high <= extent for low, high, extent in zip(start, stop, target.shape, strict=True)):
        raise At("stop", f"the box from {list(start)} to {list(stop)} does not lie inside; {target.shown}")
    return start, stop


@initializer(torch=False)
def pointwise(args: Any, target: Target) -> Resolution:
    wanted = fills.POINTWISE.get(args.op)
    if wanted is None:
        raise At("op", f"{args.op!r} is no function; {suggestion(args.op, fills.POINTWISE, 'functions')}")
    if len(args.operands) != wanted:
        raise At("operands", f"{args.op} takes {wanted} operands, not {len(args.operands)}")
    made = [inner(rule, target, f"operands[{i}]") for i, rule in enumerate(args.operands)]
    numbers = {key: value for i, each in enumerate(made) for key, value in below(f"operands[{i}]", each).items()}
    return Resolution(fills.Pointwise(args.op, tuple(each.fill for each in made)), numbers)


@initializer(torch=False)
def broadcast(args: Any, target: Target) -> Resolution:
    with at("axes"):
        axes = tuple(sorted({axis_of(axis, target) for axis in args.axes}))
    if len(axes) != len(args.axes) or not axes:
        raise At("axes", "give at least one axis, and none twice")
    made = required(args, target.resized(tuple(1 if axis in axes else n for axis, n in enumerate(target.shape))))
    return Resolution(fills.Broadcast(axes, made.fill), below("of", made))
