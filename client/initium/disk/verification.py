"""Is what lies on the disk what the manifest says, and what the plan gives?"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from initium.contract.leaves import LEAF, Leaf, file_digest, leaf_digest
from initium.contract.plans import elements, locate
from initium.contract.stores import Directories
from initium.disk.header import first_difference
from initium.disk.manifest import Manifest
from initium.errors import VerifyError, Violation
from initium.plan import open_plan
from initium.v1.manifest_pb2 import FileDigest
from initium.v1.plan_pb2 import Plan

Progress = Callable[[int, int], None]
"""Called with the bytes that are done and all bytes."""


def verify(directory: Path | str, progress: Progress | None = None) -> Manifest:
    """Checks every file of a checkpoint against its manifest: presence, size and digest, and the plan's own digests.

    Returns the manifest. Errors: ManifestError; VerifyError with one violation for each file that differs.
    """
    path = Path(directory)
    manifest = Manifest.load(path)
    report = _Report(sum(file.size for file in manifest.proto.files), progress)
    violations = []
    for index, file in enumerate(manifest.proto.files):
        difference = _check_file(path / file.name, file, report)
        if difference:
            hint = first_difference(path / file.name, manifest.plan, index)
            violations.append(Violation(file.name, f"{difference}{hint}"))
    if violations:
        raise VerifyError(f"{path} differs from its manifest", violations=violations)
    return manifest


class LeafSource(Protocol):
    """What has the leaves of plans: an `initium.Client`."""

    def leaves(self, plan: Plan, /) -> Iterator[Leaf]:
        """The files of a checkpoint in order, in checked pieces of an aligned 1 MiB."""


def redraw(
    directory: Path | str,
    client: LeafSource | None = None,
    progress: Progress | None = None,
    *,
    device: str = "cpu",
    threads: int | None = None,
    stores: Directories | None = None,
) -> Manifest:
    """Draws a checkpoint again from its plan and compares every byte, and the manifest's digests.

    Without a `client` it is drawn in this process, by `threads` threads (all cores) on `device`, with the
    stored tensors of `stores`, as `open_plan` has it.
    Returns the manifest. Errors: ManifestError; those of the client or `open_plan`; VerifyError with the first byte
    that differs: its file, offset, tensor and element.
    """
    path = Path(directory)
    manifest = Manifest.load(path)
    report = _Report(sum(file.size for file in manifest.plan.files), progress)
    _check_sizes(path, manifest.plan)
    leaves = _drawn(manifest.plan, device, threads, stores) if client is None else client.leaves(manifest.plan)
    digests: list[list[bytes]] = [[] for _ in manifest.plan.files]
    with _Files(path, manifest.plan) as files:
        for leaf in leaves:
            _compare(files, manifest.plan, leaf)
            digests[leaf.file].append(leaf.digest)
            report.add(len(leaf.data))
    _check_digests(path, manifest, digests)
    return manifest


def _drawn(plan: Plan, device: str, threads: int | None, stores: Directories | None) -> Iterator[Leaf]:
    count = threads or len(os.sched_getaffinity(0))
    return open_plan(plan, device=device, threads=count, stores=stores).leaves(count)


def _check_digests(path: Path, manifest: Manifest, leaves: list[list[bytes]]) -> None:
    """The files are right here; the manifest has to say so."""
    for file, own in zip(manifest.proto.files, leaves, strict=True):
        found = file_digest(file.size, own)
        if found != file.digest:
            raise _differs(path, file.name, f"is right and has digest {found}, but the manifest says {file.digest}")


class _Report:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def _check_file(path: Path, file: FileDigest, report: _Report) -> str:
    """What is wrong with a file; empty if nothing is."""
    try:
        size = path.stat().st_size
        if size != file.size:
            return f"has {size} bytes, the manifest says {file.size}"
        found = file_digest(size, _leaf_digests(path, report))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == file.digest else f"has digest {found}, the manifest says {file.digest}"


def _leaf_digests(path: Path, report: _Report) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while data := stream.read(LEAF):
            yield leaf_digest(data)
            report.add(len(data))


def _check_sizes(path: Path, plan: Plan) -> None:
    for file in plan.files:
        try:
            size = (path / file.name).stat().st_size
        except OSError as error:
            raise _differs(path, file.name, f"cannot be read: {error.strerror}") from None
        if size != file.size:
            raise _differs(path, file.name, f"has {size} bytes, the plan gives {file.size}")


class _Files:
    """The files of a checkpoint, one open at a time."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path = path
        self._plan = plan
        self._index = -1
        self._handle = -1

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def read(self, leaf: Leaf) -> bytes:
        """What the disk has in the place of `leaf`."""
        name = self._plan.files[leaf.file].name
        try:
            if leaf.file != self._index:
                self.__exit__()
                self._handle = os.open(self.path / name, os.O_RDONLY | os.O_CLOEXEC)
                self._index = leaf.file
            return os.pread(self._handle, len(leaf.data), leaf.offset)
        except OSError as error:
            raise _differs(self.path, name, f"cannot be read: {error.strerror}") from None


def _compare(files: _Files, plan: Plan, leaf: Leaf) -> None:
    found, wanted = files.read(leaf), bytes(leaf.data)
    if found == wanted:
        return
    # A file that is shorter differs where it ends.
    common = min(len(found), len(wanted))
    offset = leaf.offset + next((i for i in range(common) if found[i] != wanted[i]), common)
    raise _differs(files.path, plan.files[leaf.file].name, describe_place(plan, leaf.file, offset))


def describe_place(plan: Plan, file: int, offset: int) -> str:
    """Where a byte of a file is, in words."""
    tensor = locate(plan, file, offset)
    if tensor is None:
        return f"differs first at byte {offset}, outside of all tensors (in the header, index or a small file)"
    element = (offset - tensor.offset) // (tensor.size // elements(tensor))
    index = _unravel(element, tensor.shape)
    return f"differs first at byte {offset}: tensor {tensor.name}, element {element} (index {index})"


def _unravel(element: int, shape: Iterable[int]) -> list[int]:
    index: list[int] = []
    for extent in reversed(list(shape)):
        element, place = divmod(element, extent)
        index.insert(0, place)
    return index


def _differs(path: Path, name: str, message: str) -> VerifyError:
    return VerifyError(f"{path} differs from its plan", violations=[Violation(name, message)])
