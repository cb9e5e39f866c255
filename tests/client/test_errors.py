"""The table of errors is total."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import grpc
import pytest

import initium
from initium import errors

SERVICE = Path(__file__).parents[2] / "proto" / "initium" / "v1" / "service.proto"


def documented_reasons() -> set[str]:
    comment = SERVICE.read_text().split("// ERRORS.")[1].split("service InitiumService")[0]
    lines = [line.removeprefix("//   ") for line in comment.splitlines() if line.startswith("//   ")]
    reasons: set[str] = set()
    for line in lines:
        before = re.sub(r"^[A-Z_]+ {2,}", "", line).split(":")[0] if ":" in line else re.sub(r"^[A-Z_]+ {2,}", "", line)
        reasons |= set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b", before.split(" no ")[0]))
    return {reason for reason in reasons if len(reason) > 3}


def test_every_reason_of_the_contract_has_an_exception() -> None:
    found = documented_reasons()
    assert {"INVALID_RECIPE", "BUSY", "BUILD_CRASHED", "SHUTTING_DOWN", "INTERNAL"} <= found
    assert found == set(errors.BY_REASON)


def test_every_status_has_an_exception() -> None:
    assert set(errors.BY_STATUS) == set(grpc.StatusCode)


def test_every_exception_is_public_and_in_the_drawn_tree() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    drawn = re.findall(r"(?:├──|└──) (\w+)", errors.__doc__ or "")
    assert {kind.__name__ for kind in kinds} == {*drawn, "InitiumError"} | {"DecodeError"}
    for name in drawn:
        assert getattr(initium, name) is getattr(errors, name)


def test_errors_travel_between_processes() -> None:
    error = errors.RecipeError("bad", "INVALID_RECIPE", [errors.Violation("seed", "required")], {"a": "b"})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.RecipeError
    assert str(again) == str(error) == "bad\n  seed: required"
    assert (again.reason, again.violations, again.metadata) == (error.reason, error.violations, error.metadata)


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
    error = errors.from_rpc(Broken(code, ""))
    assert type(error) is errors.BY_STATUS[code]
    assert code.name in str(error)


def test_malformed_details_are_ignored() -> None:
    bad = (("grpc-status-details-bin", b"\xff\xff"),)
    assert isinstance(errors.from_rpc(Broken(grpc.StatusCode.NOT_FOUND, "x", bad)), errors.NotFound)


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED])
def test_a_broken_connection_is_unavailable(code: grpc.StatusCode) -> None:
    assert isinstance(errors.from_rpc(Broken(code, "Received RST_STREAM with error code 2")), errors.Unavailable)
