"""Options that every class of torch.optim is known to accept, so that common recipes are checked without torch.

The table only ever says yes. What it does not list (another class, option, value, or another torch) is asked of
torch, so a refusal is always torch's own. `tests/pytorch` compares every entry with the torch that is installed.
Imports no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TypeGuard

from initium.v1 import groups_pb2
from initium_server.planning.structs import plain

TORCH = "2.14"
"""The torch that the table was compared with."""

POSITIVE = frozenset({"eps", "lr"})
"""Numbers above 0."""
NON_NEGATIVE = frozenset(
    {"alpha", "dampening", "lambd", "lr_decay", "momentum", "momentum_decay", "t0"}
    | {"tolerance_change", "tolerance_grad", "weight_decay"}
)
"""Numbers from 0."""
FRACTION_PAIRS = frozenset({"betas"})
"""Two numbers from 0 to less than 1."""
FLAGS = frozenset({"amsgrad", "centered", "decoupled_weight_decay", "maximize"})
"""True or false."""

OPTIONS: Mapping[str, frozenset[str]] = {
    name: frozenset(options.split())
    for name, options in {
        "ASGD": "lr lambd alpha t0 weight_decay maximize",
        "Adadelta": "lr eps weight_decay maximize",
        "Adafactor": "lr weight_decay maximize",
        "Adagrad": "lr lr_decay weight_decay eps maximize",
        "Adam": "lr betas eps weight_decay amsgrad maximize decoupled_weight_decay",
        "AdamW": "lr betas eps weight_decay amsgrad maximize",
        "Adamax": "lr betas eps weight_decay maximize",
        "LBFGS": "lr tolerance_grad tolerance_change maximize",
        "Muon": "lr weight_decay momentum eps",
        "NAdam": "lr betas eps weight_decay momentum_decay decoupled_weight_decay maximize",
        "RAdam": "lr betas eps weight_decay decoupled_weight_decay maximize",
        "RMSprop": "lr alpha eps weight_decay momentum centered maximize",
        "Rprop": "lr maximize",
        "SGD": "lr momentum dampening weight_decay maximize",
        "SparseAdam": "lr betas eps maximize",
    }.items()
}
"""Class -> those of the options above that it has."""


def accepted(optimizer: str, options: Mapping[str, object]) -> bool:
    """Whether the class certainly accepts all of these options together. False: ask torch."""
    known = OPTIONS.get(optimizer, frozenset())
    return all(name in known and _accepted(name, value) for name, value in options.items())


def suffice(policy: groups_pb2.GroupPolicy) -> bool:
    """Whether the table accepts whatever groups these options and factors can make."""
    written = [policy.defaults, *(rule.options for rule in policy.rules)]
    scales = [*(rule.scale for rule in policy.rules), *(adjustment.scale for adjustment in policy.adjust)]
    factors = [factor for scale in scales for factor in scale.items()]
    return (
        hold()
        and all(accepted(policy.optimizer, plain(options)) for options in written)
        and all(factor > 0 and name in POSITIVE | NON_NEGATIVE for name, factor in factors)
    )


def _accepted(name: str, value: object) -> bool:
    if name in FLAGS:
        return isinstance(value, bool)
    if name in FRACTION_PAIRS:
        return isinstance(value, list | tuple) and len(value) == 2 and all(_is_number(x) and 0 <= x < 1 for x in value)
    return _is_number(value) and (value > 0 if name in POSITIVE else value >= 0)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def hold() -> bool:
    """Whether the table speaks for the torch that is installed. Where torch is loaded, it answers for itself."""
    if "torch" in sys.modules:
        return False
    try:
        return version("torch").split(".")[:2] == TORCH.split(".")
    except PackageNotFoundError:
        return True
