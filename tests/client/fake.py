"""A server that misbehaves on demand. It draws nothing: its files are given bytes."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from initium.contract.canonical import seal
from initium.contract.leaves import LEAF, file_root, leaf_digest
from initium.contract.pieces import joined, split
from initium.errors import DOMAIN, RequestError
from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import TENSOR_KIND_PARAMETER, Plan, PlannedFile, PlannedTensor

Messages = Generator[bytes, None, bool]
"""What is sent; returns whether that broke off."""


def make_plan(files: dict[str, bytes], **fields: Any) -> Plan:
    """A sealed plan of these files, without tensors unless given."""
    planned = [PlannedFile(name=name, size=len(data)) for name, data in files.items()]
    defaults: dict[str, Any] = {"plan_version": 1, "generator": "stream-v1", "seed": 1}
    return seal(Plan(files=planned, **(defaults | fields)))


def rich_error(
    code: int,
    reason: str,
    message: str = "so it is",
    violations: tuple[tuple[str, str], ...] = (),
    retry_after: float = 0.0,
) -> Any:
    """A gRPC status with ErrorInfo and, if given, BadRequest and RetryInfo."""
    details = [error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata={"key": "value"})]
    if violations:
        request = error_details_pb2.BadRequest()
        for path, text in violations:
            request.field_violations.add(field=path, description=text)
        details.append(request)
    if retry_after:
        info = error_details_pb2.RetryInfo()
        info.retry_delay.FromNanoseconds(int(retry_after * 1e9))
        details.append(info)
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return rpc_status.to_status(status)


class FailedCall(grpc.RpcError):  # type: ignore[misc] # grpc has no annotations
    """A call that has ended with a status other than OK."""

    def __init__(self, code: grpc.StatusCode, text: str | None, metadata: Any = ()) -> None:
        self._all = code, text, metadata

    def code(self) -> grpc.StatusCode:
        return self._all[0]

    def details(self) -> str | None:
        return self._all[1]

    def trailing_metadata(self) -> Any:
        return self._all[2]


@dataclass
class Faults:
    """What goes wrong, and how often."""

    unavailable: int = 0
    """Calls that fail at once with UNAVAILABLE."""
    errors: list[Any] = field(default_factory=list)
    """Statuses for the next calls to fail with."""
    break_after: list[int] = field(default_factory=list)
    """Per stream of Generate, or of Read: the number of leaves or pieces after which it breaks."""
    break_how: str = "unavailable"
    """`unavailable`, `silent` (no trailer), `reset`, `reset as cancelled` (of the transport), `cancelled`, `stall`."""
    corrupt: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Leaves whose bytes are wrong, by (file, offset), and how often."""
    encode: Callable[[pb.Chunk], bytes] | None = None
    """Another encoding of chunks."""
    forgets: bool = False
    """Whether digests are unknown until the plan itself was sent."""
    elsewhere: bool = False
    """Whether uploaded plans go to another server."""
    error: Any = None
    """A status to fail every call with."""
    hangs: bool = False
    """Whether calls are answered only when the client has given them up."""
    answer: bytes | None = None
    """What short calls answer, instead of a message of their own."""
    rewrite: Callable[[Iterator[bytes]], Iterable[bytes]] = iter
    """What streams send, out of what they should send."""
    wrong_trailer: bool = False
    on_leaf: Callable[[int], object] = lambda count: None


def header(plan: Plan, **fields: Any) -> bytes:
    """The first message of a stream, or one with other fields."""
    known = {"plan_digest": bytes.fromhex(plan.plan_digest), "leaf_bytes": LEAF, "digest_function": "BLAKE3"}
    message = pb.GenerateHeader(**{"server_version": "fake", **known, **fields})
    return pb.GenerateResponse(header=message).SerializeToString()


