"""Optimizer options: names from the signature, values by torch's own verdict."""

from __future__ import annotations

from typing import Any

import pytest

from initium.errors import RecipeError
from initium_server.pytorch.optimizers import _parameters, check_options, fit_options, names


def violations(optimizer: str, *groups: dict[str, Any], paths: list[str] | None = None) -> list[tuple[str, str]]:
    """What is said of options as written and together."""
    sets = list(zip(groups, paths or [f"groups[{i}]" for i in range(len(groups))], strict=True))
    with pytest.raises(RecipeError) as caught:
        check_options(optimizer, sets, sets)
    return [(v.field, v.message) for v in caught.value.violations]


def test_every_optimizer_of_torch_is_there() -> None:
    assert {"SGD", "AdamW", "Muon", "Adafactor", "LBFGS", "SparseAdam"} <= set(names())
    assert "Optimizer" not in names()


@pytest.mark.parametrize("name", names())
def test_an_optimizer_accepts_its_own_defaults(name: str) -> None:
    defaults = {key: p.default for key, p in _parameters(name).items() if not isinstance(p.default, type)}
    check_options(name, [(defaults, "x")], [({}, "x"), (defaults, "x")])


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


def test_every_set_is_reported_as_written_before_torch_is_asked() -> None:
    assert [field for field, _ in violations("SGD", {"lr": -1}, {"y": 1}, {"x": 1})] == ["groups[1].y", "groups[2].x"]
    assert [field for field, _ in violations("SGD", {"lr": -1}, {"lr": 1}, {"momentum": -1})] == [
        "groups[0]",
        "groups[2]",
    ]


def test_options_arrive_in_the_types_that_the_class_wants() -> None:
    fitted = fit_options("AdamW", {"lr": 1, "betas": [0, 0.999]})
    assert fitted == {"lr": 1.0, "betas": (0.0, 0.999)}
    assert isinstance(fitted["lr"], float)
    assert isinstance(fit_options("LBFGS", {"max_iter": 20})["max_iter"], int)
