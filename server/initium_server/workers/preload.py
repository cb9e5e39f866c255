"""What the zygote imports once, so that a job starts in milliseconds with every library at hand.

No tensor is computed here: a process that has started OpenMP threads must not be forked. Fake tensors compute nothing;
one capture has torch import what it imports late.
"""

from __future__ import annotations

import contextlib
import importlib
import warnings

from initium_server.sources.libraries import adapters

MODULES = ("initium_server.sources.modules", "initium_server.pytorch.optimizers", "initium_server.workers.jobs")


def load() -> None:
    """Imports what is installed; a missing library is found out when a recipe asks for it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(ImportError):
            for module in MODULES:
                importlib.import_module(module)
            _warm_up()
            for adapter in adapters().values():
                with contextlib.suppress(ImportError):
                    importlib.import_module(adapter)


def _warm_up() -> None:
    from torch import nn

    from initium_server.capture import capture, describe

    describe(capture(lambda: nn.Linear(2, 2)))


load()
