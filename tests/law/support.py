"""What several tests of the law use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_law import Drawer, Engine, prepare
from initium_law.dtypes import FLOATS, ITEM_SIZE, Bytes
from initium_law.engine import Reader
from initium_law.grammar import Constant, Dirac, Eye, Fill, Literal, Normal, Part, Parts, Stored, TruncNormal, Uniform

from .cases import LITERALS

NUMPY: Mapping[str, npt.DTypeLike] = {
    "F64": np.float64,
    "F32": np.float32,
    "BF16": ml_dtypes.bfloat16,
    "F16": np.float16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "C64": np.complex64,
    "BOOL": np.bool_,
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
}

RANDOM_FILLS = (
    Uniform(-0.1, 0.1),
    Uniform(0.0, 1.0),
    Uniform(1.0, 1.0 + 2.0**-5),
    Normal(0.0, 0.02),
    Normal(-3.0, 1.5),
    TruncNormal(0.0, 0.02, -2.0, 2.0),
    TruncNormal(0.0, 1.0, -2.0, 2.0),
    TruncNormal(0.5, 1.0, 0.25, 4.0),
    TruncNormal(0.0, 1.0, 5.0, 6.0),
    TruncNormal(1.0, 2.0, -60.0, -9.0),
    TruncNormal(0.0, 1.0, 20.0, 30.0),
)
"""Every map, with intervals around the mean and on both sides of it, near and far."""

SHAPE = (6, 5, 3, 2)
COUNT = 180


@dataclass
class Contents:
    """Stored tensors by their digests, wherever a fill says that they lie; counts the bytes that were read."""

    data: Mapping[str, bytes]
    read: int = 0

    def reader(self, fill: Stored) -> Reader:
        """As `initium_law.engine.Stores`."""
        if fill.digest not in self.data:
            raise ValueError(f"no tensor has the digest {fill.digest}")
        source = np.frombuffer(self.data[fill.digest], np.uint8)

        def read(begin: int, out: Bytes) -> None:
            out[:] = source[begin : begin + len(out)]
            self.read += len(out)

        return read


def draws_stored() -> Engine:
    """An engine with the stored tensors of the vectors."""
    return Engine(stores=Contents(LITERALS))


def draw(drawer: Drawer, start: int, count: int) -> bytes:
    """Some elements of a tensor, as bytes."""
    out = np.full(count * drawer.item_size, 0xAA, np.uint8)
    drawer.draw(start, out)
    return out.tobytes()


def whole(fill: Fill, shape: tuple[int, ...], dtype: str, literals: Mapping[str, bytes] | None = None) -> bytes:
    """All bytes of a tensor under seed 7 and name `x`."""
    drawer = prepare(fill, 7, "x", shape, dtype, literals or {})
    return draw(drawer, 0, drawer.elements)


def array(fill: Fill, shape: tuple[int, ...], dtype: str) -> npt.NDArray[np.float64]:
    """A tensor's values, widened."""
    return np.frombuffer(whole(fill, shape, dtype), NUMPY[dtype]).reshape(shape).astype(np.float64)


def all_fills(dtype: str) -> list[tuple[Fill, tuple[int, ...], dict[str, bytes]]]:
    """One of every fill that the dtype can hold: fill, shape, literals."""
    data = {"d": bytes(k % 2 for k in range(COUNT * ITEM_SIZE[dtype]))}
    box = Part((1, 0, 0, 1), (4, 5, 2, 2), Constant(1.0))
    rows = Part((2, 0, 0, 0), (3, 5, 3, 2), Constant(0.0))
    plain: list[tuple[Fill, tuple[int, ...], dict[str, bytes]]] = [
        (Constant(1.0), SHAPE, {}),
        (Literal("d"), SHAPE, data),
        (Eye(), (12, 15), {}),
        (Dirac(2), SHAPE, {}),
        (Parts(Constant(0.0), (box, rows)), SHAPE, {}),
    ]
    if dtype not in FLOATS:
        return plain
    parts = Parts(Normal(0.0, 1.0), (Part(box.start, box.stop, Uniform(2.0, 3.0)), rows))
    return plain + [(fill, SHAPE, {}) for fill in (*RANDOM_FILLS, parts)]
