"""What the vectors hold: the fills, tensors and numbers of `proto/vectors`."""

from __future__ import annotations

import hashlib
import math
import struct

from initium_law.grammar import (
    Arange,
    Broadcast,
    Constant,
    Copy,
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
    Random,
    Sparse,
    Stored,
    TruncNormal,
    Uniform,
)

COLUMNS = ("F64", "F32", "BF16", "F16", "F8_E5M2", "F8_E4M3")
"""The floating-point dtypes, in the order in which the vectors have them."""

Tensor = tuple[int, str, str, tuple[int, ...], Fill]
"""seed, name, dtype, shape, fill."""

MAPS: list[tuple[Random, str]] = [
    (Normal(0.0, 1.0), "F32"),
    (Normal(-3.0, 0.02), "F32"),
    (Normal(0.0, 20000.0), "F16"),
    (Normal(0.0, 200.0), "F8_E4M3"),
    (Uniform(-1.0, 1.0), "F32"),
    (Uniform(0.1, 0.7), "F32"),
    (Uniform(1.0, 1.0 + 2.0**-20), "F32"),
    (Uniform(-0.3, 0.3), "BF16"),
    (TruncNormal(0.0, 1.0, -2.0, 2.0), "F32"),
    (TruncNormal(0.0, 0.02, -2.0, 2.0), "F32"),
    (TruncNormal(0.0, 0.02, -0.04, 0.04), "BF16"),
    (TruncNormal(0.1, 1.0, -2.0, 3.0), "F32"),
    (TruncNormal(0.0, 1.0, -1e-9, 3.0), "F32"),
    (TruncNormal(0.0, 1.0, -3.0, 0.5), "F16"),
    (TruncNormal(0.0, 1.0, 0.0, 2.0), "F32"),
    (TruncNormal(0.0, 1.0, 1.5, 9.0), "F32"),
    (TruncNormal(0.0, 1.0, -6.0, -5.0), "F32"),
    (TruncNormal(1.0, 2.0, 61.0, 63.0), "F32"),
    (TruncNormal(0.0, 1.0, -1.0, 2.0**-40), "F32"),
    (TruncNormal(0.0, 1.0, -(2.0**-40), 1.0), "F32"),
    (TruncNormal(0.0, 1.0, 1.0, 1.0 + 2.0**-16), "F32"),
    (TruncNormal(0.0, 1.0, -1.1, 0.9), "F64"),
    (Uniform(-(2.0**-10), 2.0**-10), "F8_E4M3"),
    (Uniform(-0.0, 1.0), "F32"),
]

CONSTANTS = [
    0.0,
    -0.0,
    1.0,
    0.1,
    -0.3,
    0.04,
    1.0 + 2.0**-9,
    float.fromhex("0x1.0100000001p+0"),
    float.fromhex("0x1.8p-150"),
    2.0**-150,
    -(2.0**-1074),
    2.0**-17,
    1.5 * 2.0**-17,
    2.0**-10,
    447.0,
    464.0,
    465.0,
    65519.0,
    65520.0,
    1e5,
    -1e39,
    1.7976931348623157e308,
    math.nan,
]

LITERAL = bytes(range(1, 49))
LITERALS = {hashlib.sha256(LITERAL).hexdigest(): LITERAL}
_LITERAL = Literal(hashlib.sha256(LITERAL).hexdigest())

_ANGLES = Broadcast((2,), Uniform(0.0, 2 * math.pi))
_ROPE = Parts(
    Pointwise("multiply", (Linspace(1.0, 0.25, 2), Pointwise("cos", (_ANGLES,)))),
    (Part((0, 0, 3), (2, 4, 6), Pointwise("cos", (Pointwise("add", (_ANGLES, Constant(math.pi / 2))),))),),
)
_NEGATIVE = Constant(-1.0)
_STEP = Pointwise("exp", (Uniform(math.log(0.001), math.log(0.1)),))
_CLAMPED = Pointwise("clamp", (_STEP, Constant(1e-4), Constant(0.05)))
_SOFTPLUS_INVERSE = Pointwise(
    "add",
    (
        _CLAMPED,
        Pointwise(
            "log",
            (
                Pointwise(
                    "multiply",
                    (Pointwise("expm1", (Pointwise("multiply", (_CLAMPED, _NEGATIVE)),)), _NEGATIVE),
                ),
            ),
        ),
    ),
)
"""Mamba's dt_bias: x + log(-expm1(-x)) of a clamped log-uniform x."""

