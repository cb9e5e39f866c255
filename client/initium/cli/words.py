"""Fills, shapes and options in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf import json_format

from initium.v1.plan_pb2 import Fill, Part


def shape(extents: Iterable[int]) -> str:
    """`64x3x7x7`; `scalar` without extents."""
    return "x".join(map(str, extents)) or "scalar"


def number(text: str) -> str:
    """A float of a plan as a short decimal; exact values stay in the plan."""
    try:
        return f"{float.fromhex(text):.6g}"
    except (ValueError, OverflowError):
        return text


def fill(message: Fill) -> str:
    """A fill with its numbers, e.g. `normal(0, 0.02)`."""
    kind = message.WhichOneof("kind")
    return _WORDS[kind](getattr(message, kind)) if kind in _WORDS else (kind or "")


def options(message: Any) -> str:
    """The options of a group, e.g. `lr=0.1 weight_decay=0`."""
    return " ".join(f"{key}={json.dumps(value)}" for key, value in sorted(json_format.MessageToDict(message).items()))


def _parts(message: Any) -> str:
    return f"{fill(message.base)} but {', '.join(map(_part, message.parts))}"


def _part(part: Part) -> str:
    box = ",".join(f"{start}:{stop}" for start, stop in zip(part.start, part.stop, strict=False))
    return f"[{box}] {fill(part.fill)}"


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "constant": lambda f: f"constant({number(f.value)})",
    "uniform": lambda f: f"uniform({number(f.low)}, {number(f.high)})",
    "normal": lambda f: f"normal({number(f.mean)}, {number(f.std)})",
    "trunc_normal": lambda f: f"trunc_normal({number(f.mean)}, {number(f.std)}, {number(f.a)}, {number(f.b)})",
    "literal": lambda f: f"literal({f.digest[:12]})",
    "eye": lambda _: "eye",
    "dirac": lambda f: f"dirac(groups={f.groups})",
    "arange": lambda f: f"arange({number(f.start)}, step {number(f.step)}, axis {f.axis})",
    "linspace": lambda f: f"linspace({number(f.start)}, {number(f.end)}, axis {f.axis})",
    "pointwise": lambda f: f"{f.op}({', '.join(map(fill, f.operands))})",
    "orthogonal": lambda f: f"orthogonal(gain {number(f.gain)})",
    "sparse": lambda f: f"sparse({number(f.sparsity)}, std {number(f.std)})",
    "permutation": lambda _: "permutation",
    "norm_of": lambda f: f"norm_of({f.name}: {fill(f.fill)}, axis {f.axis})",
    "parts": _parts,
    "copy": lambda f: f"copy({f.name}: {fill(f.fill)})",
}
