"""The leaves of a plan in order, through broken streams and servers that come and go.

A stream is opened by the plan's digest; a server that does not know it gets the plan. After a break the next stream
starts at the first leaf that is missing, at whatever replica the channel finds. Under generator `torch` the next
stream starts at 0 and what was already delivered is skipped: the consumer never sees a leaf twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from initium.client.framing import parse_generate, parse_read
from initium.client.naming import Name
from initium.client.retry import Patience
from initium.contract.generators import TORCH
from initium.contract.leaves import DIGEST_FUNCTION, LEAF, Leaf, Place, leaf_digest
from initium.errors import IntegrityError, PlanNotFound, ServerError, Unavailable, Unsupported
from initium.v1.plan_pb2 import Plan
from initium.v1.service_pb2 import (
    GenerateHeader,
    GenerateRequest,
    GenerateResponse,
    GenerateTrailer,
    Position,
    ReadRequest,
)

if TYPE_CHECKING:
    from initium.client.rpc import Rpc

MAX_RESTARTS = 8
"""Under generator `torch`, streams that may break in a row without a new leaf: each starts at 0."""


class LeafStream:
    """Iterates over the leaves of `plan` (which carries its digest) from `start` to the end.

    Order, offsets and sizes are checked here; digests are the consumer's to check (`checked` does it).
    Errors: InitiumError; Unavailable when patience ends.
    """

    def __init__(self, rpc: Rpc, plan: Plan, start: Place = (0, 0), tensor_digests: bool = False) -> None:
        self.plan = plan
        self.server_version = ""
        """Version of the server that answered last; known with the first leaf."""
        self.trailer = GenerateTrailer()
        """The trailer; known after the last leaf."""
        self.tensor_digests: dict[int, bytes] = {}
        """Digests of tensors by their index, if they were asked for; known after the last leaf."""
        self._rpc = rpc
        self._with_digests = tensor_digests
        self._sizes = [file.size for file in plan.files]
        self._next = self._normal(start)
        self._name = Name(rpc, plan)
        self._restarts = 0

    def __iter__(self) -> Iterator[Leaf]:
        patience = self._rpc.patience()
        while True:
            try:
                yield from self._attempt(patience)
                return
            except PlanNotFound as error:
                self._name.missed(error)
            except Unavailable as error:
                self._name.again()
                self._count_restart(error)
                patience.failed(error)

    def _count_restart(self, error: Unavailable) -> None:
        self._restarts += 1
        if self.plan.generator == TORCH and self._restarts > MAX_RESTARTS:
            raise error

    def checked(self) -> Iterator[Leaf]:
        """The leaves, each with its digest checked. Errors: as iterating, and IntegrityError."""
        for leaf in self:
            yield leaf if leaf_digest(leaf.data) == leaf.digest else self.fetch_again(leaf)

    def fetch_again(self, bad: Leaf) -> Leaf:
        """Asks once more for a leaf whose bytes do not have their digest. Errors: IntegrityError if that fails too."""
        name = self.plan.files[bad.file].name
        where = f"{name} at byte {bad.offset}"
        if self.plan.generator == TORCH:
            raise IntegrityError(f"{where}: the bytes do not have their digest; start again")
        try:
            data = b"".join(read_pieces(self._rpc, self.plan, name, bad.offset, len(bad.data)))
        except IntegrityError:
            raise IntegrityError(
                f"{where}: the bytes do not have their digest, twice; the server or network is faulty"
            ) from None
        if len(data) != len(bad.data):
            raise IntegrityError(f"{where}: asked again for {len(bad.data)} bytes, got {len(data)}")
        return Leaf(bad.file, bad.offset, leaf_digest(data), memoryview(data))

    def _attempt(self, patience: Patience) -> Iterator[Leaf]:
        """One stream, from the next leaf to the trailer."""
        expected = (0, 0) if self.plan.generator == TORCH else self._next
        expected = self._normal(expected)
        messages = self._rpc.stream("Generate", self._request(expected))
        self._header(next(messages, None))
        for message in messages:
            leaf = parse_generate(message)
            if not isinstance(leaf, Leaf):
                if leaf.WhichOneof("message") == "tensors":
                    self.tensor_digests |= {each.tensor: each.digest for each in leaf.tensors.tensors}
                    continue
                return self._finish(leaf, expected)
            expected = self._advance(leaf, expected)
            if (leaf.file, leaf.offset) >= self._next:
                self._next, self._restarts = expected, 0
                yield leaf
            patience.progress()  # after the yield: a slow consumer is not the server's fault
        raise Unavailable(f"the stream of {self._rpc.address} ended without its trailer")

    def _request(self, start: Place) -> GenerateRequest:
        request = GenerateRequest(source=self._name.source(), tensor_digests=self._with_digests, without_plan=True)
        if start != (0, 0):
            request.start.CopyFrom(self._position(start))
        return request

    def _position(self, place: Place) -> Position:
        if place[0] == len(self._sizes):  # the end is written as the end of the last file
            return Position(file=len(self._sizes) - 1, offset=self._sizes[-1])
        return Position(file=place[0], offset=place[1])

    def _header(self, message: bytes | None) -> None:
        if message is None:
            raise Unavailable(f"the stream of {self._rpc.address} ended before its header")
        response = parse_generate(message)
        if isinstance(response, Leaf) or response.WhichOneof("message") != "header":
            raise ServerError(f"{self._rpc.address} sent something else than a header first")
        self._check_header(response.header)

    def _check_header(self, header: GenerateHeader) -> None:
        if (digest := header.plan_digest.hex()) != self.plan.plan_digest:
            raise ServerError(f"asked for the plan {self.plan.plan_digest}, the server streams {digest}")
        if (header.leaf_bytes, header.digest_function) != (LEAF, DIGEST_FUNCTION):
            text = f"leaves of {header.leaf_bytes} bytes, hashed with {header.digest_function!r}"
            raise Unsupported(f"{self._rpc.address} sends {text}; this client reads {LEAF} and {DIGEST_FUNCTION}")
        self.server_version = header.server_version

    def _advance(self, leaf: Leaf, expected: Place) -> Place:
        """The place after `leaf`, which must be a whole leaf at `expected`."""
        if (leaf.file, leaf.offset) != expected:
            got = self._where((leaf.file, leaf.offset))
            raise ServerError(f"expected a leaf at {self._where(expected)}, got {got}")
        size = min(LEAF, self._sizes[leaf.file] - leaf.offset)
        if len(leaf.data) != size:
            raise ServerError(f"{self._where(expected)}: expected a leaf of {size} bytes, got {len(leaf.data)}")
        return self._normal((leaf.file, leaf.offset + size))

    def _normal(self, place: Place) -> Place:
        """The first place at or after `place` that has a byte; past the last file if there is none."""
        file, offset = place
        while file < len(self._sizes) and offset >= self._sizes[file]:
            file, offset = file + 1, 0
        return file, offset

    def _finish(self, response: GenerateResponse, expected: Place) -> None:
        if response.WhichOneof("message") != "trailer":
            raise ServerError(f"{self._rpc.address} sent something else than chunks and a trailer")
        if expected != (len(self._sizes), 0):
            raise ServerError(f"the trailer came before the leaf at {self._where(expected)}")
        self.trailer = response.trailer

    def _where(self, place: Place) -> str:
        file, offset = place
        name = self.plan.files[file].name if file < len(self._sizes) else f"file {file} (there are {len(self._sizes)})"
        return f"{name} byte {offset}"


def read_pieces(rpc: Rpc, plan: Plan | str, file: str, offset: int, length: int | None) -> Iterator[memoryview]:
    """The bytes of a range in order, in pieces with checked digests.

    A plan is named by its digest first and sent if the server does not know it; a digest alone cannot be.
    Errors: InitiumError; IntegrityError if a piece does not have its digest.
    """
    name = Name(rpc, plan)
    request = ReadRequest(source=name.source(), file_name=file, offset=offset, length=length)
    patience = rpc.patience()
    while True:
        try:
            for piece in _read_once(rpc, request):
                yield piece
                patience.progress()
            return
        except PlanNotFound as error:
            name.missed(error)
            request.source.CopyFrom(name.source())
        except Unavailable as error:
            patience.failed(error)


def _read_once(rpc: Rpc, request: ReadRequest) -> Iterator[memoryview]:
    """One stream of Read; moves `request` on past each piece, so that it can be sent again."""
    for message in rpc.stream("Read", request):
        piece = parse_read(message)
        if piece.offset != request.offset:
            raise ServerError(
                f"{request.file_name}: expected bytes from {request.offset}, got them from {piece.offset}"
            )
        if leaf_digest(piece.data) != piece.digest:
            raise IntegrityError(f"{request.file_name} at byte {piece.offset}: the bytes do not have their digest")
        request.offset += len(piece.data)
        if request.HasField("length"):
            request.length = max(0, request.length - len(piece.data))
        yield piece.data
