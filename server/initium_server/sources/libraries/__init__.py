"""One file a model library, named as the recipe's `source`: being here registers it.

Each alone imports its library, and has `prepare(LibraryModel) -> Prepared`. Another package registers a file like these
with an entry point of the group `initium.sources`.
"""

from __future__ import annotations

import functools
import pkgutil
from importlib.metadata import entry_points

ENTRY_POINTS = "initium.sources"
"""The group in which other packages name the modules that adapt their libraries."""


@functools.cache
def adapters() -> dict[str, str]:
    """Every `source` that recipes may name, with the module that adapts it; none of them is imported."""
    own = {info.name: f"{__name__}.{info.name}" for info in pkgutil.iter_modules(__path__)}
    return {point.name: point.module for point in entry_points(group=ENTRY_POINTS)} | own
