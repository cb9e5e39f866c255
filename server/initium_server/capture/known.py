"""Two ways of drawing that libraries write out in operators, recognized wherever they stand.

A truncated normal through the inverse error function (timm, and copies of it), and an orthogonal matrix by the QR
decomposition of normal draws (`torch.nn.init.orthogonal_`).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from initium_law.grammar import Normal, Orthogonal, TruncNormal, Uniform
from initium_server.capture.layouts import contiguous, layout_of
from initium_server.capture.recording import Place
from initium_server.capture.symbols import Apply, Const, Draw, Factor, Leaf, Symbol

_SQRT2 = math.sqrt(2.0)
_ROUNDING = 1e-7
"""How far the bounds of the uniform draws may be from the probabilities that those of the normal have."""


def truncated(leaf: Leaf, low: float, high: float) -> Leaf | None:
    """What clamping to [low, high] makes of a truncated normal, or of the steps that draw one; None for all else.

    The steps are erfinv of uniform draws in [2 l - 1, 2 u - 1], l and u being the probabilities below the bounds, times
    std sqrt(2), plus mean. A truncated normal is not changed by bounds that are not inside its own.
    """
    if isinstance(leaf, Draw) and isinstance(leaf.fill, TruncNormal):
        return leaf if low <= leaf.fill.a and leaf.fill.b <= high else None
    mean, shifted = _constant(leaf, "add", 0.0)
    scale, mapped = _constant(shifted, "multiply", 1.0)
    if not isinstance(mapped, Apply) or mapped.op != "erfinv" or not scale > 0:
        return None
    (drawn,) = mapped.operands
    if not isinstance(drawn, Draw) or not isinstance(drawn.fill, Uniform):
        return None
    fill = TruncNormal(mean, _author(scale / _SQRT2), float(low), float(high))
    for bound, end in ((fill.a, drawn.fill.low), (fill.b, drawn.fill.high)):
        if not abs(math.erf((bound - mean) / scale) - end) <= _ROUNDING:
            return None
    return replace(drawn, fill=fill, trail=(*drawn.trail, "erfinv", "clamp"))


def _constant(leaf: Leaf, op: str, otherwise: float) -> tuple[float, Leaf]:
    """The number in an operation on something and a number, and that something."""
    if isinstance(leaf, Apply) and leaf.op == op:
        inner, number = leaf.operands
        if isinstance(number, Const) and isinstance(number.value, int | float):
            return float(number.value), inner
    return otherwise, leaf


def _author(std: float) -> float:
    """The shortest number within a few ulps: undoes the rounding of `std * sqrt(2) / sqrt(2)`."""
    for digits in range(1, 17):
        short = float(f"{std:.{digits}g}")
        if abs(short - std) <= 4 * math.ulp(std):
            return short
    return std


def factor(symbol: Symbol, size: tuple[int, ...], kind: str) -> Factor | None:
    """`q` or `r` of a matrix of independent standard normal draws with no more columns than rows."""
    if not isinstance(symbol, Draw) or symbol.fill != Normal(0.0, 1.0) or len(size) != 2 or size[0] < size[1]:
        return None
    if not math.prod(size) == symbol.layout.numel == math.prod(symbol.size):
        return None
    rows, columns = size
    extent = rows if kind == "q" else columns
    return Factor(kind, symbol.origin, layout_of(contiguous((extent, columns))), size, (*symbol.trail, "linalg_qr"))


def sign(leaf: Factor) -> Factor | None:
    """The signs of r's diagonal."""
    columns = leaf.size[1]
    diagonal = layout_of(Place((columns,), (columns + 1,), 0, torch.float32))
    if leaf.kind != "r" or leaf.layout != diagonal:
        return None
    return replace(leaf, kind="sign", layout=layout_of(contiguous((columns,))), trail=(*leaf.trail, "sign"))


def orthogonal(q: Leaf, signs: Leaf) -> Draw | None:
    """q times the signs of r's diagonal, column by column: a Haar-distributed matrix (Mezzadri 2007)."""
    if not isinstance(q, Factor) or not isinstance(signs, Factor) or (q.kind, signs.kind) != ("q", "sign"):
        return None
    by_column = layout_of(Place(q.size, (0, 1), 0, torch.float32))
    if q.origin != signs.origin or q.layout != layout_of(contiguous(q.size)) or signs.layout != by_column:
        return None
    return Draw(Orthogonal(1.0), q.origin, q.layout, q.size, (*q.trail, "mul"))
