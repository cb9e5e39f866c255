"""Models of timm, by the names of `timm.list_models()`."""

from __future__ import annotations

from functools import partial

import timm

from initium.contract.wording import suggestion
from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.sources.library import FIELD, Prepared, arguments_of
from initium_server.sources.refusals import LOADS


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks name and arguments. Errors: RecipeError."""
    _check_name(library.name)
    fitted, accepted = arguments_of(library, timm.models.model_entrypoint(library.name))
    construct = partial(timm.create_model, library.name, pretrained=False, **fitted)
    return Prepared(construct, {"timm": timm.__version__}, accepted)


def names() -> list[str]:
    """What `LibraryModel.name` may be."""
    return list(timm.list_models())


def _check_name(name: str) -> None:
    field = f"{FIELD}.name"
    if ":" in name or "/" in name:
        raise invalid(field, f"{name!r} is refused: {LOADS}; give a name of timm.list_models()")
    base, dot, tag = name.partition(".")
    if dot and timm.is_model(base):
        raise invalid(field, f"{name!r} names pretrained weights ({tag}); for the architecture alone write {base!r}")
    if not timm.is_model(name):
        raise invalid(field, f"timm has no model {name!r}; {suggestion(name, timm.list_models(), 'models')}")
