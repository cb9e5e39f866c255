"""A directory that is on its way to hold a checkpoint.

While a checkpoint arrives, each file is `NAME.partial`, and the sidecar `initium.partial` holds the plan's digest and
the digest of every leaf that was written. A later run hashes the partial files against the sidecar and goes on behind
the longest valid prefix, whatever ended the run before. Final names appear only when everything is there.

The sidecar is one line of JSON, then little-endian records: file (uint32), leaf (uint64), digest (32 bytes).
Records are appended in the order in which leaves were written; a torn last one is ignored.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import struct
from pathlib import Path
from typing import Any

from initium.contract.leaves import LEAF, Place, leaf_count, leaf_digest
from initium.contract.plans import MANIFEST, check_files, total_bytes
from initium.errors import OutputError
from initium.files import PARTIAL, output_errors, replace_file
from initium.v1.plan_pb2 import Plan

SIDECAR = "initium.partial"
RECORD = struct.Struct("<IQ32s")
_BLOCK = 512  # unit of st_blocks, whatever the file system's own
_HARMLESS = frozenset(("lost+found",))  # every fresh volume has one


class PartialDirectory:
    """The claim of one run on one directory. Close it; `with` does."""

    def __init__(self, path: Path, plan: Plan, force: bool) -> None:
        """Creates or claims `path`.

        Errors: PlanError for unsafe file names; OutputError if the directory holds something else (unless `force`),
        if another run writes there, or if it cannot be written.
        """
        check_files(plan)
        self.path = path
        self.plan = plan
        self.digests = [bytearray(32 * leaf_count(file.size)) for file in plan.files]
        """Per file, the digests of its leaves; zeros where a leaf is missing."""
        self._made = not path.exists()
        with output_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        self._sidecar = self._open_sidecar(force)
        try:
            self._claim(force)
            self._used = bool(self._records()) or any(map(os.path.lexists, self._partials()))
        except BaseException:
            os.close(self._sidecar)
            raise

    def __enter__(self) -> PartialDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Gives up the claim. What was written stays for the next run; where nothing was, no trace stays."""
        if not self._used:
            self._vanish()
        os.close(self._sidecar)

    def partial(self, file: int) -> Path:
        """Where file number `file` is while it arrives."""
        return self.path / (self.plan.files[file].name + PARTIAL)

    def final(self, file: int) -> Path:
        """Where file number `file` is in the end."""
        return self.path / self.plan.files[file].name

    def record(self, file: int, leaf: int, digest: bytes) -> None:
        """Notes that a leaf is written. Threads may call this for different leaves."""
        self._used = True
        self.digests[file][32 * leaf : 32 * leaf + 32] = digest
        with output_errors(self.path / SIDECAR):
            os.write(self._sidecar, RECORD.pack(file, leaf, digest))

    def leaves(self, file: int) -> list[bytes]:
        """The digests of the leaves of one file."""
        digests = self.digests[file]
        return [bytes(digests[at : at + 32]) for at in range(0, len(digests), 32)]

    def valid_prefix(self) -> Place:
        """The place behind the last leaf that is written and right, counted from the start without a gap."""
        known = self._records()
        for file, planned in enumerate(self.plan.files):
            valid = self._valid_leaves(file, known) if known else 0
            if valid < leaf_count(planned.size):
                return file, valid * LEAF
        return len(self.plan.files), 0

    def check_space(self, start: Place) -> None:
        """OutputError if the rest of the files does not fit on the disk."""
        needed = total_bytes(self.plan) - sum(self._present(file, start) for file in range(len(self.plan.files)))
        stat = os.statvfs(self.path)
        free = stat.f_bavail * stat.f_frsize
        if needed > free:
            raise OutputError(
                f"{self.path}: {needed} bytes are needed, {free} are free; free some or choose another disk"
            )

    def _present(self, file: int, start: Place) -> int:
        """Bytes of a file that need no more space: those before `start`, and those an earlier run reserved."""
        valid = self.plan.files[file].size if file < start[0] else start[1] if file == start[0] else 0
        path = self.partial(file)
        reserved = path.lstat().st_blocks * _BLOCK if os.path.lexists(path) else 0
        return max(valid, min(reserved, self.plan.files[file].size))

    def commit(self, manifest: bytes) -> None:
        """Gives every file its final name, the manifest last. All partial files must be complete.

        Errors: OutputError.
        """
        with output_errors(self.path):
            stale = self._stale_files()
            (self.path / MANIFEST).unlink(missing_ok=True)
            for file in range(len(self.plan.files)):
                self.partial(file).replace(self.final(file))
            for path in stale:
                path.unlink(missing_ok=True)
            replace_file(self.path / MANIFEST, manifest)
            (self.path / SIDECAR).unlink()

    def _open_sidecar(self, force: bool) -> int:
        """Opens and locks the sidecar; creates it only in a directory that may be used."""
        path = self.path / SIDECAR
        if not path.exists() and not force:
            self._refuse_foreign(frozenset())
        with output_errors(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(handle).st_nlink:
                raise OSError("its owner has removed it before we had the lock")
        except OSError:
            os.close(handle)
            raise OutputError(
                f"{self.path}: another run is writing here; wait for it or choose another directory"
            ) from None
        return handle

    def _claim(self, force: bool) -> None:
        header = self._header()
        if header.get("plan_digest") == self.plan.plan_digest:
            if not force:
                self._refuse_foreign(self._own_names())
            return
        if not header and not force:
            self._refuse_foreign(frozenset((SIDECAR,)))
        if header and not force:
            raise OutputError(
                f"{self.path} holds an unfinished checkpoint of another plan ({header.get('plan_digest')}); "
                "choose another directory, or replace it with --force (force=True)"
            )
        self._start_over(header)

    def _partials(self) -> list[Path]:
        return [self.partial(file) for file in range(len(self.plan.files))]

    def _vanish(self) -> None:
        """Removes what this run made, so that a refused request does not claim the directory for its plan."""
        with contextlib.suppress(OSError):  # e.g. somebody else has put something there
            for path in (*self._partials(), self.path / SIDECAR):
                path.unlink(missing_ok=True)
            if self._made:
                self.path.rmdir()

    def _own_names(self) -> frozenset[str]:
        names = {file.name for file in self.plan.files}
        return frozenset(names | {name + PARTIAL for name in names} | {SIDECAR, MANIFEST + PARTIAL})

    def _refuse_foreign(self, own: frozenset[str]) -> None:
        foreign = sorted(set(os.listdir(self.path)) - own - _HARMLESS)
        if foreign:
            shown = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
            raise OutputError(f"{self.path} is not empty ({shown}); choose another, or replace it with --force")

    def _start_over(self, header: dict[str, Any]) -> None:
        """Drops the partial files of the checkpoint that was here and starts a sidecar of our own."""
        with output_errors(self.path):
            for name in header.get("files", ()):
                if name == Path(name).name:
                    (self.path / (name + PARTIAL)).unlink(missing_ok=True)
            os.ftruncate(self._sidecar, 0)
            names = [file.name for file in self.plan.files]
            line = json.dumps({"plan_digest": self.plan.plan_digest, "files": names}) + "\n"
            os.write(self._sidecar, line.encode())

    def _content(self) -> bytes:
        return os.pread(self._sidecar, os.fstat(self._sidecar).st_size, 0)

    def _header(self) -> dict[str, Any]:
        line, newline, _ = self._content().partition(b"\n")
        try:
            header = json.loads(line) if newline else {}
        except ValueError:
            return {}
        return header if isinstance(header, dict) else {}

    def _records(self) -> dict[tuple[int, int], bytes]:
        body = self._content().partition(b"\n")[2]
        whole = len(body) // RECORD.size * RECORD.size
        if whole < len(body):  # a torn record would shift all that follow
            os.ftruncate(self._sidecar, os.fstat(self._sidecar).st_size - (len(body) - whole))
        return {(file, leaf): digest for file, leaf, digest in RECORD.iter_unpack(body[:whole])}

    def _valid_leaves(self, file: int, known: dict[tuple[int, int], bytes]) -> int:
        """How many leaves from the start of a file are right. A finished file may already have its final name."""
        path = self.partial(file)
        if not path.exists() and self.final(file).is_file():
            self.final(file).replace(path)
        if not path.is_file() or path.is_symlink():
            return 0
        with output_errors(path), path.open("rb", buffering=0) as stream:
            return self._count_valid(file, stream.fileno(), known)

    def _count_valid(self, file: int, handle: int, known: dict[tuple[int, int], bytes]) -> int:
        for leaf in range(leaf_count(self.plan.files[file].size)):
            digest = known.get((file, leaf))
            size = min(LEAF, self.plan.files[file].size - leaf * LEAF)
            data = os.pread(handle, size, leaf * LEAF)
            if digest is None or len(data) < size or leaf_digest(data) != digest:
                return leaf
            self.digests[file][32 * leaf : 32 * leaf + 32] = digest
        return leaf_count(self.plan.files[file].size)

    def _stale_files(self) -> list[Path]:
        """Files of the checkpoint that is replaced and that the new one does not have, by its manifest."""
        try:
            old = json.loads((self.path / MANIFEST).read_bytes())
            listed = [(str(file["name"]), int(file["size"])) for file in old["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        kept = self._own_names()
        paths = [(self.path / name, size) for name, size in listed if name == Path(name).name and name not in kept]
        return [path for path, size in paths if path.is_file() and path.stat().st_size == size]
