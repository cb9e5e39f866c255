"""How a plan is named in requests: by its digest, and by more once a server does not know that.

A plan that fits into a request goes in it. One that does not is uploaded before; behind several servers the next call
may then meet another one, which does not hold it, so that it is tried a few times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from initium.contract.pieces import joined, split
from initium.errors import PlanNotFound, RequestError, ServerError
from initium.plan.limits import MESSAGE_BYTES, PLAN_BYTES
from initium.v1.plan_pb2 import Plan
from initium.v1.service_pb2 import (
    DownloadPlanRequest,
    DownloadPlanResponse,
    PlanSource,
    UploadPlanRequest,
    UploadPlanResponse,
)

if TYPE_CHECKING:
    from initium.client.rpc import Rpc

INLINE_BYTES = MESSAGE_BYTES - (64 << 10)
"""Plans up to this size go in the request that needs them."""
_DIGEST = re.compile("[0-9a-f]{64}")
REPLICAS = 8
"""Servers behind one address among which an uploaded plan is looked for."""


class Name:
    """The name of one plan, which carries its digest, or of which only the digest is known."""

    def __init__(self, rpc: Rpc, plan: Plan | str) -> None:
        self._rpc = rpc
        self._plan = plan if isinstance(plan, Plan) else None
        self._digest = digest_bytes(plan.plan_digest if isinstance(plan, Plan) else plan)
        self._misses = 0

    def source(self) -> PlanSource:
        """What to put into a request."""
        if self._misses and self._plan is not None and self._plan.ByteSize() <= INLINE_BYTES:
            return PlanSource(plan=self._plan)
        return PlanSource(plan_digest=self._digest)

    def missed(self, error: PlanNotFound) -> None:
        """Does what helps before the next try; raises `error` where nothing does."""
        self._misses += 1
        if self._plan is None or self._misses > (1 if self._plan.ByteSize() <= INLINE_BYTES else REPLICAS):
            raise error
        if self._misses == 1 and self._plan.ByteSize() > INLINE_BYTES:
            upload(self._rpc, self._plan)

    def again(self) -> None:
        """The next server may be another one: asking by digest costs one round trip."""
        self._misses = 0


def digest_bytes(text: str) -> bytes:
    """The bytes of a digest. Errors: RequestError if `text` is none."""
    if not _DIGEST.fullmatch(text):
        raise RequestError(f"{text[:80]!r} is no digest; it is 64 letters of 0-9 and a-f")
    return bytes.fromhex(text)


def resolve(rpc: Rpc, source: PlanSource) -> Plan:
    """The plan that `source` stands for. Errors: InitiumError."""
    if source.HasField("plan") and source.plan.ByteSize() > INLINE_BYTES:
        source = PlanSource(plan_digest=upload(rpc, source.plan))
    request = DownloadPlanRequest(source=source)
    data = rpc.retried(lambda: _downloaded(rpc, request))
    return Plan.FromString(bytes(data))


def _downloaded(rpc: Rpc, request: DownloadPlanRequest) -> bytearray:
    messages = rpc.stream("DownloadPlan", request)
    return joined((rpc.parsed(message, DownloadPlanResponse()).piece for message in messages), PLAN_BYTES, ServerError)


def upload(rpc: Rpc, plan: Plan) -> bytes:
    """Sends a plan in pieces; the server then knows it by the digest that comes back. Errors: InitiumError."""
    data = plan.SerializeToString()

    def requests() -> Iterator[UploadPlanRequest]:
        return (UploadPlanRequest(piece=piece) for piece in split(data))

    return rpc.upload("UploadPlan", requests, UploadPlanResponse()).plan_digest
