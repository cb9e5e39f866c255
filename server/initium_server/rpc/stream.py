"""Streams of leaves: drawn, hashed and framed by a pool of threads, a few leaves ahead of the wire, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from blake3 import blake3

from initium.contract.leaves import Place, Span, file_root, leaf_digest
from initium.plan.ahead import in_order
from initium.plan.checkpoint import Checkpoint
from initium.v1 import plan_pb2, service_pb2
from initium_law.dtypes import Bytes
from initium_server.rpc.framing import Framer


class Framed(NamedTuple):
    """A leaf on its way: the message to send, the bytes in it, and their digest."""

    span: Span
    message: bytes
    data: Bytes
    digest: bytes


class Streamer:
    """Draws leaves with `threads` threads that all streams of a server share.

    Memory: a stream holds at most `2 * threads` leaves. `digest` exists so that a benchmark can switch hashing off.
    """

    def __init__(self, threads: int, digest: Callable[[memoryview], bytes] = leaf_digest) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
        self._ahead = 2 * threads
        self._digest = digest

    def stream(self, checkpoint: Checkpoint, pieces: Iterable[Span], framer: Framer) -> Iterator[Framed]:
        """The pieces in order. Closing the iterator drops what was drawn ahead."""
        return in_order((self._start(checkpoint, span, framer) for span in pieces), self._ahead)

    def _start(self, checkpoint: Checkpoint, span: Span, framer: Framer) -> Future[Framed]:
        """Has the pool make a leaf; a cheap one is made at once, since handing it over costs more."""
        if not checkpoint.is_cheap(*span):
            return self._pool.submit(self._make, checkpoint, span, framer)
        made: Future[Framed] = Future()
        made.set_result(self._make(checkpoint, span, framer))
        return made

    def _make(self, checkpoint: Checkpoint, span: Span, framer: Framer) -> Framed:
        frame = framer(*span)
        checkpoint.read_into(span.file, span.offset, frame.data)
        digest = self._digest(frame.data.data)
        return Framed(span, frame.seal(digest), frame.data, digest)

    def close(self) -> None:
        """Waits for the leaves being drawn; drops the others."""
        self._pool.shutdown(cancel_futures=True)


class FileDigests:
    """Digests of the files that a stream carries from first byte to last."""

    def __init__(self, checkpoint: Checkpoint, start: Place) -> None:
        self._files = checkpoint.files
        whole = range(start[0] + (start[1] > 0), len(self._files))
        self._roots = {i: file_root(self._files[i].size) for i in whole}

    def add(self, framed: Framed) -> None:
        """Takes the next leaf of the stream."""
        if root := self._roots.get(framed.span.file):
            root.update(framed.digest)

    def result(self) -> Iterator[service_pb2.StreamedFile]:
        """Every whole file."""
        for i, root in self._roots.items():
            yield service_pb2.StreamedFile(file=i, digest=root.digest())


BATCH = 1000
"""Digests of tensors that are sent together."""


class TensorDigests:
    """Digests of the tensors that a stream carries whole."""

    def __init__(self, plan: plan_pb2.Plan) -> None:
        places = ((t.file, t.offset, t.offset + t.size, i) for i, t in enumerate(plan.tensors))
        self._places = sorted(places)
        self._next = 0
        self._hasher, self._seen = blake3(), 0
        self._done: list[service_pb2.StreamedTensor] = []

    def add(self, framed: Framed) -> None:
        """Takes the next leaf of the stream."""
        span = framed.span
        begin, end = span.offset, span.offset + span.size
        while self._next < len(self._places):
            file, first, last, _ = self._places[self._next]
            if (file, first) >= (span.file, end):
                return
            if (file, last) > (span.file, begin):
                part = framed.data[max(first - begin, 0) : last - begin]
                self._hasher.update(part.data)
                self._seen += len(part)
            if (file, last) > (span.file, end):
                return
            self._finish()

    def _finish(self) -> None:
        _, first, last, index = self._places[self._next]
        if self._seen == last - first:
            self._done.append(service_pb2.StreamedTensor(tensor=index, digest=self._hasher.digest()))
        self._next += 1
        self._hasher, self._seen = blake3(), 0

    def finish(self) -> None:
        """Ends the stream: what is left are tensors without elements, and those that did not come whole."""
        while self._next < len(self._places):
            self._finish()

    def batches(self, least: int = BATCH) -> Iterator[service_pb2.StreamedTensors]:
        """The tensors that have come whole since the last batch, once there are so many."""
        while len(self._done) >= least:
            yield service_pb2.StreamedTensors(tensors=self._done[:BATCH])
            del self._done[:BATCH]
