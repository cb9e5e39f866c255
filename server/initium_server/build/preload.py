"""What the fork server imports once, so that a job starts in milliseconds with every library at hand.

No tensor is computed here: a process that has started OpenMP threads must not be forked. Fake tensors compute nothing;
one capture has torch import what it imports late.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings

from initium_server.build.sandbox import go_offline

MODULES = (
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "initium_server.build.jobs",
    "initium_server.build.modules",
    "initium_server.build.optimizers",
    "initium_server.build.torchvision_models",
    "initium_server.build.timm_models",
    "initium_server.build.transformers_models",
)


def load() -> None:
    """Imports what is installed of MODULES; a missing library is found out when a recipe asks for it."""
    go_offline()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        with contextlib.suppress(ImportError):
            _warm_up()


def _warm_up() -> None:
    from torch import nn

    from initium_server.build.capture import capture
    from initium_server.build.describe import describe

    describe(capture(lambda: nn.Linear(2, 2)))


load()
