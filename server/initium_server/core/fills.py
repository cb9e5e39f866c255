"""The closed grammar of fills: how the values of one tensor are made, every number resolved.

A fill is pure data. The law (`initium_server.law`) turns a fill, a tensor's identity and an element range into
values; `initium_server.core.plan` carries fills inside plans. Field names equal those of `initium.v1.Fill`.
Every float is exact: it travels as its binary64 value, never as a rounded decimal.
"""

from __future__ import annotations

from dataclasses import dataclass


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
class Copy:
    """The values that a random `fill` has in the tensor called `name`: a library's copy of another tensor's draws."""

    name: str
    fill: Uniform | Normal | TruncNormal


@dataclass(frozen=True, slots=True)
class Part:
    """A box of the tensor, `start[k] <= index[k] < stop[k]` on every axis k, and the fill that it holds."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    fill: Fill


@dataclass(frozen=True, slots=True)
class Parts:
    """`base` everywhere but in the parts; later parts win. Random parts are indexed in the whole tensor."""

    base: Fill
    parts: tuple[Part, ...]


Fill = Constant | Uniform | Normal | TruncNormal | Literal | Eye | Dirac | Copy | Parts
