"""The vectors of the law in `proto/vectors`: how they are read, and how they were made.

`python -m tests.law.vectors DIRECTORY` writes the files anew; what is published there never changes, so it is only of
use to add files and lines. Values come from the plain reference beside this file, which the compiled backends are
compared with.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from google.protobuf import json_format

from initium.plan.fills import decode_fill, encode_fill
from initium.v1 import fill_pb2
from initium_law import grammar as fills
from initium_law import prepare
from initium_law.dtypes import ITEM_SIZE, encode
from initium_law.maps import phi
from initium_law.maps.identity import identity
from initium_law.maps.truncated import around

from . import functions_reference, reference, reference_fills
from .cases import BIG, COLUMNS, CONSTANTS, LITERALS, MAPS, REFUSED, TENSORS

VECTORS = Path(__file__).parents[2] / "proto" / "vectors"
SEEDS_AND_NAMES = [
    (0, ""),
    (0, "weight"),
    (42, "layer1.0.conv1.weight"),
    (2**64 - 1, "größe"),
    (1, "o\u0308"),
    (1, "ö"),
    (7, "模型.weight"),
]
FAR_ELEMENTS = [0, 1, 2, 3, 4, 5, 1023, 1024, 2**32, 2**34 - 1, 2**34, 2**34 + 1, 2**40 + 3, 2**62 - 1]


def lines(name: str) -> list[list[str]]:
    """The columns of each line of a vector file."""
    text = (VECTORS / name).read_text(encoding="utf-8").splitlines()
    return [line.split(" | ") for line in text if line and not line.startswith("#")]


def fill_of(text: str) -> fills.Fill:
    """A fill from the JSON mapping of `initium.v1.Fill`."""
    return decode_fill(json_format.Parse(text, fill_pb2.Fill()), "fill")


def text_of(fill: fills.Fill) -> str:
    """Its inverse."""
    message = json_format.MessageToDict(encode_fill(fill), preserving_proto_field_name=True)
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def chosen_words(fill: fills.Fill) -> list[int]:
    """Zero, all ones, both sides of every power of two and of the sign, of the fill's own boundary, and some others."""
    powers = [2**k + step for k in range(32) for step in (-1, 0, 1)]
    edges = [(base + step) % 2**32 for base in (0, 2**31) for step in range(-6, 7)]
    random = np.random.default_rng(20111115).integers(0, 2**32, 64).tolist()
    words = [*powers, *(2**32 - 1 - p for p in powers), *edges, *random]
    if isinstance(fill, fills.TruncNormal) and fill.a < fill.mean < fill.b:
        t = around((fill.a - fill.mean) / fill.std, (fill.b - fill.mean) / fill.std, fill.std).threshold
        words += [(t + step) ^ 2**31 for step in (-2, -1, 0, 1, 2) if 0 <= t + step < 2**32]
    return sorted(set(words))


def singles() -> list[int]:
    """Bit patterns of binary32 numbers: every exponent, ties of every narrow format, subnormals, specials."""
    exponents = [e << 23 | f for e in range(0, 255, 2) for f in (0, 1, 0x400000)]
    near_one = [0x3F800000 + (k << 11) + step for k in range(64) for step in (-1, 0, 1)]
    small = [e << 23 | f for e in range(98, 122) for f in (0x0, 0x3FFFFF, 0x400000, 0x400001, 0x600000, 0x7FFFFF)]
    large = [0x477FDFFF, 0x477FE000, 0x477FEFFF, 0x477FF000, 0x47800000, 0x43E00000, 0x43E7FFFF, 0x43E80000, 0x43E80001]
    special = [0, 1, 2, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7FA00001, 0x7F7F8000, 0x7F7F7FFF]
    patterns = {*exponents, *near_one, *small, *large, *special}
    return sorted({p | sign for p in patterns for sign in (0, 0x80000000)})


