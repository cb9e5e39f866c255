"""Every way a request can fail, on both sides of the wire.

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
    ├── PreconditionError    this server cannot do it: library, environment, device or store
    ├── Unsupported          known to the contract but not to this server or client
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

The server raises these, too: reason and fields cross the wire as `google.rpc.Status`, and the client raises the same
class again. No `grpc.RpcError` leaves the client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

DOMAIN = "initium-project.github.io"
"""Domain of every `google.rpc.ErrorInfo` of the service."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One field and what is wrong with it: both sides of the mismatch, and the remedy."""

    field: str
    """Path, e.g. `init.rules[2].xavier_normal`; empty for the whole."""
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InitiumError(Exception):
    """Base of all errors: what happened and what to do next, the reason, and the fields at fault."""

    default_reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "",
        reason: str | None = None,
        violations: Iterable[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message
        """What happened and what to do next, without the violations."""
        self.reason = self.default_reason if reason is None else reason
        """Reason of the contract, e.g. `PLAN_NOT_FOUND`; empty where the contract has none."""
        self.violations = tuple(violations)
        """The fields at fault."""
        self.metadata = dict(metadata or {})
        """Further facts by name."""
        super().__init__(message)

    def __str__(self) -> str:
        return "\n  ".join(filter(None, [self.message, *map(str, self.violations)]))

    def under(self, path: str) -> InitiumError:
        """The same error with the fields at fault below `path`, that of the part of a request which holds them."""
        found = [Violation(".".join(filter(None, (path, each.field))), each.message) for each in self.violations]
        return type(self)(self.message, self.reason, found, self.metadata)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.message, self.reason, self.violations, self.metadata)


class RecipeError(InitiumError):
    """The recipe, or its text, is not valid."""

    default_reason = "INVALID_RECIPE"


class PlanError(InitiumError):
    """The plan, or its file, is not valid or was changed after it was written."""

    default_reason = "INVALID_PLAN"


class RequestError(InitiumError):
    """The request is not valid."""

    default_reason = "INVALID_REQUEST"


class OutOfRange(RequestError):
    """The offset lies past the end of the file."""

    default_reason = "OUT_OF_RANGE"


class NotFound(InitiumError):
    """What the request names does not exist."""


class PlanNotFound(NotFound):
    """The server does not hold the plan of that digest."""

    default_reason = "PLAN_NOT_FOUND"


class FileNotFound(NotFound):
    """The plan has no file of that name."""

    default_reason = "FILE_NOT_FOUND"


class LimitExceeded(InitiumError):
    """Beyond a limit of the server; not worth a retry there."""

    default_reason = "TOO_LARGE"

    @classmethod
    def of(cls, what: str, limit: str, most: int, remedy: str, field: str = "") -> LimitExceeded:
        """The error of `what`, which is beyond the field `limit` of the contract's Limits, whose value is `most`.

        `remedy` says what to do. `field`: the path of what is too large, if it has one.
        """
        text = f"{what}; the limit is {most:,}; {remedy}"
        metadata = {"limit": limit, "max": str(most), "remedy": remedy}
        found = [Violation(field, text)] if field else []
        return cls("" if found else text, violations=found, metadata=metadata)


class PreconditionError(InitiumError):
    """This server cannot do it: it lacks the library, the environment, the device or a stored tensor."""


class Unsupported(InitiumError):
    """Known to the contract but not to this server or client."""

    default_reason = "UNSUPPORTED"


class AccessDenied(InitiumError):
    """The server wants other credentials."""


class Unavailable(InitiumError):
    """No server answers, or it is going away. Calls retry until their patience ends."""

    retry_after: float = 0.0
    """Seconds that the server asks to wait."""


class Busy(Unavailable):
    """The server has too many requests at the moment."""

    default_reason = "BUSY"


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
    """What draws or serves is not installed here."""


# A new reason is one line here and one in the comment of the service in service.proto.
REASONS: Mapping[str, tuple[str, type[InitiumError]]] = {
    "INVALID_RECIPE": ("INVALID_ARGUMENT", RecipeError),
    "INVALID_PLAN": ("INVALID_ARGUMENT", PlanError),
    "INVALID_REQUEST": ("INVALID_ARGUMENT", RequestError),
    "MALFORMED_MESSAGE": ("INVALID_ARGUMENT", RequestError),
    "PLAN_DIGEST_MISMATCH": ("INVALID_ARGUMENT", PlanError),
    "UNAUTHENTICATED": ("UNAUTHENTICATED", AccessDenied),
    "PERMISSION_DENIED": ("PERMISSION_DENIED", AccessDenied),
    "PLAN_NOT_FOUND": ("NOT_FOUND", PlanNotFound),
    "FILE_NOT_FOUND": ("NOT_FOUND", FileNotFound),
    "OUT_OF_RANGE": ("OUT_OF_RANGE", OutOfRange),
    "TOO_LARGE": ("RESOURCE_EXHAUSTED", LimitExceeded),
    "BUSY": ("RESOURCE_EXHAUSTED", Busy),
    "BUILD_FAILED": ("INVALID_ARGUMENT", RecipeError),
    "BUILD_TIMEOUT": ("RESOURCE_EXHAUSTED", LimitExceeded),
    "BUILD_CRASHED": ("RESOURCE_EXHAUSTED", LimitExceeded),
    "LIBRARY_MISSING": ("FAILED_PRECONDITION", PreconditionError),
    "ENVIRONMENT_MISMATCH": ("FAILED_PRECONDITION", PreconditionError),
    "DEVICE_UNAVAILABLE": ("FAILED_PRECONDITION", PreconditionError),
    "NOT_IN_STORE": ("FAILED_PRECONDITION", PreconditionError),
    "STORE_MISMATCH": ("FAILED_PRECONDITION", PreconditionError),
    "UNSUPPORTED": ("UNIMPLEMENTED", Unsupported),
    "SHUTTING_DOWN": ("UNAVAILABLE", Unavailable),
    "INTERNAL": ("INTERNAL", ServerError),
}
"""Reason of the contract to the name of its gRPC code and its exception."""


def invalid(field: str, message: str, kind: type[InitiumError] = RecipeError) -> InitiumError:
    """The error of a single bad field."""
    return kind(violations=[Violation(field, message)])