_EMBEDDING = Parts(Normal(0.0, 0.02), (Part((2, 0), (3, 5), Constant(0.0)),))
_EXPERTS = Parts(
    Uniform(-0.5, 0.5), (Part((0, 0, 1), (2, 3, 3), Normal(1.0, 0.1)), Part((1, 1, 0), (2, 3, 4), Constant(7.0)))
)
_DELTA = Parts(Constant(0.0), (Part((0, 0, 1, 1), (4, 3, 2, 2), Orthogonal(1.5)),))
_GATES = Parts(Orthogonal(1.0), (Part((3, 0), (6, 3), Orthogonal(1.0)), Part((0, 1), (3, 2), Eye())))
_NESTED = Parts(
    Pointwise("multiply", (Normal(0.0, 1.0), Arange(1.0, 0.5, 1))),
    (
        Part((0, 1), (3, 3), Parts(Arange(10.0, 1.0, 0), (Part((1, 0), (3, 1), Normal(0.0, 1.0)),))),
        Part((3, 0), (5, 4), Sparse(0.5, 1.0)),
        Part((5, 1), (6, 4), Literal(hashlib.sha256(LITERAL[:12]).hexdigest())),
    ),
)
LITERALS[hashlib.sha256(LITERAL[:12]).hexdigest()] = LITERAL[:12]

SINGLES = bytes.fromhex(
    "0100c0ff 0000807f 000080ff 00000080 01000000 ffff7f7f 00408047 cdcccc3d 00c0803f 0000c0be 00010043 00f87f47"
)
"""A NaN with a payload, infinities, -0, a subnormal number, the largest one, ties and others, as F32."""
DOUBLES = struct.pack("<6d", 0.1, 1.0 + 2.0**-8 + 2.0**-40, math.inf, math.nan, -1e300, 2.0**-1074)
for _data in (SINGLES, DOUBLES):
    LITERALS[hashlib.sha256(_data).hexdigest()] = _data


def _stored(
    data: bytes, dtype: str, shape: tuple[int, ...], axes: tuple[int, ...] = (), start: tuple[int, ...] = ()
) -> Stored:
    return Stored("zoo", "a/model.safetensors", "w", hashlib.sha256(data).hexdigest(), dtype, shape, axes, start)


_TILES = Parts(
    Constant(0.0),
    tuple(Part((k,), (min(k + 2, 5),), _stored(LITERAL[:12], "BF16", (6,), (), (2,))) for k in (0, 2, 4)),
)


def _tall(depth: int) -> Fill:
    return Pointwise("sqrt", (_tall(depth - 1),)) if depth > 1 else Constant(1.0)


def _wide(depth: int) -> Fill:
    return Pointwise("add", (_wide(depth - 1), _wide(depth - 1))) if depth > 1 else Constant(1.0)


