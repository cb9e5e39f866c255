"""A plan that fits into no request is uploaded in pieces, and looked for behind an address with several servers."""

from __future__ import annotations

from pathlib import Path

import pytest

import initium
from initium.client import naming
from initium.contract.pieces import PIECE
from initium.v1 import service_pb2 as pb
from tests.client.fake import FakeServer
from tests.client.test_calls import MakeServer


@pytest.fixture
def large(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server of a plan of three pieces, which is too large for a request."""
    monkeypatch.setattr(naming, "INLINE_BYTES", 1000)
    return make_server(literals={"x": bytes(2 * PIECE)})


def kinds(server: FakeServer) -> list[str]:
    return [
        "upload" if isinstance(request, pb.UploadPlanRequest) else request.source.WhichOneof("source")
        for request in server.requests
    ]


def test_a_large_plan_is_uploaded_and_named_by_its_digest(large: FakeServer, tmp_path: Path) -> None:
    large.faults.forgets = True
    with initium.connect(large.address) as client:
        assert client.resolve(large.plan) == large.plan
        assert kinds(large) == ["upload", "plan_digest"]
        large.requests.clear()
        large.faults.forgets = True
        assert client.generate(large.plan, tmp_path / "out").plan == large.plan
    assert kinds(large) == ["plan_digest", "upload", "plan_digest"]


def test_it_is_looked_for_at_other_servers_but_not_for_ever(large: FakeServer) -> None:
    """A name of several addresses leads to another server with each call."""
    large.faults.forgets = large.faults.elsewhere = True
    with initium.connect(large.address) as client, pytest.raises(initium.PlanNotFound):
        list(client.leaves(large.plan))
    assert kinds(large) == ["plan_digest", "upload", *["plan_digest"] * naming.REPLICAS]


@pytest.mark.parametrize("text", ["", "ab", "A" * 64, "g" * 64, "0" * 65])
def test_what_is_no_digest_is_refused_at_once(client: initium.Client, server: FakeServer, text: str) -> None:
    with pytest.raises(initium.RequestError, match="is no digest; it is 64 letters of 0-9 and a-f"):
        client.read(text, "x")
    assert not server.requests
