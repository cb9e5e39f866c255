"""The client of Initium: a model's first checkpoint from a recipe. It imports gRPC only for a client.

>>> import initium
>>> with initium.local() as client:                      # or initium.connect("host:7070")
...     manifest = client.generate(pathlib.Path("resnet50.yaml"), "resnet50/")
>>> optimizer = torch.optim.SGD(manifest.param_groups(model.named_parameters()))
"""

import importlib
from typing import TYPE_CHECKING, Any

from initium.errors import (
    AccessDenied,
    Busy,
    Cancelled,
    FileNotFound,
    InitiumError,
    IntegrityError,
    LimitExceeded,
    ManifestError,
    NotFound,
    OutOfRange,
    OutputError,
    PlanError,
    PlanNotFound,
    PreconditionError,
    RecipeError,
    RequestError,
    ServerError,
    ServerMissing,
    TimedOut,
    Unavailable,
    Unsupported,
    VerifyError,
    Violation,
)

if TYPE_CHECKING:
    from initium.client import Client, connect, local
    from initium.contract.plans import read_plan, write_plan
    from initium.contract.recipe import load_recipe
    from initium.disk import Manifest, redraw, verify
    from initium.plan import open_plan
    from initium.v1.plan_pb2 import Plan
    from initium.v1.recipe_pb2 import Recipe

__all__ = [
    "AccessDenied",
    "Busy",
    "Cancelled",
    "Client",
    "FileNotFound",
    "InitiumError",
    "IntegrityError",
    "LimitExceeded",
    "Manifest",
    "ManifestError",
    "NotFound",
    "OutOfRange",
    "OutputError",
    "Plan",
    "PlanError",
    "PlanNotFound",
    "PreconditionError",
    "Recipe",
    "RecipeError",
    "RequestError",
    "ServerError",
    "ServerMissing",
    "TimedOut",
    "Unavailable",
    "Unsupported",
    "VerifyError",
    "Violation",
    "__version__",
    "connect",
    "load_recipe",
    "local",
    "open_plan",
    "read_plan",
    "redraw",
    "verify",
    "write_plan",
]


_LATER = {
    **dict.fromkeys(("Client", "connect", "local"), "initium.client"),
    **dict.fromkeys(("read_plan", "write_plan"), "initium.contract.plans"),
    "load_recipe": "initium.contract.recipe",
    **dict.fromkeys(("Manifest", "redraw", "verify"), "initium.disk"),
    "open_plan": "initium.plan",
    "Plan": "initium.v1.plan_pb2",
    "Recipe": "initium.v1.recipe_pb2",
}
"""Names that are imported when they are asked for, and where from: servers and workers need few of them."""


def __getattr__(name: str) -> Any:
    if name == "__version__":  # not kept: reading the package's metadata takes longer than most calls
        from importlib.metadata import version

        return version("initium")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
