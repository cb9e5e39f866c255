"""Failed calls to exceptions. The server's other half is `initium_server.rpc.status`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from initium.errors import (
    DOMAIN,
    REASONS,
    AccessDenied,
    Cancelled,
    InitiumError,
    IntegrityError,
    LimitExceeded,
    NotFound,
    OutOfRange,
    PlanError,
    PreconditionError,
    RecipeError,
    RequestError,
    ServerError,
    TimedOut,
    Unavailable,
    Unsupported,
    Violation,
)

BY_STATUS: Mapping[grpc.StatusCode, type[InitiumError]] = {
    grpc.StatusCode.OK: ServerError,
    grpc.StatusCode.CANCELLED: Cancelled,
    grpc.StatusCode.UNKNOWN: ServerError,
    grpc.StatusCode.INVALID_ARGUMENT: RequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: RequestError,
    grpc.StatusCode.PERMISSION_DENIED: AccessDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceeded,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.ABORTED: Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
    grpc.StatusCode.INTERNAL: ServerError,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DATA_LOSS: IntegrityError,
    grpc.StatusCode.UNAUTHENTICATED: AccessDenied,
}
"""gRPC status to exception, for errors without a known reason (transport, proxies, newer servers)."""

# Paths are relative to the request; callers gave a recipe or a plan.
_ROOT = re.compile(r"^(source\.)?(recipe|recipe_text|plan)(\.|$)")

# What gRPC reports, without a reason of ours, when a connection breaks under a running stream.
_BROKEN_CONNECTION = ("RST_STREAM", "GOAWAY", "Stream removed", "Connection reset", "Socket closed", "Broken pipe")


def from_rpc(error: grpc.RpcError) -> InitiumError:
    """The exception of a failed call: by its reason, else by its gRPC status."""
    details = _status_details(error)
    info = _detail(details, error_details_pb2.ErrorInfo)
    reason = info.reason if info is not None and info.domain == DOMAIN else ""
    text = error.details() or ""
    kind = REASONS[reason][1] if reason in REASONS else _by_status(error.code(), text)
    violations = _violations(details)
    metadata = dict(info.metadata) if info else {}
    fields = [Violation(_ROOT.sub("", each.field), each.message) for each in violations]
    result = kind(_headline(kind, text, violations, error), reason, fields, metadata)
    if isinstance(result, Unavailable):
        result.retry_after = _retry_after(details)
    return result


def _by_status(code: grpc.StatusCode, text: str) -> type[InitiumError]:
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED) and any(
        word in text for word in _BROKEN_CONNECTION
    ):
        return Unavailable
    return BY_STATUS.get(code, ServerError)


def _headline(kind: type[InitiumError], text: str, violations: tuple[Violation, ...], error: grpc.RpcError) -> str:
    if violations and (not text or text.startswith(str(violations[0]))):
        if kind is PreconditionError:
            return "this server cannot do it"
        what = {RecipeError: "recipe", PlanError: "plan"}.get(kind, "request")
        return f"the {what} is not valid"
    return text or f"the server answers {error.code().name} without a message"


def _status_details(error: grpc.RpcError) -> list[Any]:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _detail(details: Iterable[Any], kind: type[Any]) -> Any:
    for packed in details:
        message = kind()
        if packed.Is(kind.DESCRIPTOR) and packed.Unpack(message):
            return message
    return None


def _violations(details: Iterable[Any]) -> tuple[Violation, ...]:
    request = _detail(details, error_details_pb2.BadRequest)
    if request is None:
        return ()
    return tuple(Violation(item.field, item.description) for item in request.field_violations)


def _retry_after(details: Iterable[Any]) -> float:
    info = _detail(details, error_details_pb2.RetryInfo)
    return 0.0 if info is None else float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