class FakeServer:
    """Serves one plan. `requests` holds what was asked, `peers` and `metadata` by whom and with which headers."""

    def __init__(self, files: dict[str, bytes], address: str, **fields: Any) -> None:
        self.files = list(files.values())
        self.plan = make_plan(files, **fields)
        self.faults = Faults()
        self.requests: list[Any] = []
        self.peers: list[str] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.reaches: list[pb.RuleReach] = []
        """What Explain says of the rules."""
        self.ended = threading.Semaphore(0)
        """Released with the end of every stream, whoever ends it."""
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4),
            options=[("grpc.max_send_message_length", 64 << 20), ("grpc.max_receive_message_length", 64 << 20)],
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        port = self._server.add_insecure_port(address)
        self.address = address.replace(":0", f":{port}")
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def _handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            "initium.v1.InitiumService",
            {
                "DownloadPlan": grpc.unary_stream_rpc_method_handler(
                    self.download, pb.DownloadPlanRequest.FromString, self._serialized
                ),
                "UploadPlan": grpc.stream_unary_rpc_method_handler(
                    self.upload, pb.UploadPlanRequest.FromString, self._serialized
                ),
                "ListTensors": grpc.unary_unary_rpc_method_handler(
                    self.tensors, pb.ListTensorsRequest.FromString, self._serialized
                ),
                "Explain": grpc.unary_unary_rpc_method_handler(
                    self.explain, pb.ExplainRequest.FromString, self._serialized
                ),
                "ListModels": grpc.unary_unary_rpc_method_handler(
                    self.models, pb.ListModelsRequest.FromString, self._serialized
                ),
                "GetCapabilities": grpc.unary_unary_rpc_method_handler(
                    self.capabilities, pb.GetCapabilitiesRequest.FromString, self._serialized
                ),
                "Generate": grpc.unary_stream_rpc_method_handler(self.generate, pb.GenerateRequest.FromString),
                "Read": grpc.unary_stream_rpc_method_handler(self.read, pb.ReadRequest.FromString),
            },
        )

    def _admit(self, request: Any, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.peers.append(context.peer())
        self.metadata.append(dict(context.invocation_metadata()))
        if self.faults.hangs:
            self._hang(context)
        if self.faults.unavailable:
            self.faults.unavailable -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        if self.faults.errors:
            context.abort_with_status(self.faults.errors.pop(0))
        if self.faults.error is not None:
            context.abort_with_status(self.faults.error)

    def _serialized(self, response: Any) -> bytes:
        return response.SerializeToString() if self.faults.answer is None else self.faults.answer

    def _hang(self, context: grpc.ServicerContext) -> None:
        given_up = threading.Event()
        if context.add_callback(given_up.set):
            given_up.wait()

    def _know(self, source: pb.PlanSource, context: grpc.ServicerContext) -> None:
        if source.HasField("plan"):
            self.faults.forgets = False
        if self.faults.forgets or (source.plan_digest and source.plan_digest.hex() != self.plan.plan_digest):
            context.abort_with_status(rich_error(code_pb2.NOT_FOUND, "PLAN_NOT_FOUND"))

    def download(
        self, request: pb.DownloadPlanRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.DownloadPlanResponse]:
        self._admit(request, context)
        for piece in split(self.plan.SerializeToString()):
            yield pb.DownloadPlanResponse(piece=piece)

    def upload(self, requests: Iterator[pb.UploadPlanRequest], context: grpc.ServicerContext) -> pb.UploadPlanResponse:
        pieces = list(requests)
        self._admit(pieces[0], context)
        plan = Plan.FromString(bytes(joined((each.piece for each in pieces), 1 << 30, RequestError)))
        self.faults.forgets = self.faults.elsewhere
        return pb.UploadPlanResponse(plan_digest=bytes.fromhex(plan.plan_digest))

    def tensors(self, request: pb.ListTensorsRequest, context: grpc.ServicerContext) -> pb.ListTensorsResponse:
        """Two pages."""
        self._admit(request, context)
        if request.page_token:
            return pb.ListTensorsResponse(tensors=[pb.InventoryTensor(name="w2")])
        return pb.ListTensorsResponse(tensors=[pb.InventoryTensor(name="w1")], next_page_token="1")

    def explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        self._admit(request, context)
        if not request.tensor:
            return pb.ExplainResponse(reaches=self.reaches)
        trial = pb.RuleTrial(path="init.rules[0]", name="all", initializer="ones", tensor="w2", text="so it is")
        failed = pb.RuleTrial(path="init.rules[0]", initializer="ones", tensor="w1", failed="init.rules[0].match.ndim")
        tensor = PlannedTensor(name="w1", aliases=["w2"], dtype="F32", kind=TENSOR_KIND_PARAMETER, initializer="ones")
        return pb.ExplainResponse(tensor=tensor, trials=[failed, trial], derivation=["fan = 3"])

    def models(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        """Two pages."""
        self._admit(request, context)
        names = [name for name in ("resnet18", "resnet50", "vgg11") if request.contains in name]
        if request.page_token:
            return pb.ListModelsResponse(names=names[2:])
        return pb.ListModelsResponse(names=names[:2], next_page_token="2" if names[2:] else "")

    def capabilities(self, request: Any, context: grpc.ServicerContext) -> pb.GetCapabilitiesResponse:
        self._admit(request, context)
        return pb.GetCapabilitiesResponse(server_version="fake", device="none")

    def generate(self, request: pb.GenerateRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.ended.release)
        self._admit(request, context)
        self._know(request.source, context)
        yield from self.faults.rewrite(self._generated(request, context))

    def _generated(self, request: pb.GenerateRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        yield header(self.plan, total_bytes=sum(map(len, self.files)))
        chunks = self._chunks(request.start.file, request.start.offset)
        if (yield from self._until_it_breaks(map(self._encode, chunks), context)):
            return
        if request.tensor_digests:
            tensors = pb.StreamedTensors(tensors=self._tensor_digests())
            yield pb.GenerateResponse(tensors=tensors).SerializeToString()
        trailer = pb.GenerateTrailer(files=self._digests(request.start.file, request.start.offset))
        yield pb.GenerateResponse(trailer=trailer).SerializeToString()

    def _until_it_breaks(self, messages: Iterator[bytes], context: grpc.ServicerContext) -> Messages:
        stop = self.faults.break_after.pop(0) if self.faults.break_after else -1
        for count, message in enumerate(itertools.chain(messages, [b""])):
            if count == stop:
                self._break(context)
                return True
            if message:
                self.faults.on_leaf(count)
                yield message
        return False

    def _break(self, context: grpc.ServicerContext) -> None:
        how = self.faults.break_how
        if how == "unavailable":
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        if how == "reset":
            context.abort(grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2")
        if how == "reset as cancelled":
            context.abort(grpc.StatusCode.CANCELLED, "Received RST_STREAM with error code 8")
        if how == "cancelled":
            context.abort(grpc.StatusCode.CANCELLED, "asked to stop")
        if how == "stall":
            self._hang(context)

    def _chunks(self, first: int, start: int) -> Iterator[pb.Chunk]:
        for file in range(first, len(self.files)):
            data = self.files[file]
            for offset in range(start if file == first else 0, len(data), LEAF):
                yield self._chunk(file, offset, data[offset : offset + LEAF])

    def _chunk(self, file: int, offset: int, data: bytes) -> pb.Chunk:
        digest = leaf_digest(data)
        return pb.Chunk(file=file, offset=offset, digest=digest, data=self._maybe_corrupt(file, offset, data))

    def _maybe_corrupt(self, file: int, offset: int, data: bytes) -> bytes:
        if self.faults.corrupt[file, offset] > 0:
            self.faults.corrupt[file, offset] -= 1
            return bytes([data[0] ^ 1]) + data[1:]
        return data

    def _encode(self, chunk: pb.Chunk) -> bytes:
        if self.faults.encode is not None:
            return self.faults.encode(chunk)
        return pb.GenerateResponse(chunk=chunk).SerializeToString()

    def _digests(self, first: int, start: int) -> list[pb.StreamedFile]:
        result = []
        for file in range(first if start == 0 else first + 1, len(self.files)):
            data = self.files[file]
            root = file_root(len(data))
            for at in range(0, len(data), LEAF):
                root.update(leaf_digest(data[at : at + LEAF]))
            digest = bytes(32) if self.faults.wrong_trailer else root.digest()
            result.append(pb.StreamedFile(file=file, digest=digest))
        return result

    def _tensor_digests(self) -> Iterator[pb.StreamedTensor]:
        for i, tensor in enumerate(self.plan.tensors):
            data = self.files[tensor.file][tensor.offset : tensor.offset + tensor.size]
            yield pb.StreamedTensor(tensor=i, digest=leaf_digest(data))

    def read(self, request: pb.ReadRequest, context: grpc.ServicerContext) -> Iterator[bytes]:
        context.add_callback(self.ended.release)
        self._admit(request, context)
        self._know(request.source, context)
        file = [planned.name for planned in self.plan.files].index(request.file_name)
        size = len(self.files[file])
        end = min(size, request.offset + request.length) if request.HasField("length") else size
        pieces = self._pieces(file, request.offset, end)
        yield from self.faults.rewrite(self._until_it_breaks(pieces, context))

    def _pieces(self, file: int, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            stop = min(end, (at // LEAF + 1) * LEAF)
            piece = self.files[file][at:stop]
            body = self._maybe_corrupt(file, at, piece)
            yield pb.ReadResponse(offset=at, digest=leaf_digest(piece), data=body).SerializeToString()
            at = stop


def starts(server: FakeServer) -> list[tuple[int, int]]:
    """Where each stream of Generate was asked to start."""
    return [(r.start.file, r.start.offset) for r in server.requests if isinstance(r, pb.GenerateRequest)]