def _identity() -> Iterator[str]:
    for purpose in ("", "choice"):
        for seed, name in SEEDS_AND_NAMES:
            ident = identity(seed, name, purpose)
            law = b"stream-v1/choice" if purpose else b"stream-v1"
            digest = hashlib.sha256(law + b"\0" + seed.to_bytes(8, "little") + name.encode()).digest()
            assert digest[:16] == ident.astype("<u4").tobytes()
            key, upper = [int(x) for x in ident[:2]], [int(x) for x in ident[2:]]
            words = [reference.philox([i // 4 % 2**32, i // 4 >> 32, *upper], key)[i % 4] for i in FAR_ELEMENTS]
            yield " | ".join([purpose or "-", str(seed), json.dumps(name), _hex(ident), _hex(words)])


def _maps() -> Iterator[str]:
    for fill, dtype in MAPS:
        words = np.array(chosen_words(fill), np.uint32)
        for word, value in zip(words, reference.values(words, fill, dtype).view(np.uint32), strict=True):
            yield f"{text_of(fill)} | {dtype} | {word:08x} | {value:08x}"


def _bounds() -> Iterator[str]:
    points = [0.0, 2.0**-60, 1e-9, 0.1, 0.5, 1.0, 1.9999999999999998, 2.0, 2.5, 3.0, 5.0, 8.0, 13.0, 25.0, 36.9, 37.0]
    for x in points:
        yield f"tail | {_double(x)} | {_double(phi.tail(x))}"
        yield f"centre | {_double(x)} | {_double(phi.centre(x))}"
        yield f"exp | {_double(-x * x / 2)} | {_double(phi.exp(-x * x / 2))}"
    for y in np.random.default_rng(700).uniform(-700.0, 0.0, 40).tolist():
        yield f"exp | {_double(y)} | {_double(phi.exp(y))}"


def _functions() -> Iterator[str]:
    inputs = np.array(singles(), np.uint32).view(np.float32)
    for name in ("exp", "log", "expm1", "cos", "sine"):
        with np.errstate(all="ignore"):
            made = functions_reference.OPERATIONS[name](inputs)
        for x, y in zip(inputs.view(np.uint32), reference_fills.rendered(made, "F32"), strict=True):
            yield f"{name} | {x:08x} | {y:08x}"


def _renderings() -> Iterator[str]:
    inputs = np.array(singles(), np.uint32)
    made = [reference_fills.rendered(inputs.view(np.float32), dtype) for dtype in COLUMNS]
    for row in zip(inputs, *made, strict=True):
        yield " | ".join(f"{value:0{2 * size}x}" for value, size in zip(row, (4, *_sizes()), strict=True))


def _sizes() -> list[int]:
    return [ITEM_SIZE[dtype] for dtype in COLUMNS]


def _constants() -> Iterator[str]:
    for value in CONSTANTS:
        yield " | ".join([_double(value), *(encode(value, dtype)[::-1].hex() for dtype in COLUMNS)])


def _tensors() -> Iterator[str]:
    for seed, name, dtype, shape, fill in TENSORS:
        data = reference_fills.tensor(fill, seed, name, shape, dtype, LITERALS)
        yield f"{tensor_of(seed, name, dtype, shape, fill)} | {data.hex()}"


def _digests() -> Iterator[str]:
    for seed, name, dtype, shape, fill in BIG:
        out = np.empty(int(np.prod(shape)) * ITEM_SIZE[dtype], np.uint8)
        prepare(fill, seed, name, shape, dtype, LITERALS).draw(0, out)
        yield f"{tensor_of(seed, name, dtype, shape, fill)} | {hashlib.sha256(out).hexdigest()}"


def refusals() -> Iterator[str]:
    """The lines of refusals.txt."""
    for dtype, shape, fill in REFUSED:
        yield f"{dtype} | {'x'.join(map(str, shape))} | {text_of(fill)}"


def tensor_of(seed: int, name: str, dtype: str, shape: Iterable[int], fill: fills.Fill) -> str:
    """The columns that say what a tensor is."""
    extents = "x".join(map(str, shape)) or "-"
    return f"{seed} | {json.dumps(name)} | {dtype} | {extents} | {text_of(fill)}"


def _hex(words: Iterable[int]) -> str:
    return " ".join(f"{int(word):08x}" for word in words)


def _double(value: float) -> str:
    return struct.pack(">d", value).hex()


SPEC = "seed (decimal) | tensor name (JSON string) | dtype | shape (- for a scalar) | fill"
FILES = {
    "identity.txt": (
        _identity,
        "Identities, and words of far elements. Origin: Python's hashlib, and Philox in Python integers.\n"
        "Columns: purpose (- or choice) | seed (decimal) | tensor name (JSON string) | k0 k1 c2 c3 | words of elements "
        + " ".join(map(str, FAR_ELEMENTS)),
    ),
    "maps.txt": (
        _maps,
        "Canonical f32 values of the maps, after the bounds of the dtype. Origin: NumPy's binary32 arithmetic.\n"
        "Columns: fill | dtype | word | f32 value",
    ),
    "bounds.txt": (
        _bounds,
        "tail, centre and exp of section 5 in f64. Origin: Python's floats.\nColumns: function | argument | result",
    ),
    "functions.txt": (
        _functions,
        "The pointwise exp, log, expm1, cos and sine. Origin: Python's floats, rounded once.\n"
        "Columns: function | f32 | f32",
    ),
    "renderings.txt": (
        _renderings,
        "Canonical f32 values in every dtype. Origin: NumPy and ml_dtypes.\nColumns: f32 | " + " | ".join(COLUMNS),
    ),
    "constants.txt": (
        _constants,
        "f64 constants in every dtype. Origin: exact integer arithmetic in Python.\nColumns: f64 | "
        + " | ".join(COLUMNS),
    ),
    "tensors.txt": (
        _tensors,
        "All bytes of small tensors, in the order in which they are written. Origin: the text, worked off in NumPy.\n"
        "Literals and stored tensors: "
        + "; ".join(f"{digest} is the bytes {data.hex()}" for digest, data in LITERALS.items())
        + f".\nColumns: {SPEC} | bytes",
    ),
    "refusals.txt": (
        refusals,
        "Fills that must be refused; literals and stored tensors are those of tensors.txt. Origin: the text.\n"
        "Columns: dtype | shape | fill",
    ),
    "digests.txt": (
        _digests,
        "SHA-256 of all bytes of large tensors. Origin: Initium's CPU backend, equal to the reference elsewhere.\n"
        f"Columns: {SPEC} | SHA-256",
    ),
}


def main(directory: Path) -> None:
    """Writes all files but the published Philox answers."""
    for name, (make, header) in FILES.items():
        comment = "".join(f"# {line}\n" for line in ["Vectors of the law stream-v1.", *header.splitlines()])
        (directory / name).write_text(comment + "".join(f"{line}\n" for line in make()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
