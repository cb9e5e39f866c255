"""Calls with one answer: the channel they go over, how often they are tried, and what their errors say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest

import initium
from initium.client import rpc
from initium.v1 import service_pb2 as pb
from tests.client.clock import Clock
from tests.client.conftest import RECIPE
from tests.client.fake import FakeServer, Faults, rich_error

MakeServer = Callable[..., FakeServer]


@pytest.fixture
def tcp_servers(make_server: MakeServer) -> list[FakeServer]:
    return [make_server(address="127.0.0.1:0") for _ in range(2)]


def test_calls_are_spread_over_all_addresses(tcp_servers: list[FakeServer]) -> None:
    addresses = ",".join(server.address for server in tcp_servers)
    with initium.connect(f"ipv4:{addresses}") as client:
        for _ in range(100):
            client.capabilities()
            if all(server.requests for server in tcp_servers):
                break
    assert all(server.requests for server in tcp_servers)


def test_each_client_has_a_connection_of_its_own(tcp_servers: list[FakeServer]) -> None:
    server = tcp_servers[0]
    with initium.connect(server.address) as one, initium.connect(server.address) as other:
        for client in (one, other, one, other):
            client.capabilities()
    assert server.peers[:2] == server.peers[2:]
    assert len(set(server.peers)) == 2


def test_credentials_are_used(server: FakeServer) -> None:
    token = grpc.access_token_call_credentials("secret")
    local = grpc.local_channel_credentials(grpc.LocalConnectionType.UDS)
    credentials = grpc.composite_channel_credentials(local, token)
    with initium.connect(server.address, credentials=credentials) as client:
        client.capabilities()
    assert server.metadata[0]["authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("address", "reported"),
    [
        ("http://host:7070/", "'http://host:7070/' is a URL; gRPC takes 'host:7070'"),
        ("https://host//", "'https://host//' is a URL; gRPC takes 'host'"),
        ("a\tb", r"'a\tb' is no address; write host:port or unix:/path"),
        ("7070", r"'7070' has no port; write host:port, e.g. 127.0.0.1:7070"),
        ("trainer", r"'trainer' has no port; write host:port, e.g. trainer:7070"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(address: str, reported: str) -> None:
    with pytest.raises(initium.RequestError) as caught:
        initium.connect(address)
    assert caught.value.message == reported


def test_a_client_has_its_address(server: FakeServer) -> None:
    with initium.connect(server.address) as client:
        assert client.address == server.address


def test_messages_beyond_grpcs_4_mib_come_through(make_server: MakeServer) -> None:
    server = make_server(literals={"x": bytes(5 << 20)})
    with initium.connect(server.address) as client:
        assert client.resolve(server.plan) == server.plan


def test_a_request_beyond_64_mib_is_refused() -> None:
    limit = 64 << 20
    largest = pb.ReadResponse(data=bytes(limit - 5))
    assert len(rpc.serialize(largest)) == limit
    largest.offset = 1
    with pytest.raises(initium.LimitExceeded, match=f"has {limit + 2:,} bytes; the limit is {limit:,}; make") as caught:
        rpc.serialize(largest)
    assert caught.value.reason == "TOO_LARGE"
    assert (caught.value.metadata["limit"], caught.value.metadata["max"]) == ("message_bytes", str(limit))


def test_a_request_beyond_the_limit_is_not_sent(
    client: initium.Client, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "MESSAGE_BYTES", 1000)
    long = {"architecture": RECIPE["architecture"], "seed": 1, "groups": {"optimizer": "x" * 1000}}
    calls: list[Callable[[], object]] = [lambda: client.resolve(long), lambda: client.read("0" * 64, "x" * 1000)]
    for call in calls:
        with pytest.raises(initium.LimitExceeded, match="the limit is 1,000"):
            call()
    assert not server.requests


def test_only_what_may_pass_is_tried_again(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    passing = [(14, "SHUTTING_DOWN"), (8, "BUSY"), (14, ""), (10, "")]
    server.faults.errors = [rich_error(code, reason) for code, reason in passing]
    assert client.resolve(RECIPE) == server.plan
    assert len(server.requests) == 5
    for code, reason, kind in [(3, "", initium.RequestError), (8, "TOO_LARGE", initium.LimitExceeded)]:
        server.requests.clear()
        server.faults.errors = [rich_error(code, reason)]
        with pytest.raises(kind):
            client.resolve(RECIPE)
        assert len(server.requests) == 1


def test_a_busy_server_is_left_alone_as_long_as_it_asks(
    client: initium.Client, server: FakeServer, clock: Clock
) -> None:
    reported: list[float] = []
    server.faults.errors = [rich_error(8, "BUSY", retry_after=seconds) for seconds in (3.25, 0.0625)]
    with initium.connect(server.address, on_retry=lambda _, pause: reported.append(pause)) as patient:
        patient.capabilities()
    assert clock.pauses == reported == pytest.approx([3.25, 0.16])


@pytest.mark.parametrize(("patience", "first"), [(60.0, 40), (4.0, 4)])
def test_patience_is_short_until_a_server_has_answered(
    server: FakeServer, clock: Clock, patience: float, first: int
) -> None:
    server.faults = Faults(unavailable=10**6)
    with initium.connect(server.address, patience=patience) as client:
        for call in (client.capabilities, lambda: list(client.leaves(server.plan))):
            clock.skipped = 0.0
            with pytest.raises(initium.Unavailable, match=rf"going away \(gave up after {first} s .*initium serve"):
                call()
        server.faults.unavailable = 0
        client.capabilities()
        server.faults.unavailable = 10**6
        clock.skipped = 0.0
        with pytest.raises(initium.Unavailable, match=rf"gave up after {patience:g} s"):
            client.capabilities()


def test_a_stream_is_an_answer_too(server: FakeServer, clock: Clock) -> None:
    with initium.connect(server.address) as client:
        list(client.leaves(server.plan))
        server.faults.unavailable = 10**6
        clock.skipped = 0.0
        with pytest.raises(initium.Unavailable, match="gave up after 60 s"):
            client.capabilities()


def test_an_answer_that_takes_too_long_is_an_error(server: FakeServer) -> None:
    server.faults.hangs = True
    with initium.connect(server.address, timeout=0.1, patience=0) as client, pytest.raises(initium.TimedOut) as caught:
        client.capabilities()
    assert caught.value.message.startswith(f"no answer from {server.address}: ")


@pytest.mark.parametrize(
    ("method", "call"), [("GetCapabilitiesResponse", "capabilities"), ("DownloadPlanResponse", "resolve")]
)
def test_an_answer_of_something_else_is_an_error(
    client: initium.Client, server: FakeServer, method: str, call: str
) -> None:
    server.faults.answer = b"<html>"
    arguments: list[Any] = [RECIPE] if call == "resolve" else []
    reported = f"{server.address} sends something else than a {method}; is it an Initium server"
    with pytest.raises(initium.ServerError, match=reported):
        getattr(client, call)(*arguments)
    assert len(server.requests) == 1


def test_errors_of_the_transport_say_who_and_why(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    server.faults.error = rich_error(14, "", "failed to connect to all addresses; last error: ipv4: Connection refused")
    with pytest.raises(initium.Unavailable) as caught:
        client.capabilities()
    assert caught.value.message.startswith(f"no answer from {server.address}: Connection refused (gave up after")


def test_errors_with_a_reason_keep_their_words(client: initium.Client, server: FakeServer, clock: Clock) -> None:
    server.faults.error = rich_error(14, "SHUTTING_DOWN", "going: soon")
    with pytest.raises(initium.Unavailable, match=r"^going: soon \(gave up"):
        client.capabilities()


def test_a_closed_client_says_so(client: initium.Client, server: FakeServer) -> None:
    client.close()
    calls: list[Callable[[], object]] = [
        client.capabilities,
        lambda: client.resolve(RECIPE),
        lambda: list(client.leaves(server.plan)),
        lambda: client.read(server.plan, "a.safetensors"),
    ]
    for call in calls:
        with pytest.raises(initium.Cancelled, match="this client is closed; connect again"):
            call()
    assert not server.requests


def test_leaving_the_context_closes(server: FakeServer) -> None:
    with initium.connect(server.address) as client:
        pass
    with pytest.raises(initium.Cancelled):
        client.capabilities()


def test_an_explanation_needs_no_seed(client: initium.Client, server: FakeServer) -> None:
    response = client.explain({"architecture": RECIPE["architecture"]}, "w2")
    assert response.tensor.name == "w1"
    assert (server.requests[-1].tensor, server.requests[-1].recipe.HasField("seed")) == ("w2", False)


def test_an_inventory_needs_no_seed(client: initium.Client, server: FakeServer) -> None:
    inventory = client.inventory({"architecture": RECIPE["architecture"]})
    assert [tensor.name for tensor in inventory] == ["w1", "w2"], "page after page"
    assert repr(inventory) == "<Inventory: 2 tensors>"
    first, second = server.requests
    assert (first.page_token, second.page_token, first.recipe) == ("", "1", second.recipe)
    assert not first.recipe.HasField("seed")


def test_a_seed_replaces_the_recipes_and_plans_are_checked_by_the_server(
    client: initium.Client, server: FakeServer
) -> None:
    client.resolve(RECIPE, seed=7)
    client.resolve(server.plan)
    assert server.requests[0].source.recipe.seed == 7
    assert server.requests[1].source.plan == server.plan
    with pytest.raises(initium.PlanError, match="the plan has seed 1, not 7"):
        client.resolve(server.plan, seed=7)
    for call in (client.tensors, client.leaves):
        with pytest.raises(initium.PlanError, match="the plan has seed 1, not 7"):
            call(server.plan, seed=7)
