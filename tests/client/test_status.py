"""No failed call without an exception of ours, and all that the server says is in it."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from initium import errors
from initium.client.status import BY_STATUS, from_rpc
from tests.client.fake import FailedCall

DETAILS = "grpc-status-details-bin"


def test_every_status_has_an_exception() -> None:
    assert set(BY_STATUS) == set(grpc.StatusCode)


def rich(text: str, *details: Message, code: grpc.StatusCode = grpc.StatusCode.NOT_FOUND) -> errors.InitiumError:
    """The exception of a failed call that carries these details, behind other headers."""
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    headers = (("x-request-id", "7"), (DETAILS, status.SerializeToString()), ("server", "proxy"))
    return from_rpc(FailedCall(code, text, headers))


def info(reason: str, domain: str = errors.DOMAIN, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata)


def fields(**violations: str) -> error_details_pb2.BadRequest:
    request = error_details_pb2.BadRequest()
    for path, text in violations.items():
        request.field_violations.add(field=path, description=text)
    return request


def wait(seconds: int, nanos: int = 0) -> error_details_pb2.RetryInfo:
    result = error_details_pb2.RetryInfo()
    result.retry_delay.seconds, result.retry_delay.nanos = seconds, nanos
    return result


@pytest.mark.parametrize("text", ["", None])
@pytest.mark.parametrize("code", grpc.StatusCode)
def test_any_status_without_details(code: grpc.StatusCode, text: str | None) -> None:
    error = from_rpc(FailedCall(code, text, None))
    assert type(error) is BY_STATUS[code]
    assert error.message == f"the server answers {code.name} without a message"
    assert (error.reason, error.violations, error.metadata) == ("", (), {})


def test_malformed_details_are_ignored() -> None:
    bad = ((DETAILS, b"\xff\xff"),)
    assert isinstance(from_rpc(FailedCall(grpc.StatusCode.NOT_FOUND, "x", bad)), errors.NotFound)


@pytest.mark.parametrize("text", ["Received RST_STREAM with error code 2", "GOAWAY received", "x: Socket closed"])
@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED])
def test_a_broken_connection_is_unavailable(code: grpc.StatusCode, text: str) -> None:
    assert type(from_rpc(FailedCall(code, text))) is errors.Unavailable


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.DATA_LOSS])
def test_words_alone_make_no_broken_connection(code: grpc.StatusCode) -> None:
    assert type(from_rpc(FailedCall(code, "Broken pipe"))) is BY_STATUS[code]


@pytest.mark.parametrize("reason", errors.REASONS)
def test_a_reason_decides_before_the_status(reason: str) -> None:
    for code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE):
        error = rich("Socket closed", info(reason, file="x"), code=code)
        assert type(error) is errors.REASONS[reason][1]
        assert (error.reason, error.message, error.metadata) == (reason, "Socket closed", {"file": "x"})


def test_new_reasons_are_kept_and_judged_by_their_status() -> None:
    error = rich("from the future", info("WARP_FAILED"), code=grpc.StatusCode.FAILED_PRECONDITION)
    assert type(error) is errors.PreconditionError
    assert error.reason == "WARP_FAILED"


def test_reasons_of_others_are_not_ours() -> None:
    error = rich("no quota", info("BUSY", "googleapis.com"), code=grpc.StatusCode.PERMISSION_DENIED)
    assert type(error) is errors.AccessDenied
    assert error.reason == ""


def test_details_come_in_any_order() -> None:
    details = [wait(1), fields(seed="required", dtype="unknown"), info("INVALID_RECIPE")]
    for order in (details, details[::-1]):
        error = rich("no", *order)
        assert type(error) is errors.RecipeError
        assert [str(violation) for violation in error.violations] == ["seed: required", "dtype: unknown"]


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("", "the recipe is not valid"),
        ("seed: required", "the recipe is not valid"),
        ("seed: required\n  dtype: unknown", "the recipe is not valid"),
        ("resnet18: no", "resnet18: no"),
    ],
)
def test_a_message_that_only_repeats_its_fields_is_not_said_twice(text: str, headline: str) -> None:
    error = rich(text, info("INVALID_RECIPE"), fields(seed="required", dtype="unknown"))
    assert error.message == headline
    assert str(error).count("seed: required") == 1


@pytest.mark.parametrize(("delay", "seconds"), [(wait(3), 3.0), (wait(0, 250_000_000), 0.25), (wait(2, 1), 2 + 1e-9)])
def test_a_server_may_ask_for_a_pause(delay: Message, seconds: float) -> None:
    error = rich("later", info("BUSY"), delay)
    assert isinstance(error, errors.Busy)
    assert error.retry_after == seconds
    plain = rich("later", delay, code=grpc.StatusCode.UNAVAILABLE)
    assert isinstance(plain, errors.Unavailable)
    assert plain.retry_after == seconds


def test_without_its_word_there_is_no_pause() -> None:
    error = rich("later", info("BUSY"))
    assert isinstance(error, errors.Busy)
    assert error.retry_after == 0.0
    assert not hasattr(rich("no", info("INVALID_RECIPE"), wait(3)), "retry_after")
