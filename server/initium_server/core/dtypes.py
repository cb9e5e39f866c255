"""safetensors dtypes: sizes, file order, and casts of constants and literals."""

from __future__ import annotations

import hashlib

import ml_dtypes
import numpy as np
import numpy.typing as npt

from initium_server.core import fills
from initium_server.law import ITEM_SIZE
from initium_server.law.dtypes import encode
from initium_server.law.ranges import exact

FLOATS = ("F64", "F32", "BF16", "F16", "F8_E4M3", "F8_E5M2")
"""dtypes that recipes may name."""

FILE_ORDER = {name: place for place, name in enumerate(ITEM_SIZE)}
"""Place of a dtype in a safetensors file: widest alignment first, then as its Dtype enumeration has them."""

_NUMPY = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
}


def unknown(dtype: str) -> str:
    """The text for a dtype that recipes may not name."""
    return f"unknown dtype {dtype!r}; known are {', '.join(FLOATS)} (safetensors' names)"


def cast_fill(fill: fills.Fill, source: str, target: str, literals: dict[str, bytes]) -> fills.Fill:
    """`fill` for a tensor of dtype `target` that was built as `source`: only literals change, wherever they stand.

    What they become is added to `literals`.
    """
    if source == target:
        return fill

    def cast(digest: str) -> str:
        return add_literal(_cast(literals[digest], source, target), literals)

    return fills.with_literals(fill, cast)


def add_literal(data: bytes, literals: dict[str, bytes]) -> str:
    """Stores `data` under its digest, which is returned."""
    digest = hashlib.sha256(data).hexdigest()
    literals[digest] = data
    return digest


def _cast(data: bytes, source: str, target: str) -> bytes:
    """Rounds each value once, to nearest even; finite values beyond the target's range become its largest."""
    values: npt.NDArray[np.float64] = np.frombuffer(data, _NUMPY[source]).astype(np.float64)
    finite = np.isfinite(values)
    out = exact(np.where(finite, values, 0.0), target).view(f"<u{ITEM_SIZE[target]}")
    for at in np.flatnonzero(~finite):
        out[at] = int.from_bytes(encode(float(values[at]), target), "little")
    return out.tobytes()
