"""Models of PyTorch model libraries, each adapted by one file: see `libraries`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import requires
from types import ModuleType
from typing import Any

from torch import nn

from initium.contract.wording import suggestion
from initium.errors import InitiumError, PreconditionError, RecipeError, RequestError, Unsupported, invalid
from initium.v1 import architecture_pb2
from initium_server.capture import capture, describe, quiet
from initium_server.planning.inventory import Inventory
from initium_server.planning.structs import plain
from initium_server.sources.arguments import Target, explain, return_class, target
from initium_server.sources.libraries import adapters
from initium_server.sources.refusals import refuse

FIELD = "architecture.library"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked request: how to construct the model, and what goes with it."""

    construct: Callable[[], nn.Module]
    versions: Mapping[str, str]
    target: Target
    field: str = f"{FIELD}.args"
    """Where arguments stand in the request."""
    files: Callable[[nn.Module], Mapping[str, bytes]] = lambda model: {}
    """Small files that belong beside the model's weights."""


def inventory(library: architecture_pb2.LibraryModel) -> Inventory:
    """The tensors of a library's model.

    Errors: RecipeError, PreconditionError, Unsupported.
    """
    prepared = prepare(library)
    try:
        captured = capture(prepared.construct)
        files = prepared.files(captured.model)
    except (InitiumError, MemoryError):
        raise
    except Exception as error:
        raise _explained(error, library, prepared) from error
    return describe(captured, files, prepared.versions)


def model(library: architecture_pb2.LibraryModel) -> nn.Module:
    """The real model, in float32 on the CPU, drawn from torch's current seed. Errors: as `inventory`."""
    prepared = prepare(library)
    try:
        with quiet():
            return prepared.construct()
    except (InitiumError, MemoryError):
        raise
    except Exception as error:
        raise _explained(error, library, prepared) from error


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks a request without building anything."""
    adapter = _adapter(library.source, f"{FIELD}.source")
    if not library.name:
        raise invalid(f"{FIELD}.name", "required: the model's name")
    prepared = adapter.prepare(library)
    assert isinstance(prepared, Prepared)
    return prepared


def arguments_of(library: architecture_pb2.LibraryModel, builder: Callable[..., Any]) -> tuple[dict[str, Any], Target]:
    """The arguments for a function that builds a model of a class, and what it takes. Errors: RecipeError."""
    if library.config.fields:
        raise invalid(f"{FIELD}.config", f"only for transformers; give {library.source}'s arguments in `args`")
    arguments = plain(library.args)
    refuse(arguments, f"{FIELD}.args")
    made = return_class(builder)
    accepted = target(builder, made) if made else target(builder)
    return {name: accepted.fit(name, value) for name, value in arguments.items()}, accepted


def models(source: str) -> tuple[Iterable[str], Iterable[str]]:
    """The names of a library's models, and the model types that its configurations may have, if it has such.

    Errors: RequestError, PreconditionError; Unsupported where its adapter lists none.
    """
    try:
        found = _adapter(source, "library")
    except RecipeError as error:
        raise RequestError(violations=error.violations) from None
    if not hasattr(found, "names"):
        raise Unsupported(f"the adapter of {source!r} lists no models")
    with quiet():
        return found.names(), found.model_types() if hasattr(found, "model_types") else ()


def _adapter(source: str, field: str) -> ModuleType:
    known = adapters()
    if source not in known:
        raise invalid(field, f"unknown source {source!r}; {suggestion(source, known, 'sources')}")
    try:
        with quiet():
            return importlib.import_module(known[source])
    except ImportError as error:
        text = f"this server does not have {source} ({error}); install {_installs(source)} there, or ask another server"
        raise PreconditionError(text, "LIBRARY_MISSING", metadata={"library": source}) from error


def _installs(library: str) -> str:
    """What brings a library along: the extra of this package that requires it, else the library itself."""
    found = re.findall(rf"^{re.escape(library)}\b.*extra == .(\w+)", "\n".join(requires("initium") or ()), re.MULTILINE)
    return f"initium[{found[-1]}]" if found else library  # `all` comes first


def _explained(error: Exception, library: architecture_pb2.LibraryModel, prepared: Prepared) -> InitiumError:
    return explain(error, f"{library.source} {library.name}", prepared.field, prepared.target)
