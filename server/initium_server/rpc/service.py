"""The servicer: decode, call, encode. Handlers take raw bytes, so that malformed messages get a reason too."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from initium.contract.generators import GENERATORS, TORCH
from initium.contract.leaves import DIGEST_FUNCTION, LEAF, Place, all_spans, spans
from initium.contract.messages import check_known
from initium.contract.pieces import joined, split
from initium.contract.plans import OLDEST_PLAN_VERSION, PLAN_VERSION
from initium.contract.wording import counted
from initium.errors import Busy, LimitExceeded, OutOfRange, RequestError, Unsupported, invalid
from initium.plan.checkpoint import Checkpoint, check_range, find_file
from initium.v1 import plan_pb2, service_pb2
from initium.v1.fill_pb2 import Fill
from initium.v1.init_pb2 import Selector
from initium_law import draw
from initium_law.dtypes import FLOATS
from initium_server.planning import selectors
from initium_server.planning.initializers import INITIALIZERS, LIBRARY_DEFAULT
from initium_server.planning.inventory import ROLES
from initium_server.planning.presets import presets
from initium_server.planning.stored import STORED
from initium_server.rpc import status
from initium_server.rpc.framing import chunk_frame, message_field, read_frame
from initium_server.rpc.plans import Call, Held, Plans
from initium_server.rpc.settings import Settings
from initium_server.rpc.stored import scratch
from initium_server.rpc.stream import FileDigests, Streamer, TensorDigests
from initium_server.sources import torch_modules, tree
from initium_server.sources.libraries import versions

SERVICE = service_pb2.DESCRIPTOR.services_by_name["InitiumService"].full_name

PAGE_SIZE = 1000
"""Most entries of a page."""
PAGE_BYTES = 2 << 20
"""Most bytes of a page of more than one entry: gRPC's clients take no more than 4 MiB by default."""
FEATURES = ("explain",)
"""What of the contract there is beyond its first release."""
UPLOADS = 4
"""Plans that are received at once."""
_TOKEN = re.compile("[0-9]{1,9}")

_RESOLVED_PLAN = service_pb2.ResolveResponse.PLAN_FIELD_NUMBER
_HEADER_PLAN = service_pb2.GenerateHeader.PLAN_FIELD_NUMBER
_HEADER = service_pb2.GenerateResponse.HEADER_FIELD_NUMBER

M = TypeVar("M", bound=Message)


