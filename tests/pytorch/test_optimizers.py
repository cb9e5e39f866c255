"""Optimizer options: names from the signature, values by torch's own verdict."""

from __future__ import annotations

from typing import Any

import pytest

from initium_server.pytorch.optimizers import check_options, fit_options, names, signature
from initium_server.errors import InitiumError


def violations(optimizer: str, *groups: dict[str, Any], paths: list[str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(InitiumError) as caught:
        check_options(optimizer, groups, paths)
    return [(v.field, v.message) for v in caught.value.violations]


def test_every_optimizer_of_torch_is_there() -> None:
    assert {"SGD", "AdamW", "Muon", "Adafactor", "LBFGS", "SparseAdam"} <= set(names())
    assert "Optimizer" not in names()


@pytest.mark.parametrize("name", names())
def test_an_optimizer_accepts_its_own_defaults(name: str) -> None:
    defaults = {key: value for key, value in signature(name).items() if not isinstance(value, type)}
    check_options(name, [{}, defaults])


def test_signatures_leave_the_tensors_out() -> None:
    assert "params" not in signature("SGD")
    assert signature("AdamW")["betas"] == (0.9, 0.999)


def test_unknown_classes_have_close_matches() -> None:
    assert violations("AdmaW", {}) == [("groups.optimizer", violations("AdmaW", {})[0][1])]
    assert "did you mean 'AdamW'" in violations("AdmaW", {})[0][1]
    assert "no optimizer 'Optimizer'" in violations("Optimizer", {})[0][1]


def test_unknown_options_are_named_with_their_group() -> None:
    paths = ["groups.defaults", "groups.rules[1].options"]
    found = violations("SGD", {"lr": 0.1}, {"wieght_decay": 0.1}, paths=paths)
    assert [field for field, _ in found] == ["groups.rules[1].options.wieght_decay"]
    assert "did you mean 'weight_decay'" in found[0][1]


@pytest.mark.parametrize(
    ("optimizer", "options", "words"),
    [
        ("SGD", {"lr": -1}, "Invalid learning rate"),
        ("SGD", {"nesterov": True}, "Nesterov momentum requires"),
        ("AdamW", {"betas": [0.9, 1.5]}, "Invalid beta parameter"),
        ("SGD", {"nesterov": "yes"}, "true or false"),
        ("SGD", {"lr": "fast"}, "a number"),
        ("SGD", {"lr": True}, "a number"),
        ("AdamW", {"betas": [0.9]}, "a list of 2"),
        ("SGD", {"params": []}, "no option 'params'"),
    ],
)
def test_bad_values_are_refused(optimizer: str, options: dict[str, Any], words: str) -> None:
    (found,) = violations(optimizer, options)
    assert words in found[1]
    assert found[0].startswith("groups[0]")


def test_every_group_is_reported() -> None:
    assert [field for field, _ in violations("SGD", {"lr": -1}, {"lr": 1}, {"x": 1})] == ["groups[0]", "groups[2].x"]


def test_options_arrive_in_the_types_that_the_class_wants() -> None:
    fitted = fit_options("AdamW", {"lr": 1, "betas": [0, 0.999]})
    assert fitted == {"lr": 1.0, "betas": (0.0, 0.999)}
    assert isinstance(fitted["lr"], float)
    steps = fit_options("LBFGS", {"max_iter": 20.0})
    assert isinstance(steps["max_iter"], int)
