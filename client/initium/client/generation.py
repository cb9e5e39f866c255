"""A checkpoint from a plan to a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from initium.client.stream import LeafStream
from initium.contract.leaves import DIGEST_FUNCTION, LEAF, Place, file_digest
from initium.contract.plans import total_bytes
from initium.disk.manifest import MANIFEST_VERSION, Manifest
from initium.disk.partial import PartialDirectory
from initium.disk.writer import Writer
from initium.errors import IntegrityError, ServerError
from initium.v1 import manifest_pb2
from initium.v1.plan_pb2 import Plan

if TYPE_CHECKING:
    from initium.client.rpc import Rpc

Progress = Callable[[int, int], None]
"""Called with the bytes that have arrived and all bytes, in the caller's thread."""


def generate(
    rpc: Rpc, plan: Plan, directory: Path, *, force: bool, progress: Progress | None, tensor_digests: bool
) -> Manifest:
    """Writes the checkpoint of `plan` (which carries its digest); goes on where an earlier run stopped.

    Errors: as `Client.generate`.
    """
    with PartialDirectory(directory, plan, force) as target:
        start = target.valid_prefix()
        target.check_space(start)
        stream = LeafStream(rpc, plan, start, tensor_digests)
        with Writer(target, stream.fetch_again) as writer:
            _receive(stream, writer, start, progress)
            writer.finish()
        files = _digests(target)
        _check_trailer(files, stream)
        manifest = _manifest(plan, files, stream)
        target.commit(manifest.to_bytes())
    return manifest


def _receive(stream: LeafStream, writer: Writer, start: Place, progress: Progress | None) -> None:
    total = total_bytes(stream.plan)
    done = sum(file.size for file in stream.plan.files[: start[0]]) + start[1]
    if progress is not None and done:
        progress(done, total)
    for leaf in stream:
        writer.put(leaf)
        done += len(leaf.data)
        if progress is not None:
            progress(done, total)


def _digests(target: PartialDirectory) -> list[manifest_pb2.FileDigest]:
    return [
        manifest_pb2.FileDigest(name=file.name, size=file.size, digest=file_digest(file.size, target.leaves(index)))
        for index, file in enumerate(target.plan.files)
    ]


def _check_trailer(files: list[manifest_pb2.FileDigest], stream: LeafStream) -> None:
    for stated in stream.trailer.files:
        if stated.file >= len(files):
            raise ServerError(f"the trailer names file {stated.file}; the plan has {len(files)}")
        own = files[stated.file]
        if own.digest != stated.digest.hex():
            raise IntegrityError(
                f"{own.name}: the leaves that arrived give digest {own.digest}, "
                f"the server states {stated.digest.hex()}; remove the directory and start again"
            )


def _manifest(plan: Plan, files: list[manifest_pb2.FileDigest], stream: LeafStream) -> Manifest:
    proto = manifest_pb2.Manifest(
        manifest_version=MANIFEST_VERSION,
        plan=plan,
        files=files,
        server_version=stream.server_version,
        leaf_bytes=LEAF,
        digest_function=DIGEST_FUNCTION,
    )
    return Manifest(proto, dict(_tensor_digests(stream)))


def _tensor_digests(stream: LeafStream) -> Iterator[tuple[str, str]]:
    tensors = stream.plan.tensors
    for index, digest in sorted(stream.tensor_digests.items()):
        if index >= len(tensors):
            raise ServerError(f"the server has a digest of tensor {index}; the plan has {len(tensors)}")
        yield tensors[index].name, digest.hex()
