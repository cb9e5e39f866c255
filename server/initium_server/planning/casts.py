"""The dtypes that a recipe names, and what its literals become in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from initium.contract.wording import suggestion
from initium_law.dtypes import DTYPES, FLOATS, encode, exact
from initium_law.grammar import Fill, with_literals

CONFIG_FILE = "config.json"


def unknown(dtype: str) -> str:
    """The text for a dtype that recipes may not name."""
    return f"unknown dtype {dtype!r}; {suggestion(dtype, FLOATS, 'dtypes')} (safetensors' names)"


def cast_fill(fill: Fill, source: str, target: str, literals: dict[str, bytes]) -> Fill:
    """`fill` for a tensor of dtype `target` that was built as `source`: only literals change, wherever they stand.

    What they become is added to `literals`.
    """
    if source == target:
        return fill
    return with_literals(fill, lambda digest: add_literal(_cast(literals[digest], source, target), literals))


def add_literal(data: bytes, literals: dict[str, bytes]) -> str:
    """Stores `data` under its digest, which is returned."""
    digest = hashlib.sha256(data).hexdigest()
    literals[digest] = data
    return digest


def _cast(data: bytes, source: str, target: str) -> bytes:
    """Rounds each value once, to nearest even; finite values beyond the target's range become its largest."""
    values: npt.NDArray[np.float64] = np.frombuffer(data, DTYPES[source].numpy).astype(np.float64)
    finite = np.isfinite(values)
    out = exact(np.where(finite, values, 0.0), target).view(f"<u{DTYPES[target].size}")
    for at in np.flatnonzero(~finite):
        out[at] = int.from_bytes(encode(float(values[at]), target), "little")
    return out.tobytes()


def cast_files(files: Mapping[str, bytes], dtype: str) -> Mapping[str, bytes]:
    """The small files for weights in `dtype`: libraries write a `config.json` that says float32."""
    if dtype == "F32" or CONFIG_FILE not in files:
        return files
    config = json.loads(files[CONFIG_FILE]) | {"dtype": DTYPES[dtype].torch}
    return {**files, CONFIG_FILE: (json.dumps(config, indent=2, sort_keys=True) + "\n").encode()}
