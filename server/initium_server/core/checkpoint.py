"""The virtual checkpoint: any byte range of any file of a plan, made when it is read.

Streaming is reading in order, resuming is reading from an offset, a rank's shard is a range. Nothing is kept but the
headers.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from initium.v1 import plan_pb2
from initium_server import law
from initium_server.core.codec import decode_fill
from initium_server.core.fills import Constant, Dirac, Eye, Literal
from initium_server.core.layout import SmallFile, WeightFile
from initium_server.core.plan import layout_of
from initium_server.errors import InitiumError, invalid

Bytes = npt.NDArray[np.uint8]
CHEAP = (Constant, Literal, Eye, Dirac)


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file that can be read."""

    name: str
    size: int


class Checkpoint(Protocol):
    """Files that can be read in any order from many threads at once."""

    @property
    def files(self) -> Sequence[FileInfo]:
        """In streaming order."""

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """Whether this range takes little more than a copy: nothing in it is random."""

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """Fills `out` with the bytes of file number `file` from `offset`; the range lies within the file."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A run of a file: fixed bytes, or a drawn tensor."""

    begin: int
    size: int
    content: bytes | None = None
    drawer: law.Drawer | None = None
    random: bool = False

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

    Raises InitiumError(INVALID_PLAN) when a fill cannot be drawn for its tensor, TOO_LARGE when one that needs its
    whole tensor has more elements than `engine` makes.
    """

    def __init__(self, plan: plan_pb2.Plan, engine: law.Engine = law.ENGINE) -> None:
        drawers, cheap = _drawers(plan, engine)
        small = [SmallFile(file.name, file.content) for file in plan.files if file.HasField("content")]
        files = [*layout_of(plan), *small]
        self.files: Sequence[FileInfo] = [FileInfo(file.name, file.size) for file in files]
        self._segments = [_segments(file, drawers, cheap) for file in files]
        self._begins = [[segment.begin for segment in segments] for segments in self._segments]

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """As `Checkpoint.is_cheap`."""
        last = bisect.bisect_left(self._begins[file], offset + size)
        return not any(segment.random for segment in self._segments[file][self._place(file, offset) : last])

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


def _drawers(plan: plan_pb2.Plan, engine: law.Engine) -> tuple[dict[str, law.Drawer], frozenset[str]]:
    """Every tensor's drawer, and the names of the tensors without random values."""
    literals = dict(plan.literals)
    drawers: dict[str, law.Drawer] = {}
    cheap = set()
    for i, tensor in enumerate(plan.tensors):
        fill = decode_fill(tensor.fill, f"tensors[{i}].fill")
        if isinstance(fill, CHEAP):
            cheap.add(tensor.name)
        try:
            drawers[tensor.name] = law.prepare(
                fill, plan.seed, tensor.name, tuple(tensor.shape), tensor.dtype, literals, engine
            )
        except ValueError as error:
            reason = "TOO_LARGE" if isinstance(error, law.TooLargeError) else "INVALID_PLAN"
            raise invalid(f"tensors[{i}].fill", f"{tensor.name}: {error}", reason) from None
    own = sum(drawer.elements for drawer in drawers.values())
    whole = sum(drawer.whole_elements for drawer in drawers.values())
    if whole > own + engine.whole_elements:
        text = (
            f"fills that need whole tensors make {whole:,} elements for a checkpoint of {own:,}; "
            f"this server makes {engine.whole_elements:,} more than the checkpoint has"
        )
        raise invalid("tensors", text, "TOO_LARGE")
    return drawers, frozenset(cheap)


def _segments(file: WeightFile | SmallFile, drawers: dict[str, law.Drawer], cheap: frozenset[str]) -> list[_Segment]:
    """Segments without gaps; tensors without elements have none."""
    if isinstance(file, SmallFile):
        return [_Segment(0, file.size, content=file.content)]
    segments = [_Segment(0, len(file.header), content=file.header)]
    for placed in file.tensors:
        spec = placed.spec
        if spec.size:
            drawer, random = drawers[spec.name], spec.name not in cheap
            segments.append(_Segment(placed.offset, spec.size, drawer=drawer, random=random))
    return segments


def find_file(files: Sequence[FileInfo], name: str) -> int:
    """Index of the file of that name. Raises InitiumError(FILE_NOT_FOUND)."""
    names = [file.name for file in files]
    if name not in names:
        raise InitiumError(
            "FILE_NOT_FOUND",
            f"the plan has no file {name!r}; it has {', '.join(names[:10])}",
            metadata={"files": ",".join(names[:20])},
        )
    return names.index(name)


def check_range(file: FileInfo, offset: int) -> None:
    """Raises InitiumError(OUT_OF_RANGE) when `offset` lies past the end of `file`."""
    if offset > file.size:
        raise InitiumError(
            "OUT_OF_RANGE",
            f"offset {offset} lies past the end of {file.name}, which has {file.size} bytes",
            metadata={"size": str(file.size)},
        )
