"""Promise 4 (nothing silent): what cannot be drawn is refused, with both sides of the mismatch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from initium_law import prepare
from initium_law.grammar import (
    Arange,
    Constant,
    Dirac,
    Eye,
    Fill,
    Linspace,
    Literal,
    Normal,
    NormOf,
    Orthogonal,
    Part,
    Parts,
    Permutation,
    Pointwise,
    Sparse,
    TruncNormal,
    Uniform,
)

NAN, INF = math.nan, math.inf


def box(start: tuple[int, ...], stop: tuple[int, ...], fill: Fill | None = None) -> Parts:
    return Parts(Constant(0.0), (Part(start, stop, fill or Constant(1.0)),))


def tall(depth: int) -> Fill:
    """A fill `depth` + 1 deep."""
    return Pointwise("sqrt", (tall(depth - 1),)) if depth else Constant(1.0)


def wide(depth: int) -> Fill:
    """A fill of 2^depth - 1 fills."""
    return Pointwise("add", (wide(depth - 1), wide(depth - 1))) if depth > 1 else Constant(1.0)


BAD = [
    (Normal(0.0, -1.0), (4,), "F32", r"std=-1.0 is negative"),
    (Normal(NAN, 1.0), (4,), "F32", r"mean=nan is not a finite number"),
    (Normal(0.0, INF), (4,), "F32", r"std=inf is not a finite number"),
    (Normal(0.0, 1e39), (4,), "F64", r"std=1e\+39 is not a finite number in the range of binary32"),
    (Uniform(1.0, 0.0), (4,), "F32", r"low=1.0 and high=0.0 are in the wrong order"),
    (Uniform(0.0, INF), (4,), "F32", r"high=inf is not a finite"),
    (Uniform(1.0001, 1.0002), (4,), "BF16", r"no value of dtype BF16 lies between 1.0001 and 1.0002"),
    (Uniform(1e6, 1e7), (4,), "F16", r"no value of dtype F16 lies between"),
    (Uniform(1e-50, 1e-49), (4,), "F32", r"no value of dtype F32 lies between"),
    (TruncNormal(0.0, 1.0, 2.0, 2.0), (4,), "F32", r"a=2.0 and b=2.0 are not in ascending order"),
    (TruncNormal(0.0, 1.0, -INF, 2.0), (4,), "F32", r"a=-inf is not a finite number"),
    (TruncNormal(0.0, -1.0, -2.0, 2.0), (4,), "F32", r"std=-1.0 is negative"),
    (
        Normal(0.0, 1.0),
        (4,),
        "I32",
        r"needs one of the dtypes F32, BF16, F16, F64, F8_E4M3, F8_E5M2, and this tensor has I32",
    ),
    (Normal(0.0, 1e-30), (4,), "F32", r"one word would move a value by 4.66e-40"),
    (TruncNormal(0.0, 1.0, -1e-35, 1e-35), (4,), "F32", r"wider bounds, or a constant"),
    (Uniform(500.0, 600.0), (4,), "F8_E4M3", r"no value of dtype F8_E4M3 lies between"),
    (Orthogonal(1.0), (4,), "F32", r"needs 2 axes or more, and this tensor has shape \[4\]"),
    (Orthogonal(INF), (4, 4), "F32", r"gain=inf is not finite"),
    (Orthogonal(1.0), (4, 4), "I32", r"this tensor has I32"),
    (Orthogonal(1.0), (2**20, 2**20), "F32", r"such tensors are made up to 67,108,864"),
    (Sparse(0.5, 1.0), (4, 4, 4), "F32", r"needs a matrix"),
    (Sparse(1.5, 1.0), (4, 4), "F32", r"sparsity=1.5 is not between 0 and 1"),
    (Sparse(NAN, 1.0), (4, 4), "F32", r"sparsity=nan"),
    (Sparse(0.5, -1.0), (4, 4), "F32", r"std=-1.0 is negative"),
    (Permutation(), (4, 4), "I64", r"needs 1 axis"),
    (Permutation(), (300,), "U8", r"299.0 is out of range for dtype U8"),
    (Permutation(), (4000,), "F16", r"cannot hold all whole numbers up to 3999; use I64"),
    (Arange(0.0, 1.0, 1), (4,), "F32", r"axis 1 is not one of shape \[4\]"),
    (Arange(0.0, INF, 0), (4,), "F32", r"step=inf of a range is not finite"),
    (Arange(0.0, 0.5, 0), (4,), "I64", r"1.5 is not a whole number"),
    (Arange(0.0, 100.0, 0), (4,), "U8", r"300.0 is out of range for dtype U8"),
    (Linspace(0.0, 1.0, 0), (4,), "I64", r"needs a float dtype"),
    (Pointwise("sin", (Constant(0.0),)), (4,), "F32", r"'sin' is not one of the pointwise functions add, multiply"),
    (Pointwise("add", (Constant(0.0),)), (4,), "F32", r"add takes 2 operands, and this fill has 1"),
    (Pointwise("sqrt", (Constant(0.0),)), (4,), "I32", r"a pointwise fill needs one of the dtypes"),
    (tall(16), (4,), "F32", r"more than 16 deep"),
    (wide(7), (4,), "F32", r"holds more than 64 fills"),
    (NormOf("v", (3, 4), Normal(0.0, 1.0), 0), (4,), "F32", r"axis 0 of shape \[3, 4\] are 3, and this tensor has 4"),
    (NormOf("v", (3, 4), Normal(0.0, 1.0), 2), (4,), "F32", r"axis 2 is not one of shape \[3, 4\]"),
    (NormOf("v", (2**64 - 1,) * 30_000, Normal(0.0, 1.0), 0), (4,), "F32", r"a shape of 30000 axes; 64 are the most"),
    (Normal(0.0, 1.0), (0, 2**63), "F32", r"between 0 and 2\^62 elements"),
    (Parts(Constant(0.0), (Part((0,), (1,), Constant(1.0)),) * 1025), (4,), "F32", r"1025 parts; 1024 are the most"),
    (NormOf("v", (4, 2**40), Normal(0.0, 1.0), 0), (4,), "F32", r"NormOf needs its whole tensor at once"),
    (Normal(0.0, 1.0), (2**31, 2**31, 2), "F32", r"between 0 and 2\^62 elements"),
    (Normal(0.0, 1.0), (-1, -1), "F32", r"between 0 and 2\^62 elements"),
    (Constant(0.0), (4,), "F4", r"dtype 'F4' is not one of U64, I64"),
    (Constant(INF), (4,), "F8_E4M3", r"has no infinity"),
    (Constant(0.5), (4,), "I64", r"0.5 is not a whole number"),
    (Constant(2.0), (4,), "BOOL", r"2.0 is out of range for dtype BOOL"),
    (Literal("none"), (4,), "F32", r"the plan has no literal none"),
    (Literal("five"), (4,), "F32", r"literal five has 5 bytes, and shape \[4\] of F32 takes 16"),
    (Eye(), (4,), "F32", r"an eye fill needs a matrix, and this tensor has shape \[4\]"),
    (Dirac(1), (4, 4), "F32", r"a dirac fill needs 3 to 5 axes"),
    (Dirac(3), (4, 4, 3), "F32", r"the 4 output channels cannot be divided into 3 groups"),
    (Dirac(0), (4, 4, 3), "F32", r"into 0 groups"),
    (box((0,), (5,)), (4,), "F32", r"part 0 to 5 on axis 0 is not within 0 to 4 of shape \[4\]"),
    (box((3,), (2,)), (4,), "F32", r"part 3 to 2 on axis 0"),
    (box((0, 0), (2, 2)), (4,), "F32", r"one number per axis of shape \[4\]"),
    (box((0, 0), (2, 1), Literal("five")), (4, 4), "F32", r"has 5 bytes, and shape \[2, 1\] of F32 takes 8"),
    (box((0,), (2,), Normal(0.0, 1.0)), (4,), "U8", r"this tensor has U8"),
]


@pytest.mark.parametrize(("fill", "shape", "dtype", "message"), BAD, ids=lambda value: str(value)[:40])
def test_prepare_refuses(fill: Fill, shape: tuple[int, ...], dtype: str, message: str) -> None:
    """A fill that cannot be drawn for a tensor is an error before any byte is made."""
    with pytest.raises(ValueError, match=message):
        prepare(fill, 0, "x", shape, dtype, {"five": bytes(5)})


@pytest.mark.parametrize(
    ("start", "out", "message"),
    [
        (0, np.zeros(3, np.uint8), "3 bytes from element 0"),
        (3, np.zeros(8, np.uint8), "8 bytes from element 3 are not a range of a tensor of 4 elements"),
        (-1, np.zeros(4, np.uint8), "from element -1"),
        (0, np.zeros(4, np.float32), "not float32"),
        (0, np.zeros(8, np.uint8)[::2], "contiguous"),
        (0, np.zeros((2, 4), np.uint8), "1-D"),
        (0, np.frombuffer(bytes(4), np.uint8), "writable"),
    ],
)
def test_draw_refuses(start: int, out: np.ndarray, message: str) -> None:
    """A range outside the tensor, or a buffer that is not plain bytes, is never written to."""
    with pytest.raises(ValueError, match=message):
        prepare(Normal(0.0, 1.0), 0, "x", (4,), "F32").draw(start, out)


def test_flush_to_zero_is_refused() -> None:
    """Promise 1 (pure): a thread whose floats are not IEEE 754 draws nothing."""
    drawer, out = prepare(Normal(0.0, 1.0), 0, "x", (4,), "F32"), np.zeros(16, np.uint8)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor has no flush-to-zero mode")
    try:
        with pytest.raises(RuntimeError, match="flushes subnormal floats to zero"):
            drawer.draw(0, out)
    finally:
        torch.set_flush_denormal(False)
    assert not out.any()
    drawer.draw(0, out)
    assert out.any()
