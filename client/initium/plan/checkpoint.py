"""The virtual checkpoint: any byte range of any file of a plan, made when it is read.

Streaming is reading in order, resuming is reading from an offset, a rank's shard is a range. What is kept is the plan's
bytes, the headers, and where tensors lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from initium.contract.leaves import Leaf, Span, all_spans, leaf_digest
from initium.errors import (
    FileNotFound,
    LimitExceeded,
    OutOfRange,
    PlanError,
    PreconditionError,
    RequestError,
    Violation,
    invalid,
)
from initium.plan.ahead import in_order
from initium.plan.fills import decode_fill, newest
from initium.plan.layout import Layout, SmallFile, layout_of
from initium.plan.packed import PackedPlan
from initium.v1 import plan_pb2
from initium_law import ENGINE, Drawer, Engine, TooLargeError, prepare
from initium_law.dtypes import Bytes

MAX_DRAWERS = 256
"""Tensors that a checkpoint keeps ready to be drawn: the leaves under way at one time are of few large ones."""


class Checkpoint(Protocol):
    """Files that can be read in any order from many threads at once."""

    @property
    def files(self) -> Sequence[plan_pb2.PlannedFile]:
        """In streaming order."""

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """Whether this range takes little more than a copy: constants, literals, eye, dirac."""

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """Fills `out` with the bytes of file number `file` from `offset`; the range lies within the file."""


class VirtualCheckpoint:
    """The files of a checked plan of generator `stream-v1`.

    Errors: PlanError when a fill cannot be drawn for its tensor, LimitExceeded when one that needs its
    whole tensor has more elements than `engine` makes.
    """

    def __init__(self, plan: plan_pb2.Plan, engine: Engine = ENGINE, layout: Layout | None = None) -> None:
        """`layout`: that of the plan, if it is known already."""
        self.packed = PackedPlan(plan)
        """The plan."""
        self.files: Sequence[plan_pb2.PlannedFile] = list(plan.files)
        self._seed, self._literals, self._engine = plan.seed, dict(plan.literals), engine
        cheap = _check_fills(plan, self._literals, engine)
        small = [SmallFile(file.name, file.content) for file in plan.files if file.HasField("content")]
        self._contents = [*_contents(plan, layout or layout_of(plan), cheap), *small]
        self._drawer = lru_cache(MAX_DRAWERS)(self._prepare)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, but for drawers and whole tensors, which are bounded."""
        literals = sum(map(len, self._literals.values()))
        return self.packed.nbytes + literals + sum(content.nbytes for content in self._contents)

    def is_cheap(self, file: int, offset: int, size: int) -> bool:
        """As `Checkpoint.is_cheap`."""
        content = self._contents[file]
        return isinstance(content, SmallFile) or content.is_cheap(offset, size)

    def read_into(self, file: int, offset: int, out: Bytes) -> None:
        """As `Checkpoint.read_into`; costs what the range costs."""
        content = self._contents[file]
        fixed = content.content if isinstance(content, SmallFile) else content.header
        done = max(0, min(len(fixed) - offset, len(out)))
        if done:
            out[:done] = np.frombuffer(fixed, np.uint8)[offset : offset + done]
        if isinstance(content, _Weights):
            for tensor, begin, end in content.within(offset + done, offset + len(out)):
                _draw(self._drawer(tensor), begin, out[done : done + end - begin])
                done += end - begin

    def _prepare(self, index: int) -> Drawer:
        tensor = self.packed.tensor(index)
        fill, shape = decode_fill(tensor.fill, f"tensors[{index}].fill"), tuple(tensor.shape)
        return prepare(fill, self._seed, tensor.name, shape, tensor.dtype, self._literals, self._engine)

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


class _Weights(NamedTuple):
    """A weight file: its header, then tensors without gaps. Arrays have one entry for each tensor with elements."""

    header: bytes
    tensors: NDArray[np.int32]
    """Numbers of the tensors in the plan, in the file's order."""
    begins: NDArray[np.int64]
    """Their first bytes; then the end of the file."""
    cheap: NDArray[np.bool_]
    """Whether drawing them takes little more than a copy."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return len(self.header) + self.tensors.nbytes + self.begins.nbytes + self.cheap.nbytes

    def is_cheap(self, offset: int, size: int) -> bool:
        """Whether all tensors in a range are."""
        first, last = self._run(offset, offset + size)
        return bool(self.cheap[first:last].all())

    def within(self, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The tensors in a range behind the header: number in the plan, first byte and end of the part in the range."""
        first, last = self._run(begin, end)
        for place in range(first, last):
            own = int(self.begins[place])
            stop = min(end, int(self.begins[place + 1]))
            yield int(self.tensors[place]), max(begin, own) - own, stop - own

    def _run(self, begin: int, end: int) -> tuple[int, int]:
        """Places of the first tensor in a range, and of the first one behind it."""
        first = int(np.searchsorted(self.begins, begin, "right")) - 1
        return max(first, 0), min(int(np.searchsorted(self.begins, end, "left")), len(self.tensors))


