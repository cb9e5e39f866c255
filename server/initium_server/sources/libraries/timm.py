"""Models of timm, by the names of `timm.list_models()`."""

from __future__ import annotations

from functools import partial
from typing import Any

import timm

from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.sources.arguments import plain, return_class, suggestion, target
from initium_server.sources.library import FIELD, Prepared
from initium_server.sources.refusals import LOADS, refuse


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks name and arguments. Errors: RecipeError."""
    _check_name(library.name)
    if library.config.fields:
        raise invalid(f"{FIELD}.config", "only for transformers; give timm's arguments in `args`")
    arguments = plain(library.args)
    refuse(arguments, f"{FIELD}.args")
    entry = timm.models.model_entrypoint(library.name)
    made = return_class(entry)
    accepted = target(entry, made) if made else target(entry)
    fitted: dict[str, Any] = {name: accepted.fit(name, value) for name, value in arguments.items()}
    construct = partial(timm.create_model, library.name, pretrained=False, **fitted)
    return Prepared(construct, {"timm": timm.__version__}, accepted)


def _check_name(name: str) -> None:
    field = f"{FIELD}.name"
    if ":" in name or "/" in name:
        raise invalid(field, f"{name!r} is refused: {LOADS}; give a name of timm.list_models()")
    base, dot, tag = name.partition(".")
    if dot and timm.is_model(base):
        raise invalid(field, f"{name!r} names pretrained weights ({tag}); for the architecture alone write {base!r}")
    if not timm.is_model(name):
        raise invalid(field, f"timm has no model {name!r}; {suggestion(name, timm.list_models(), 'models')}")
