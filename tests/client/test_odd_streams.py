"""Streams that are not what the contract says, that say nothing, or that end when nobody expects it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import initium
from initium.client import rpc
from initium.contract.leaves import LEAF, leaf_digest
from initium.v1 import service_pb2 as pb
from tests.client.clock import Clock, still
from tests.client.conftest import FILES, RECIPE
from tests.client.fake import FakeServer, Faults, header, make_plan, rich_error, starts

ORDER = [(0, 0), (0, LEAF), (0, 2 * LEAF), (0, 3 * LEAF), (1, 0), (1, LEAF), (3, 0)]
"""The leaves of FILES."""
NOT_FOUND = rich_error(5, "PLAN_NOT_FOUND")


def chunk(file: int, offset: int, data: bytes) -> bytes:
    message = pb.Chunk(file=file, offset=offset, digest=leaf_digest(data), data=data)
    return pb.GenerateResponse(chunk=message).SerializeToString()


TRAILER = pb.GenerateResponse(trailer=pb.GenerateTrailer()).SerializeToString()
A = FILES["a.safetensors"]

BROKEN_CONTRACT: dict[str, tuple[Callable[[list[bytes]], Iterable[bytes]], str]] = {
    "a chunk first": (lambda sent: sent[1:], "sent something else than a header first"),
    "a trailer first": (lambda sent: sent[:0:-1], "sent something else than a header first"),
    "a second header": (lambda sent: [sent[0], *sent], "sent something else than chunks and a trailer"),
    "another plan": (
        lambda sent: [header(make_plan({"x": b""})), *sent[1:]],
        f"asked for the plan {make_plan(FILES).plan_digest}, the server streams {make_plan({'x': b''}).plan_digest}",
    ),
    "a trailer at once": (lambda sent: [sent[0], TRAILER], "the trailer came before the leaf at a.safetensors byte 0"),
    "an early trailer": (
        lambda sent: [*sent[:6], TRAILER],
        f"the trailer came before the leaf at b.safetensors byte {LEAF}",
    ),
    "a leaf left out": (
        lambda sent: [*sent[:3], *sent[4:]],
        f"expected a leaf at a.safetensors byte {2 * LEAF}, got a.safetensors byte {3 * LEAF}",
    ),
    "a leaf twice": (
        lambda sent: [*sent[:3], *sent[2:]],
        f"expected a leaf at a.safetensors byte {2 * LEAF}, got a.safetensors byte {LEAF}",
    ),
    "a leaf of another file": (
        lambda sent: [sent[0], chunk(1, 0, A[:LEAF])],
        "expected a leaf at a.safetensors byte 0, got b.safetensors byte 0",
    ),
    "a leaf of no file": (
        lambda sent: [*sent[:-1], chunk(9, 0, b"x")],
        r"expected a leaf at file 4 \(there are 4\) byte 0, got file 9 \(there are 4\) byte 0",
    ),
    "a short leaf": (
        lambda sent: [sent[0], chunk(0, 0, A[:5])],
        f"a.safetensors byte 0: expected a leaf of {LEAF} bytes, got 5",
    ),
    "a long last leaf": (
        lambda sent: [*sent[:4], chunk(0, 3 * LEAF, bytes(18))],
        f"a.safetensors byte {3 * LEAF}: expected a leaf of 17 bytes, got 18",
    ),
    "an empty leaf": (
        lambda sent: [sent[0], chunk(0, 0, b"")],
        f"a.safetensors byte 0: expected a leaf of {LEAF} bytes, got 0",
    ),
    "no message of ours": (lambda sent: [sent[0], b"<html>"], r"a message of 6 bytes that cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN_CONTRACT)
def test_a_stream_that_breaks_the_contract_is_an_error(client: initium.Client, server: FakeServer, name: str) -> None:
    change, message = BROKEN_CONTRACT[name]
    server.faults.rewrite = lambda sent: change(list(sent))
    with pytest.raises(initium.ServerError, match=message):
        list(client.leaves(server.plan))
    assert len(server.requests) == 1


def test_the_plan_is_not_asked_for_again(client: initium.Client, server: FakeServer) -> None:
    list(client.leaves(server.plan))
    assert [request.without_plan for request in server.requests] == [True]


@pytest.mark.parametrize("fields", [{"leaf_bytes": 1 << 21}, {"digest_function": "SHA-256"}], ids=str)
def test_leaves_of_another_kind_are_not_read(
    client: initium.Client, server: FakeServer, fields: dict[str, Any]
) -> None:
    server.faults.rewrite = lambda sent: [header(server.plan, **fields), *itertools.islice(sent, 1, None)]
    with pytest.raises(initium.Unsupported, match="this client reads 1048576 and BLAKE3"):
        list(client.leaves(server.plan))


def test_a_stream_that_ends_before_its_header_is_tried_again(
    client: initium.Client, server: FakeServer, clock: Clock
) -> None:
    empty = iter([True, True])
    server.faults.rewrite = lambda sent: [] if next(empty, False) else sent
    assert len(list(client.leaves(server.plan))) == len(ORDER)
    assert len(server.requests) == 3
    server.faults.rewrite = lambda sent: []
    with pytest.raises(initium.Unavailable, match=f"the stream of {server.address} ended before its header"):
        list(client.leaves(server.plan))


@pytest.mark.parametrize(("count", "place"), [(0, (0, 0)), (3, (0, 3 * LEAF)), (4, (1, 0)), (6, (3, 0)), (7, (3, 2))])
def test_after_a_break_the_next_stream_starts_at_the_first_missing_byte(
    client: initium.Client, server: FakeServer, clock: Clock, count: int, place: tuple[int, int]
) -> None:
    server.faults = Faults(break_after=[count])
    leaves = list(client.leaves(server.plan))
    assert [(leaf.file, leaf.offset) for leaf in leaves] == ORDER
    for leaf in leaves:
        data = list(FILES.values())[leaf.file][leaf.offset : leaf.offset + LEAF]
        assert (bytes(leaf.data), leaf.digest) == (data, leaf_digest(data))
    assert starts(server) == [(0, 0), place]


def test_a_start_at_the_first_byte_is_not_written(client: initium.Client, server: FakeServer) -> None:
    list(client.leaves(server.plan))
    assert not server.requests[0].HasField("start")
    assert not server.requests[0].tensor_digests


@pytest.mark.parametrize("how", ["reset as cancelled", "reset", "silent"])
def test_a_broken_connection_is_gone_on_from(
    client: initium.Client, server: FakeServer, clock: Clock, how: str
) -> None:
    server.faults = Faults(break_after=[2, 1], break_how=how)
    assert [(leaf.file, leaf.offset) for leaf in client.leaves(server.plan)] == ORDER
    assert len(server.requests) == 3


def test_a_call_that_was_cancelled_is_not_tried_again(client: initium.Client, server: FakeServer) -> None:
    server.faults = Faults(break_after=[2], break_how="cancelled")
    with pytest.raises(initium.Cancelled, match="asked to stop"):
        list(client.leaves(server.plan))
    assert len(server.requests) == 1


def test_a_replica_that_does_not_know_the_plan_gets_it(
    client: initium.Client, server: FakeServer, clock: Clock
) -> None:
    def forget(count: int) -> None:
        server.faults.forgets = count == 1

    server.faults = Faults(break_after=[2, 3], on_leaf=forget)
    assert [(leaf.file, leaf.offset) for leaf in client.leaves(server.plan)] == ORDER
    kinds = [request.source.WhichOneof("source") for request in server.requests]
    assert kinds == ["plan_digest", "plan_digest", "plan", "plan_digest"]
    assert starts(server) == [(0, 0), *[(0, 2 * LEAF)] * 2, (1, LEAF)]
    assert server.requests[2].source.plan == server.plan


def test_a_server_that_does_not_take_the_plan_either_is_an_error(client: initium.Client, server: FakeServer) -> None:
    server.faults.error = NOT_FOUND
    with pytest.raises(initium.PlanNotFound):
        list(client.leaves(server.plan))
    assert [request.source.WhichOneof("source") for request in server.requests] == ["plan_digest", "plan"]


def test_a_slow_consumer_does_not_use_up_patience(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    server.faults = Faults(break_after=[1, 2, 1])
    for _ in client.leaves(server.plan):
        clock.skipped += 1000.0
    assert len(server.requests) == 4


def test_patience_ends_when_no_leaf_comes_between_the_breaks(server: FakeServer, clock: Clock) -> None:
    with initium.connect(server.address, patience=20.0) as client:
        client.capabilities()
        server.faults = Faults(break_after=[2, *[0] * 1000])
        leaves = client.leaves(server.plan)
        assert [next(leaves).offset for _ in range(2)] == [0, LEAF]
        with pytest.raises(initium.Unavailable, match=r"going away \(gave up after 20 s without progress\)$"):
            list(leaves)


def test_under_stream_v1_streams_may_break_often(server: FakeServer, clock: Clock) -> None:
    with initium.connect(server.address, patience=1000) as patient:
        patient.capabilities()
        server.faults = Faults(break_after=[0] * 12)
        assert len(list(patient.leaves(server.plan))) == len(ORDER)


@pytest.mark.parametrize(("breaks", "ends"), [(8, True), (9, False)])
def test_under_torch_streams_break_eight_times_before_the_first_leaf(
    make_server: Callable[..., FakeServer], clock: Clock, breaks: int, ends: bool
) -> None:
    server = make_server(generator="torch")
    with initium.connect(server.address, patience=1000) as client:
        client.capabilities()
        server.faults = Faults(break_after=[0] * breaks)
        if ends:
            assert len(list(client.leaves(server.plan))) == len(ORDER)
        else:
            with pytest.raises(initium.Unavailable, match=r"going away$"):
                list(client.leaves(server.plan))


@pytest.mark.parametrize(("again", "ends"), [(8, True), (9, False)])
def test_under_torch_streams_break_eight_times_without_a_new_leaf(
    make_server: Callable[..., FakeServer], clock: Clock, again: int, ends: bool
) -> None:
    server = make_server(generator="torch")
    with initium.connect(server.address, patience=1000) as client:
        client.capabilities()
        server.requests.clear()
        server.faults = Faults(break_after=[1, 2, *[2] * (again - 1)])
        leaves = client.leaves(server.plan)
        assert [next(leaves).offset for _ in range(2)] == [0, LEAF]
        if ends:
            assert len(list(leaves)) == len(ORDER) - 2
        else:
            with pytest.raises(initium.Unavailable, match=r"^no answer from .*: going away$"):
                list(leaves)
    assert starts(server) == [(0, 0)] * (again + 2 if ends else again + 1)


def test_under_torch_a_leaf_that_came_before_is_progress_too(
    make_server: Callable[..., FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, server = still(monkeypatch), make_server(generator="torch")
    server.faults = Faults(break_after=[3, *[2] * 7])
    with initium.connect(server.address, patience=0.15) as client:
        assert [(leaf.file, leaf.offset) for leaf in client.leaves(server.plan)] == ORDER
    assert clock.pauses == pytest.approx([0.1] * 8)


def test_a_wrong_leaf_is_replaced(client: initium.Client, server: FakeServer) -> None:
    server.faults.corrupt[1, LEAF] = 1
    leaves = {(leaf.file, leaf.offset): leaf for leaf in client.leaves(server.plan)}
    data = FILES["b.safetensors"][LEAF:]
    assert list(leaves) == ORDER
    assert bytes(leaves[1, LEAF].data) == data
    assert leaves[1, LEAF].digest == leaf_digest(data)


def test_a_leaf_that_stays_wrong_is_an_error_that_names_it(client: initium.Client, server: FakeServer) -> None:
    server.faults.corrupt[1, LEAF] = 2
    reported = (
        f"b.safetensors at byte {LEAF}: the bytes do not have their digest, twice; the server or network is faulty"
    )
    with pytest.raises(initium.IntegrityError, match=reported):
        list(client.leaves(server.plan))


def test_a_leaf_that_comes_shorter_the_second_time_is_an_error(client: initium.Client, server: FakeServer) -> None:
    server.faults.corrupt[0, 3 * LEAF] = 1

    def only_reads(sent: Iterator[bytes]) -> Iterable[bytes]:
        return [] if isinstance(server.requests[-1], pb.ReadRequest) else sent

    server.faults.rewrite = only_reads
    with pytest.raises(initium.IntegrityError, match=f"byte {3 * LEAF}: asked again for 17 bytes, got 0"):
        list(client.leaves(server.plan))


def test_under_torch_a_wrong_leaf_cannot_be_asked_for_again(make_server: Callable[..., FakeServer]) -> None:
    server = make_server(generator="torch")
    server.faults.corrupt[0, LEAF] = 1
    reported = f"a.safetensors at byte {LEAF}: the bytes do not have their digest; start again"
    with initium.connect(server.address) as client, pytest.raises(initium.IntegrityError, match=reported):
        list(client.leaves(server.plan))
    assert len(server.requests) == 1


@pytest.mark.parametrize(("patience", "limit"), [(0.0, 0.2), (1.0, 0.5)])
def test_a_stream_may_be_silent_for_half_of_the_patience(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, patience: float, limit: float
) -> None:
    monkeypatch.setattr("initium.client.rpc.MIN_STALL", 0.2)
    server.faults = Faults(break_after=[2], break_how="stall")
    reported: list[str] = []

    def note(error: initium.Unavailable, pause: float) -> None:
        reported.append(error.message)

    with initium.connect(server.address, patience=patience, timeout=1.0, on_retry=note) as client:
        leaves = client.leaves(server.plan)
        assert [next(leaves).offset for _ in range(2)] == [0, LEAF]
        try:
            list(leaves)
        except initium.TimedOut as error:
            reported.append(error.message)
    assert reported[0].startswith(f"{server.address} sent nothing for {limit:g} s")
    assert server.ended.acquire(timeout=10)


@pytest.mark.parametrize("ends", [False, True])
def test_a_stream_may_be_silent_up_to_its_limit(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    now, waiting, gate = 1000.0, threading.Event(), threading.Event()
    outcome: list[object] = []
    monkeypatch.setattr("initium.client.rpc.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("initium.client.rpc.MIN_STALL", 0.0625)

    def pause(count: int) -> None:
        waiting.set()
        gate.wait(30)

    server.faults.on_leaf = pause

    def receive() -> None:
        try:
            outcome.append(len(list(client.leaves(server.plan))))
        except initium.TimedOut:
            outcome.append("ended")
        finally:
            gate.set()

    with initium.connect(server.address, patience=0, timeout=0.0625) as client:
        thread = threading.Thread(target=receive)
        thread.start()
        assert waiting.wait(30)
        now += 0.0625
        assert not gate.wait(0.2)  # the limit is not passed yet, as often as the watchdog looks
        while ends and not outcome:
            now += 0.125
            time.sleep(0.01)
        gate.set()
        thread.join()
    assert outcome == ["ended" if ends else len(ORDER)]


def test_nobody_watches_a_stream_that_has_ended(client: initium.Client, server: FakeServer) -> None:
    for _ in range(3):
        list(client.leaves(server.plan))
    watchers = [thread for thread in threading.enumerate() if thread.name == "initium-watchdog"]
    for thread in watchers:
        thread.join(10)
    assert not any(thread.is_alive() for thread in watchers)


def test_the_first_message_may_take_the_timeout(server: FakeServer) -> None:
    server.faults.hangs = True
    reported = f"{server.address} sent nothing for 0.2 s"
    with (
        initium.connect(server.address, timeout=0.2, patience=0) as client,
        pytest.raises(initium.TimedOut, match=reported),
    ):
        list(client.leaves(server.plan))


def test_the_time_that_a_consumer_takes_is_not_the_servers(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("initium.client.rpc.MIN_STALL", 0.1)
    with initium.connect(server.address, patience=0) as client:
        leaves = client.leaves(server.plan)
        next(leaves)
        time.sleep(0.3)
        assert len(list(leaves)) == len(ORDER) - 1


def test_a_consumer_that_stops_ends_the_stream_at_the_server(
    client: initium.Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call is kept here: gRPC itself ends those that nobody holds."""
    calls: list[Any] = []

    class Watchdog(rpc._Watchdog):
        def __init__(self, call: Any, limit: float) -> None:
            calls.append(call)
            super().__init__(call, limit)

    monkeypatch.setattr(rpc, "_Watchdog", Watchdog)
    server.faults = Faults(break_after=[1], break_how="stall")
    leaves: Any = client.leaves(server.plan)
    next(leaves)
    leaves.close()
    assert server.ended.acquire(timeout=10)
    assert [call.is_active() for call in calls] == [False]
    assert len(server.requests) == 1


@pytest.mark.parametrize("what", ["stream", "answer"])
def test_closing_a_client_ends_its_calls(client: initium.Client, server: FakeServer, what: str) -> None:
    running, caught = threading.Event(), []
    server.faults = Faults(hangs=what == "answer", break_after=[1], break_how="stall")

    def call() -> None:
        try:
            if what == "answer":
                client.resolve(RECIPE)
            for _ in client.leaves(server.plan):
                running.set()
        except initium.InitiumError as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not server.requests or not (what == "answer" or running.is_set()):
        time.sleep(0.005)
    client.close()
    thread.join(10)
    assert [type(error) for error in caught] == [initium.Cancelled]
    assert len(server.requests) == 1


def test_closing_a_client_ends_its_waiting(server: FakeServer, clock: Clock) -> None:
    server.faults.unavailable = 1000
    with initium.connect(server.address, on_retry=lambda *_: client.close()) as client:
        for call in (client.capabilities, lambda: list(client.leaves(server.plan))):
            with pytest.raises(initium.Cancelled, match="this client is closed"):
                call()
    assert len(server.requests) == 1
