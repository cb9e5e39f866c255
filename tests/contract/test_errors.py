"""The table of reasons is total, and says what the contract says."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import grpc

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
    assert found == set(errors.REASONS)


def test_every_reason_has_the_documented_code() -> None:
    assert {code for code, _ in errors.REASONS.values()} <= {code.name for code in grpc.StatusCode}
    comment = SERVICE.read_text().split("// ERRORS.")[1].split("service InitiumService")[0]
    code = ""
    for line in comment.splitlines():
        if found := re.match(r"//   ([A-Z_]+) {2,}", line):
            code = found[1]
        for reason in re.findall(r"\b[A-Z]+(?:_[A-Z]+)*\b(?=[A-Z_, ]*:)", line):
            if reason in errors.REASONS:
                assert errors.REASONS[reason][0] == code, reason


def test_a_class_without_a_reason_of_its_own_has_none() -> None:
    assert errors.PlanError("x").reason == "INVALID_PLAN"
    assert errors.Unavailable("x").reason == errors.InitiumError("x").reason == ""
    assert errors.RecipeError("x", "").reason == ""
    for kind in (kind for _, kind in errors.REASONS.values() if kind.default_reason):
        assert errors.REASONS[kind.default_reason][1] is kind


def test_every_exception_is_public_and_in_the_drawn_tree() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    drawn = re.findall(r"(?:├──|└──) (\w+)", errors.__doc__ or "")
    assert {kind.__name__ for kind in kinds} == {*drawn, "InitiumError"}
    for name in drawn:
        assert getattr(initium, name) is getattr(errors, name)


def test_errors_travel_between_processes() -> None:
    error = errors.RecipeError("bad", "INVALID_RECIPE", [errors.Violation("seed", "required")], {"a": "b"})
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is errors.RecipeError
    assert str(again) == str(error) == "bad\n  seed: required"
    assert (again.reason, again.violations, again.metadata) == (error.reason, error.violations, error.metadata)
