"""Models of torchvision, by the names of `torchvision.models.list_models()`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torchvision
from torch import nn

from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.sources.arguments import plain, return_class, suggestion, target
from initium_server.sources.library import FIELD, Prepared
from initium_server.sources.refusals import refuse


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks name and arguments. Errors: RecipeError."""
    names = torchvision.models.list_models()
    if library.name not in names:
        message = f"torchvision has no model {library.name!r}; {suggestion(library.name, names, 'models')}"
        raise invalid(f"{FIELD}.name", message)
    if library.config.fields:
        raise invalid(f"{FIELD}.config", "only for transformers; give torchvision's arguments in `args`")
    builder = torchvision.models.get_model_builder(library.name)
    arguments = plain(library.args)
    refuse(arguments, f"{FIELD}.args")
    made = return_class(builder)
    accepted = target(builder, made) if made else target(builder)
    fitted = {name: accepted.fit(name, value) for name, value in arguments.items()}
    construct: Callable[[], nn.Module] = partial(builder, **_no_weights(accepted.names()), **fitted)
    return Prepared(construct, {"torchvision": torchvision.__version__}, accepted)


def _no_weights(names: list[str]) -> dict[str, Any]:
    """Detection and segmentation models download a backbone unless that is switched off."""
    return {name: None for name in ("weights", "weights_backbone") if name in names}
