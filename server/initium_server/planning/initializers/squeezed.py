"""Fills of a tensor without an axis, as fills of a slice that has this axis with extent 1."""

from __future__ import annotations

from dataclasses import replace

from initium_law import grammar as fills

_ANYWHERE = fills.Constant | fills.Uniform | fills.Normal | fills.TruncNormal | fills.Literal | fills.NormOf
"""Kinds that go by elements: an axis of extent 1 changes nothing."""


def with_axis(fill: fills.Fill, axis: int) -> fills.Fill:
    """The same values where `axis` is inserted. ValueError for a kind that the law has not with one more axis."""
    match fill:
        case _ if isinstance(fill, _ANYWHERE):
            return fill
        case fills.Orthogonal() if axis > 0:  # All axes but the first together are the columns.
            return fill
        case fills.Arange() | fills.Linspace():
            return replace(fill, axis=_moved(fill.axis, axis))
        case fills.Pointwise(op, operands):
            return fills.Pointwise(op, tuple(with_axis(operand, axis) for operand in operands))
        case fills.Broadcast(axes, inside):
            return fills.Broadcast(tuple(_moved(each, axis) for each in axes), with_axis(inside, axis))
        case fills.Parts(base, parts):
            return fills.Parts(with_axis(base, axis), tuple(_part(part, axis) for part in parts))
    raise ValueError(
        f"{type(fill).__name__} goes by all axes of its tensor, so the law does not have it for slices of axis {axis} "
        "that lose this axis; use another initializer"
    )


def _moved(own: int, axis: int) -> int:
    return own + (own >= axis)


def _part(part: fills.Part, axis: int) -> fills.Part:
    start, stop = (*part.start[:axis], 0, *part.start[axis:]), (*part.stop[:axis], 1, *part.stop[axis:])
    return fills.Part(start, stop, with_axis(part.fill, axis))
