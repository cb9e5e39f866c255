"""The virtual checkpoint: any byte range of any file of a plan, made when it is read.

Streaming is reading in order, resuming is reading from an offset, a rank's shard is a range. Nothing is kept but the
headers.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from initium.contract.leaves import Leaf, Span, all_spans, leaf_digest
from initium.errors import FileNotFound, LimitExceeded, OutOfRange, PlanError, RequestError, invalid
from initium.plan.ahead import in_order
from initium.plan.fills import decode_fill
from initium.plan.layout import SmallFile, WeightFile, layout_of
from initium.v1 import plan_pb2
from initium_law import ENGINE, Drawer, Engine, TooLargeError, prepare
from initium_law.dtypes import Bytes


class Checkpoint(Protocol):
    """Files that can be read in any order from many threads at once."""

    @property
    def files(self) -> Sequence[plan_pb2.PlannedFile]:
        """In streaming order."""

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """Whether this range takes little more than a copy: constants, literals, eye, dirac."""

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """Fills `out` with the bytes of file number `file` from `offset`; the range lies within the file."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A run of a file: fixed bytes, or a drawn tensor."""

    begin: int
    size: int
    content: bytes | None = None
    drawer: Drawer | None = None

    @property
    def cheap(self) -> bool:
        """Whether reading takes little more than a copy."""
        return self.drawer is None or self.drawer.cheap

    def read_into(self, start: int, out: Bytes) -> None:
        """Bytes [start, start + len(out)) of this segment."""
        if self.content is not None:
            out[:] = np.frombuffer(self.content, np.uint8)[start : start + len(out)]
            return
        assert self.drawer is not None
        item = self.drawer.item_size
        first, skip = divmod(start, item)
        last = -(-(start + len(out)) // item)
        if not skip and not len(out) % item:
            self.drawer.draw(first, out)
            return
        # The range begins or ends inside an element: draw whole ones beside it.
        whole = np.empty((last - first) * item, np.uint8)
        self.drawer.draw(first, whole)
        out[:] = whole[skip : skip + len(out)]


class VirtualCheckpoint:
    """The files of a checked plan of generator `stream-v1`.

    Errors: PlanError when a fill cannot be drawn for its tensor, LimitExceeded when one that needs its
    whole tensor has more elements than `engine` makes.
    """

    def __init__(self, plan: plan_pb2.Plan, engine: Engine = ENGINE) -> None:
        drawers = _drawers(plan, engine)
        small = [SmallFile(file.name, file.content) for file in plan.files if file.HasField("content")]
        files = [*layout_of(plan), *small]
        self.files: Sequence[plan_pb2.PlannedFile] = plan.files
        self._segments = [_segments(file, drawers) for file in files]
        self._begins = [[segment.begin for segment in segments] for segments in self._segments]

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """As `Checkpoint.is_cheap`."""
        last = bisect.bisect_left(self._begins[file], offset + size)
        return all(segment.cheap for segment in self._segments[file][self._place(file, offset) : last])

    def _place(self, file: int, offset: int) -> int:
        """Index of the segment that holds byte `offset`."""
        return bisect.bisect_right(self._begins[file], offset) - 1

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """As `Checkpoint.read_into`; costs what the range costs."""
        segments, place = self._segments[file], self._place(file, offset)
        done = 0
        while done < len(out):
            segment = segments[place]
            start = offset + done - segment.begin
            count = min(segment.size - start, len(out) - done)
            segment.read_into(start, out[done : done + count])
            done, place = done + count, place + 1

    def read(self, file: str, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes [offset, offset + length) of the file of that name; to its end without `length`, fewer at the end.

        Errors: FileNotFound, OutOfRange; RequestError for a negative offset or length.
        """
        if offset < 0 or (length is not None and length < 0):
            raise RequestError(f"offset {offset} and length {length} must be 0 or more")
        index = find_file(self.files, file)
        check_range(self.files[index], offset)
        rest = self.files[index].size - offset
        out = np.empty(rest if length is None else min(rest, length), np.uint8)
        self.read_into(index, offset, out)
        return out.tobytes()

    def leaves(self, threads: int = 1) -> Iterator[Leaf]:
        """The leaves of all files in order, drawn by `threads` threads. Memory: `2 * threads` leaves."""
        with ThreadPoolExecutor(threads, "draw") as pool:
            sizes = [file.size for file in self.files]
            yield from in_order((pool.submit(self._leaf, span) for span in all_spans(sizes)), 2 * threads)

    def _leaf(self, span: Span) -> Leaf:
        data = np.empty(span.size, np.uint8)
        self.read_into(span.file, span.offset, data)
        return Leaf(span.file, span.offset, leaf_digest(data.data), data.data)


def _drawers(plan: plan_pb2.Plan, engine: Engine) -> dict[str, Drawer]:
    """Every tensor's drawer."""
    literals = dict(plan.literals)
    drawers: dict[str, Drawer] = {}
    for i, tensor in enumerate(plan.tensors):
        fill = decode_fill(tensor.fill, f"tensors[{i}].fill")
        try:
            drawers[tensor.name] = prepare(
                fill, plan.seed, tensor.name, tuple(tensor.shape), tensor.dtype, literals, engine
            )
        except ValueError as error:
            kind = LimitExceeded if isinstance(error, TooLargeError) else PlanError
            raise invalid(f"tensors[{i}].fill", f"{tensor.name}: {error}", kind) from None
    own = sum(drawer.elements for drawer in drawers.values())
    whole = sum(drawer.whole_elements for drawer in drawers.values())
    if whole > own + engine.whole_elements:
        text = (
            f"fills that need whole tensors make {whole:,} elements for a checkpoint of {own:,}; "
            f"at most {engine.whole_elements:,} more are made here"
        )
        raise invalid("tensors", text, LimitExceeded)
    return drawers


def _segments(file: WeightFile | SmallFile, drawers: Mapping[str, Drawer]) -> list[_Segment]:
    """Segments without gaps; tensors without elements have none."""
    if isinstance(file, SmallFile):
        return [_Segment(0, file.size, content=file.content)]
    segments = [_Segment(0, len(file.header), content=file.header)]
    placed = (item for item in file.tensors if item.spec.size)
    return segments + [_Segment(item.offset, item.spec.size, drawer=drawers[item.spec.name]) for item in placed]


def find_file(files: Sequence[plan_pb2.PlannedFile], name: str) -> int:
    """Index of the file of that name. Errors: FileNotFound."""
    names = [file.name for file in files]
    if name not in names:
        text = f"the plan has no file {name!r}; it has {', '.join(names[:10])}"
        raise FileNotFound(text, metadata={"files": ",".join(names[:20])})
    return names.index(name)


def check_range(file: plan_pb2.PlannedFile, offset: int) -> None:
    """Errors: OutOfRange when `offset` lies past the end of `file`."""
    if offset > file.size:
        text = f"offset {offset} lies past the end of {file.name}, which has {file.size} bytes"
        raise OutOfRange(text, metadata={"size": str(file.size)})
