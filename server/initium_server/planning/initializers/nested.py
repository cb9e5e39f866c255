"""Initializers that are made of others: slices, boxes, functions, repetitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from initium.contract.wording import suggestion
from initium_law import MAX_PARTS, grammar as fills
from initium_server.planning.initializers.registry import Resolution, below, initializer, inner, required
from initium_server.planning.fields import At, at
from initium_server.planning.target import Target, axis_of

_WHOLE = fills.Constant | fills.Uniform | fills.Normal | fills.TruncNormal
"""Fills that are the same in a slice as in the whole: draws are indexed there, and constants have no index."""


@initializer
def split(args: Any, target: Target) -> Resolution:
    axis = axis_of(args.axis if args.HasField("axis") else 0, target)
    edges = _edges(_sizes(args, target.shape[axis], target))
    if len(args.parts) not in (1, len(edges)):
        raise At("parts", f"{len(args.parts)} initializers for {len(edges)} slices; give one for each, or one for all")
    made = [_slice(args, target, axis, i, stop - start) for i, (start, stop) in enumerate(edges)]
    return Resolution(_joined([each.fill for each in made], edges, axis, target), _numbers(made))


def _sizes(args: Any, extent: int, target: Target) -> Sequence[int]:
    if args.sizes:
        if args.HasField("count"):
            raise At("count", "`sizes` are given, too; keep one")
        if sum(args.sizes) != extent:
            raise At("sizes", f"their sum is {sum(args.sizes)}, and the axis has {extent}; {target.shown}")
        return list(args.sizes)
    count = args.count if args.HasField("count") else extent if args.squeeze else len(args.parts)
    if not args.HasField("count") and not args.squeeze and count < 2:
        raise At("count", "required with one part: how many equal slices there are (or `sizes`, or `squeeze: true`)")
    if count > MAX_PARTS or (count and extent % count):
        raise At("count", f"{count} must divide the axis, which has {extent}, and be at most {MAX_PARTS}; {target.shown}")
    return [extent // count] * count if count else []


def _edges(sizes: Sequence[int]) -> list[tuple[int, int]]:
    edges, start = [], 0
    for size in sizes:
        edges.append((start, start + size))
        start += size
    return edges


def _slice(args: Any, target: Target, axis: int, index: int, size: int) -> Resolution:
    shape = (*target.shape[:axis], size, *target.shape[axis + 1 :])
    part, which = target.resized(shape), index if len(args.parts) > 1 else 0
    if not args.squeeze:
        return inner(args.parts[which], part, f"parts[{which}]")
    if size != 1:
        raise At("squeeze", f"a slice has extent {size} along axis {axis}; only slices of extent 1 can lose the axis")
    made = inner(args.parts[which], part.without((axis,)), f"parts[{which}]")
    return Resolution(_repeated((axis,), made.fill), made.numbers)


def _repeated(axes: tuple[int, ...], fill: fills.Fill) -> fills.Fill:
    return fill if isinstance(fill, _WHOLE) else fills.Broadcast(axes, fill)


def _joined(made: Sequence[fills.Fill], edges: Sequence[tuple[int, int]], axis: int, target: Target) -> fills.Fill:
    if made and isinstance(made[0], _WHOLE) and all(repr(each) == repr(made[0]) for each in made):
        return made[0]
    before, behind = target.shape[:axis], target.shape[axis + 1 :]
    parts = (
        fills.Part((*(0 for _ in before), start, *(0 for _ in behind)), (*before, stop, *behind), fill)
        for fill, (start, stop) in zip(made, edges, strict=True)
    )
    return fills.Parts(fills.Constant(0.0), tuple(parts))


def _numbers(made: Sequence[Resolution]) -> dict[str, str]:
    """The numbers of all slices, once where they are the same."""
    if all(each.numbers == made[0].numbers for each in made):
        return below("parts", made[0]) if made else {}
    return {key: value for i, each in enumerate(made) for key, value in below(f"parts[{i}]", each).items()}


@initializer
def pieces(args: Any, target: Target) -> Resolution:
    base = required(args, target, "base")
    if not 1 <= len(args.pieces) <= MAX_PARTS:
        raise At("pieces", f"{len(args.pieces)} pieces; give 1 to {MAX_PARTS}")
    numbers, parts = below("base", base), []
    for i, piece in enumerate(args.pieces):
        with at(f"pieces[{i}]"):
            box = _box(piece, target)
            made = required(piece, target.resized(tuple(high - low for low, high in zip(*box, strict=True))), "init")
        parts.append(fills.Part(*box, made.fill))
        numbers |= below(f"pieces[{i}]", made)
    return Resolution(fills.Parts(base.fill, tuple(parts)), numbers)


def _box(piece: Any, target: Target) -> tuple[tuple[int, ...], tuple[int, ...]]:
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
    made = required(args, target.without(axes))
    return Resolution(fills.Broadcast(axes, made.fill), below("of", made))
