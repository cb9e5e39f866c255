"""No failed call without an exception of ours."""

from __future__ import annotations

import grpc
import pytest

from initium import errors
from initium.client.status import BY_STATUS, from_rpc


def test_every_status_has_an_exception() -> None:
    assert set(BY_STATUS) == set(grpc.StatusCode)


class Broken(grpc.RpcError):  # type: ignore[misc] # grpc has no annotations
    def __init__(self, code: grpc.StatusCode, text: str, metadata: tuple[tuple[str, bytes], ...] = ()) -> None:
        self._all = code, text, metadata

    def code(self) -> grpc.StatusCode:
        return self._all[0]

    def details(self) -> str:
        return self._all[1]

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._all[2]


@pytest.mark.parametrize("code", grpc.StatusCode)
def test_any_status_without_details(code: grpc.StatusCode) -> None:
    error = from_rpc(Broken(code, ""))
    assert type(error) is BY_STATUS[code]
    assert code.name in str(error)
    assert error.reason == ""


def test_malformed_details_are_ignored() -> None:
    bad = (("grpc-status-details-bin", b"\xff\xff"),)
    assert isinstance(from_rpc(Broken(grpc.StatusCode.NOT_FOUND, "x", bad)), errors.NotFound)


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED])
def test_a_broken_connection_is_unavailable(code: grpc.StatusCode) -> None:
    assert isinstance(from_rpc(Broken(code, "Received RST_STREAM with error code 2")), errors.Unavailable)
