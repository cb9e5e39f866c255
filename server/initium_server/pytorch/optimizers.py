"""The options of torch's optimizers, checked by torch itself before a recipe is accepted."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import torch

from initium.errors import RecipeError, Violation, invalid
from initium_server.capture.capture import quiet
from initium_server.sources.arguments import Parameter, fit, suggestion

FIELD = "groups.optimizer"

_NOT_OPTIONS = frozenset({"self", "params"})


def names() -> list[str]:
    """The optimizer classes that torch.optim exports."""
    return [name for name, value in vars(torch.optim).items() if _is_optimizer(value)]


def signature(optimizer: str) -> dict[str, object]:
    """Option names of an optimizer class and their defaults.

    Errors: RecipeError at `groups.optimizer` for an unknown class.
    """
    return {name: parameter.default for name, parameter in _parameters(optimizer).items()}


def fit_options(optimizer: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options in the types that the class wants: integral numbers are int unless it wants floats, lists tuples."""
    parameters = _parameters(optimizer)
    return {name: _fit(value, parameters.get(name, Parameter())) for name, value in options.items()}


def check_names(optimizer: str, written: Sequence[tuple[Mapping[str, object], str]]) -> None:
    """Checks names and types of options as the recipe has them, each with its path.

    Errors: RecipeError with a violation at `path.NAME` for each that is wrong.
    """
    parameters = _parameters(optimizer)
    found = [v for options, path in written for v in _check_names_and_types(optimizer, parameters, options, path)]
    if found:
        raise RecipeError(violations=found)


def check_options(optimizer: str, groups: Sequence[Mapping[str, object]], paths: Sequence[str] | None = None) -> None:
    """Checks every group's options: names against the class's constructor, values by constructing it.

    `paths[i]` is the request's path of group i's options, e.g. `groups.rules[2].options`; violations name
    `paths[i].NAME`. Errors: RecipeError with every violation found.
    """
    places = paths if paths is not None else [f"groups[{index}]" for index in range(len(groups))]
    parameters = _parameters(optimizer)
    violations = [
        found
        for options, path in zip(groups, places, strict=True)
        for found in _check(optimizer, parameters, options, path)
    ]
    if violations:
        raise RecipeError(violations=violations)


def _is_optimizer(value: object) -> bool:
    base = torch.optim.Optimizer
    return isinstance(value, type) and issubclass(value, base) and value is not base


@cache
def _parameters(optimizer: str) -> dict[str, Parameter]:
    if optimizer not in names():
        message = f"torch.optim has no optimizer {optimizer!r}; {suggestion(optimizer, names(), 'optimizers')}"
        raise invalid(FIELD, message)
    found = inspect.signature(getattr(torch.optim, optimizer).__init__).parameters
    return {name: Parameter(p.annotation, p.default) for name, p in found.items() if name not in _NOT_OPTIONS}


def _check(
    optimizer: str, parameters: Mapping[str, Parameter], options: Mapping[str, object], path: str
) -> Iterator[Violation]:
    wrong = list(_check_names_and_types(optimizer, parameters, options, path))
    yield from wrong
    if wrong:
        return
    try:
        with quiet():
            getattr(torch.optim, optimizer)([_dummy()], **fit_options(optimizer, options))
    except Exception as error:  # Whatever torch raises is its verdict on the values.
        yield Violation(path, f"{optimizer} refuses the options {dict(options)}: {error}")


def _check_names_and_types(
    optimizer: str, parameters: Mapping[str, Parameter], options: Mapping[str, object], path: str
) -> Iterator[Violation]:
    for name, value in options.items():
        if name not in parameters:
            message = f"{optimizer} has no option {name!r}; {suggestion(name, parameters)}"
            yield Violation(f"{path}.{name}", message)
        elif wanted := _type_error(value, parameters[name].default):
            yield Violation(f"{path}.{name}", f"{optimizer} wants {wanted} here, the recipe has {value!r}")


def _fit(value: object, parameter: Parameter) -> object:
    whole = isinstance(value, float) and value.is_integer() and not parameter.is_float
    return fit(int(value) if whole and isinstance(value, float) else value, parameter)


def _type_error(value: object, default: object) -> str:
    """What the default says that torch's own checks would let pass, e.g. a string for a flag."""
    if isinstance(default, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(default, int | float):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if number else "a number"
    if isinstance(default, tuple):
        listed = isinstance(value, list | tuple) and len(value) == len(default)
        return "" if listed else f"a list of {len(default)}, as in {list(default)}"
    return ""


def _dummy() -> torch.nn.Parameter:
    """Two-dimensional, because Muon takes nothing else."""
    return torch.nn.Parameter(torch.zeros(2, 2))
