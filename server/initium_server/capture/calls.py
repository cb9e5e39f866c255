"""What a recording replaces: initializers whose steps hide what they mean, and copies of tensors.

Since torch 2.12 `trunc_normal_` draws again until all values lie within the bounds, which only real values can decide.
timm's own version maps a uniform draw through the inverse error function; recorded as one call, its numbers stay those
that the model's author wrote. `sparse_` and `dirac_` write element by element.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from initium_law.grammar import Dirac, Sparse, TruncNormal
from initium_server.capture.recording import Drawn, Recorder

FillOf = Callable[..., Drawn]


def _trunc_normal(tensor: torch.Tensor, mean: float, std: float, a: float, b: float, **_: Any) -> Drawn:
    return TruncNormal(float(mean), float(std), float(a), float(b))


def _sparse(tensor: torch.Tensor, sparsity: float, std: float = 0.01, **_: Any) -> Drawn:
    return Sparse(float(sparsity), float(std))


def _dirac(tensor: torch.Tensor, groups: int = 1) -> Drawn:
    if tensor.dim() not in (3, 4, 5) or tensor.size(0) % groups:
        raise ValueError(f"dirac_ needs 3 to 5 dimensions and groups that divide the first, got {tuple(tensor.shape)}")
    return Dirac(groups)


# Module, function and its fill. Helpers are patched rather than the public functions where there is one, because
# libraries bind the public names when they are imported.
WHOLE_CALLS: tuple[tuple[str, str, FillOf], ...] = (
    ("torch.nn.init", "_no_grad_trunc_normal_", _trunc_normal),
    ("timm.layers.weight_init", "_trunc_normal_", _trunc_normal),
    ("torch.nn.init", "dirac_", _dirac),
    ("torch.nn.init", "sparse_", _sparse),
)


# Pure functions that write a tensor element by element, thousands of operations for each of a model's blocks.
SLOW_CALLS: tuple[tuple[str, str], ...] = (("timm.layers.pos_embed_rel", "generate_lookup_tensor"),)


@contextmanager
def whole_calls(recorder: Recorder) -> Iterator[None]:
    """While active, the functions of WHOLE_CALLS record their fill instead of drawing; SLOW_CALLS run once."""
    with ExitStack() as stack:
        for module, name, fill_of in WHOLE_CALLS:
            if module in sys.modules:
                original = getattr(sys.modules[module], name)
                stack.enter_context(patch.object(sys.modules[module], name, _recorded(recorder, original, fill_of)))
        for module, name in SLOW_CALLS:
            if module in sys.modules:
                once = _once(getattr(sys.modules[module], name))
                stack.enter_context(patch.object(sys.modules[module], name, once))
        yield


@contextmanager
def fake_copies() -> Iterator[None]:
    """While active, `copy.deepcopy` of a fake tensor is a recorded clone; torch's own would copy absent memory."""
    original = torch.Tensor.__deepcopy__

    def deepcopy(tensor: torch.Tensor, memo: dict[int, Any]) -> torch.Tensor:
        if not isinstance(tensor, FakeTensor):
            return original(tensor, memo)  # type: ignore[no-any-return,no-untyped-call]  # torch does not annotate it
        if id(tensor) not in memo:
            copied = tensor.detach().clone(memory_format=torch.preserve_format)
            is_parameter = isinstance(tensor, nn.Parameter)
            memo[id(tensor)] = nn.Parameter(copied, tensor.requires_grad) if is_parameter else copied
        result: torch.Tensor = memo[id(tensor)]
        return result

    with patch.object(torch.Tensor, "__deepcopy__", deepcopy):
        yield


def _once(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function, run once for the same arguments; every call has a tensor of its own."""
    made: dict[str, torch.Tensor] = {}

    def again(*args: Any, **kwargs: Any) -> torch.Tensor:
        key = repr((args, sorted(kwargs.items())))
        if key not in made:
            made[key] = function(*args, **kwargs)
        return made[key].clone()

    return again


def _recorded(recorder: Recorder, original: Callable[..., Any], fill_of: FillOf) -> Callable[..., torch.Tensor]:
    def record(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        recorder.write(tensor, fill_of(tensor, *args, **kwargs), original)
        return tensor

    return record
