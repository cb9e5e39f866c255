"""Models of PyTorch model libraries. A source is one line here and one file that alone imports the library."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

from torch import nn

from initium.v1 import architecture_pb2
from initium_server.build.arguments import Target, explain, suggestion
from initium_server.build.capture import capture, quiet
from initium_server.build.describe import describe
from initium_server.core.inventory import Inventory
from initium_server.errors import InitiumError, invalid

FIELD = "architecture.library"

# Source -> the module that adapts it, and the extra that installs it.
SOURCES: Mapping[str, tuple[str, str]] = {
    "torchvision": ("initium_server.build.torchvision_models", "initium[vision]"),
    "timm": ("initium_server.build.timm_models", "initium[vision]"),
    "transformers": ("initium_server.build.transformers_models", "initium[transformers]"),
}


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

    Raises InitiumError (INVALID_RECIPE, LIBRARY_MISSING, BUILD_FAILED, UNSUPPORTED).
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
    """The real model, in float32 on the CPU, drawn from torch's current seed. Raises as `inventory` does."""
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
    adapter = _adapter(library.source)
    if not library.name:
        raise invalid(f"{FIELD}.name", "required: the model's name")
    prepared = adapter.prepare(library)
    assert isinstance(prepared, Prepared)
    return prepared


def load(source: str) -> None:
    """Imports the library of a source, if both exist."""
    if source in SOURCES:
        with quiet(), contextlib.suppress(ImportError):
            importlib.import_module(SOURCES[source][0])


def _adapter(source: str) -> ModuleType:
    if source not in SOURCES:
        raise invalid(f"{FIELD}.source", f"unknown source {source!r}; {suggestion(source, SOURCES, 'sources')}")
    module, extra = SOURCES[source]
    try:
        with quiet():
            importlib.import_module(source)
            return importlib.import_module(module)
    except ImportError as error:
        message = f"this server does not have {source} ({error}); install {extra} there, or ask another server"
        raise InitiumError("LIBRARY_MISSING", message, metadata={"library": source}) from error


def _explained(error: Exception, library: architecture_pb2.LibraryModel, prepared: Prepared) -> InitiumError:
    return explain(error, f"{library.source} {library.name}", prepared.field, prepared.target)
