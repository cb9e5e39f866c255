"""Models of PyTorch model libraries, each adapted by one file: see `libraries`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
from initium_server.sources.arguments import Target, return_class, target
from initium_server.sources.failures import explain
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
    with _explained(library, prepared.field, prepared.target.parameters):
        captured = capture(prepared.construct)
        files = prepared.files(captured.model)
    return describe(captured, files, prepared.versions)


def model(library: architecture_pb2.LibraryModel) -> nn.Module:
    """The real model, in float32 on the CPU, drawn from torch's current seed. Errors: as `inventory`."""
    prepared = prepare(library)
    with _explained(library, prepared.field, prepared.target.parameters), quiet():
        return prepared.construct()


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks a request without building anything."""
    adapter = _adapter(library.source, f"{FIELD}.source")
    if not library.name:
        raise invalid(f"{FIELD}.name", "required: the model's name")
    with _explained(library, FIELD), quiet():
        prepared = adapter.prepare(library)
    if not isinstance(prepared, Prepared):
        text = (
            f"{adapter.__name__}.prepare gave a {type(prepared).__name__} instead of a Prepared; mend it, or remove it"
        )
        raise PreconditionError(text, "LIBRARY_MISSING", metadata={"library": library.source})
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
    except (Exception, SystemExit) as error:  # Other packages' adapters may raise anything.
        said = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        text = f"this server does not have {source} ({said}); install {_installs(source)} there, or ask another server"
        raise PreconditionError(text, "LIBRARY_MISSING", metadata={"library": source}) from error


def _installs(library: str) -> str:
    """What brings a library along: the extra of this package that requires it, else the library itself."""
    found = re.findall(rf"^{re.escape(library)}\b.*extra == .(\w+)", "\n".join(requires("initium") or ()), re.MULTILINE)
    return f"initium[{found[-1]}]" if found else library  # `all` comes first


@contextmanager
def _explained(library: architecture_pb2.LibraryModel, field: str, accepted: Iterable[str] = ()) -> Iterator[None]:
    """Has a library's exception say what it is about. Errors: InitiumError, MemoryError."""
    try:
        yield
    except (InitiumError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise explain(error, f"{library.source} {library.name}", field, accepted) from error