TENSORS: list[Tensor] = [
    *((42, "w", dtype, (3, 7), fill) for dtype in COLUMNS for fill in (Normal(0.0, 0.02), Uniform(-0.1, 0.1))),
    *((42, "w", dtype, (3, 7), TruncNormal(0.0, 0.02, -0.04, 0.04)) for dtype in COLUMNS),
    *((7, "c", dtype, (2,), Constant(0.3)) for dtype in COLUMNS),
    *((7, "c", dtype, (2,), Constant(1.0)) for dtype in ("U64", "I64", "U32", "I32", "U16", "I16", "U8", "I8", "BOOL")),
    (7, "c", "C64", (2,), Constant(0.1)),
    (7, "s", "F32", (), Normal(0.0, 1.0)),
    (7, "s", "F32", (0, 3), Normal(0.0, 1.0)),
    (7, "n", "F64", (2,), Normal(0.1, 0.0)),
    (7, "u", "BF16", (2,), Uniform(0.1, 0.1)),
    (7, "t", "F32", (2,), TruncNormal(7.0, 0.0, -1.0, 1.0)),
    (7, "t", "F32", (2,), TruncNormal(0.0, 1.0, 37.0, 50.0)),
    (7, "t", "F32", (2,), TruncNormal(-(2.0**-1074), 6.0, -(2.0**-1074), 0.0)),
    (7, "t", "BF16", (2,), TruncNormal(0.0, 1.0, -90.0, -40.3)),
    (7, "l", "F32", (3, 4), _LITERAL),
    (7, "e", "F16", (3, 4), Eye()),
    (7, "d", "F32", (4, 3, 3), Dirac(2)),
    (7, "d", "BF16", (3, 2, 2, 3), Dirac(1)),
    (7, "a", "F32", (2, 5), Arange(1.0, 1.0, 1)),
    (7, "a", "I64", (6,), Arange(0.0, 1.0, 0)),
    (7, "a", "BF16", (5,), Arange(0.1, float.fromhex("0x1.0100000001p-1"), 0)),
    (7, "a", "F64", (2, 2, 2), Arange(0.1, -0.3, 1)),
    (7, "p", "F32", (5,), Linspace(0.0, 1.0, 0)),
    (7, "p", "F64", (3, 4), Linspace(-1.0, 2.0, 1)),
    (7, "p", "F16", (1,), Linspace(3.0, 4.0, 0)),
    (7, "mixer.A_log", "F32", (2, 8), Pointwise("log", (Arange(1.0, 1.0, 1),))),
    (7, "mixer.dt_bias", "F32", (6,), _SOFTPLUS_INVERSE),
    (7, "scaled", "BF16", (2, 3), Pointwise("divide", (TruncNormal(0.0, 0.02, -0.04, 0.04), Constant(3.0)))),
    (7, "root", "F32", (4,), Pointwise("sqrt", (Arange(-1.0, 1.0, 0),))),
    (7, "nan", "F8_E4M3", (4,), Pointwise("divide", (Constant(1.0), Arange(-1.0, 1.0, 0)))),
    (7, "cos", "F32", (5,), Pointwise("cos", (Arange(0.0, 1.0, 0),))),
    *(
        (7, "q", "F32", shape, Orthogonal(1.0))
        for shape in ((1, 1), (4, 4), (8, 8), (5, 3), (3, 5), (2, 3, 2), (40, 34))
    ),
    (7, "q", "BF16", (4, 3), Orthogonal(math.sqrt(2.0))),
    (7, "q", "F16", (6, 6), Orthogonal(-1.0)),
    (7, "delta", "F32", (4, 3, 3, 3), _DELTA),
    (7, "gates", "F32", (6, 3), _GATES),
    (7, "z", "F32", (6, 4), Sparse(0.4, 0.01)),
    (7, "z", "BF16", (5, 2), Sparse(1.0, 0.01)),
    (7, "perm", "I64", (16,), Permutation()),
    (7, "perm", "F32", (5,), Permutation()),
    (7, "g", "F32", (3, 1, 1), NormOf("v", (3, 2, 2), Uniform(-0.5, 0.5), 0)),
    (7, "g", "BF16", (4,), NormOf("v", (2, 4, 3), Pointwise("add", (Normal(0.0, 1.0), Constant(1.0))), 1)),
    (7, "second", "F32", (2, 3), Copy("first", Normal(0.0, 1.0))),
    (7, "second", "F32", (3, 3), Copy("first", Orthogonal(1.0))),
    (7, "mixed", "F32", (4,), Pointwise("add", (Normal(0.0, 1.0), Copy("mixed/2", Normal(0.0, 1.0))))),
    (7, "embed", "F32", (4, 5), _EMBEDDING),
    (7, "experts", "F16", (2, 3, 4), _EXPERTS),
    (7, "nested", "F32", (6, 4), _NESTED),
    (7, "zero", "F32", (2,), Uniform(-0.0, 0.0)),
    (7, "zero", "F32", (2,), Normal(-0.0, 0.0)),
    (7, "zero", "F32", (2,), TruncNormal(-0.0, 0.0, -1.0, 1.0)),
    (7, "zero", "F32", (2,), TruncNormal(-1.0, 0.0, -0.0, 1.0)),
    (7, "zero", "F8_E4M3", (8,), Uniform(-(2.0**-10), 2.0**-10)),
    (7, "zero", "I32", (2,), Constant(-0.0)),
    (7, "p", "F64", (7,), Linspace(-0.1, 0.7, 0)),
    (7, "clamped", "F32", (3,), Pointwise("clamp", (Arange(0.0, 1.0, 0), Constant(2.0), Constant(1.0)))),
    (7, "cos", "F32", (3,), Pointwise("cos", (Arange(2.0**20 - 0.125, 0.125, 0),))),
    (7, "part", "F32", (8,), Parts(Constant(0.0), (Part((2,), (5,), Copy("v", Normal(0.0, 1.0))),))),
    (7, "g", "F32", (2,), NormOf("v", (2, 2), Parts(Normal(0.0, 1.0), (Part((0, 1), (2, 2), Eye()),)), 0)),
    (7, "tiny", "F32", (2,), Normal(0.0, 2.0**-95)),
    (7, "deep", "F32", (2,), _tall(16)),
    (7, "wide", "F32", (2,), Pointwise("sqrt", (_wide(6),))),
    (7, "empty", "F32", (4, 2), Parts(Constant(1.0), (Part((1, 0), (1, 2), Constant(2.0)),))),
    (7, "ends", "U64", (2,), Arange(2.0**63, 2.0**62, 0)),
    (7, "c", "C64", (2,), Arange(1e300, -1e299, 0)),
    (7, "ends", "I8", (2,), Arange(-128.0, 255.0, 0)),
    (7, "one", "U8", (1,), Arange(3.0, 0.5, 0)),
    (7, "z", "F32", (3, 2), Sparse(0.5, 0.0)),
    *((7, "q", dtype, (1, 2), Orthogonal(1e39)) for dtype in ("F64", "F32", "F8_E4M3")),
    *((7, "g", dtype, (2,), NormOf("v", (2, 4), Constant(3e38), 0)) for dtype in ("F32", "F16", "F8_E4M3")),
    (7, "rope", "F32", (3, 4), Broadcast((0,), Normal(0.0, 1.0))),
    (7, "rope", "BF16", (3, 4), Broadcast((1,), Normal(0.0, 1.0))),
    (7, "rope", "F32", (2, 3, 2), Broadcast((0, 2), Uniform(0.0, 1.0))),
    (7, "rope", "I64", (2, 3), Broadcast((0,), Arange(0.0, 1.0, 1))),
    (7, "rope", "F32", (2, 4, 6), _ROPE),
    (7, "rope", "F32", (4, 5), Parts(Constant(0.0), (Part((1, 1), (3, 4), Broadcast((1,), Normal(0.0, 1.0))),))),
    (7, "rope", "F32", (4, 2), Parts(Constant(0.0), (Part((1, 0), (4, 2), Broadcast((0,), Orthogonal(1.0))),))),
    (7, "rope", "F32", (3, 0), Broadcast((1,), Normal(0.0, 1.0))),
    *((7, "s", dtype, (3, 4), _stored(SINGLES, "F32", (3, 4))) for dtype in COLUMNS),
    *((7, "s", dtype, (6,), _stored(DOUBLES, "F64", (6,))) for dtype in COLUMNS),
    *((7, "s", "F32", (24,), _stored(LITERAL, dtype, (24,))) for dtype in ("BF16", "F16")),
    *((7, "s", "BF16", (48,), _stored(LITERAL, dtype, (48,))) for dtype in ("F8_E5M2", "F8_E4M3")),
    (7, "s", "I16", (2, 5), _stored(LITERAL, "I16", (4, 6), (), (1, 1))),
    (7, "s", "C64", (2, 3), _stored(LITERAL, "C64", (3, 2), (1, 0))),
    (7, "s", "F16", (3, 2), _stored(SINGLES, "F32", (3, 4), (1, 0), (1, 0))),
    (7, "s", "U8", (3, 2, 4), _stored(LITERAL, "U8", (4, 4, 3), (2, 0, 1), (0, 1, 0))),
    (7, "s", "F32", (2, 4), _stored(SINGLES, "F32", (3, 4), (), (1, 0))),
    (7, "s", "F32", (0, 4), _stored(SINGLES, "F32", (3, 4), (), (3, 0))),
    (7, "s", "F32", (2, 4), Pointwise("multiply", (_stored(LITERAL, "BF16", (2, 12), (), (0, 3)), Constant(0.75)))),
    (7, "s", "F32", (2, 3, 4), Broadcast((0,), _stored(SINGLES, "F32", (1, 3, 4)))),
    (7, "s", "F32", (4, 5), Parts(Normal(0.0, 1.0), (Part((1, 1), (4, 5), _stored(SINGLES, "F32", (4, 3), (1, 0))),))),
    (7, "s", "BF16", (5,), _TILES),
    (7, "sine", "F32", (5,), Pointwise("sine", (Arange(-2.0, 1.5, 0),))),
    (7, "sine", "F32", (3,), Pointwise("sine", (Arange(2.0**20 - 0.125, 0.125, 0),))),
]
"""Small enough to read."""

