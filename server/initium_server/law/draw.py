"""From a fill to a `Drawer`, which writes any range of one tensor's elements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from initium_server.core.fills import (
    Constant,
    Copy,
    Dirac,
    Eye,
    Fill,
    Literal,
    Normal,
    Part,
    Parts,
    TruncNormal,
    Uniform,
)
from initium_server.law.boxes import box
from initium_server.law.dtypes import ITEM_SIZE
from initium_server.law.identity import identity
from initium_server.law.parts import Layer, layered
from initium_server.law.random_fills import normal, trunc_normal, uniform
from initium_server.law.structured import Bytes, Writer, constant, dirac, eye, literal

MAX_ELEMENTS = 1 << 62
"""The longest tensor; the counter itself would reach 2^66 elements."""


@dataclass(frozen=True, slots=True)
class Drawer:
    """One tensor, ready to be drawn. Immutable; any number of threads may draw from it at once."""

    elements: int
    item_size: int
    """Bytes of one element."""
    _write: Writer = field(repr=False)

    def draw(self, start: int, out: Bytes) -> None:
        """Write elements [start, start + len(out) / item_size), little-endian and row-major, into `out`.

        `out` is contiguous writable uint8 of any alignment. Memory beyond it is a few blocks, and the interpreter lock
        is free while values are made. ValueError for a buffer of another kind or a range outside the tensor;
        RuntimeError if the calling thread flushes subnormal floats to zero.
        """
        if out.dtype != np.uint8 or out.ndim != 1 or not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError(f"draw needs a contiguous writable 1-D uint8 array, not {out.dtype} of shape {out.shape}")
        count, odd = divmod(len(out), self.item_size)
        if odd or start < 0 or start + count > self.elements:
            raise ValueError(
                f"{len(out)} bytes from element {start} are not a range of a tensor of {self.elements} elements "
                f"of {self.item_size} bytes"
            )
        if count:
            self._write(start, out)


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What a fill needs to know of its tensor."""

    identity: npt.NDArray[np.uint32]
    seed: int
    shape: tuple[int, ...]
    dtype: str
    literals: Mapping[str, bytes]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def prepare(
    fill: Fill, seed: int, name: str, shape: Sequence[int], dtype: str, literals: Mapping[str, bytes] | None = None
) -> Drawer:
    """Resolve everything about one tensor that does not depend on the element.

    `name` is the tensor's full name, `dtype` a safetensors name, `literals` the bytes of literal fills by digest.
    ValueError, with what is wrong and what would be right, if the fill cannot be drawn for this tensor.
    """
    if dtype not in ITEM_SIZE:
        raise ValueError(f"dtype {dtype!r} is not one of {', '.join(ITEM_SIZE)}")
    tensor = _Tensor(identity(seed, name), seed, tuple(shape), dtype, literals or {})
    if min(tensor.shape, default=1) < 0 or tensor.elements > MAX_ELEMENTS:
        raise ValueError(f"shape {list(shape)} does not have between 0 and 2^62 elements")
    return Drawer(tensor.elements, ITEM_SIZE[dtype], _writer(fill, tensor))


def warm() -> None:
    """Compile every kernel, or load it from numba's cache, so that no request waits for it."""
    first_column = Part((0, 0), (2, 1), Normal(0.0, 1.0))
    prepare(Parts(Constant(0.0), (first_column,)), 0, "", (2, 2), "F32").draw(0, np.empty(16, np.uint8))


def _literal(fill: Literal, tensor: _Tensor) -> Writer:
    data = tensor.literals.get(fill.digest)
    if data is None:
        raise ValueError(f"the plan has no literal {fill.digest}")
    size = tensor.elements * ITEM_SIZE[tensor.dtype]
    if len(data) != size:
        raise ValueError(
            f"literal {fill.digest} has {len(data)} bytes, and "
            f"shape {list(tensor.shape)} of {tensor.dtype} takes {size}"
        )
    return literal(data, tensor.dtype)


def _copy(fill: Copy, tensor: _Tensor) -> Writer:
    if not isinstance(fill.fill, Uniform | Normal | TruncNormal):
        raise ValueError(f"a copy cannot hold {type(fill.fill).__name__}; only draws are copied")
    return _writer(fill.fill, replace(tensor, identity=identity(tensor.seed, fill.name)))


def _parts(fill: Parts, tensor: _Tensor) -> Writer:
    whole = Part((0,) * len(tensor.shape), tensor.shape, fill.base)
    layers = [_layer(part, tensor) for part in (whole, *fill.parts)]
    return layered(layers, ITEM_SIZE[tensor.dtype])


def _layer(part: Part, tensor: _Tensor) -> Layer:
    if not isinstance(part.fill, _SIMPLE):
        raise ValueError(f"a part cannot hold {type(part.fill).__name__}; use a constant or a random fill")
    return Layer(box(tensor.shape, part.start, part.stop), _writer(part.fill, tensor))


def _writer(fill: Fill, tensor: _Tensor) -> Writer:
    return _MAKERS[type(fill)](fill, tensor)


_SIMPLE = (Constant, Uniform, Normal, TruncNormal)
"""The fills that parts, and what lies around them, can have."""

_MAKERS: Mapping[type, Callable[[Any, _Tensor], Writer]] = {
    Constant: lambda fill, tensor: constant(fill.value, tensor.dtype),
    Uniform: lambda fill, tensor: uniform(fill, tensor.identity, tensor.dtype),
    Normal: lambda fill, tensor: normal(fill, tensor.identity, tensor.dtype),
    TruncNormal: lambda fill, tensor: trunc_normal(fill, tensor.identity, tensor.dtype),
    Literal: _literal,
    Copy: _copy,
    Eye: lambda fill, tensor: eye(tensor.shape, tensor.dtype),
    Dirac: lambda fill, tensor: dirac(tensor.shape, fill.groups, tensor.dtype),
    Parts: _parts,
}
"""Fill -> what makes its writer. A new fill is one line here."""
