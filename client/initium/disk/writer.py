"""Leaves to files, in parallel with the network.

The thread that reads the stream only parses frames; workers hash and write, both without the GIL. A bounded number of
leaves is in flight, so memory is flat and a slow disk slows the server down through flow control. The kernel is left
to bring files to the disk in its own time, as with every checkpoint writer; the manifest's digests show what a power
cut has spoiled.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from initium.contract.leaves import LEAF, Leaf, leaf_digest
from initium.disk.partial import PartialDirectory
from initium.errors import OutputError
from initium.files import reserve

IN_FLIGHT = 16
"""Leaves between the stream and the disk."""
WORKERS = 2
"""Threads that hash and write; one core of hashing is faster than one stream."""

FetchAgain = Callable[[Leaf], Leaf]


class Writer:
    """Writes leaves into the partial files of a directory. Use as a context: it ends its threads.

    The first error of a worker is raised by the next `put` or by `finish`: OutputError, IntegrityError or another
    InitiumError of `fetch_again`, which is asked for leaves whose bytes do not have their digest.
    """

    def __init__(self, directory: PartialDirectory, fetch_again: FetchAgain) -> None:
        self._directory = directory
        self._fetch_again = fetch_again
        self._queue: SimpleQueue[Leaf | None] = SimpleQueue()
        self._slots = threading.BoundedSemaphore(IN_FLIGHT)
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._files = [_File(directory, index) for index in range(len(directory.plan.files))]
        self._workers = [_start(self._work) for _ in range(WORKERS)]

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._error = self._error or RuntimeError("abandoned")
        self._join()
        for file in self._files:
            file.close()

    def put(self, leaf: Leaf) -> None:
        """Hands over a leaf; waits while too many are in flight."""
        self._slots.acquire()
        if self._error is not None:
            self._slots.release()
            raise self._error
        self._queue.put(leaf)

    def finish(self) -> None:
        """Waits until every leaf is written."""
        self._join()
        if self._error is not None:
            raise self._error
        for file in self._files:
            file.complete()

    def _join(self) -> None:
        for _ in self._workers:
            self._queue.put(None)
        for thread in self._workers:
            thread.join()
        self._workers = []

    def _work(self) -> None:
        while (leaf := self._queue.get()) is not None:
            try:
                if self._error is None:
                    self._store(leaf)
            except BaseException as error:
                self._error = self._error or error
            finally:
                del leaf  # frees the message before the slot
                self._slots.release()

    def _store(self, leaf: Leaf) -> None:
        if leaf_digest(leaf.data) != leaf.digest:
            leaf = self._fetch_again(leaf)
        file = self._files[leaf.file]
        with self._lock:
            handle = file.open()
        file.write(handle, leaf.data, leaf.offset)
        with self._lock:
            self._directory.record(leaf.file, leaf.offset // LEAF, leaf.digest)


def _start(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="initium-writer", daemon=True)
    thread.start()
    return thread


class _File:
    """One partial file: opened with its first leaf."""

    def __init__(self, directory: PartialDirectory, index: int) -> None:
        self.path = directory.partial(index)
        self.size = directory.plan.files[index].size
        self._handle: int | None = None

    def open(self) -> int:
        if self._handle is None:
            try:
                self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
                reserve(self._handle, self.size)
            except OSError as error:
                raise self._failure(error, self.size) from None
        return self._handle

    def write(self, handle: int, data: memoryview, offset: int) -> None:
        try:
            while len(data):
                count = os.pwrite(handle, data, offset)
                data, offset = data[count:], offset + count
        except OSError as error:
            raise self._failure(error, self.size - offset) from None

    def complete(self) -> None:
        """Cuts what an older run may have left behind the end, and closes the file."""
        try:
            os.ftruncate(self.open(), self.size)
        except OSError as error:
            raise self._failure(error, self.size) from None
        self.close()

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _failure(self, error: OSError, needed: int) -> OutputError:
        stat = os.statvfs(self.path.parent)
        free = stat.f_bavail * stat.f_frsize
        return OutputError(
            f"cannot write {self.path}: {error.strerror} ({needed} bytes of it are missing, {free} are free); "
            "what was written stays: run again to go on"
        )
