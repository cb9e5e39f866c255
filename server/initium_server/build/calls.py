"""Initializers that are recorded as one call, because their steps hide what they mean.

Since torch 2.12 `trunc_normal_` draws again until all values lie within the bounds, which only real values can decide.
timm's own version maps a uniform draw through the inverse error function; recorded as one call, its numbers stay those
that the model's author wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch

from initium_server.build.recording import Recorder
from initium_server.core.fills import Dirac, Fill, TruncNormal

FillOf = Callable[..., Fill]


def _trunc_normal(tensor: torch.Tensor, mean: float, std: float, a: float, b: float, **_: Any) -> Fill:
    return TruncNormal(float(mean), float(std), float(a), float(b))


def _dirac(tensor: torch.Tensor, groups: int = 1) -> Fill:
    if tensor.dim() not in (3, 4, 5) or tensor.size(0) % groups:
        raise ValueError(f"dirac_ needs 3 to 5 dimensions and groups that divide the first, got {tuple(tensor.shape)}")
    return Dirac(groups)


# Module, function and its fill. Helpers are patched rather than the public functions where there is one, because
# libraries bind the public names when they are imported.
WHOLE_CALLS: tuple[tuple[str, str, FillOf], ...] = (
    ("torch.nn.init", "_no_grad_trunc_normal_", _trunc_normal),
    ("timm.layers.weight_init", "_trunc_normal_", _trunc_normal),
    ("torch.nn.init", "dirac_", _dirac),
)


@contextmanager
def whole_calls(recorder: Recorder) -> Iterator[None]:
    """While active, the functions of WHOLE_CALLS record their fill instead of drawing."""
    with ExitStack() as stack:
        for module, name, fill_of in WHOLE_CALLS:
            if module in sys.modules:
                stack.enter_context(patch.object(sys.modules[module], name, _recorded(recorder, name, fill_of)))
        yield


def _recorded(recorder: Recorder, name: str, fill_of: FillOf) -> Callable[..., torch.Tensor]:
    def record(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        recorder.write(tensor, fill_of(tensor, *args, **kwargs), name.removeprefix("_no_grad").strip("_") + "_")
        return tensor

    return record