BIG: list[Tensor] = [
    *((42, "fc.weight", dtype, (1000, 411), Normal(0.0, 0.02)) for dtype in COLUMNS),
    (42, "fc.weight", "F32", (1000, 411), Uniform(-0.125, 0.375)),
    (42, "fc.weight", "F32", (1000, 411), TruncNormal(0.0, 0.02, -0.04, 0.04)),
    (42, "fc.weight", "BF16", (1000, 411), TruncNormal(0.01, 0.02, -0.04, 0.04)),
    (0, "embed.weight", "F32", (4099, 31), TruncNormal(0.0, 1.0, 5.0, 6.0)),
    (0, "embed.weight", "F32", (4099, 31), TruncNormal(0.5, 2.0, -70.0, -20.0)),
    (2**64 - 1, "größe", "F32", (7, 11, 13, 17), Normal(1.0, 3.0)),
    (42, "rnn.weight_hh", "F32", (300, 300), Orthogonal(1.0)),
    (42, "wide", "BF16", (64, 32, 3, 3), Orthogonal(1.0)),
    (42, "sparse", "F32", (500, 300), Sparse(0.1, 0.01)),
    (42, "order", "I32", (100_000,), Permutation()),
    (42, "norms", "F32", (500, 1), NormOf("fc.weight", (500, 1000), Normal(0.0, 0.02), 0)),
    (42, "dt", "F32", (5000,), _SOFTPLUS_INVERSE),
    (42, "rope", "F32", (3, 500, 200), Broadcast((0, 2), Normal(0.0, 1.0))),
    (42, "rope", "F32", (700, 300), Broadcast((0,), Normal(0.0, 1.0))),
    (42, "nested", "F32", (600, 400), Parts(Normal(0.0, 1.0), (Part((0, 100), (600, 300), Orthogonal(1.0)),))),
]
"""Tensors whose digests stand in the vectors."""


