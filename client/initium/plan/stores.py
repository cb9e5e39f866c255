"""Stores read: stored tensors of plans for the law, and the checkpoints in them for whoever makes plans.

Paths come from others, so they never lead out of a store, and what lies outside is not told from what is missing.
A file is kept open and read by `pread`; its bytes count as known as long as its identity stays. The digest of a tensor
is taken before its first byte is given away.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from initium.contract import stores as names
from initium.contract.wording import joined, suggestion
from initium.errors import PreconditionError
from initium.plan.headers import MAX_HEADER, HeaderTensor, read_header, read_object
from initium_law.dtypes import Bytes
from initium_law.engine import Reader
from initium_law.grammar import Stored

MAX_FILES = 128
"""Files that are kept open."""
MAX_SHARDS = 10_000
"""Files of one checkpoint."""
SUFFIX = ".safetensors"
WHOLE, INDEX = f"model{SUFFIX}", f"model{SUFFIX}.index.json"
_PIECE = 1 << 20


class SourceTensor(NamedTuple):
    """A tensor of a checkpoint in a store."""

    file: str
    """Path below the store."""
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Source:
    """A checkpoint in a store: a file, or a folder of them."""

    stores: Stores
    store: str
    tensors: Mapping[str, SourceTensor]
    """By name, in the order of their names."""

    def digest(self, name: str) -> str:
        """SHA-256 of a tensor's bytes, lower-case hex; all of them are read. Errors: PreconditionError."""
        return self.stores.digest(self.store, self.tensors[name].file, name)


class Changed(Exception):
    """A file is no longer what it was when it was opened."""


class _File:
    """An open file, its tensors, and what they were found to be. Closed when nobody has it any more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self.identity = _identity(descriptor)
        self._digests: dict[str, str] = {}
        self._turns: dict[str, threading.Lock] = {}

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""
        return self.identity.size

    def read(self, begin: int, count: int) -> bytes:
        """As `read_into`."""
        out = bytearray(count)
        self.read_into(begin, memoryview(out))
        return bytes(out)

    def read_into(self, begin: int, out: memoryview) -> None:
        """Fills `out` from byte `begin` on. Errors: Changed, also where another process writes at the same time."""
        while len(out):
            count = os.preadv(self._descriptor, [out], begin)
            if not count:
                raise Changed
            begin, out = begin + count, out[count:]
        if _identity(self._descriptor) != self.identity:
            raise Changed

    def digest(self, name: str, tensor: HeaderTensor) -> str:
        """SHA-256 of one of its tensors, which is read once. Errors: Changed."""
        with self._turns.setdefault(name, threading.Lock()):
            if name not in self._digests:
                made = hashlib.sha256()
                for begin in range(tensor.begin, tensor.begin + tensor.size, _PIECE):
                    made.update(self.read(begin, min(_PIECE, tensor.begin + tensor.size - begin)))
                self._digests[name] = made.hexdigest()
            return self._digests[name]


class _Weights(_File):
    """A safetensors file. Errors: ValueError where it is none; Changed."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.tensors = read_header(self.read, self.size)


class _Identity(NamedTuple):
    device: int
    inode: int
    size: int
    modified: int
    changed: int
    """Of these times the one that no program can set back."""


