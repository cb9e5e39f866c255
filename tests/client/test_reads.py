"""Ranges of files: joined, checked, and gone on with wherever they break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import initium
from initium.contract.leaves import LEAF, leaf_digest
from initium.v1 import service_pb2 as pb
from tests.client.clock import Clock, still
from tests.client.conftest import FILES
from tests.client.fake import FakeServer, Faults, rich_error

NAME = "a.safetensors"
DATA = FILES[NAME]
SIZE = len(DATA)

RANGES: dict[str, tuple[int, int | None]] = {
    "the whole": (0, None),
    "to the end": (LEAF + 5, None),
    "inside a leaf": (7, 11),
    "over leaves": (LEAF - 3, 2 * LEAF),
    "whole leaves": (LEAF, 2 * LEAF),
    "beyond the end": (2 * LEAF + 1, 5 * LEAF),
    "nothing": (7, 0),
    "nothing at the end": (SIZE, None),
    "the largest": (0, 2**64 - 1),
}


@pytest.mark.parametrize("breaks", [[], [0], [1], [1, 0, 1], [2, 1]])
@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_what_the_file_has_there_whatever_breaks(
    client: initium.Client, server: FakeServer, clock: Clock, name: str, breaks: list[int]
) -> None:
    offset, length = RANGES[name]
    server.faults = Faults(break_after=list(breaks))
    end = SIZE if length is None else offset + length
    assert client.read(server.plan, NAME, offset, length) == DATA[offset:end]


@pytest.mark.parametrize("how", ["unavailable", "reset", "reset as cancelled"])
def test_after_a_break_only_what_is_missing_is_asked_for(
    client: initium.Client, server: FakeServer, clock: Clock, how: str
) -> None:
    server.faults = Faults(break_after=[1, 0, 1, 1], break_how=how)
    client.read(server.plan, NAME, 5, 3 * LEAF)
    asked = [(request.offset, request.length) for request in server.requests]
    assert asked == [
        (5, 3 * LEAF),
        *[(LEAF, 2 * LEAF + 5)] * 2,
        (2 * LEAF, LEAF + 5),
        (3 * LEAF, 5),
    ]
    assert {request.file_name for request in server.requests} == {NAME}


def test_without_a_length_none_is_asked_for(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    server.faults = Faults(break_after=[2])
    client.read(server.plan, NAME, LEAF)
    assert [request.HasField("length") for request in server.requests] == [False, False]
    assert [request.offset for request in server.requests] == [LEAF, 3 * LEAF]


def test_a_break_after_the_last_piece_costs_one_empty_question(
    client: initium.Client, server: FakeServer, clock: Clock
) -> None:
    server.faults = Faults(break_after=[2])
    assert client.read(server.plan, NAME, LEAF, 2 * LEAF) == DATA[LEAF : 3 * LEAF]
    assert [(request.offset, request.length) for request in server.requests] == [(LEAF, 2 * LEAF), (3 * LEAF, 0)]


def test_a_replica_that_does_not_know_the_plan_gets_it(
    client: initium.Client, server: FakeServer, clock: Clock
) -> None:
    def forget(count: int) -> None:
        server.faults.forgets = True

    server.faults = Faults(break_after=[1], on_leaf=forget)
    assert client.read(server.plan, NAME, 5, 2 * LEAF) == DATA[5 : 5 + 2 * LEAF]
    kinds = [request.source.WhichOneof("source") for request in server.requests]
    assert kinds == ["plan_digest", "plan_digest", "plan"]
    assert server.requests[-1].source.plan == server.plan
    assert (server.requests[-1].offset, server.requests[-1].length) == (LEAF, LEAF + 5)


def test_a_plan_is_asked_for_by_its_digest_which_it_need_not_carry(client: initium.Client, server: FakeServer) -> None:
    bare = initium.Plan()
    bare.CopyFrom(server.plan)
    bare.ClearField("plan_digest")
    bare.ClearField("weights_key")
    assert client.read(bare, NAME, 0, 5) == client.read(server.plan.plan_digest, NAME, 0, 5) == DATA[:5]
    assert [request.source.plan_digest.hex() for request in server.requests] == [server.plan.plan_digest] * 2


def test_a_digest_alone_cannot_be_sent_as_a_plan(client: initium.Client, server: FakeServer) -> None:
    server.faults.forgets = True
    with pytest.raises(initium.PlanNotFound):
        client.read(server.plan.plan_digest, NAME)
    assert len(server.requests) == 1


def test_a_server_that_does_not_take_the_plan_either_is_an_error(client: initium.Client, server: FakeServer) -> None:
    server.faults.error = rich_error(5, "PLAN_NOT_FOUND")
    with pytest.raises(initium.PlanNotFound):
        client.read(server.plan, NAME)
    assert len(server.requests) == 2


@pytest.mark.parametrize(("reason", "code"), [("FILE_NOT_FOUND", 5), ("OUT_OF_RANGE", 11), ("UNSUPPORTED", 12)])
def test_what_cannot_be_read_is_an_error_at_once(
    client: initium.Client, server: FakeServer, reason: str, code: int
) -> None:
    server.faults.error = rich_error(code, reason)
    with pytest.raises(initium.InitiumError) as caught:
        client.read(server.plan, NAME)
    assert caught.value.reason == reason
    assert len(server.requests) == 1


def piece(offset: int, data: bytes) -> bytes:
    return pb.ReadResponse(offset=offset, digest=leaf_digest(data), data=data).SerializeToString()


def test_pieces_out_of_order_are_an_error(client: initium.Client, server: FakeServer) -> None:
    def swapped(sent: Iterator[bytes]) -> list[bytes]:
        first, second, *rest = sent
        return [second, first, *rest]

    server.faults.rewrite = swapped
    with pytest.raises(initium.ServerError, match=f"{NAME}: expected bytes from 5, got them from {LEAF}"):
        client.read(server.plan, NAME, 5)


@pytest.mark.parametrize("wrong", [0, LEAF])
def test_a_wrong_piece_is_an_error(client: initium.Client, server: FakeServer, wrong: int) -> None:
    server.faults.corrupt[0, wrong] = 1
    with pytest.raises(initium.IntegrityError, match=f"{NAME} at byte {wrong}: the bytes do not have their digest"):
        client.read(server.plan, NAME)
    assert len(server.requests) == 1


def test_a_piece_that_is_no_message_is_an_error(client: initium.Client, server: FakeServer) -> None:
    server.faults.rewrite = lambda sent: [b"<html>"]
    with pytest.raises(initium.ServerError, match="cannot be read; is this an Initium server"):
        client.read(server.plan, NAME)


def test_every_piece_is_progress(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = still(monkeypatch)
    server.faults = Faults(break_after=[1, 1, 1, 1])
    with initium.connect(server.address, patience=0.15) as client:
        assert client.read(server.plan, NAME) == DATA
    assert clock.pauses == pytest.approx([0.1] * 4)


def test_patience_ends_when_no_piece_comes(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    server.faults = Faults(break_after=[1, *[0] * 1000])
    with pytest.raises(initium.Unavailable, match=r"gave up after 5 s"):
        client.read(server.plan, NAME)
