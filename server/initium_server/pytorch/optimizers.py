"""The options of torch's optimizers, checked before a recipe is accepted: by torch itself, or the table of known ones.

Imports torch when it is asked, not before.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import ModuleType

from initium.contract.wording import suggestion
from initium.errors import RecipeError, Violation, invalid
from initium_server.pytorch import known_options
from initium_server.sources.arguments import Parameter, fit

FIELD = "groups.optimizer"

_NOT_OPTIONS = frozenset({"self", "params"})


def names() -> list[str]:
    """The optimizer classes that torch.optim exports."""
    optim = _torch().optim
    return [
        name
        for name, value in vars(optim).items()
        if isinstance(value, type) and issubclass(value, optim.Optimizer) and value is not optim.Optimizer
    ]


def check_options(
    optimizer: str,
    written: Iterable[tuple[Mapping[str, object], str]],
    groups: Iterable[tuple[Mapping[str, object], str]],
) -> None:
    """Checks the options of an optimizer class, each set with its path in the recipe.

    `written`: as the recipe has them, for names and types. `groups`: those of each group, together, by torch's own
    verdict. Errors: RecipeError with every violation found: at `PATH.NAME`, or at `PATH` for a whole group.
    """
    written, groups = list(written), list(groups)
    if known_options.hold() and all(known_options.accepted(optimizer, options) for options, _ in (*written, *groups)):
        return
    parameters = _parameters(optimizer)
    _raise(found for options, path in written for found in _wrong(optimizer, parameters, options, path))
    _raise(found for options, path in groups for found in _refused(optimizer, options, path))


def fit_options(optimizer: str, options: Mapping[str, object]) -> dict[str, object]:
    """The options in the types that the class wants: floats where it takes floats, tuples where it takes tuples."""
    parameters = _parameters(optimizer)
    return {name: fit(value, parameters[name]) for name, value in options.items()}


def _raise(violations: Iterable[Violation]) -> None:
    if found := list(violations):
        raise RecipeError(violations=found)


def _torch() -> ModuleType:
    import torch

    return torch


@cache
def _parameters(optimizer: str) -> dict[str, Parameter]:
    if optimizer not in names():
        message = f"torch.optim has no optimizer {optimizer!r}; {suggestion(optimizer, names(), 'optimizers')}"
        raise invalid(FIELD, message)
    found = inspect.signature(getattr(_torch().optim, optimizer).__init__).parameters
    return {name: Parameter(p.annotation, p.default) for name, p in found.items() if name not in _NOT_OPTIONS}


def _refused(optimizer: str, options: Mapping[str, object], path: str) -> Iterator[Violation]:
    """What torch says of the options; the tensor is two-dimensional, because Muon takes nothing else."""
    from initium_server.capture.fills import quiet

    torch = _torch()
    try:
        with quiet():
            tensor = torch.nn.Parameter(torch.zeros(2, 2))
            getattr(torch.optim, optimizer)([tensor], **fit_options(optimizer, options))
    except Exception as error:  # Whatever torch raises is its verdict on the values.
        yield Violation(path, f"{optimizer} refuses the options {dict(options)}: {error}")


def _wrong(
    optimizer: str, parameters: Mapping[str, Parameter], options: Mapping[str, object], path: str
) -> Iterator[Violation]:
    for name, value in options.items():
        if name not in parameters:
            message = f"{optimizer} has no option {name!r}; {suggestion(name, parameters)}"
            yield Violation(f"{path}.{name}", message)
        elif wanted := _type_error(value, parameters[name].default):
            yield Violation(f"{path}.{name}", f"{optimizer} wants {wanted} here, the recipe has {value!r}")


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
