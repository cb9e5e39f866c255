"""The closed grammar of fills: how the values of one tensor are made, every number resolved.

A fill is pure data: `initium_law.draw` turns it into bytes, `initium.plan.fills` carries it in messages. Field names
equal those of `initium.v1.Fill`. Every float is exact: it travels as its binary64 value, never as a rounded decimal.

A new kind is a dataclass here and a member of `Fill`; everything that walks fills goes by that union and by the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, get_args

LAW = "stream-v1"
"""The name of the law; part of every tensor's identity."""


@dataclass(frozen=True, slots=True)
class Constant:
    """Every element is `value`, rounded once from its exact value to the tensor's dtype."""

    value: float


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform on [low, high], as `torch.nn.init.uniform_(a=low, b=high)`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with this mean and standard deviation (std >= 0), as `torch.nn.init.normal_`."""

    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class TruncNormal:
    """Normal restricted to [a, b] (absolute bounds, a < b), as `torch.nn.init.trunc_normal_`."""

    mean: float
    std: float
    a: float
    b: float


@dataclass(frozen=True, slots=True)
class Literal:
    """Little-endian row-major bytes of the whole tensor in its own dtype, named by their digest (lower-case hex)."""

    digest: str


@dataclass(frozen=True, slots=True)
class Eye:
    """The identity matrix (2-D only), as `torch.nn.init.eye_`."""


@dataclass(frozen=True, slots=True)
class Dirac:
    """The Dirac delta (3-D to 5-D) for `groups` groups, as `torch.nn.init.dirac_`."""

    groups: int


@dataclass(frozen=True, slots=True)
class Arange:
    """start + step i, i the index along `axis`: `torch.arange` along one axis, repeated over the others."""

    start: float
    step: float
    axis: int


@dataclass(frozen=True, slots=True)
class Linspace:
    """Equally spaced from `start` to `end`, both included, along `axis`, as `torch.linspace`."""

    start: float
    end: float
    axis: int


@dataclass(frozen=True, slots=True)
class Pointwise:
    """One of `POINTWISE` applied to the binary32 values of other fills of the same tensor, element by element."""

    op: str
    operands: tuple[Fill, ...]


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """`gain` times a Haar-distributed matrix with orthonormal rows or columns, as `torch.nn.init.orthogonal_`.

    The matrix has the first extent as rows and all others together as columns.
    """

    gain: float


@dataclass(frozen=True, slots=True)
class Sparse:
    """Normal(0, std) with ceil(sparsity rows) zeros in every column (2-D), as `torch.nn.init.sparse_`."""

    sparsity: float
    std: float


@dataclass(frozen=True, slots=True)
class Permutation:
    """The whole numbers from 0 to n - 1 in random order (1-D), as `torch.randperm`."""


@dataclass(frozen=True, slots=True)
class NormOf:
    """Euclidean norms of another tensor's binary32 values, over all axes but one, as in `torch.nn.utils.weight_norm`.

    That tensor is called `name`, has this `shape` and `fill`; it need not be in the plan.
    """

    name: str
    shape: tuple[int, ...]
    fill: Fill
    axis: int


@dataclass(frozen=True, slots=True)
class Copy:
    """The values that `fill` has in the tensor called `name`: a library's copy of another tensor's draws."""

    name: str
    fill: Fill


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Values repeated along axes, as `torch.Tensor.expand`: those that `fill` has where these axes are 1 long."""

    axes: tuple[int, ...]
    """Ascending."""
    fill: Fill


@dataclass(frozen=True, slots=True)
class Stored:
    """Values of a tensor that a store holds: at index i those of the source, its axes permuted, at `start` + i."""

    store: str
    file: str
    """Path of a safetensors file below the store, with `/` between its parts."""
    tensor: str
    """Its name in that file. Store, file and name say where to look; `digest` alone says what must be found."""
    digest: str
    """SHA-256 of the source's bytes, all elements row-major and little-endian (lower-case hex)."""
    dtype: str
    """That of the source; where it is not the tensor's own, numbers are rounded once."""
    shape: tuple[int, ...]
    """That of the source."""
    axes: tuple[int, ...] = ()
    """Axis of the source that becomes axis k; empty: as they are."""
    start: tuple[int, ...] = ()
    """Lowest corner of what is taken, in the permuted source; empty: zeros."""


@dataclass(frozen=True, slots=True)
class Part:
    """A box of the tensor, `start[k] <= index[k] < stop[k]` on every axis k, and the fill that it holds."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    fill: Fill


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` everywhere but in the parts; later parts win.

    Draws are indexed in the whole tensor; everything else sees the box as a tensor of its own.
    """

    base: Fill
    parts: tuple[Part, ...]


POINTWISE = {
    "add": 2,
    "multiply": 2,
    "divide": 2,
    "clamp": 3,
    "sqrt": 1,
    "exp": 1,
    "log": 1,
    "expm1": 1,
    "cos": 1,
    "sine": 1,
}
"""The pointwise functions and their numbers of operands; clamp takes value, lower and upper bound."""

Random = Uniform | Normal | TruncNormal
Fill = (
    Constant
    | Random
    | Literal
    | Eye
    | Dirac
    | Arange
    | Linspace
    | Pointwise
    | Orthogonal
    | Sparse
    | Permutation
    | NormOf
    | Copy
    | Broadcast
    | Stored
    | Parts
)

KINDS: Mapping[str, type[Fill]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in get_args(Fill)
}
"""The kinds by their names in `initium.v1.Fill.kind`: `TruncNormal` is `trunc_normal`."""

_OF_BINARY32 = (Pointwise, NormOf)
"""Kinds whose inner fills are drawn as F32, whatever the tensor's own dtype."""


def inner_fills(fill: Fill) -> Iterator[Fill]:
    """The fills that stand directly in a fill, in the order of its fields."""
    for item in _items(fill):
        if isinstance(item, Part):
            yield item.fill
        elif isinstance(item, Fill):
            yield item


def _items(fill: Fill) -> Iterator[object]:
    for field in fields(fill):
        value = getattr(fill, field.name)
        yield from value if isinstance(value, tuple) else (value,)


def literals(fill: Fill) -> Iterator[str]:
    """The digests of all literals in a fill."""
    if isinstance(fill, Literal):
        yield fill.digest
    for inner in inner_fills(fill):
        yield from literals(inner)


def with_literals(fill: Fill, change: Callable[[str], str]) -> Fill:
    """The fill with other literals of the tensor's own dtype; those that are drawn as binary32 stay."""
    if isinstance(fill, Literal):
        return Literal(change(fill.digest))
    return fill if isinstance(fill, _OF_BINARY32) else _rebuilt(fill, lambda inner: with_literals(inner, change))


def _rebuilt(fill: Fill, change: Callable[[Fill], Fill]) -> Fill:
    """The fill with each fill that stands directly in it changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(changed, value))
        if isinstance(value, Part):
            return replace(value, fill=change(value.fill))
        return change(value) if isinstance(value, Fill) else value

    return replace(fill, **{field.name: changed(getattr(fill, field.name)) for field in fields(fill)})
