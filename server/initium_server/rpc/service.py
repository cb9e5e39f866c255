"""The servicer: decode, call, encode. Handlers take raw bytes, so that malformed messages get a reason too."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from initium.contract.generators import GENERATORS, TORCH
from initium.contract.leaves import DIGEST_FUNCTION, LEAF, Place, all_spans, spans
from initium.contract.messages import check_known
from initium.contract.plans import PLAN_VERSION, total_bytes
from initium.errors import Busy, LimitExceeded, OutOfRange, RequestError, Unsupported, invalid
from initium.plan.checkpoint import Checkpoint, check_range, find_file
from initium.v1 import service_pb2
from initium.v1.init_pb2 import Selector
from initium.v1.plan_pb2 import Fill
from initium_law.dtypes import FLOATS
from initium_server.planning.initializers import INITIALIZERS
from initium_server.planning.inventory import ROLES
from initium_server.planning.rules import LIBRARY_DEFAULT
from initium_server.rpc import status
from initium_server.rpc.framing import chunk_frame, read_frame
from initium_server.rpc.plans import Held, Plans
from initium_server.rpc.settings import Settings
from initium_server.rpc.stored import scratch
from initium_server.rpc.stream import FileDigests, Streamer, TensorDigests
from initium_server.sources import torch_modules, tree
from initium_server.sources.libraries import adapters

SERVICE = service_pb2.DESCRIPTOR.services_by_name["InitiumService"].full_name

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

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server registers."""
        methods = {
            "Resolve": grpc.unary_unary_rpc_method_handler(status.unary(self.resolve)),
            "Generate": grpc.unary_stream_rpc_method_handler(status.stream(self._bounded(self.generate))),
            "Read": grpc.unary_stream_rpc_method_handler(status.stream(self._bounded(self.read))),
            "GetCapabilities": grpc.unary_unary_rpc_method_handler(status.unary(self.get_capabilities)),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _bounded(self, handler: status.StreamHandler) -> status.StreamHandler:
        """A streaming handler of which so many run at once: slow readers must not hold every thread."""

        def handle(data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            if not self._slots.acquire(blocking=False):
                raise Busy(f"{self._settings.streams} streams are running; try again, or ask another server")
            try:
                yield from handler(data, context)
            finally:
                self._slots.release()

        return handle

    def resolve(self, data: bytes, context: grpc.ServicerContext) -> bytes:
        request = request_of(service_pb2.ResolveRequest, data)
        if request.view not in service_pb2.ResolveView.values():
            raise invalid("view", f"unknown view {request.view}", RequestError)
        if request.view == service_pb2.RESOLVE_VIEW_INVENTORY:
            response = self._plans.inventory(request.source, _cancelled(context))
        else:
            plan = self._plans.get(request.source, _cancelled(context)).plan
            response = service_pb2.ResolveResponse(plan=plan, total_bytes=total_bytes(plan))
        return self._fits(response.SerializeToString())

    def generate(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = request_of(service_pb2.GenerateRequest, data)
        held = self._plans.get(request.source, _cancelled(context))
        with ExitStack() as stack:
            start = _check_start(held, request.start)
            header = service_pb2.GenerateHeader(
                plan=None if request.without_plan else held.plan,
                total_bytes=total_bytes(held.plan),
                server_version=version("initium"),
                plan_digest=held.plan.plan_digest,
                leaf_bytes=LEAF,
                digest_function=DIGEST_FUNCTION,
            )
            yield service_pb2.GenerateResponse(header=header).SerializeToString()
            checkpoint = self._checkpoint(held, stack, context)
            trailer = service_pb2.GenerateTrailer()
            yield from self._chunks(checkpoint, start, held, request.tensor_digests, trailer)
            yield service_pb2.GenerateResponse(trailer=trailer).SerializeToString()

    def _chunks(
        self,
        checkpoint: Checkpoint,
        start: Place,
        held: Held,
        with_tensors: bool,
        trailer: service_pb2.GenerateTrailer,
    ) -> Iterator[bytes]:
        files = FileDigests(checkpoint, start)
        tensors = TensorDigests(held.plan) if with_tensors else None
        pieces = all_spans([file.size for file in checkpoint.files], start)
        for framed in self._streamer.stream(checkpoint, pieces, chunk_frame):
            files.add(framed)
            if tensors:
                tensors.add(framed)
            yield framed.message
        for name, size, digest in files.result():
            trailer.files.add(name=name, size=size, digest=digest)
        for name, digest in tensors.result() if tensors else ():
            trailer.tensors.add(name=name, digest=digest)

    def _checkpoint(self, held: Held, stack: ExitStack, context: grpc.ServicerContext) -> Checkpoint:
        if held.checkpoint is not None:
            return held.checkpoint
        directory = stack.enter_context(scratch())
        return self._plans.run_torch(held.plan, directory, _cancelled(context))

    def read(self, data: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        request = request_of(service_pb2.ReadRequest, data)
        if request.source.WhichOneof("source") in ("recipe", "recipe_text"):
            raise invalid("source", "ranges are read from a plan; call Resolve and name it by its digest", RequestError)
        checkpoint = self._plans.get(request.source, _cancelled(context)).checkpoint
        if checkpoint is None:
            raise Unsupported("generator `torch` makes whole checkpoints only; call Generate")
        index = find_file(checkpoint.files, request.file)
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
            initializers=[*INITIALIZERS, LIBRARY_DEFAULT],
            libraries=_libraries(),
            module_types=sorted(torch_modules.ALLOWED),
            device=settings.first_device,
            backend=self._backend,
            threads=settings.threads,
            plan_version=PLAN_VERSION,
            oldest_plan_version=PLAN_VERSION,
            fill_kinds=Fill.DESCRIPTOR.fields_by_name,
            selector_keys=Selector.DESCRIPTOR.fields_by_name,
            roles=ROLES,
            limits=service_pb2.Limits(
                message_bytes=limits.message_bytes,
                leaf_bytes=LEAF,
                elements=limits.elements,
                literal_bytes=limits.literal_bytes,
                tensors=limits.tensors,
                build_seconds=int(settings.build.seconds),
                build_bytes=settings.build.bytes,
                module_depth=tree.MAX_DEPTH,
                whole_elements=limits.whole_elements,
            ),
        )
        response.MergeFrom(self._plans.capabilities(_cancelled(context)))
        return response.SerializeToString()

    def _fits(self, data: bytes) -> bytes:
        most = self._settings.limits.message_bytes
        if len(data) > most:
            raise LimitExceeded(f"the answer has {len(data):,} bytes; messages carry {most:,}")
        return data


def _cancelled(context: grpc.ServicerContext) -> Callable[[], bool]:
    return lambda: not context.is_active()


def _libraries() -> dict[str, str]:
    found = {}
    for name in ("torch", *adapters()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _check_start(held: Held, position: service_pb2.Position) -> Place:
    """Where to start."""
    files = held.plan.files
    if held.plan.generator == TORCH and (position.file or position.offset):
        raise invalid("start", "generator `torch` cannot resume; start at 0", RequestError)
    if position.file >= len(files):
        raise OutOfRange(f"start.file is {position.file}; the plan has {len(files)} files")
    size = files[position.file].size
    if position.offset > size:
        text = f"start.offset is {position.offset}; the file has {size} bytes"
        raise OutOfRange(text, metadata={"size": str(size)})
    if position.offset % LEAF and position.offset != size:
        raise invalid("start.offset", f"{position.offset} is not a multiple of {LEAF}", RequestError)
    return position.file, position.offset
