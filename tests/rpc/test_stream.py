"""Streams of leaves: in order, a few ahead, cheap ones where they are asked for; digests of what came whole."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from initium.contract.leaves import LEAF, Span, all_spans, file_digest, leaf_digest
from initium.plan.checkpoint import Checkpoint
from initium.v1.plan_pb2 import Plan, PlannedFile
from initium.v1.service_pb2 import GenerateResponse, StreamedTensor
from initium_law.dtypes import Bytes
from initium_server.rpc.framing import chunk_frame
from initium_server.rpc.stream import BATCH, FileDigests, Framed, Streamer, TensorDigests


class Numbered:
    """A checkpoint whose leaf number i is filled with i, and which keeps in which thread it was read."""

    def __init__(self, *sizes: int, cheap: bool = False) -> None:
        self.files = [PlannedFile(name=f"f{i}", size=size) for i, size in enumerate(sizes)]
        self.cheap = cheap
        self.threads: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.free = 0
        """So many leaves pass even if the gate is shut."""

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        return self.cheap

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        self.threads.append(threading.current_thread().name)
        if offset >= self.free * LEAF:
            self.gate.wait()
        out[:] = file * 100 + offset // LEAF


@pytest.fixture
def streamer() -> Iterator[Streamer]:
    made = Streamer(threads=2)
    yield made
    made.close()


def spans_of(checkpoint: Checkpoint) -> list[Span]:
    return list(all_spans([file.size for file in checkpoint.files]))


def test_leaves_come_in_order_with_their_bytes_and_digests(streamer: Streamer) -> None:
    checkpoint = Numbered(3 * LEAF + 5, 0, LEAF)
    wanted = spans_of(checkpoint)
    for span, framed in zip(wanted, streamer.stream(checkpoint, wanted, chunk_frame), strict=True):
        assert framed.span == span
        assert set(framed.data) == {span.file * 100 + span.offset // LEAF}
        assert framed.digest == leaf_digest(framed.data.data)
        chunk = GenerateResponse.FromString(framed.message).chunk
        assert (chunk.file, chunk.offset, chunk.data, chunk.digest) == (*span[:2], framed.data.tobytes(), framed.digest)
    assert all(name.startswith("draw") for name in checkpoint.threads)


def test_at_most_twice_as_many_leaves_as_threads_are_under_way(streamer: Streamer) -> None:
    """Promise 6 (flat memory)."""
    checkpoint, asked = Numbered(20 * LEAF), []

    def counted() -> Iterator[Span]:
        for span in spans_of(checkpoint):
            asked.append(span)
            yield span

    stream = streamer.stream(checkpoint, counted(), chunk_frame)
    for taken in range(1, 17):
        next(stream)
        assert len(asked) == taken + 4
    assert len(list(stream)) == 4


def test_cheap_leaves_are_made_by_the_thread_that_streams(streamer: Streamer) -> None:
    checkpoint = Numbered(5 * LEAF, cheap=True)
    assert len(list(streamer.stream(checkpoint, spans_of(checkpoint), chunk_frame))) == 5
    assert set(checkpoint.threads) == {threading.current_thread().name}


def test_a_stream_that_is_left_draws_no_further(streamer: Streamer) -> None:
    checkpoint = Numbered(50 * LEAF)
    stream = streamer.stream(checkpoint, spans_of(checkpoint), chunk_frame)
    checkpoint.gate.clear()
    checkpoint.free = 1
    next(stream)  # Two more leaves wait at the gate, one a thread, and two behind them.
    stream.close()  # type: ignore[attr-defined] # an Iterator to callers, a generator in fact
    checkpoint.gate.set()
    assert len(list(streamer.stream(Numbered(LEAF), [Span(0, 0, LEAF)], chunk_frame))) == 1
    assert len(checkpoint.threads) <= 3


def test_what_goes_wrong_while_drawing_is_raised_in_its_place(streamer: Streamer) -> None:
    class Broken(Numbered):
        def read_into(self, file: int, offset: int, out: Bytes) -> None:
            if offset == 2 * LEAF:
                raise ValueError("third")
            super().read_into(file, offset, out)

    checkpoint = Broken(5 * LEAF)
    stream = streamer.stream(checkpoint, spans_of(checkpoint), chunk_frame)
    assert [next(stream).span.offset for _ in range(2)] == [0, LEAF]
    with pytest.raises(ValueError, match="third"):
        next(stream)


def test_another_digest_may_be_taken() -> None:
    plain = Streamer(1, lambda data: b"\1" * 32)
    (framed,) = plain.stream(Numbered(9), [Span(0, 0, 9)], chunk_frame)
    plain.close()
    assert framed.digest == b"\1" * 32


SIZES = (2 * LEAF + 9, 0, LEAF)


@pytest.mark.parametrize(
    ("start", "whole"),
    [((0, 0), [0, 1, 2]), ((0, LEAF), [1, 2]), ((0, SIZES[0]), [1, 2]), ((1, 0), [1, 2]), ((2, LEAF), [])],
)
def test_file_digests_are_those_of_files_that_came_whole(
    streamer: Streamer, start: tuple[int, int], whole: list[int]
) -> None:
    checkpoint = Numbered(*SIZES)
    digests = FileDigests(checkpoint, start)
    for framed in streamer.stream(checkpoint, all_spans(SIZES, start), chunk_frame):
        digests.add(framed)
    files = {i: [b"".join(_bytes(span) for span in spans_of(checkpoint) if span.file == i)] for i in range(3)}
    for i in range(3):
        data = files[i][0]
        files[i] = [leaf_digest(data[at : at + LEAF]) for at in range(0, len(data), LEAF)]
    found = [(stated.file, stated.digest.hex()) for stated in digests.result()]
    assert found == [(i, file_digest(SIZES[i], files[i])) for i in whole]


def _bytes(span: Span) -> bytes:
    return bytes([span.file * 100 + span.offset // LEAF]) * span.size


def framed(file: int, offset: int, data: bytes) -> Framed:
    return Framed(Span(file, offset, len(data)), b"", np.frombuffer(data, np.uint8), b"")


def all_of(digests: TensorDigests) -> list[StreamedTensor]:
    """What has come whole by the end."""
    assert not list(digests.batches()), "few are kept until the end"
    digests.finish()
    return [stated for batch in digests.batches(least=1) for stated in batch.tensors]


def test_many_tensors_are_told_as_they_come() -> None:
    plan = Plan()
    for i in range(2 * BATCH + 1):
        plan.tensors.add(offset=i, size=1)
    digests = TensorDigests(plan)
    digests.add(framed(0, 0, bytes(BATCH + 5)))
    assert [len(batch.tensors) for batch in digests.batches()] == [BATCH]
    digests.add(framed(0, BATCH + 5, bytes(BATCH - 4)))
    assert [len(batch.tensors) for batch in digests.batches()] == [BATCH]
    assert [stated.tensor for stated in all_of(digests)] == [2 * BATCH]


def test_tensor_digests_follow_tensors_through_leaves_and_files() -> None:
    from blake3 import blake3

    plan = Plan()
    places = [("late", 1, 2, 3), ("empty", 0, 10, 0), ("first", 0, 4, 6), ("long", 0, 10, 20), ("last", 0, 30, 2)]
    for name, file, offset, size in places:
        plan.tensors.add(name=name, file=file, offset=offset, size=size)
    files = [bytes(range(32)), bytes(range(100, 108))]
    whole = {name: blake3(files[file][offset : offset + size]).hexdigest() for name, file, offset, size in places}
    for cut in (3, 7, 8, 32):
        digests = TensorDigests(plan)
        for file, data in enumerate(files):
            for at in range(0, len(data), cut):
                digests.add(framed(file, at, data[at : at + cut]))
        found = {plan.tensors[stated.tensor].name: stated.digest.hex() for stated in all_of(digests)}
        assert found == whole
        assert list(found) == ["first", "empty", "long", "last", "late"]


def test_tensors_that_the_stream_began_within_have_no_digest() -> None:
    plan = Plan()
    for name, offset in (("a", 0), ("b", 8), ("c", 16)):
        plan.tensors.add(name=name, file=0, offset=offset, size=8)
    digests = TensorDigests(plan)
    digests.add(framed(0, 12, bytes(12)))
    assert [stated.tensor for stated in all_of(digests)] == [2]
