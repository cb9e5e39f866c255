"""Plans in pieces, both ways. Every way in which pieces can be wrong has a reason, and takes no more than it may."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from initium.contract.pieces import PIECE, split
from initium.plan.checkpoint import VirtualCheckpoint
from initium.plan.limits import Limits
from initium.v1 import service_pb2 as pb
from initium.v1.plan_pb2 import Plan
from initium.v1.service_pb2 import PlanPiece
from initium_server.rpc import service
from initium_server.rpc.settings import Settings
from tests.rpc.calls import Serving, failure, recipe, serving, source


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as running:
        yield running


def large(served: Serving) -> Plan:
    """A plan of several pieces."""
    plan: Plan = served.stub.Resolve(pb.ResolveRequest(source=source())).plan
    plan.versions["long"] = "x" * (2 * PIECE)
    plan.ClearField("plan_digest")
    plan.ClearField("weights_key")
    return plan


def upload(served: Serving, pieces: Iterable[PlanPiece]) -> Any:
    return served.stub.UploadPlan(pb.UploadPlanRequest(piece=piece) for piece in pieces)


def test_a_plan_comes_and_goes_in_pieces(served: Serving) -> None:
    plan = large(served)
    pieces = list(split(plan.SerializeToString()))
    assert len(pieces) == 3
    answer = upload(served, pieces)
    named = source(plan_digest=answer.plan_digest)
    back = list(served.stub.DownloadPlan(pb.DownloadPlanRequest(source=named)))
    assert max(len(each.piece.data) for each in back) == PIECE
    whole = Plan.FromString(b"".join(each.piece.data for each in back))
    assert (whole.plan_digest, whole.weights_key) == (answer.plan_digest.hex(), answer.weights_key.hex())
    assert list(whole.tensors) == list(plan.tensors)
    stream = served.stub.Generate(pb.GenerateRequest(source=named, without_plan=True))
    data = b"".join(message.chunk.data for message in stream if message.HasField("chunk"))
    assert data == VirtualCheckpoint(whole).read("model.safetensors")
    assert answer.total_bytes == len(data)


def endless(data: bytes) -> Iterator[PlanPiece]:
    """Says that it will end, and does not."""
    return (PlanPiece(size=len(data), offset=i * PIECE, data=data[:PIECE]) for i in itertools.count())


WRONG: dict[str, tuple[Callable[[bytes], Iterable[PlanPiece]], str]] = {
    "none": (lambda data: [], "piece"),
    "without size": (lambda data: [PlanPiece(data=data[:9])], "piece.size"),
    "out of order": (lambda data: reversed(list(split(data))), "piece.offset"),
    "twice": (lambda data: [next(split(data))] * 2, "piece.offset"),
    "a gap": (lambda data: [each for i, each in enumerate(split(data)) if i != 1], "piece.offset"),
    "too few": (lambda data: itertools.islice(split(data), 2), "piece"),
    "another size": (
        lambda data: [
            PlanPiece(size=len(data) + each.offset, offset=each.offset, data=each.data) for each in split(data)
        ],
        "piece.size",
    ),
    "too many": (lambda data: [*split(data), PlanPiece(size=len(data), offset=len(data), data=b"x")], "piece.data"),
    "empty": (lambda data: [PlanPiece(size=len(data))], "piece.data"),
    "too long": (lambda data: [PlanPiece(size=len(data), data=data)], "piece.data"),
    "endless": (endless, "piece.data"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_pieces_are_named(served: Serving, name: str) -> None:
    make, field = WRONG[name]
    data = large(served).SerializeToString()
    error = failure(lambda: upload(served, make(data)))
    assert (error.code, error.reason, error.fields) == ("INVALID_ARGUMENT", "INVALID_REQUEST", [field])


def test_a_plan_that_never_ends_takes_no_more_than_it_may(tmp_path: Path) -> None:
    """It is refused by what it announces, before anything is kept; what goes beyond that ends it."""
    with serving(tmp_path, Settings(limits=Limits(plan_bytes=3 * PIECE))) as served:
        for size in (3 * PIECE + 1, 1 << 60):
            error = failure(lambda size=size: upload(served, announced(size)))
            assert (error.code, error.reason, error.fields) == ("RESOURCE_EXHAUSTED", "TOO_LARGE", ["piece.size"])
            assert (error.metadata["limit"], error.metadata["max"]) == ("plan_bytes", str(3 * PIECE))


def announced(size: int) -> Iterator[PlanPiece]:
    return (PlanPiece(size=size, offset=i * PIECE, data=bytes(PIECE)) for i in itertools.count())


def test_what_the_pieces_make_is_checked_like_any_plan(served: Serving) -> None:
    plan = large(served)
    cases: dict[str, tuple[bytes, str]] = {"noise": (b"\xff" * 9, "MALFORMED_MESSAGE")}
    plan.tensors[0].dtype = "F31"
    cases["a bad field"] = plan.SerializeToString(), "INVALID_PLAN"
    cases["a newer field"] = plan.SerializeToString() + b"\xca\x30\x01x", "UNSUPPORTED"
    plan.tensors[0].dtype, plan.plan_version = "F32", 3
    cases["a newer version"] = plan.SerializeToString(), "UNSUPPORTED"
    plan.plan_version, plan.plan_digest = 1, "0" * 64
    cases["another digest"] = plan.SerializeToString(), "PLAN_DIGEST_MISMATCH"
    for name, (data, reason) in cases.items():
        assert failure(lambda data=data: upload(served, split(data))).reason == reason, name


def refused(served: Serving, data: bytes) -> bool:
    try:
        upload(served, split(data))
    except grpc.RpcError:
        return True
    return False


def test_uploads_beyond_the_bound_are_asked_to_come_back(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    data, go_on = large(served).SerializeToString(), threading.Event()
    started = threading.Semaphore(0)

    def slow() -> Iterator[PlanPiece]:
        pieces = split(data)
        yield next(pieces)
        started.release()
        go_on.wait()
        yield from pieces

    calls = [
        served.stub.UploadPlan.future(pb.UploadPlanRequest(piece=piece) for piece in slow())
        for _ in range(service.UPLOADS)
    ]
    for _ in calls:
        assert started.acquire(timeout=30)
    deadline = time.monotonic() + 30
    while not refused(served, data):  # The last of them may not have arrived yet.
        assert time.monotonic() < deadline, "there is no bound"
    error = failure(lambda: upload(served, split(data)))
    assert (error.code, error.reason, error.retry_seconds) == ("RESOURCE_EXHAUSTED", "BUSY", 1)
    assert served.stub.Resolve(pb.ResolveRequest(source=source(recipe()))).plan.tensors
    go_on.set()
    for call in calls:
        assert call.result().plan_digest