def _identity(descriptor: int) -> _Identity:
    found = os.fstat(descriptor)
    return _Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Stores:
    """Directories by name. Any number of threads may use them at once.

    Errors of its methods: PreconditionError, NOT_IN_STORE or STORE_MISMATCH.
    """

    def __init__(self, directories: names.Directories | None = None) -> None:
        """Errors: RequestError for a name that is none, or a directory that is not there."""
        self.directories: Mapping[str, str] = names.checked(directories or {})
        self._files: OrderedDict[tuple[str, str], _Weights] = OrderedDict()
        self._lock = threading.Lock()

    def reader(self, fill: Stored) -> Reader:
        """As the law's `Stores`: what is there now is opened, and compared with what the fill says of it."""
        _entry(fill, self._weights(fill.store, fill.file, fresh=True))
        return partial(self._read, fill)

    def source(self, text: str) -> Source:
        """The checkpoint that `STORE/path` names."""
        try:
            store, path = names.split(text)
        except ValueError as error:
            raise _missing(str(error)) from None
        if path.endswith(SUFFIX):
            return self._source(store, {path: None})
        folder = f"{path}/" if path else ""
        if self._has(store, folder + WHOLE):
            return self._source(store, {folder + WHOLE: None})
        return self._source(store, self._shards(store, folder))

    def digest(self, store: str, file: str, name: str) -> str:
        """SHA-256 of a tensor's bytes, lower-case hex."""
        for _ in range(2):
            weights = self._weights(store, file)
            try:
                return weights.digest(name, weights.tensors[name])
            except (Changed, KeyError):
                self._forget(store, file)
        raise _mismatch(f"{store}/{file} changes while it is read; try again when it is complete")

    def _source(self, store: str, files: Mapping[str, set[str] | None]) -> Source:
        """The tensors of these files: all, or those of these names."""
        found = {}
        for file, wanted in files.items():
            tensors = self._weights(store, file, fresh=True).tensors
            for name in tensors if wanted is None else wanted:
                if name not in tensors:
                    raise _missing(f"{store}/{file} has no tensor {name[:200]!r}, which its index has there")
                found[name] = SourceTensor(file, tensors[name].dtype, tensors[name].shape)
        return Source(self, store, dict(sorted(found.items())))

    def _shards(self, store: str, folder: str) -> dict[str, set[str] | None]:
        """The files of the index in a folder, each with the names of its tensors."""
        shown = f"{store}/{folder}{INDEX}"
        try:
            file = _File(self._open(store, folder + INDEX, f"{folder}{WHOLE} and no {folder}{INDEX}"))
            if file.size > MAX_HEADER:
                raise ValueError(f"it has {file.size:,} bytes; {MAX_HEADER:,} are the most")
            placed = read_object(file.read(0, file.size)).get("weight_map")
            if not isinstance(placed, dict):
                raise ValueError("it has no weight_map")
            shards: dict[str, set[str] | None] = {}
            for name, shard in placed.items():
                if not isinstance(shard, str) or not shard.endswith(SUFFIX) or "/" in shard or not names.is_path(shard):
                    raise ValueError(f"it places a tensor in {str(shard)[:200]!r}, which is no {SUFFIX} file beside it")
                held = shards.setdefault(folder + shard, set())
                assert held is not None
                held.add(name)
            if len(shards) > MAX_SHARDS:
                raise ValueError(f"it names {len(shards):,} files; {MAX_SHARDS:,} are the most")
        except ValueError as error:
            raise _missing(f"{shown} cannot be read: {error}") from None
        except Changed:
            raise _mismatch(f"{shown} changes while it is read; try again when it is complete") from None
        return shards

    def _read(self, fill: Stored, begin: int, out: Bytes) -> None:
        """Bytes of a source from `begin` on. Errors: PreconditionError unless its digest is the fill's."""
        for _ in range(2):
            weights = self._weights(fill.store, fill.file)
            tensor = _entry(fill, weights)
            try:
                found = weights.digest(fill.tensor, tensor)
                if found != fill.digest:
                    text = f"{_shown(fill)} has the SHA-256 {found}, and the plan was made from {fill.digest}"
                    raise _mismatch(f"{text}; resolve the recipe again, or bring back the file")
                weights.read_into(tensor.begin + begin, out.data)
                return
            except Changed:
                self._forget(fill.store, fill.file)
        raise _mismatch(f"{fill.store}/{fill.file} changes while it is read; try again when it is complete")

    def _weights(self, store: str, path: str, fresh: bool = False) -> _Weights:
        """The file at a path: one that is open, or, if `fresh`, only where it still lies there."""
        key = store, path
        with self._lock:
            kept = self._files.get(key)
            if kept is not None:
                self._files.move_to_end(key)
        if kept is not None and not fresh:
            return kept
        if not path.endswith(SUFFIX):
            raise _missing(f"{path[:200]!r} is no path of a {SUFFIX} file")
        descriptor = self._open(store, path)
        if kept is not None and kept.identity == _identity(descriptor):
            os.close(descriptor)
            return kept
        try:
            made = _Weights(descriptor)
        except ValueError as error:
            raise _missing(f"{store}/{path} is no safetensors file that can be read: {error}") from None
        except Changed:
            raise _mismatch(f"{store}/{path} changes while it is read; try again when it is complete") from None
        with self._lock:
            self._files[key] = made
            while len(self._files) > MAX_FILES:
                self._files.popitem(last=False)
        return made

    def _forget(self, store: str, path: str) -> None:
        with self._lock:
            self._files.pop((store, path), None)

    def _has(self, store: str, path: str) -> bool:
        try:
            os.close(self._open(store, path))
        except PreconditionError:
            if store in self.directories:
                return False
            raise
        return True

    def _open(self, store: str, path: str, shown: str = "") -> int:
        """A descriptor of a regular file; `shown`: what to say is missing."""
        root = self.directories.get(store)
        if root is None:
            hint = suggestion(store, self.directories, "stores")
            raise _missing(joined(f"there is no store {store!r} here", hint, "--store NAME=DIR adds one"))
        try:
            if not names.is_path(path):
                raise FileNotFoundError
            real = os.path.realpath(os.path.join(root, path), strict=True)
            return _opened(root, os.path.relpath(real, root).split("/"))
        except OSError:
            raise _missing(f"store {store!r} has no {shown or path!r}, or it cannot be read") from None


def _opened(root: str, parts: list[str]) -> int:
    """A descriptor of the regular file at a path without links. Errors: OSError for all else."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            if part == "..":
                raise FileNotFoundError
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = inner
        # Looked at first: to open a device can have effects, a FIFO can wait.
        if not stat.S_ISREG(os.stat(parts[-1], dir_fd=directory, follow_symlinks=False).st_mode):
            raise FileNotFoundError
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(parts[-1], flags, dir_fd=directory)
    finally:
        os.close(directory)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise FileNotFoundError


def _entry(fill: Stored, weights: _Weights) -> HeaderTensor:
    """The fill's source in a file. Errors: PreconditionError where it is missing, or not as the fill says."""
    tensor = weights.tensors.get(fill.tensor)
    if tensor is None:
        hint = suggestion(fill.tensor, weights.tensors, "its tensors")
        raise _missing(joined(f"{fill.store}/{fill.file} has no tensor {fill.tensor!r}", hint))
    if (tensor.dtype, tensor.shape) != (fill.dtype, fill.shape):
        text = (
            f"{_shown(fill)} is {tensor.dtype} {list(tensor.shape)}, and the plan has {fill.dtype} {list(fill.shape)}"
        )
        raise _mismatch(f"{text}; resolve the recipe again, or bring back the file")
    return tensor


def _shown(fill: Stored) -> str:
    return f"{fill.tensor} of {fill.store}/{fill.file}"


def _missing(text: str) -> PreconditionError:
    return PreconditionError(text, "NOT_IN_STORE")


def _mismatch(text: str) -> PreconditionError:
    return PreconditionError(text, "STORE_MISMATCH")
