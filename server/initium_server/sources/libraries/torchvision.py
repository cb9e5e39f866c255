"""Models of torchvision, by the names of `torchvision.models.list_models()`."""

from __future__ import annotations

from collections.abc import Callable, Container
from functools import partial
from typing import Any

import torchvision
from torch import nn

from initium.contract.wording import suggestion
from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.sources.library import FIELD, Prepared, arguments_of


def prepare(library: architecture_pb2.LibraryModel) -> Prepared:
    """Checks name and arguments. Errors: RecipeError."""
    names = torchvision.models.list_models()
    if library.name not in names:
        message = f"torchvision has no model {library.name!r}; {suggestion(library.name, names, 'models')}"
        raise invalid(f"{FIELD}.name", message)
    builder = torchvision.models.get_model_builder(library.name)
    fitted, accepted = arguments_of(library, builder)
    construct: Callable[[], nn.Module] = partial(builder, **_no_weights(accepted.parameters), **fitted)
    return Prepared(construct, {"torchvision": torchvision.__version__}, accepted)


def names() -> list[str]:
    """What `LibraryModel.name` may be."""
    return list(torchvision.models.list_models())


def _no_weights(names: Container[str]) -> dict[str, Any]:
    """Detection and segmentation models download a backbone unless that is switched off."""
    return {name: None for name in ("weights", "weights_backbone") if name in names}
