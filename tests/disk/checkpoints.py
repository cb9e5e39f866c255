"""A small checkpoint on the disk that is drawn in this process: no server is needed to write it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from initium.contract.canonical import seal
from initium.contract.leaves import file_digest
from initium.disk.manifest import Manifest
from initium.plan import open_plan
from initium.plan.fills import encode_fill
from initium.plan.layout import layout_of, write_layout
from initium.v1 import manifest_pb2
from initium.v1.plan_pb2 import Plan
from initium_law.grammar import Constant

TENSORS = [("wide", (3, 5), "F32"), ("wider", (300_000,), "F32"), ("bytes", (2, 3), "U8")]
"""Names, shapes and dtypes in file order; with them the file has a second leaf."""

READ_HERE: dict[str, Any] = {"manifest_version": 1, "leaf_bytes": 1 << 20, "digest_function": "BLAKE3"}
"""What every manifest says."""


def drawn_plan() -> Plan:
    plan = Plan(plan_version=1, generator="stream-v1", seed=5)
    for ordinal, (name, shape, dtype) in enumerate(TENSORS):
        fill = encode_fill(Constant(float(ordinal + 1)))
        plan.tensors.add(name=name, shape=shape, dtype=dtype, fill=fill, kind=1, ordinal=ordinal)
    write_layout(plan, layout_of(plan), {"config.json": b'{"a": 1}'})
    return seal(plan)


def write_checkpoint(directory: Path) -> Manifest:
    """The files of `drawn_plan` and their manifest."""
    plan = drawn_plan()
    digests: dict[int, list[bytes]] = defaultdict(list)
    data: dict[int, bytearray] = defaultdict(bytearray)
    for leaf in open_plan(plan).leaves(1):
        data[leaf.file] += leaf.data
        digests[leaf.file].append(leaf.digest)
    files = []
    for index, file in enumerate(plan.files):
        (directory / file.name).write_bytes(data[index])
        files.append(
            manifest_pb2.FileDigest(name=file.name, size=file.size, digest=file_digest(file.size, digests[index]))
        )
    manifest = Manifest(manifest_pb2.Manifest(**READ_HERE, plan=plan, files=files, server_version="none"))
    manifest.save(directory)
    return manifest
