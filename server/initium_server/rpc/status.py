"""Exceptions to google.rpc.Status, within the size that gRPC metadata allows.

The client's other half is `initium.client.status`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any, NoReturn, TypeVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from initium.errors import DOMAIN, REASONS, InitiumError, ServerError

_R = TypeVar("_R")
StreamHandler = Callable[[bytes, grpc.ServicerContext], Iterator[bytes]]

MAX_VIOLATIONS = 20
MAX_WIRE_BYTES = 7 << 10
"""What an error takes as metadata. From 8 KiB on gRPC turns answers into RESOURCE_EXHAUSTED, at random."""
MAX_TEXT = 1000
"""Bytes of one text; of the message as it is sent, in which gRPC takes three for each that is not printable ASCII."""
_FRAMING = 256  # type URLs, the count of what is left out, RetryInfo
RETRY_SECONDS = {"BUSY": 1, "SHUTTING_DOWN": 1}

log = logging.getLogger(__name__)


def to_status(error: InitiumError) -> status_pb2.Status:
    """The status of `error`: ErrorInfo always, BadRequest for fields at fault, RetryInfo where a retry helps."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)
    info.metadata.update({key: _cut(value) for key, value in error.metadata.items()})
    details: list[Any] = [info]
    message = error.message or "; ".join(map(str, error.violations[:3]))
    status = status_pb2.Status(code=code_pb2.Code.Value(REASONS[error.reason][0]), message=_cut_message(message))
    if error.violations:
        details.append(_bad_request(error, info, _room(status, info)))
    if error.reason in RETRY_SECONDS:
        delay = duration_pb2.Duration(seconds=RETRY_SECONDS[error.reason])
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _room(status: status_pb2.Status, info: error_details_pb2.ErrorInfo) -> int:
    """Bytes that are left for violations. The message is sent twice; details are sent in base64."""
    left = (MAX_WIRE_BYTES - _sent(status.message)) * 3 // 4
    return left - int(status.ByteSize()) - int(info.ByteSize()) - _FRAMING


def _bad_request(error: InitiumError, info: error_details_pb2.ErrorInfo, room: int) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for violation in error.violations[:MAX_VIOLATIONS]:
        entry = bad.field_violations.add(
            field=_cut(violation.field, 300), description=_cut(violation.message, 600), reason=error.reason
        )
        if bad.ByteSize() > room:
            bad.field_violations.remove(entry)
            break
    if omitted := len(error.violations) - len(bad.field_violations):
        info.metadata["omitted_violations"] = str(omitted)
    return bad


def _sent(text: str) -> int:
    """Bytes of a message as gRPC sends it, percent-encoded."""
    return sum(1 if 32 <= byte < 127 and byte != 37 else 3 for byte in text.encode(errors="replace"))


def _cut_message(text: str) -> str:
    text = _cut(text)
    while _sent(text) > MAX_TEXT:
        text = _cut(text, min(len(text.encode()) - 1, len(text.encode()) * MAX_TEXT // _sent(text)))
    return text


def _cut(text: str, limit: int = MAX_TEXT) -> str:
    data = text.encode(errors="replace")
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "..."


def abort(context: grpc.ServicerContext, error: Exception) -> NoReturn:
    """Ends the call with `error`; anything but an InitiumError is a bug, reported as INTERNAL and logged."""
    if isinstance(error, CancelledError):
        context.abort(grpc.StatusCode.CANCELLED, "the client went away")
    if not isinstance(error, InitiumError) or error.reason not in REASONS:
        log.exception("a handler failed", exc_info=error)
        error = ServerError("the server met a bug; its log has the details", "INTERNAL")
    context.abort_with_status(rpc_status.to_status(to_status(error)))
    raise AssertionError("abort_with_status raises")


def unary(handler: Callable[[_R, grpc.ServicerContext], bytes]) -> Callable[[_R, grpc.ServicerContext], bytes]:
    """A handler with one answer whose errors become statuses."""

    def handle(request: _R, context: grpc.ServicerContext) -> bytes:
        try:
            return handler(request, context)
        except Exception as error:
            abort(context, error)

    return handle


def stream(handler: StreamHandler) -> StreamHandler:
    """A streaming handler whose errors become statuses."""

    def handle(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        try:
            yield from handler(request, context)
        except Exception as error:
            abort(context, error)

    return handle
