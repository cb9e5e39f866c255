"""What a run leaves in a directory, written by hand as the format is documented."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from pathlib import Path

from initium.contract.leaves import LEAF, leaf_digest
from initium.v1.plan_pb2 import Plan
from tests.client.fake import make_plan

FILES = {"a.bin": bytes(range(256)) * (LEAF // 128) + b"tail", "empty": b"", "b.bin": b"b" * (LEAF + 1)}
"""Two leaves and four bytes, none, and a leaf and a byte."""
PLAN = make_plan(FILES)
PLACES = [(0, 0), (0, 1), (0, 2), (2, 0), (2, 1)]
SIDECAR = "initium.partial"


def piece(file: int, leaf: int) -> bytes:
    return list(FILES.values())[file][leaf * LEAF : (leaf + 1) * LEAF]


def record(file: int, leaf: int) -> bytes:
    """As the format is documented."""
    return struct.pack("<IQ32s", file, leaf, leaf_digest(piece(file, leaf)))


def header(plan: Plan = PLAN) -> bytes:
    return json.dumps({"plan_digest": plan.plan_digest, "files": [file.name for file in plan.files]}).encode() + b"\n"


def leave(out: Path, places: list[tuple[int, int]], sidecar: bytes | None = None) -> None:
    """What a run leaves that wrote these leaves."""
    out.mkdir()
    for file, leaf in places:
        path = out / f"{list(FILES)[file]}.partial"
        with path.open("r+b" if path.exists() else "w+b") as stream:
            stream.seek(leaf * LEAF)
            stream.write(piece(file, leaf))
    content = header() + b"".join(record(*place) for place in places) if sidecar is None else sidecar
    (out / SIDECAR).write_bytes(content)


def open_below(path: Path) -> list[str]:
    """The files below `path` that this process has open. gRPC opens and closes others at any time."""
    found = []
    for handle in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            found.append(os.readlink(f"/proc/self/fd/{handle}"))
    return [name for name in found if name.startswith(str(path))]
