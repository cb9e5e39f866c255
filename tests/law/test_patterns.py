"""What libraries do to their parameters, written in the grammar of fills and compared with the same steps in torch.

The patterns are those that occur in timm, torchvision, transformers and torch.nn. Draws are the law's on both sides.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from initium_law import prepare
from initium_law.grammar import (
    Arange,
    Broadcast,
    Constant,
    Copy,
    Fill,
    Linspace,
    Normal,
    NormOf,
    Part,
    Parts,
    Pointwise,
    TruncNormal,
    Uniform,
)

SHAPE = (24, 16)


def drawn(fill: Fill, shape: tuple[int, ...] = SHAPE, name: str = "w") -> Tensor:
    """A tensor of the law, as float32."""
    drawer = prepare(fill, 5, name, shape, "F32")
    out = np.empty(4 * drawer.elements, np.uint8)
    drawer.draw(0, out)
    return torch.from_numpy(out.view(np.float32).reshape(shape))


def op(name: str, *operands: Fill | float) -> Pointwise:
    """A pointwise fill; numbers are constants."""
    return Pointwise(name, tuple(Constant(float(x)) if isinstance(x, int | float) else x for x in operands))


TRUNC, UNIFORM, NORMAL = TruncNormal(0.0, 0.02, -0.04, 0.04), Uniform(0.0, 1.0), Normal(0.0, 1.0)
LOG_LOW, LOG_SPAN = math.log(0.001), math.log(0.1) - math.log(0.001)

DT = op("clamp", op("exp", op("add", op("multiply", UNIFORM, LOG_SPAN), LOG_LOW)), 1e-4, 1e30)


def mamba_dt_bias() -> Tensor:
    dt = torch.exp(drawn(UNIFORM) * LOG_SPAN + LOG_LOW).clamp(min=1e-4)
    return dt + torch.log(-torch.expm1(-dt))


def recurrent_gemma() -> Tensor:
    w = drawn(Uniform(0.81, 0.998)).log_().mul_(0.5)
    return w.neg_().exp_().sub_(1.0).log_()


def padded_embedding() -> Tensor:
    w = drawn(Normal(0.0, 0.02))
    w[3].zero_()
    return w


def gated() -> Tensor:
    w = drawn(TRUNC)
    w[12:] = drawn(Normal(0.0, 1e-6))[12:]
    return w


def constant_pad() -> Tensor:
    return torch.nn.functional.pad(drawn(NORMAL)[:20, :10], (0, 6, 0, 4))


PATTERNS: dict[str, tuple[Fill, object]] = {
    "trunc > div_ (BEiT)": (op("divide", TRUNC, math.sqrt(8.0)), lambda: drawn(TRUNC).div_(math.sqrt(8.0))),
    "trunc > mul_ > add_ (EdgeNeXt)": (
        op("add", op("multiply", TRUNC, 0.5), 1.0),
        lambda: drawn(TRUNC).mul_(0.5).add_(1.0),
    ),
    "uniform_ > div_ (Hiera)": (op("divide", UNIFORM, 3.0), lambda: drawn(UNIFORM).div_(3.0)),
    "randn > mul": (op("multiply", NORMAL, 0.3), lambda: drawn(NORMAL) * 0.3),
    "normal_, then a row fill_ (padding)": (
        Parts(Normal(0.0, 0.02), (Part((3, 0), (4, 16), Constant(0.0)),)),
        padded_embedding,
    ),
    "trunc, then a part normal_ (SwiGLU gate)": (
        Parts(TRUNC, (Part((12, 0), (24, 16), Normal(0.0, 1e-6)),)),
        gated,
    ),
    "constant_pad_nd": (Parts(Constant(0.0), (Part((0, 0), (20, 10), NORMAL),)), constant_pad),
    "uniform_ > clone": (Copy("first", UNIFORM), lambda: drawn(UNIFORM, name="first").clone()),
    "arange > log (Mamba A_log)": (
        op("log", Arange(1.0, 1.0, 1)),
        lambda: torch.arange(1, 17, dtype=torch.float32).log().repeat(24, 1),
    ),
    "uniform_ > log": (op("log", Uniform(1.0, 16.0)), lambda: drawn(Uniform(1.0, 16.0)).log()),
    "rand > exp > clamp > expm1 > neg > log (Mamba dt_bias)": (
        op("add", DT, op("log", op("multiply", op("expm1", op("multiply", DT, -1.0)), -1.0))),
        mamba_dt_bias,
    ),
    "uniform_ > log_ > mul_ > exp_ > sub_ > log_ (RecurrentGemma)": (
        op(
            "log",
            op("add", op("exp", op("multiply", op("multiply", op("log", Uniform(0.81, 0.998)), 0.5), -1.0)), -1.0),
        ),
        recurrent_gemma,
    ),
    "rand > mul > expand > cos > mul (rope_mixed)": (
        op("multiply", Linspace(1.0, 0.1, 1), op("cos", op("multiply", Broadcast((1,), UNIFORM), 2 * math.pi))),
        lambda: torch.linspace(1.0, 0.1, 16) * (drawn(UNIFORM, (24, 1)) * (2 * math.pi)).expand(24, 16).cos(),
    ),
    "uniform_ > sqrt > cos": (op("cos", op("sqrt", UNIFORM)), lambda: drawn(UNIFORM).sqrt().cos()),
}


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_of_libraries(name: str) -> None:
    """Promise 9's cousin for `stream-v1`: the same steps on the same draws, within a few units in the last place."""
    fill, steps = PATTERNS[name]
    assert torch.allclose(drawn(fill), steps(), rtol=2e-6, atol=1e-9)  # type: ignore[operator]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_weight_norm(axis: int) -> None:
    """g of `torch.nn.utils.weight_norm`, made from v's own draws."""
    shape, fill = (6, 5, 3), Uniform(-0.3, 0.3)
    v = drawn(fill, shape, "v")
    expected = torch.norm_except_dim(v, 2, axis)
    made = drawn(NormOf("v", shape, fill, axis), tuple(expected.shape), "g")
    assert torch.allclose(made, expected, rtol=1e-6)


def test_fused_biases() -> None:
    """cat of constants and draws is one tensor with parts, each of which has the words of its own place."""
    fill = Parts(Constant(0.0), (Part((8,), (16,), UNIFORM), Part((16,), (24,), Constant(1.0))))
    made = drawn(fill, (24,))
    assert torch.equal(made, torch.cat([torch.zeros(8), drawn(UNIFORM, (24,))[8:16], torch.ones(8)]))