REFUSED: list[tuple[str, tuple[int, ...], Fill]] = [
    ("F32", (4,), Normal(0.0, -1.0)),
    ("F32", (4,), Normal(0.0, 1e39)),
    ("F32", (4,), Normal(0.0, 3.403e38)),
    ("F32", (4,), Normal(0.0, 2.0**-96)),
    ("I32", (4,), Normal(0.0, 1.0)),
    ("C64", (4,), Normal(0.0, 1.0)),
    ("F32", (2**32, 2**31), Normal(0.0, 1.0)),
    ("F32", (4,), Uniform(1.0, 0.0)),
    ("BF16", (4,), Uniform(1.0001, 1.0002)),
    ("F8_E4M3", (4,), Uniform(500.0, 600.0)),
    ("F32", (4,), TruncNormal(0.0, 1.0, 2.0, 2.0)),
    ("F16", (4,), TruncNormal(0.0, 1e6, 1e6, 2e6)),
    ("F32", (4,), TruncNormal(0.0, 1.0, -1e-35, 1e-35)),
    ("I64", (4,), Constant(0.5)),
    ("I64", (0,), Constant(0.5)),
    ("BOOL", (4,), Constant(2.0)),
    ("U8", (4,), Constant(-1.0)),
    ("F32", (4,), _LITERAL),
    ("F32", (4,), Literal("0" * 64)),
    ("F32", (4,), Eye()),
    ("F32", (4, 4), Dirac(1)),
    ("F32", (4, 4, 3), Dirac(3)),
    ("F32", (4, 4, 3), Dirac(0)),
    ("F32", (4,), Arange(0.0, 1.0, 1)),
    ("U8", (4,), Arange(0.0, 100.0, 0)),
    ("F32", (4,), Arange(0.0, 1e308, 0)),
    ("I64", (4,), Linspace(0.0, 3.0, 0)),
    ("F32", (4,), Linspace(-1e308, 1e308, 0)),
    ("F32", (4,), Pointwise("sin", (Constant(0.0),))),
    ("F32", (4,), Pointwise("add", (Constant(0.0),))),
    ("I32", (4,), Pointwise("sqrt", (Constant(4.0),))),
    ("F32", (4,), _tall(17)),
    ("F32", (4,), Pointwise("add", (_wide(6), Constant(1.0)))),
    ("F32", (4,), Orthogonal(1.0)),
    ("I32", (4, 4), Orthogonal(1.0)),
    ("F32", (4, 4, 4), Sparse(0.5, 1.0)),
    ("F32", (4, 4), Sparse(1.5, 1.0)),
    ("F32", (4, 4), Sparse(0.5, -1.0)),
    ("I64", (4, 4), Permutation()),
    ("U8", (300,), Permutation()),
    ("C64", (2**24 + 2,), Permutation()),
    ("I64", (5,), Arange(-(2.0**52) - 1, 0.5, 0)),
    ("F16", (4000,), Permutation()),
    ("F32", (4,), NormOf("v", (3, 4), Normal(0.0, 1.0), 0)),
    ("F32", (4,), NormOf("v", (3, 4), Normal(0.0, 1.0), 2)),
    ("I32", (3,), NormOf("v", (3, 4), Normal(0.0, 1.0), 0)),
    ("F32", (4,), Parts(Constant(0.0), (Part((0,), (5,), Constant(1.0)),))),
    ("F32", (4,), Parts(Constant(0.0), (Part((3,), (2,), Constant(1.0)),))),
    ("F32", (4, 4), Parts(Constant(0.0), (Part((0,), (2,), Constant(1.0)),))),
    ("F32", (4, 4), Parts(Constant(0.0), (Part((0, 0), (2, 2), Uniform(1.0, 0.0)), Part((0, 0), (4, 4), Eye())))),
    ("U8", (4, 0), Arange(-3.0, 2.0, 0)),
    ("F32", (4, 4), Broadcast((), Constant(1.0))),
    ("F32", (4, 4), Broadcast((1, 0), Constant(1.0))),
    ("F32", (4, 4), Broadcast((0, 0), Constant(1.0))),
    ("F32", (4, 4), Broadcast((2,), Constant(1.0))),
    ("I32", (4, 0), Broadcast((1,), Constant(0.5))),
    ("I32", (4,), Uniform(1.0, 1.0)),
    ("I32", (4,), Normal(1.0, 0.0)),
    ("BOOL", (4,), TruncNormal(0.0, 0.0, -1.0, 1.0)),
    ("I32", (4, 4), Sparse(0.5, 0.0)),
    ("F32", (3, 4), Stored("zoo", "a.safetensors", "w", "0" * 64, "F32", (3, 4))),
    ("F32", (4, 3), _stored(SINGLES, "F32", (3, 4))),
    ("F32", (12,), _stored(SINGLES, "F32", (3, 4))),
    ("F32", (3, 4), _stored(SINGLES, "F32", (3, 4), (), (0, 1))),
    ("F32", (3, 4), _stored(SINGLES, "F32", (3, 4), (), (1,))),
    ("F32", (3, 4), _stored(SINGLES, "F32", (3, 4), (1, 0))),
    ("F32", (3, 3), _stored(SINGLES, "F32", (3, 4), (0, 0))),
    ("F32", (3, 4), _stored(SINGLES, "F32", (3, 4), (0,))),
    ("F32", (3, 4), _stored(SINGLES, "I32", (3, 4))),
    ("I32", (3, 4), _stored(SINGLES, "F32", (3, 4))),
    ("C64", (3, 4), _stored(SINGLES, "F32", (3, 4))),
    ("I32", (3, 4), Pointwise("sqrt", (_stored(SINGLES, "F32", (3, 4)),))),
    ("F32", (3, 4), _stored(SINGLES, "F31", (3, 4))),
    ("F32", (3, 4), _stored(SINGLES, "F32", (3, 4, 2**62))),
]
"""dtype, shape and a fill that no implementation draws."""
