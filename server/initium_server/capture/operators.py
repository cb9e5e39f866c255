"""What torch operators do to constants and distributions: one small function each.

Arithmetic stays what the library did, operation by operation, since each rounds. A handler returns None where it has
nothing to say; then a pointwise operator on constants is computed on one element, and all else is opaque.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from initium_law.grammar import Eye, Normal, Permutation, Uniform
from initium_server.capture.boxes import Box
from initium_server.capture.known import factor, orthogonal, sign, truncated
from initium_server.capture.recording import Place, Ref
from initium_server.capture.steps import Step
from initium_server.capture.symbols import (
    Boxes,
    Const,
    Factor,
    Leaf,
    Symbol,
    Unwritten,
    apply,
    merge,
    norms,
    opaque,
    overlay,
)

Handler = Callable[[Step], Symbol | None]
OPERATORS: dict[str, Handler] = {}
"""By operator name, without the underscore of in-place versions."""

_LARGEST = torch.finfo(torch.float32).max


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
    return step.made(Eye())


@_operator("randperm")
def _randperm(step: Step) -> Symbol:
    return step.made(Permutation())


@_operator("uniform")
def _uniform(step: Step) -> Symbol:
    return step.made(Uniform(float(step.argument(1, "from", 0.0)), float(step.argument(2, "to", 1.0))))


@_operator("rand", "rand_like")
def _rand(step: Step) -> Symbol:
    return step.made(Uniform(0.0, 1.0))


@_operator("randn", "randn_like")
def _randn(step: Step) -> Symbol:
    return step.made(Normal(0.0, 1.0))


@_operator("normal")
def _normal(step: Step) -> Symbol | None:
    first = 1 if step.event.name == "normal_" else 0
    mean, std = step.argument(first, "mean", 0.0), step.argument(first + 1, "std", 1.0)
    if not isinstance(mean, int | float) or not isinstance(std, int | float):
        return None
    return step.made(Normal(float(mean), float(std)))


@_operator("copy", "clone", "_to_copy", "lift_fresh", "lift_fresh_copy", "lift", "contiguous", "detach_copy")
def _copy(step: Step) -> Symbol | None:
    source = step.argument(1, "src") if step.event.name == "copy_" else step.argument(0, "self")
    symbol = step.spread(source)
    if isinstance(symbol, Const):
        return step.constant(symbol.value)
    assert isinstance(source, Ref)
    to, before = step.event.place.dtype, source.place.dtype
    floats = to.is_floating_point and before.is_floating_point
    same = to == before or (floats and to.itemsize <= before.itemsize)
    return symbol if same else opaque(step.event.name, symbol)


@_operator("cat", "stack")
def _cat(step: Step) -> Symbol | None:
    refs, stacked = step.argument(0, "tensors"), step.event.name == "stack"
    axis = step.argument(1, "dim", 0) % max(len(step.size), 1)
    joined: Symbol = Unwritten("memory")
    reached = 0
    for ref in refs:
        if ref.place.numel == 0:
            continue
        piece = replace(ref, place=_unsqueezed(ref.place, axis)) if stacked else ref
        length = piece.place.size[axis]
        start = tuple(reached if k == axis else 0 for k in range(len(step.size)))
        stop = tuple(reached + length if k == axis else n for k, n in enumerate(step.size))
        reached += length
        joined = overlay(joined, Box(start, stop), step.symbol(piece))
    same = {ref.place.dtype for ref in refs} == {step.event.place.dtype}
    return merge(joined, step.size) if same and isinstance(joined, Boxes) else None


def _unsqueezed(place: Place, axis: int) -> Place:
    size, stride = list(place.size), list(place.stride)
    size.insert(axis, 1)
    stride.insert(axis, 1)
    return replace(place, size=tuple(size), stride=tuple(stride))


def _two(*names: str, swapped: bool = False) -> Callable[[Callable[[Step, Leaf, Leaf], Leaf]], Callable[..., Leaf]]:
    """Registers a function of two operands. With a factor (`alpha`) or a rounding mode torch's is another function."""

    def register(change: Callable[[Step, Leaf, Leaf], Leaf]) -> Callable[[Step, Leaf, Leaf], Leaf]:
        def handle(step: Step) -> Symbol | None:
            first, second = step.argument(0, "self"), step.argument(1, "other")
            if step.argument(2, "alpha", 1) != 1 or step.event.kwargs.get("rounding_mode"):
                return None
            operands = (second, first) if swapped else (first, second)
            return step.elementwise(lambda x, y: change(step, x, y), *operands)

        OPERATORS.update(dict.fromkeys(names, handle))
        return change

    return register