def _contents(plan: plan_pb2.Plan, layout: Layout, cheap: Sequence[bool]) -> Iterator[_Weights | SmallFile]:
    """Weight files and index of a plan."""
    numbers = {tensor.name: i for i, tensor in enumerate(plan.tensors)}
    for file in layout:
        if isinstance(file, SmallFile):
            yield file
            continue
        placed = [item for item in file.tensors if item.spec.size]
        tensors = np.array([numbers[item.spec.name] for item in placed], np.int32)
        begins = np.array([*(item.offset for item in placed), file.size], np.int64)
        yield _Weights(file.header, tensors, begins, np.array(cheap, np.bool_)[tensors])


def _draw(drawer: Drawer, begin: int, out: Bytes) -> None:
    """Bytes [begin, begin + len(out)) of a tensor."""
    item = drawer.item_size
    first, skip = divmod(begin, item)
    last = -(-(begin + len(out)) // item)
    if not skip and not len(out) % item:
        drawer.draw(first, out)
        return
    # The range begins or ends inside an element: draw whole ones beside it.
    whole = np.empty((last - first) * item, np.uint8)
    drawer.draw(first, whole)
    out[:] = whole[skip : skip + len(out)]


def _check_fills(plan: plan_pb2.Plan, literals: Mapping[str, bytes], engine: Engine) -> list[bool]:
    """Whether each tensor is cheap. A fill is tried once for each shape and dtype: names do not decide whether it fits.

    Errors: PlanError, LimitExceeded.
    """
    tried: dict[tuple[bytes, tuple[int, ...], str], Drawer] = {}
    cheap, own, whole = [], 0, 0
    for i, tensor in enumerate(plan.tensors):
        key = tensor.fill.SerializeToString(), tuple(tensor.shape), tensor.dtype
        drawer = tried.get(key)
        if drawer is None:
            drawer = tried[key] = _tried(tensor, f"tensors[{i}].fill", plan, literals, engine)
        cheap.append(drawer.cheap)
        own, whole = own + drawer.elements, whole + drawer.whole_elements
    if whole > own + engine.whole_elements:
        text = f"fills that need whole tensors make {whole:,} elements for a checkpoint of {own:,}"
        remedy = "that many more than the checkpoint has are made here; use fewer parts"
        raise LimitExceeded.of(text, "whole_elements", engine.whole_elements, remedy, "tensors")
    return cheap


def _tried(
    tensor: plan_pb2.PlannedTensor, path: str, plan: plan_pb2.Plan, literals: Mapping[str, bytes], engine: Engine
) -> Drawer:
    fill = decode_fill(tensor.fill, path)
    needed, kind = newest(fill)
    if needed > plan.plan_version:
        raise invalid(path, f"{kind} needs plan_version {needed}; the plan says {plan.plan_version}", PlanError)
    try:
        return prepare(fill, plan.seed, tensor.name, tuple(tensor.shape), tensor.dtype, literals, engine)
    except TooLargeError as error:
        what, remedy = f"{tensor.name}: {error}", "use another initializer, or a server with a larger limit"
        raise LimitExceeded.of(what, "whole_elements", engine.whole_elements, remedy, path) from None
    except PreconditionError as error:  # of a stored tensor
        violation = Violation(path, f"{tensor.name}: {error}")
        raise PreconditionError("", error.reason, [violation]) from None
    except ValueError as error:
        raise invalid(path, f"{tensor.name}: {error}", PlanError) from None


def find_file(files: Sequence[plan_pb2.PlannedFile], name: str) -> int:
    """Index of the file of that name. Errors: FileNotFound."""
    names = [file.name for file in files]
    if name not in names:
        text = f"the plan has no file {name!r}; it has {', '.join(names[:10])}"
        raise FileNotFound(text, metadata={"file_count": str(len(names))})
    return names.index(name)


def check_range(file: plan_pb2.PlannedFile, offset: int) -> None:
    """Errors: OutOfRange when `offset` lies past the end of `file`."""
    if offset > file.size:
        text = f"offset {offset} lies past the end of {file.name}, which has {file.size} bytes"
        raise OutOfRange(text, metadata={"size": str(file.size)})
