"""Errors on the wire: everything a client needs, within what gRPC carries, and back to the same exception."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from hypothesis import given
from hypothesis import strategies as st

from initium.client.status import from_rpc
from initium.errors import REASONS, Busy, FileNotFound, InitiumError, RecipeError, Unavailable, Violation
from initium_server.rpc.status import MAX_TEXT, MAX_VIOLATIONS, MAX_WIRE_BYTES, to_status
from tests.client.fake import FailedCall

PRINTABLE = "".join(map(chr, range(32, 127))).replace("%", "")
"""What gRPC sends of a message as it is."""


def failed(error: InitiumError) -> FailedCall:
    """A call that ended with the status of an error, as gRPC carries it."""
    status = rpc_status.to_status(to_status(error))
    return FailedCall(status.code, str(status.details), status.trailing_metadata)


def details(error: InitiumError) -> dict[str, Any]:
    """The details of an error's status by kind; each kind comes at most once."""
    found = {}
    for packed in to_status(error).details:
        for kind in (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo):
            if packed.Is(kind.DESCRIPTOR):
                assert kind.__name__ not in found
                found[kind.__name__] = kind()
                packed.Unpack(found[kind.__name__])
    return found


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_comes_back_as_its_own_exception(reason: str) -> None:
    code, kind = REASONS[reason]
    error = kind("what to do", reason, [Violation("a.b", "bad")], {"key": "value"})
    call = failed(error)
    assert call.code().name == code
    back = from_rpc(call)
    assert type(back) is kind
    assert (back.message, back.reason, back.metadata) == ("what to do", reason, {"key": "value"})
    assert back.violations == (Violation("a.b", "bad"),)


def test_an_error_info_is_always_there_and_the_rest_where_it_applies() -> None:
    assert set(details(FileNotFound("x"))) == {"ErrorInfo"}
    assert details(FileNotFound("x"))["ErrorInfo"].domain == "initium-project.github.io"
    assert set(details(RecipeError(violations=[Violation("a", "b")]))) == {"ErrorInfo", "BadRequest"}
    for error in (Busy("x"), Unavailable("x", "SHUTTING_DOWN")):
        assert details(error)["RetryInfo"].retry_delay.seconds == 1
        back = from_rpc(failed(error))
        assert isinstance(back, Unavailable)
        assert back.retry_after == 1.0


def test_violations_make_the_message_where_there_is_none() -> None:
    violations = [Violation("a", "1"), Violation("b", "2"), Violation("", "3"), Violation("d", "4")]
    assert to_status(RecipeError(violations=violations)).message == "a: 1; b: 2; 3"
    assert from_rpc(failed(RecipeError(violations=violations))).message == "the recipe is not valid"


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("source.recipe.seed", "seed"),
        ("source.recipe_text", ""),
        ("recipe_text.a[0]", "a[0]"),
        ("source.plan.tensors[2].fill", "tensors[2].fill"),
        ("source", "source"),
        ("source.plan_digest", "source.plan_digest"),
        ("recipes", "recipes"),
    ],
)
def test_callers_gave_a_recipe_or_a_plan_and_read_paths_in_it(field: str, shown: str) -> None:
    """On the wire paths are relative to the request; the message is not said twice for that."""
    back = from_rpc(failed(RecipeError(violations=[Violation(field, "is wrong")])))
    assert [violation.field for violation in back.violations] == [shown]
    assert back.message == "the recipe is not valid"


def test_each_violation_says_the_reason_too() -> None:
    bad = details(RecipeError(violations=[Violation("a", "b")]))["BadRequest"]
    assert bad.field_violations[0].reason == "INVALID_RECIPE"


@pytest.mark.parametrize("count", [1, MAX_VIOLATIONS - 1, MAX_VIOLATIONS, MAX_VIOLATIONS + 1, 500])
def test_at_most_twenty_violations_then_a_count(count: int) -> None:
    found = details(RecipeError(violations=[Violation(f"f{i}", "bad") for i in range(count)]))
    shown = [violation.field for violation in found["BadRequest"].field_violations]
    assert shown == [f"f{i}" for i in range(min(count, 20))]
    omitted = {"omitted_violations": str(count - 20)} if count > 20 else {}
    assert dict(found["ErrorInfo"].metadata) == omitted


@pytest.mark.parametrize("letter", ["x", "\N{GREEK SMALL LETTER ALPHA}", "\N{PILE OF POO}"])
def test_long_words_stay_within_the_bounds(letter: str) -> None:
    """Cut at whole characters, whatever they take in UTF-8; what is left out is counted."""
    error = RecipeError(
        letter * 5000, violations=[Violation(letter * 5000, letter * 5000)] * 20, metadata={"key": letter * 5000}
    )
    status, found = to_status(error), details(error)
    info, bad = found["ErrorInfo"], found["BadRequest"]
    texts = [(status.message, len(status.message.encode())), (info.metadata["key"], MAX_TEXT)]
    texts += [(violation.field, 300) for violation in bad.field_violations]
    texts += [(violation.description, 600) for violation in bad.field_violations]
    for text, limit in texts:
        assert limit - 3 <= len(text.encode()) <= limit
        assert text == letter * (len(text) - 3) + "..."
    assert len(bad.field_violations) + int(info.metadata["omitted_violations"]) == 20
    assert len(bad.field_violations) >= 2
    assert MAX_TEXT - 20 <= len(quote(status.message, PRINTABLE)) <= MAX_TEXT
    assert MAX_WIRE_BYTES - 1800 <= wire_bytes(error) <= MAX_WIRE_BYTES


def wire_bytes(error: InitiumError) -> int:
    """What gRPC sends: the message percent-encoded, the status in base64."""
    call = failed(error)
    ((_, packed),) = call.trailing_metadata()
    return len(quote(call.details(), PRINTABLE)) + len(b64encode(packed))


@given(st.text(max_size=3000), st.lists(st.tuples(st.text(max_size=400), st.text(max_size=1200)), max_size=30))
def test_no_error_is_larger_than_grpc_carries(message: str, violations: list[tuple[str, str]]) -> None:
    for reason in ("INVALID_RECIPE", "BUSY"):
        error = InitiumError(message, reason, [Violation(*pair) for pair in violations], {"key": message})
        assert wire_bytes(error) <= MAX_WIRE_BYTES < 8 << 10


def test_what_fits_is_not_cut() -> None:
    assert to_status(FileNotFound("y" * MAX_TEXT)).message == "y" * MAX_TEXT
    assert to_status(FileNotFound("y" * (MAX_TEXT + 1))).message == "y" * (MAX_TEXT - 3) + "..."


def test_half_a_surrogate_pair_does_not_break_the_answer() -> None:
    assert from_rpc(failed(FileNotFound("a" * MAX_TEXT + "\ud800"))).message.startswith("aaa")
