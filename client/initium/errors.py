"""Every way the client can fail.

::

    InitiumError
    ├── RecipeError          the recipe, or its text, is not valid
    ├── PlanError            the plan, or its file, is not valid or was changed
    ├── RequestError         the request is not valid
    │   └── OutOfRange       the offset lies past the end of the file
    ├── NotFound
    │   ├── PlanNotFound     the server does not hold the plan of that digest
    │   └── FileNotFound     the plan has no file of that name
    ├── LimitExceeded        beyond a limit of the server; not worth a retry
    ├── PreconditionError    this server cannot do it: library, environment or device
    ├── Unsupported          this server is too old for it
    ├── AccessDenied         the server wants other credentials
    ├── Unavailable          no server, or it is going away; retried until patience ends
    │   ├── Busy             too many requests at the moment
    │   └── TimedOut         no answer in time
    ├── Cancelled            the call was cancelled
    ├── ServerError          a bug of the server
    ├── IntegrityError       bytes do not have their digest
    │   └── VerifyError      a checkpoint on disk differs from its manifest or plan
    ├── ManifestError        the manifest is not valid, or does not fit the model
    ├── OutputError          the directory cannot be written
    └── ServerMissing        the server is not installed here

No `grpc.RpcError` leaves this package: `from_rpc` turns it into one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "initium"
"""Domain of every `google.rpc.ErrorInfo` of the service."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One field and what is wrong with it."""

    field: str
    """Path, e.g. `init.rules[2].xavier_normal`; empty for the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InitiumError(Exception):
    """Base of all errors of this package."""

    def __init__(
        self,
        message: str,
        reason: str = "",
        violations: Iterable[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message
        """What happened and what to do next, without the violations."""
        self.reason = reason
        """Reason of the contract, e.g. `PLAN_NOT_FOUND`; empty if the server gave none or was not asked."""
        self.violations = tuple(violations)
        """The fields at fault."""
        self.metadata = dict(metadata or {})
        """Further facts of the server by name."""
        super().__init__(message)

    def __str__(self) -> str:
        return "\n  ".join([self.message, *map(str, self.violations)])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.reason, self.violations, self.metadata)


class RecipeError(InitiumError):
    """The recipe, or its text, is not valid."""


class PlanError(InitiumError):
    """The plan, or its file, is not valid or was changed after it was written."""


class RequestError(InitiumError):
    """The request is not valid."""


class OutOfRange(RequestError):
    """The offset lies past the end of the file."""


class NotFound(InitiumError):
    """What the request names does not exist."""


class PlanNotFound(NotFound):
    """The server does not hold the plan of that digest."""


class FileNotFound(NotFound):
    """The plan has no file of that name."""


class LimitExceeded(InitiumError):
    """Beyond a limit of the server; not worth a retry there."""


class PreconditionError(InitiumError):
    """This server cannot do it: it lacks the library, the environment or the device."""


class Unsupported(InitiumError):
    """Known to the contract but not to this server."""


class AccessDenied(InitiumError):
    """The server wants other credentials."""


class Unavailable(InitiumError):
    """No server answers, or it is going away. Calls retry until their patience ends."""

    retry_after: float = 0.0
    """Seconds that the server asks to wait."""


class Busy(Unavailable):
    """The server has too many requests at the moment."""


class TimedOut(Unavailable):
    """No answer in time."""


class Cancelled(InitiumError):
    """The call was cancelled."""


class ServerError(InitiumError):
    """A bug of the server, or an answer that breaks the contract."""


class IntegrityError(InitiumError):
    """Bytes do not have the digest that they should have."""


class VerifyError(IntegrityError):
    """A checkpoint on disk differs from its manifest or its plan; each violation names a file and what differs."""


class ManifestError(InitiumError):
    """The manifest is not valid, or its parameters are not those of the model."""


class OutputError(InitiumError):
    """The directory cannot be written: not empty, no space, no permission."""


class ServerMissing(InitiumError):
    """A local server was asked for, but it is not installed."""


BY_REASON: Mapping[str, type[InitiumError]] = {
    "INVALID_RECIPE": RecipeError,
    "BUILD_FAILED": RecipeError,
    "INVALID_PLAN": PlanError,
    "PLAN_DIGEST_MISMATCH": PlanError,
    "INVALID_REQUEST": RequestError,
    "MALFORMED_MESSAGE": RequestError,
    "PLAN_NOT_FOUND": PlanNotFound,
    "FILE_NOT_FOUND": FileNotFound,
    "OUT_OF_RANGE": OutOfRange,
    "TOO_LARGE": LimitExceeded,
    "BUSY": Busy,
    "BUILD_TIMEOUT": LimitExceeded,
    "BUILD_CRASHED": LimitExceeded,
    "LIBRARY_MISSING": PreconditionError,
    "ENVIRONMENT_MISMATCH": PreconditionError,
    "DEVICE_UNAVAILABLE": PreconditionError,
    "UNSUPPORTED": Unsupported,
    "SHUTTING_DOWN": Unavailable,
    "INTERNAL": ServerError,
}
"""Reason of the contract to exception."""

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

# What gRPC reports, without a reason of ours, when a connection breaks under a running stream.
_BROKEN_CONNECTION = ("RST_STREAM", "GOAWAY", "Stream removed", "Connection reset", "Socket closed", "Broken pipe")


def from_rpc(error: grpc.RpcError) -> InitiumError:
    """The exception of a failed call: by its reason, else by its gRPC status."""
    details = _status_details(error)
    info = _detail(details, error_details_pb2.ErrorInfo)
    reason = info.reason if info is not None and info.domain == DOMAIN else ""
    text = error.details() or ""
    kind = BY_REASON.get(reason) or _by_status(error.code(), text)
    violations = _violations(details)
    result = kind(_headline(text, violations, error), reason, violations, dict(info.metadata) if info else {})
    if isinstance(result, Unavailable):
        result.retry_after = _retry_after(details)
    return result


def _by_status(code: grpc.StatusCode, text: str) -> type[InitiumError]:
    if code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED) and any(
        word in text for word in _BROKEN_CONNECTION
    ):
        return Unavailable
    return BY_STATUS.get(code, ServerError)


def _headline(text: str, violations: tuple[Violation, ...], error: grpc.RpcError) -> str:
    if violations and (not text or text.startswith(str(violations[0]))):
        return "the server refuses the request"
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
