"""Every way a request can fail, with its reason, its gRPC code and the fields at fault.

Core code raises `InitiumError`; only `initium_server.rpc` knows gRPC. The reasons are part of the contract: each is
described in `proto/initium/v1/service.proto`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Reason -> canonical gRPC code name. A new reason is one line here and one in the proto comment of `Reason`.
CODES: Mapping[str, str] = {
    "INVALID_RECIPE": "INVALID_ARGUMENT",
    "INVALID_PLAN": "INVALID_ARGUMENT",
    "INVALID_REQUEST": "INVALID_ARGUMENT",
    "MALFORMED_MESSAGE": "INVALID_ARGUMENT",
    "PLAN_DIGEST_MISMATCH": "INVALID_ARGUMENT",
    "PLAN_NOT_FOUND": "NOT_FOUND",
    "FILE_NOT_FOUND": "NOT_FOUND",
    "OUT_OF_RANGE": "OUT_OF_RANGE",
    "TOO_LARGE": "RESOURCE_EXHAUSTED",
    "BUSY": "RESOURCE_EXHAUSTED",
    "BUILD_FAILED": "INVALID_ARGUMENT",
    "BUILD_TIMEOUT": "RESOURCE_EXHAUSTED",
    "BUILD_CRASHED": "RESOURCE_EXHAUSTED",
    "LIBRARY_MISSING": "FAILED_PRECONDITION",
    "ENVIRONMENT_MISMATCH": "FAILED_PRECONDITION",
    "DEVICE_UNAVAILABLE": "FAILED_PRECONDITION",
    "UNSUPPORTED": "UNIMPLEMENTED",
    "SHUTTING_DOWN": "UNAVAILABLE",
    "INTERNAL": "INTERNAL",
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request and what is wrong with it: both sides of the mismatch, and the remedy."""

    field: str
    """Path in the request, e.g. `init.rules[2].xavier_normal`."""
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InitiumError(Exception):
    """A failed request: a reason of the contract, a message, and the fields at fault."""

    def __init__(
        self,
        reason: str,
        message: str = "",
        violations: Iterable[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.reason = reason
        self.violations = tuple(violations)
        self.message = message or "; ".join(map(str, self.violations[:3]))
        self.metadata = dict(metadata or {})
        super().__init__(self.message)

    @property
    def code(self) -> str:
        """The canonical gRPC code name of the reason."""
        return CODES[self.reason]

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.reason, self.message, self.violations, self.metadata)


def invalid(field: str, message: str, reason: str = "INVALID_RECIPE") -> InitiumError:
    """The error of a single bad field."""
    return InitiumError(reason, violations=[Violation(field, message)])
