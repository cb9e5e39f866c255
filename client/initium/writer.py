"""Leaves to files, in parallel with the network.

The thread that reads the stream only parses frames; workers hash and write, both without the GIL; one more thread
pushes what was written to the disk, so that the last sync of a large file has little left to do. A bounded number of
leaves is in flight, so memory is flat and a slow disk slows the server down through flow control.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from initium.digests import LEAF, leaf_digest
from initium.errors import OutputError
from initium.framing import Leaf
from initium.partial import PartialDirectory

IN_FLIGHT = 16
"""Leaves between the stream and the disk."""
WORKERS = 2
"""Threads that hash and write; one core of hashing is faster than one stream."""
SYNC_EVERY = 64
"""Leaves of a file after which they are pushed to the disk."""

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
        self._syncs: SimpleQueue[_File | None] = SimpleQueue()
        self._workers = [_start(self._work) for _ in range(WORKERS)]
        self._syncer = _start(self._sync)

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
        """Waits until every leaf is on the disk."""
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
        self._syncs.put(None)
        self._syncer.join()

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

    def _sync(self) -> None:
        while (file := self._syncs.get()) is not None:
            try:
                if self._error is None:
                    file.sync()
            except BaseException as error:
                self._error = self._error or error

    def _store(self, leaf: Leaf) -> None:
        if leaf_digest(leaf.data) != leaf.digest:
            leaf = self._fetch_again(leaf)
        file = self._files[leaf.file]
        with self._lock:
            handle = file.open()
        file.write(handle, leaf.data, leaf.offset)
        with self._lock:
            self._directory.record(leaf.file, leaf.offset // LEAF, leaf.digest)
            file.missing -= 1
            if file.missing % SYNC_EVERY == 0:
                self._syncs.put(file)


def _start(target: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=target, name="initium-writer", daemon=True)
    thread.start()
    return thread


class _File:
    """One partial file: opened with its first leaf, synced with its last."""

    def __init__(self, directory: PartialDirectory, index: int) -> None:
        self.path = directory.partial(index)
        self.size = directory.plan.files[index].size
        digests = directory.digests[index]
        self.missing = sum(1 for at in range(0, len(digests), 32) if not any(digests[at : at + 32]))
        self._handle: int | None = None
        self._synced = False

    def open(self) -> int:
        if self._handle is None:
            try:
                self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
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

    def sync(self) -> None:
        """Waits until what was written is on the disk; closes the file if that is all of it."""
        if self.missing == 0:
            self.complete()
        elif self._handle is not None:
            try:
                os.fdatasync(self._handle)
            except OSError as error:
                raise self._failure(error, self.size) from None

    def complete(self) -> None:
        """Cuts what an older run may have left behind the end, and waits for the disk."""
        if self._synced:
            return
        handle = self.open()
        try:
            os.ftruncate(handle, self.size)
            os.fsync(handle)
        except OSError as error:
            raise self._failure(error, self.size) from None
        self._synced = True
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
