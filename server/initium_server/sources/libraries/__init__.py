"""One file a model library, named as the recipe's `source`: being here registers it.

Each alone imports its library, has `prepare(LibraryModel) -> Prepared`, and may have `names()`, the list of its models.
Another package registers a module like these with an entry point of the group `initium.sources`, named as its source.
"""

from __future__ import annotations

import functools
import pkgutil
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version

from initium.errors import PreconditionError

ENTRY_POINTS = "initium.sources"
"""The group in which other packages name the modules that adapt their libraries."""

OWN = {info.name: f"{__name__}.{info.name}" for info in pkgutil.iter_modules(__path__)}
"""The sources that come with the server, with the module that adapts each."""


@functools.cache
def adapters() -> dict[str, str]:
    """Every `source` that recipes may name, with the module that adapts it; none of them is imported.

    Errors: PreconditionError where two have one name.
    """
    return OWN | {name: point.value for name, point in _others().items()}


@functools.cache
def versions() -> dict[str, str]:
    """torch and the sources that are installed, with their versions; for another package's, that of the package."""
    found = {name: point.dist.version for name, point in _others().items() if point.dist}
    for name in ("torch", *OWN):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _others() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=ENTRY_POINTS):
        if point.name in OWN or point.name in found:
            other = "this server's own" if point.name in OWN else f"that of the package {_package(found[point.name])}"
            text = f"the source {point.name!r} of the package {_package(point)} has the name of {other}"
            raise PreconditionError(f"{text}; uninstall one of them", "LIBRARY_MISSING")
        found[point.name] = point
    return found


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "(unknown)"
