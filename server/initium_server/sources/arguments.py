"""Arguments from a recipe, made fit for the Python callable that takes them.

A recipe's numbers are binary64. Integral ones become int, except where the callable's own default or annotation is
float; lists become tuples where its default is a tuple.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from initium.contract.wording import suggestion
from initium.errors import RecipeError, Violation


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a callable: what it is annotated with, and its default."""

    annotation: object = inspect.Parameter.empty
    default: object = inspect.Parameter.empty

    @property
    def is_float(self) -> bool:
        """Whether integral numbers should stay float."""
        return isinstance(self.default, float) or "float" in _text(self.annotation)


@dataclass(frozen=True, slots=True)
class Target:
    """The parameters that a callable is known to take; it may take others too (`**kwargs`)."""

    parameters: Mapping[str, Parameter]

    def fit(self, name: str, value: object) -> object:
        """The value in the type that the parameter wants."""
        return fit(value, self.parameters.get(name, Parameter()))


def fit(value: object, parameter: Parameter) -> object:
    """The value in the type that the parameter wants."""
    if isinstance(value, int) and not isinstance(value, bool) and parameter.is_float:
        return float(value)
    if isinstance(value, list):
        items = [fit(item, Parameter(parameter.annotation, _first(parameter.default))) for item in value]
        wants_tuple = isinstance(parameter.default, tuple) or "tuple" in _text(parameter.annotation).lower()
        return tuple(items) if wants_tuple else items
    return value


def _first(default: object) -> object:
    return default[0] if isinstance(default, tuple | list) and default else None


def _text(annotation: object) -> str:
    if annotation is inspect.Parameter.empty or annotation is None:
        return ""
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def target(*callables: Callable[..., Any]) -> Target:
    """The parameters of callables that pass their keywords on, the outermost first."""
    known: dict[str, Parameter] = {}
    still_open = True
    for function in callables:
        if not still_open:
            break
        still_open = False
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                still_open = True
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                known.setdefault(name, Parameter(parameter.annotation, parameter.default))
    return Target(known)


def return_class(function: Callable[..., Any]) -> type | None:
    """The class that a function is annotated to return."""
    try:
        returned = typing.get_type_hints(function).get("return")
    except (NameError, TypeError):
        return None
    return returned if isinstance(returned, type) else None


def check_names(names: Iterable[str], accepted: Iterable[str], path: str) -> None:
    """Refuses names that are not accepted. Errors: RecipeError with one violation a name."""
    known = list(accepted)
    wrong = [name for name in names if name not in known]
    if wrong:
        violations = [
            Violation(f"{path}.{name}", f"unknown argument {name!r}; {suggestion(name, known)}") for name in wrong
        ]
        raise RecipeError(violations=violations)