def decode(kind: type[M], data: bytes) -> M:
    """`data` as a message. Errors: RequestError."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise RequestError(
            f"not a {kind.DESCRIPTOR.full_name}: malformed, or nested deeper than 100 messages ({error})",
            "MALFORMED_MESSAGE",
        ) from None
    return message


def request_of(kind: type[M], data: bytes) -> M:
    """`data` as a request, all of which is known here. Errors: RequestError, Unsupported."""
    message = decode(kind, data)
    check_known(message)
    return message


class Service:
    """The methods of `initium.v1.InitiumService`."""

    def __init__(self, plans: Plans, streamer: Streamer, settings: Settings, backend: str) -> None:
        """`backend`: what draws, by name."""
        self._plans, self._streamer, self._settings, self._backend = plans, streamer, settings, backend
        self._slots = threading.BoundedSemaphore(settings.streams)
        self._uploads = threading.BoundedSemaphore(UPLOADS)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers."""
        methods = {
            "Resolve": grpc.unary_unary_rpc_method_handler(status.unary(self.resolve)),
            "DownloadPlan": grpc.unary_stream_rpc_method_handler(status.stream(self._bounded(self.download_plan))),
            "UploadPlan": grpc.stream_unary_rpc_method_handler(status.unary(self._upload)),
            "ListTensors": grpc.unary_unary_rpc_method_handler(status.unary(self.list_tensors)),
            "Explain": grpc.unary_unary_rpc_method_handler(status.unary(self.explain)),
            "ListModels": grpc.unary_unary_rpc_method_handler(status.unary(self.list_models)),
            "Generate": grpc.unary_stream_rpc_method_handler(status.stream(self._bounded(self.generate))),
            "Read": grpc.unary_stream_rpc_method_handler(status.stream(self._bounded(self.read))),
            "GetCapabilities": grpc.unary_unary_rpc_method_handler(status.unary(self.get_capabilities)),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _bounded(self, handler: status.StreamHandler) -> status.StreamHandler:
        """A streaming handler of which so many run at once: slow readers must not hold every thread."""

        def handle(data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            with _slot(self._slots, f"busy with {counted(self._settings.streams, 'stream')}"):
                yield from handler(data, context)

        return handle

    def _upload(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        with _slot(self._uploads, f"{UPLOADS} plans are being uploaded"):
            return self.upload_plan(requests, context)

    def resolve(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        request = request_of(service_pb2.ResolveRequest, data)
        held = self._plans.get(request.source, _call(context))
        rest = service_pb2.ResolveResponse(total_bytes=held.total_bytes)
        return self._fits(message_field(_RESOLVED_PLAN, held.packed.data) + rest.SerializeToString())

    def download_plan(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = request_of(service_pb2.DownloadPlanRequest, data)
        for piece in split(self._plans.get(request.source, _call(context)).packed.data):
            yield service_pb2.DownloadPlanResponse(piece=piece).SerializeToString()

    def upload_plan(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
        pieces = (request_of(service_pb2.UploadPlanRequest, data).piece for data in requests)
        data = joined(pieces, self._settings.limits.plan_bytes, RequestError)
        held = self._plans.take(request_of(plan_pb2.Plan, bytes(data)), _call(context))
        return service_pb2.UploadPlanResponse(
            plan_digest=bytes.fromhex(held.plan_digest),
            weights_key=bytes.fromhex(held.weights_key),
            total_bytes=held.total_bytes,
        ).SerializeToString()

    def list_tensors(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        request = request_of(service_pb2.ListTensorsRequest, data)
        page, token = _page(self._plans.tensors(request, _call(context)), request)
        return self._fits(service_pb2.ListTensorsResponse(tensors=page, next_page_token=token).SerializeToString())

    def explain(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        return self._fits(self._plans.explain(request_of(service_pb2.ExplainRequest, data), _call(context)))

    def list_models(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        request = request_of(service_pb2.ListModelsRequest, data)
        found = self._plans.models(request.library, _call(context))
        page, token = _page([name for name in found.names if request.contains in name], request)
        types = () if request.page_token else found.model_types
        return service_pb2.ListModelsResponse(names=page, next_page_token=token, model_types=types).SerializeToString()

    def generate(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = request_of(service_pb2.GenerateRequest, data)
        held = self._plans.get(request.source, _call(context))
        with ExitStack() as stack:
            start = _check_start(held, request)
            checkpoint = self._checkpoint(held, stack, context)
            header = service_pb2.GenerateHeader(
                total_bytes=held.total_bytes,
                server_version=version("initium"),
                plan_digest=bytes.fromhex(held.plan_digest),
                leaf_bytes=LEAF,
                digest_function=DIGEST_FUNCTION,
            ).SerializeToString()
            if not request.without_plan:
                header = message_field(_HEADER_PLAN, held.packed.data) + header
            yield self._fits(message_field(_HEADER, header))
            yield from self._chunks(checkpoint, start, held, request.tensor_digests)

    def _chunks(
        self,
        checkpoint: Checkpoint,
        start: Place,
        held: Held,
        with_tensors: bool,
    ) -> Iterator[bytes]:
        files = FileDigests(checkpoint, start)
        tensors = TensorDigests(held.packed.plan()) if with_tensors else None
        pieces = all_spans([file.size for file in checkpoint.files], start)
        for framed in self._streamer.stream(checkpoint, pieces, chunk_frame):
            files.add(framed)
            yield framed.message
            if tensors:
                tensors.add(framed)
                yield from _responses(tensors.batches())
        if tensors:
            tensors.finish()
            yield from _responses(tensors.batches(least=1))
        trailer = service_pb2.GenerateTrailer(files=files.result())
        yield service_pb2.GenerateResponse(trailer=trailer).SerializeToString()

    def _checkpoint(self, held: Held, stack: ExitStack, context: grpc.ServicerContext) -> Checkpoint:
        if held.checkpoint is not None:
            return held.checkpoint
        directory = stack.enter_context(scratch())
        return self._plans.run_torch(held, directory, _call(context))

    def read(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = request_of(service_pb2.ReadRequest, data)
        if request.source.WhichOneof("source") in ("recipe", "recipe_text"):
            raise invalid("source", "ranges are read from a plan; call Resolve and name it by its digest", RequestError)
        checkpoint = self._plans.get(request.source, _call(context)).checkpoint
        if checkpoint is None:
            raise Unsupported("generator `torch` makes whole checkpoints only; call Generate")
        index = find_file(checkpoint.files, request.file_name)
        file = checkpoint.files[index]
        check_range(file, request.offset)
        length = request.length if request.HasField("length") else file.size
        end = min(file.size, request.offset + length)
        for framed in self._streamer.stream(checkpoint, spans(index, request.offset, end), read_frame):
            yield framed.message

    def get_capabilities(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        decode(service_pb2.GetCapabilitiesRequest, data)
        limits, settings = self._settings.limits, self._settings
        response = service_pb2.GetCapabilitiesResponse(
            server_version=version("initium"),
            generators=GENERATORS,
            dtypes=FLOATS,
            initializers=[*INITIALIZERS, LIBRARY_DEFAULT, STORED],
            libraries=versions(),
            module_types=sorted(torch_modules.ALLOWED),
            device=settings.first_device,
            backend=self._backend,
            threads=settings.threads,
            plan_version=PLAN_VERSION,
            oldest_plan_version=OLDEST_PLAN_VERSION,
            fill_kinds=Fill.DESCRIPTOR.fields_by_name,
            selector_keys=Selector.DESCRIPTOR.fields_by_name,
            roles=ROLES,
            presets=[service_pb2.Preset(name=p.name, summary=p.summary, text=p.text) for p in presets().values()],
            features=FEATURES,
            stores=sorted(settings.stores),
            limits=service_pb2.Limits(
                message_bytes=limits.message_bytes,
                plan_bytes=limits.plan_bytes,
                leaf_bytes=LEAF,
                elements=limits.elements,
                literal_bytes=limits.literal_bytes,
                tensors=limits.tensors,
                whole_elements=limits.whole_elements,
                streams=settings.streams,
                held_bytes=settings.held_bytes,
                page_size=PAGE_SIZE,
                builds=settings.build_workers,
                build_seconds=int(settings.build.seconds),
                build_bytes=settings.build.bytes,
                torch_seconds=int(settings.torch.seconds),
                torch_bytes=settings.torch.bytes,
                module_depth=tree.MAX_DEPTH,
                modules=tree.MAX_MODULES,
                axes=draw.MAX_AXES,
                parts=draw.MAX_PARTS,
                fill_depth=draw.MAX_DEPTH,
                selector_depth=selectors.MAX_DEPTH,
            ),
        )
        response.MergeFrom(self._plans.capabilities(_call(context).cancelled))
        return response.SerializeToString()

    def _fits(self, data: bytes) -> bytes:
        most = self._settings.limits.message_bytes
        if len(data) > most:
            remedy = "take the plan in pieces (DownloadPlan), the stream without it, or a smaller page"
            raise LimitExceeded.of(f"the answer has {len(data):,} bytes", "message_bytes", most, remedy)
        return data


def _call(context: grpc.ServicerContext) -> Call:
    """Who asks is what the connection proves."""
    caller = b"\n".join(context.peer_identities() or ()).decode(errors="backslashreplace")
    return Call(caller, lambda: not context.is_active())


@contextmanager
def _slot(slots: threading.BoundedSemaphore, full: str) -> Iterator[None]:
    """One of the slots. Errors: Busy if all are taken."""
    if not slots.acquire(blocking=False):
        raise Busy(f"{full}; try again, or ask another server")
    try:
        yield
    finally:
        slots.release()


_T = TypeVar("_T", str, service_pb2.InventoryTensor)


def _page(
    entries: Sequence[_T], request: service_pb2.ListTensorsRequest | service_pb2.ListModelsRequest
) -> tuple[Sequence[_T], str]:
    """The page that is asked for, and the token of the next: the number of its first entry. Errors: RequestError."""
    token = request.page_token or "0"
    if not _TOKEN.fullmatch(token):
        raise invalid("page_token", f"{token[:40]!r} is no next_page_token of this server", RequestError)
    begin, count = int(token), min(request.page_size or PAGE_SIZE, PAGE_SIZE)
    end, room = begin, PAGE_BYTES
    for entry in entries[begin : begin + count]:
        room -= len(entry) if isinstance(entry, str) else entry.ByteSize()
        if room < 0 and end > begin:
            break
        end += 1
    return entries[begin:end], str(end) if end < len(entries) else ""


def _responses(batches: Iterable[service_pb2.StreamedTensors]) -> Iterator[bytes]:
    return (service_pb2.GenerateResponse(tensors=batch).SerializeToString() for batch in batches)


def _check_start(held: Held, request: service_pb2.GenerateRequest) -> Place:
    """Where to start."""
    files, position = held.files, request.start
    if request.source.WhichOneof("source") in ("recipe", "recipe_text") and (position.file or position.offset):
        text = "a recipe may resolve to another plan than before; name the plan to go on"
        raise invalid("start", text, RequestError)
    if held.generator == TORCH and (position.file or position.offset):
        raise invalid("start", "generator `torch` cannot resume; start at 0", RequestError)
    if position.file == len(files) and not position.offset:
        return position.file, 0
    if position.file >= len(files):
        text = f"start.file is {position.file}; the plan has {counted(len(files), 'file')}"
        raise OutOfRange(text, metadata={"file_count": str(len(files))})
    size = files[position.file].size
    if position.offset > size:
        text = f"start.offset is {position.offset}; the file has {counted(size, 'byte')}"
        raise OutOfRange(text, metadata={"size": str(size)})
    if position.offset % LEAF and position.offset != size:
        raise invalid("start.offset", f"{position.offset} is not a multiple of {LEAF}", RequestError)
    return position.file, position.offset
