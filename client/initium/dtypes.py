"""numpy types of safetensors' dtype names."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from initium.errors import Unsupported

_TYPES: dict[str, Any] = {
    "BOOL": np.bool_,
    "U8": np.uint8,
    "I8": np.int8,
    "U16": np.uint16,
    "I16": np.int16,
    "U32": np.uint32,
    "I32": np.int32,
    "U64": np.uint64,
    "I64": np.int64,
    "F16": np.float16,
    "F32": np.float32,
    "F64": np.float64,
    "C64": np.complex64,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
    "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu,
}


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The little-endian numpy dtype of a safetensors dtype name; ml_dtypes' for BF16 and F8. Errors: Unsupported."""
    if name not in _TYPES:
        raise Unsupported(f"numpy has no type for dtype {name}; read the file instead")
    dtype: np.dtype[Any] = np.dtype(_TYPES[name])
    return dtype