@_two("add")
def _add(step: Step, x: Leaf, y: Leaf) -> Leaf:
    if Const(0) in (x, y):
        return x if y == Const(0) else y
    return apply("add", step.event.name, x, y)


@_two("mul", "multiply")
def _multiply(step: Step, x: Leaf, y: Leaf) -> Leaf:
    if Const(1) in (x, y):
        return x if y == Const(1) else y
    return orthogonal(x, y) or apply("multiply", step.event.name, x, y)


@_two("div", "divide", "true_divide")
def _divide(step: Step, x: Leaf, y: Leaf) -> Leaf:
    return x if y == Const(1) else apply("divide", step.event.name, x, y)


@_two("sub", "subtract")
@_two("rsub", swapped=True)
def _subtract(step: Step, x: Leaf, y: Leaf) -> Leaf:
    return _add(step, x, Const(-y.value) if isinstance(y, Const) else _multiply(step, y, Const(-1)))


@_operator("neg", "negative")
def _negative(step: Step) -> Symbol | None:
    return step.elementwise(lambda x: _multiply(step, x, Const(-1)), step.argument(0, "self"))


@_operator("reciprocal")
def _reciprocal(step: Step) -> Symbol | None:
    return step.elementwise(lambda x: _divide(step, Const(1), x), step.argument(0, "self"))


@_operator("sqrt", "exp", "log", "expm1", "cos", "sin", "erfinv")
def _function(step: Step) -> Symbol | None:
    call = step.event.name
    name = {"sin": "sine"}.get(call.removesuffix("_"), call.removesuffix("_"))
    return step.elementwise(lambda x: apply(name, call, x), step.argument(0, "self"))


@_operator("clamp")
def _clamp(step: Step) -> Symbol | None:
    return _between(step, step.argument(1, "min"), step.argument(2, "max"))


@_operator("clamp_min")
def _clamp_min(step: Step) -> Symbol | None:
    return _between(step, step.argument(1, "min"), None)


@_operator("clamp_max")
def _clamp_max(step: Step) -> Symbol | None:
    return _between(step, None, step.argument(1, "max"))


def _between(step: Step, low: object, high: object) -> Symbol | None:
    """A bound that is missing is the largest number: only an infinity would be another value."""
    low, high = -_LARGEST if low is None else low, _LARGEST if high is None else high
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return None

    def change(leaf: Leaf) -> Leaf:
        drawn = truncated(leaf, low, high)
        return drawn or apply("clamp", step.event.name, leaf, Const(low), Const(high))

    return step.elementwise(change, step.argument(0, "self"))


@_operator("norm", "linalg_vector_norm")
def _norm(step: Step) -> Symbol | None:
    """Euclidean norms over all axes but one."""
    ref, power, axes = (
        step.argument(0, "self"),
        step.argument(1, "p", step.event.kwargs.get("ord", 2)),
        step.argument(2, "dim"),
    )
    of = step.symbol(ref)
    rank = len(ref.place.size)
    left = sorted(set(range(rank)) - {axis % rank for axis in axes or range(rank)})
    if power != 2 or len(left) != 1 or isinstance(of, Boxes | Const) or step.event.place.dtype != torch.float32:
        return None
    return norms(of, ref.place.size, left[0], step.event.name)


@_operator("linalg_qr")
def _qr(step: Step) -> Symbol | None:
    return factor(step.symbol(step.argument(0, "A")), step.argument(0, "A").place.size, "qr"[step.event.output or 0])


@_operator("diagonal_copy")
def _diagonal(step: Step) -> Symbol | None:
    """The main diagonal of a matrix."""
    ref = step.argument(0, "self")
    if len(ref.place.size) != 2 or step.argument(1, "offset", 0):
        return None
    return step.value(replace(ref, place=replace(ref.place, size=step.size, stride=(sum(ref.place.stride),))))


@_operator("sign", "sgn")
def _sign(step: Step) -> Symbol | None:
    symbol = step.symbol(step.argument(0, "self"))
    return sign(symbol) if isinstance(symbol, Factor) else None
