"""Streams of leaves: drawn, hashed and framed by a pool of threads, a few leaves ahead of the wire, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import NamedTuple

from blake3 import blake3

from initium.digests import LEAF, file_root, leaf_digest
from initium.v1 import plan_pb2
from initium_server.core.checkpoint import Bytes, Checkpoint
from initium_server.rpc.framing import Framer


class Leaf(NamedTuple):
    """A piece to stream: `size` bytes of file number `file` from `offset`."""

    file: int
    offset: int
    size: int


class Framed(NamedTuple):
    """A leaf on its way: the message to send, the bytes in it, and their digest."""

    leaf: Leaf
    message: bytes
    data: Bytes
    digest: bytes


def leaves(file: int, begin: int, end: int) -> Iterator[Leaf]:
    """The pieces of [begin, end), cut at aligned leaves."""
    while begin < end:
        stop = min(end, begin - begin % LEAF + LEAF)
        yield Leaf(file, begin, stop - begin)
        begin = stop


@dataclass(frozen=True, slots=True)
class _Later:
    """A leaf that is made when it is asked for."""

    result: Callable[[], Framed]

    def cancel(self) -> None:
        """Nothing runs yet."""


class Streamer:
    """Draws leaves with `threads` threads that all streams of a server share.

    Memory: a stream holds at most `2 * threads` leaves. `digest` exists so that a benchmark can switch hashing off.
    """

    def __init__(self, threads: int, digest: Callable[[memoryview], bytes] = leaf_digest) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
        self._ahead = 2 * threads
        self._digest = digest

    def stream(self, checkpoint: Checkpoint, pieces: Iterable[Leaf], framer: Framer) -> Iterator[Framed]:
        """The pieces in order. Closing the iterator drops what was drawn ahead."""
        made = (self._start(checkpoint, leaf, framer) for leaf in pieces)
        pending = deque(islice(made, self._ahead))
        try:
            while pending:
                framed = pending.popleft().result()
                pending.extend(islice(made, 1))
                yield framed
        finally:
            for future in pending:
                future.cancel()

    def _start(self, checkpoint: Checkpoint, leaf: Leaf, framer: Framer) -> Future[Framed] | _Later:
        """Has the pool make a leaf; a cheap one is left to the streaming thread, since handing it over costs more."""
        if checkpoint.is_cheap(leaf.file, leaf.offset, leaf.size):
            return _Later(partial(self._make, checkpoint, leaf, framer))
        return self._pool.submit(self._make, checkpoint, leaf, framer)

    def _make(self, checkpoint: Checkpoint, leaf: Leaf, framer: Framer) -> Framed:
        frame = framer(leaf.file, leaf.offset, leaf.size)
        checkpoint.read_into(leaf.file, leaf.offset, frame.data)
        digest = self._digest(frame.data.data)
        return Framed(leaf, frame.seal(digest), frame.data, digest)

    def close(self) -> None:
        """Waits for the leaves being drawn; drops the others."""
        self._pool.shutdown(cancel_futures=True)


class FileDigests:
    """Digests of the files that a stream carries from first byte to last."""

    def __init__(self, checkpoint: Checkpoint, start: Leaf) -> None:
        self._files = checkpoint.files
        whole = range(start.file + (start.offset > 0), len(self._files))
        self._roots = {i: file_root(self._files[i].size) for i in whole}

    def add(self, framed: Framed) -> None:
        """Takes the next leaf of the stream."""
        if root := self._roots.get(framed.leaf.file):
            root.update(framed.digest)

    def result(self) -> list[tuple[str, int, str]]:
        """(name, size, digest) of every whole file."""
        return [(self._files[i].name, self._files[i].size, root.hexdigest()) for i, root in self._roots.items()]


class TensorDigests:
    """Digests of the tensors that a stream carries whole."""

    def __init__(self, plan: plan_pb2.Plan) -> None:
        self._tensors = sorted(plan.tensors, key=lambda tensor: (tensor.file, tensor.offset, tensor.size))
        self._next = 0
        self._hasher, self._seen = blake3(), 0
        self._done: list[tuple[str, str]] = []

    def add(self, framed: Framed) -> None:
        """Takes the next leaf of the stream."""
        leaf = framed.leaf
        begin, end = leaf.offset, leaf.offset + leaf.size
        while self._next < len(self._tensors):
            tensor = self._tensors[self._next]
            first, last = tensor.offset, tensor.offset + tensor.size
            if (tensor.file, first) >= (leaf.file, end):
                return
            if (tensor.file, last) > (leaf.file, begin):
                part = framed.data[max(first - begin, 0) : last - begin]
                self._hasher.update(part.data)
                self._seen += len(part)
            if (tensor.file, last) > (leaf.file, end):
                return
            self._finish(tensor)

    def _finish(self, tensor: plan_pb2.PlannedTensor) -> None:
        if self._seen == tensor.size:
            self._done.append((tensor.name, self._hasher.hexdigest()))
        self._next += 1
        self._hasher, self._seen = blake3(), 0

    def result(self) -> list[tuple[str, str]]:
        """(name, digest) of every tensor streamed whole."""
        for tensor in self._tensors[self._next :]:
            if tensor.size == 0:
                self._finish(tensor)
        return self._done
