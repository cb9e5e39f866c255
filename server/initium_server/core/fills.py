"""The closed grammar of fills: how the values of one tensor are made, every number resolved.

A fill is pure data. The law (`initium_server.law`) turns a fill, a tensor's identity and an element range into
values; `initium_server.core.plan` carries fills inside plans. Field names equal those of `initium.v1.Fill`.
Every float is exact: it travels as its binary64 value, never as a rounded decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace


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


POINTWISE = {"add": 2, "multiply": 2, "divide": 2, "clamp": 3, "sqrt": 1, "exp": 1, "log": 1, "expm1": 1, "cos": 1}
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
    | Parts
)


def literals(fill: Fill) -> Iterator[str]:
    """The digests of all literals in a fill."""
    match fill:
        case Literal(digest):
            yield digest
        case Parts(base, parts):
            for inner in (base, *(part.fill for part in parts)):
                yield from literals(inner)
        case Pointwise(_, operands):
            for inner in operands:
                yield from literals(inner)
        case Copy() | NormOf():
            yield from literals(fill.fill)


def with_literals(fill: Fill, change: Callable[[str], str]) -> Fill:
    """The fill with other literals of the tensor's own dtype; those of pointwise operands and norms stay binary32."""
    match fill:
        case Literal(digest):
            return Literal(change(digest))
        case Parts(base, parts):
            inner = tuple(replace(part, fill=with_literals(part.fill, change)) for part in parts)
            return Parts(with_literals(base, change), inner)
        case Copy():
            return replace(fill, fill=with_literals(fill.fill, change))
        case _:
            return fill
