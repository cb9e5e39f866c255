"""What the zygote imports, so that a job starts in milliseconds with its libraries at hand.

No tensor is computed here: a process that has started OpenMP threads must not be forked. Fake tensors compute nothing;
one capture has torch import what it imports late.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import sys
import warnings
from collections.abc import Iterable

from initium_server.sources import KINDS
from initium_server.sources.libraries import OWN

PLANNING = ("initium_server.workers.jobs", "initium_server.sources.tensors", "initium_server.pytorch.optimizers")
"""What plans of bare tensors take. It imports no torch."""


def first(everything: bool) -> Iterable[str]:
    """What is loaded before any job: `everything` for a server that has all its libraries loaded before it serves.

    Sources of other packages are loaded by the first job that names them, so that none keeps a server from starting.
    """
    if not everything:
        return PLANNING
    kinds = [f"initium_server.sources.{kind}" for kind in KINDS]
    return [*PLANNING, "torch", *kinds, "initium_server.pytorch.generator", *OWN.values()]


def load(modules: Iterable[str]) -> None:
    """Imports modules. One that cannot be imported is found out by the job that needs it, in the library's words.

    What is loaded stays: collections of forks need not walk through it, nor copy its pages.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            with contextlib.suppress(Exception, SystemExit):
                importlib.import_module(module)
        if "torch" in sys.modules:
            _warm_up()
    gc.freeze()


@functools.cache
def _warm_up() -> None:
    from torch import nn

    from initium_server.capture import capture, describe

    def build() -> nn.Module:
        """What most models are made of."""
        conv, linear = nn.Conv2d(2, 2, 1), nn.Linear(2, 2)
        nn.init.kaiming_normal_(conv.weight)
        nn.init.trunc_normal_(linear.weight)
        return nn.Sequential(conv, nn.BatchNorm2d(2), linear, nn.LayerNorm(2), nn.Embedding(2, 2))

    describe(capture(build))
