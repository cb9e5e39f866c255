"""What torch operators do to constants and distributions: one small function each.

Scaling and shifting a uniform, normal or truncated normal variable gives one of the same family; its numbers are
computed in double precision. A handler returns None where it has nothing to say; then a pointwise operator on constants
is computed on one element, and all else is opaque.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from statistics import NormalDist

from initium_law.grammar import Eye, Normal, TruncNormal, Uniform
from initium_server.capture.boxes import Box
from initium_server.capture.recording import Ref
from initium_server.capture.steps import Step
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Draw,
    Leaf,
    Opaque,
    Symbol,
    Unwritten,
    Whole,
    merge,
    opaque,
    shares_draws,
)

Handler = Callable[[Step], Symbol | None]
OPERATORS: dict[str, Handler] = {}
"""By operator name, without the underscore of in-place versions."""

_SQRT2 = math.sqrt(2.0)


def _operator(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        OPERATORS.update(dict.fromkeys(names, handler))
        return handler

    return register


@_operator("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize")
def _empty(step: Step) -> Symbol:
    return Unwritten("torch." + step.event.name)


@_operator("zeros", "zeros_like", "new_zeros", "zero")
def _zeros(step: Step) -> Symbol:
    return step.constant(0)


@_operator("ones", "ones_like", "new_ones")
def _ones(step: Step) -> Symbol:
    return step.constant(1)


@_operator("full", "full_like", "fill")
def _full(step: Step) -> Symbol:
    return _filled(step, step.argument(1, "fill_value", step.event.kwargs.get("value")))


@_operator("new_full")
def _new_full(step: Step) -> Symbol:
    return _filled(step, step.argument(2, "fill_value"))


@_operator("scalar_tensor")
def _scalar_tensor(step: Step) -> Symbol:
    return _filled(step, step.argument(0, "s"))


def _filled(step: Step, value: object) -> Symbol:
    symbol = step.symbol(value)
    return step.constant(symbol.value) if isinstance(symbol, Const) else opaque(step.event.name, symbol)


@_operator("eye")
def _eye(step: Step) -> Symbol:
    return Whole(Eye())


@_operator("uniform")
def _uniform(step: Step) -> Symbol:
    return step.draw(Uniform(float(step.argument(1, "from", 0.0)), float(step.argument(2, "to", 1.0))))


@_operator("rand", "rand_like")
def _rand(step: Step) -> Symbol:
    return step.draw(Uniform(0.0, 1.0))


@_operator("randn", "randn_like")
def _randn(step: Step) -> Symbol:
    return step.draw(Normal(0.0, 1.0))


@_operator("normal")
def _normal(step: Step) -> Symbol | None:
    first = 1 if step.event.name == "normal_" else 0
    mean, std = step.argument(first, "mean", 0.0), step.argument(first + 1, "std", 1.0)
    if not isinstance(mean, int | float) or not isinstance(std, int | float):
        return None
    return step.draw(Normal(float(mean), float(std)))


@_operator("copy", "clone", "_to_copy", "lift_fresh", "lift_fresh_copy", "lift", "contiguous", "detach_copy")
def _copy(step: Step) -> Symbol:
    source = step.argument(1, "src") if step.event.name == "copy_" else step.argument(0, "self")
    symbol = step.symbol(source)
    if isinstance(symbol, Const):
        return step.constant(symbol.value)
    assert isinstance(source, Ref)
    to, before = step.event.place, source.place
    floats = to.dtype.is_floating_point and before.dtype.is_floating_point
    same = to.dtype == before.dtype or (floats and to.dtype.itemsize <= before.dtype.itemsize)
    if not same or to.numel != before.numel or (not isinstance(symbol, Draw) and to.size != before.size):
        return opaque(step.event.name, symbol)
    return symbol


@_operator("cat", "stack")
def _cat(step: Step) -> Symbol | None:
    refs, stacked = step.argument(0, "tensors"), step.event.name == "stack"
    axis = step.argument(1, "dim", 0) % max(len(step.size), 1)
    symbols, boxes, reached = [step.symbol(ref) for ref in refs], [], 0
    for ref in refs:
        length = 1 if stacked else ref.place.size[axis]
        start = tuple(reached if k == axis else 0 for k in range(len(step.size)))
        stop = tuple(reached + length if k == axis else n for k, n in enumerate(step.size))
        boxes.append(Box(start, stop))
        reached += length
    draws = [symbol for symbol in symbols if isinstance(symbol, Draw)]
    if not all(isinstance(symbol, Const | Draw) for symbol in symbols) or shares_draws(draws):
        return opaque(step.event.name, *symbols)
    parts = tuple((box, symbol) for box, symbol in zip(boxes, symbols, strict=True) if not isinstance(symbol, Boxes))
    return merge(Boxes(Unwritten("memory"), parts), step.size)


def affine(draw: Draw, scale: float, shift: float, operation: str) -> Leaf:
    """The variable times `scale` plus `shift`. By zero it is a constant."""
    if not (math.isfinite(scale) and math.isfinite(shift)):
        return Opaque((*draw.trail, operation))
    if scale == 0:
        return Const(shift)

    return _moved(draw, lambda value: value * scale + shift, lambda std: std * abs(scale), operation)


def _moved(draw: Draw, image: Callable[[float], float], spread: Callable[[float], float], operation: str) -> Draw:
    """The variable whose values are the images, under a line, of those of `draw`."""
    fill = draw.fill
    match fill:
        case Normal():
            fill = Normal(image(fill.mean), spread(fill.std))
        case Uniform():
            fill = Uniform(*sorted((image(fill.low), image(fill.high))))
        case TruncNormal():
            fill = TruncNormal(image(fill.mean), spread(fill.std), *sorted((image(fill.a), image(fill.b))))
    return replace(draw, fill=fill, trail=(*draw.trail, operation))


@_operator("mul", "multiply")
def _mul(step: Step) -> Symbol | None:
    factor = _constant_operand(step)
    return None if factor is None else _affine_map(step, factor, 0.0)


@_operator("div", "divide", "true_divide")
def _div(step: Step) -> Symbol | None:
    symbol = step.symbol(step.argument(1, "other"))
    divisor = float(symbol.value) if isinstance(symbol, Const) and isinstance(symbol.value, int | float) else 0.0
    if step.event.kwargs.get("rounding_mode") or divisor == 0 or not math.isfinite(divisor):
        return None
    return step.map(lambda leaf: _divided(leaf, divisor, step.event.name) if isinstance(leaf, Draw) else None)


def _divided(draw: Draw, divisor: float, operation: str) -> Leaf:
    """Division, not multiplication by the rounded inverse: the author's numbers divide exactly as Python's do."""
    return _moved(draw, lambda value: value / divisor, lambda std: std / abs(divisor), operation)


@_operator("add")
def _add(step: Step) -> Symbol | None:
    shift = _constant_operand(step)
    if shift is None or step.event.kwargs.get("alpha", 1) != 1:
        return None
    return _affine_map(step, 1.0, shift)


@_operator("sub", "subtract")
def _sub(step: Step) -> Symbol | None:
    left, right = (step.symbol(step.argument(k, name)) for k, name in ((0, "self"), (1, "other")))
    if step.event.kwargs.get("alpha", 1) != 1:
        return None
    if isinstance(right, Const) and isinstance(right.value, int | float):
        return _affine_map(step, 1.0, -float(right.value))
    if isinstance(left, Const) and isinstance(left.value, int | float):
        return _affine_map(step, -1.0, float(left.value))
    return None


@_operator("neg", "negative")
def _neg(step: Step) -> Symbol | None:
    return _affine_map(step, -1.0, 0.0)


def _constant_operand(step: Step) -> float | None:
    """The number among the two operands of a commutative operator."""
    for position, name in ((1, "other"), (0, "self")):
        symbol = step.symbol(step.argument(position, name))
        if isinstance(symbol, Const) and isinstance(symbol.value, int | float):
            return float(symbol.value)
    return None


def _affine_map(step: Step, scale: float, shift: float) -> Symbol | None:
    return step.map(lambda leaf: affine(leaf, scale, shift, step.event.name) if isinstance(leaf, Draw) else None)


@_operator("erfinv")
def _erfinv(step: Step) -> Symbol | None:
    """The inverse error function of a uniform variable in [-1, 1] is a truncated normal of std 1/sqrt(2)."""

    def change(leaf: Leaf) -> Leaf | None:
        if not isinstance(leaf, Draw) or not isinstance(leaf.fill, Uniform) or leaf.fill.low < -1 or leaf.fill.high > 1:
            return None
        low, high = (_erfinv_of(u) for u in (leaf.fill.low, leaf.fill.high))
        return replace(leaf, fill=TruncNormal(0.0, 1 / _SQRT2, low, high), trail=(*leaf.trail, step.event.name))

    return step.map(change)


def _erfinv_of(u: float) -> float:
    return math.copysign(math.inf, u) if abs(u) >= 1 else NormalDist().inv_cdf((u + 1) / 2) / _SQRT2


@_operator("clamp")
def _clamp(step: Step) -> Symbol | None:
    """Clamping a bounded variable at its own bounds, up to rounding: it then has exactly these bounds."""
    low, high = step.argument(1, "min"), step.argument(2, "max")
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None
    return step.map(lambda leaf: _clamped(leaf, float(low), float(high)) if isinstance(leaf, Draw) else None)


def _clamped(leaf: Draw, low: float, high: float) -> Leaf | None:
    fill = leaf.fill
    if not isinstance(fill, TruncNormal):
        return None
    a, b = _bound(fill, fill.a, low, 1), _bound(fill, fill.b, high, -1)
    if a is None or b is None:
        return None
    std = _author(fill.std) if "erfinv_" in leaf.trail else fill.std
    return replace(leaf, fill=TruncNormal(fill.mean, std, a, b))


def _bound(fill: TruncNormal, own: float, limit: float, inward: int) -> float | None:
    """The bound after clamping at `limit`; None if the clamp would pile values up there."""
    if math.isinf(own):
        # Single precision rounded the uniform's bound to 1: the limit is this far out, and no mass lies beyond.
        return limit if inward * (fill.mean - limit) > 5 * fill.std else None
    if abs(own - limit) <= 1e-5 * fill.std:
        return limit
    return own if inward * (own - limit) > 0 else None


def _author(std: float) -> float:
    """The shortest number within a few ulps: undoes the rounding of `std * sqrt(2) / sqrt(2)`."""
    for digits in range(1, 17):
        short = float(f"{std:.{digits}g}")
        if abs(short - std) <= 4 * math.ulp(std):
            return short
    return std
