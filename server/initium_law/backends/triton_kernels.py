"""The law as a Triton kernel: one launch makes a range of elements, from the counter to the bytes, on CUDA and ROCm.

Contraction is off (`enable_fp_fusion=False`), divisions and roots are the correctly rounded ones (`div_rn`, `sqrt_rn`),
and Triton flushes no subnormal numbers unless asked to. A program makes the four neighbouring elements of each of BLOCK
counters, so that a thread stores them with one instruction and neighbouring threads fill whole memory transactions. One
variant is compiled for each map and rendering; keys and counters are plain arguments. Annotations and names follow
Triton's rules: it evaluates annotations itself, and no argument of a kernel may be called `params`.

With TRITON_INTERPRET=1 in the environment before Triton is imported, the same code runs on CPU tensors, one thread at a
time; that is for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from initium_law.backends import torch_ops
from initium_law.backends.torch_ops import signed
from initium_law.maps import far, normal, random_fills, render
from initium_law.maps.random_fills import Draw

INTERPRETED = bool(triton.knobs.runtime.interpret)
"""Whether the kernels run on NumPy, where wide blocks are fast and threads are not allowed."""
BLOCK, WIDEST = 256, 1 << 18
"""Counters or words of a program on a device, and the most of an interpreted one."""
OPTIONS: Mapping[str, Any] = {"num_warps": 4, "enable_fp_fusion": False}

_NEVER_CONSTANTS = ("low", "high", "groups", "key0", "key1", "upper2", "upper3", "threshold")
"""Whole numbers that differ from call to call: no variants for those that are 1 or divisible by 16."""
_PARAMS = 9
_PIECE = 1 << 28
"""Elements that a launch makes at most, so that places in it are 32-bit numbers."""

ELEMENT: Mapping[int, torch.dtype] = {**torch_ops.ELEMENT, render.F32: torch.float32}
"""What the elements of a rendering are stored as: numbers, or the bit patterns of narrow ones."""


def _jit(function: Callable[..., Any]) -> Any:
    return triton.jit(function, do_not_specialize=[name for name in _NEVER_CONSTANTS if name in _arguments(function)])


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


def _constant(number: Any) -> Any:
    return tl.constexpr(float(number))


UNIFORM, NORMAL = tl.constexpr(random_fills.UNIFORM), tl.constexpr(random_fills.NORMAL)
FAR = tl.constexpr(random_fills.FAR)
F32, BF16, F16 = tl.constexpr(render.F32), tl.constexpr(render.BF16), tl.constexpr(render.F16)
F64, F8_E4M3 = tl.constexpr(render.F64), tl.constexpr(render.F8_E4M3)

PHILOX0, PHILOX1 = tl.constexpr(0xD2511F53), tl.constexpr(0xCD9E8D57)
WEYL0, WEYL1 = tl.constexpr(0x9E3779B9), tl.constexpr(0xBB67AE85)
FLIP, LOW31, ONES = tl.constexpr(0x80000000), tl.constexpr(0x7FFFFFFF), tl.constexpr(0xFFFFFFFF)
SQRT_HALF, ULP31 = tl.constexpr(0x3F3504F3), tl.constexpr(2.0**-31)

P0, P1, P2, P3 = map(_constant, (normal.P0, normal.P1, normal.P2, normal.P3))
P4, P5, P6 = map(_constant, (normal.P4, normal.P5, normal.P6))
N0, N1, N2, N3, N4, N5 = map(_constant, (normal.N0, normal.N1, normal.N2, normal.N3, normal.N4, normal.N5))
D0, D1, D2, D3, D4, D5 = map(_constant, (normal.D0, normal.D1, normal.D2, normal.D3, normal.D4, normal.D5))
M0, M1, M2, M3, M4, M5, M6 = map(_constant, (far.M0, far.M1, far.M2, far.M3, far.M4, far.M5, far.M6))
E0, E1, E2, E3, E4 = map(_constant, (far.E0, far.E1, far.E2, far.E3, far.E4))


@_jit
def _bits(x: tl.tensor) -> tl.tensor:
    return x.to(tl.uint32, bitcast=True)


@_jit
def _philox(c0: tl.tensor, c1: tl.tensor, c2: tl.tensor, c3: tl.tensor, key0: tl.tensor, key1: tl.tensor) -> tl.tuple:
    for _ in tl.static_range(10):
        a_high, a_low = tl.umulhi(c0, PHILOX0), c0 * PHILOX0
        b_high, b_low = tl.umulhi(c2, PHILOX1), c2 * PHILOX1
        c0, c1, c2, c3 = b_high ^ c1 ^ key0, b_low, a_high ^ c3 ^ key1, a_low
        key0, key1 = key0 + WEYL0, key1 + WEYL1
    return c0, c1, c2, c3


@_jit
def _minus_log2(g: tl.tensor) -> tl.tensor:
    bits = g.to(tl.int32, bitcast=True)
    exponent = (bits - SQRT_HALF) >> 23
    d = (bits - (exponent << 23)).to(tl.float32, bitcast=True) - 1.0
    d2 = d * d
    p = (P6 * d2 + (P5 * d + P4)) * (d2 * d2) + ((P3 * d + P2) * d2 + (P1 * d + P0))
    return d * p - exponent.to(tl.float32)


@_jit
def _from_mean(x: tl.tensor, t: tl.tensor, mean: tl.tensor) -> tl.tensor:
    log = _minus_log2(t * (2.0 - t))
    l2 = log * log
    l4 = l2 * l2
    numerator = (N5 * log + N4) * l4 + ((N3 * log + N2) * l2 + (N1 * log + N0))
    denominator = (D5 * log + D4) * l4 + ((D3 * log + D2) * l2 + (D1 * log + D0))
    return x * tl.div_rn(numerator, denominator) + mean


@_jit
def _symmetric(words: tl.tensor, mean: tl.tensor, stride: tl.tensor, step: tl.tensor, outer: tl.tensor) -> tl.tensor:
    i = words.to(tl.int32, bitcast=True)
    n = i ^ (i >> 31)
    x = (n.to(tl.float32) + 0.5) * stride
    t = ((n ^ LOW31).to(tl.float32) + 0.5) * step + outer
    return _from_mean(tl.where(i < 0, -x, x), t, mean)


@_jit
def _sided(words: tl.tensor, params: tl.tuple, threshold: tl.tensor) -> tl.tensor:
    u = words ^ FLIP
    below = u < threshold
    k = tl.where(below, u, u ^ ONES).to(tl.float32) + 0.5
    from_mean = u - threshold
    k_mean = tl.where(below, from_mean ^ ONES, from_mean).to(tl.float32) + 0.5
    t = tl.where(below, params[4], params[7]) * k + tl.where(below, params[5], params[8])
    return _from_mean(tl.where(below, params[3], params[6]) * k_mean, t, params[2])


@_jit
def _far(words: tl.tensor, params: tl.tuple) -> tl.tensor:
    t = params[6] * ((words ^ LOW31).to(tl.float32) + 0.5) + params[7]
    x = params[4] * ((words ^ FLIP).to(tl.float32) + 0.5) + params[5]
    y = tl.sqrt_rn(_minus_log2(t * (1.0 + x)) + params[8]) - 4.0
    y2 = y * y
    y4 = y2 * y2
    numerator = (M6 * y2 + (M5 * y + M4)) * y4 + ((M3 * y + M2) * y2 + (M1 * y + M0))
    denominator = (y + E4) * y4 + ((E3 * y + E2) * y2 + (E1 * y + E0))
    return params[3] * (x * tl.div_rn(numerator, denominator)) + params[2]


@_jit
def _value(words: tl.tensor, params: tl.tuple, threshold: tl.tensor, KIND: tl.constexpr) -> tl.tensor:
    """The canonical value of each word; params as the law's map of this kind takes them."""
    if KIND == UNIFORM:
        v = (words.to(tl.int32, bitcast=True).to(tl.float32) + 0.5) * ULP31
        value = (params[4] * v + params[3]) + params[2]
    elif KIND == NORMAL:
        value = _symmetric(words, params[2], params[3], params[4], params[5])
    elif KIND == FAR:
        value = _far(words, params)
    else:
        value = _sided(words, params, threshold)
    value = tl.where(value < params[0], params[0], value)
    return tl.where(value > params[1], params[1], value)


@_jit
def _narrow(bits: tl.tensor, FRACTION: tl.constexpr, LOWEST: tl.constexpr, WIDTH: tl.constexpr) -> tl.tensor:
    """`maps.render.narrow`."""
    DROP: tl.constexpr = 23 - FRACTION
    size = bits & LOW31
    normal_ = ((size + ((1 << (DROP - 1)) - 1) + ((size >> DROP) & 1)) >> DROP) - ((LOWEST - 1) << FRACTION)
    # From DROP on, so that no shift is negative or too far; elements below are normal numbers and not taken from here.
    shift = tl.minimum(tl.maximum(LOWEST + DROP - (size >> 23).to(tl.int32), DROP), 25).to(tl.uint32)
    whole = (size & 0x007FFFFF) | 0x00800000
    half = (tl.full(size.shape, 1, tl.uint32) << (shift - 1)) - 1
    subnormal = (whole + half + ((whole >> shift) & 1)) >> shift
    return ((bits >> 31) << (WIDTH - 1)) | tl.where(size >= (LOWEST << 23), normal_, subnormal)


@_jit
def _render(value: tl.tensor, CODE: tl.constexpr) -> tl.tensor:
    """Values as elements of a rendering, of the dtype in ELEMENT."""
    if CODE == F32:
        element = value
    elif CODE == F64:
        element = value.to(tl.float64)
    else:
        bits = _bits(value)
        if CODE == BF16:
            element = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.int16)
        elif CODE == F16:
            element = _narrow(bits, 10, 113, 16).to(tl.int16)
        elif CODE == F8_E4M3:
            element = _narrow(bits, 3, 121, 8).to(tl.int8)
        else:
            element = _narrow(bits, 2, 113, 8).to(tl.int8)
    return element


@_jit
def draw_kernel(
    out: tl.tensor,
    groups: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    key0: tl.tensor,
    key1: tl.tensor,
    upper2: tl.tensor,
    upper3: tl.tensor,
    numbers: tl.tuple,
    threshold: tl.tensor,
    KIND: tl.constexpr,
    CODE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The four elements of each of `groups` counters; low and high are the halves of the first one."""
    group = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    c0 = _bits(low) + group.to(tl.uint32)
    c1 = _bits(high) + (c0 < _bits(low)).to(tl.uint32)
    c2, c3 = tl.zeros_like(c0) + _bits(upper2), tl.zeros_like(c0) + _bits(upper3)
    w0, w1, w2, w3 = _philox(c0, c1, c2, c3, _bits(key0), _bits(key1))
    # Joined from the outside in: the last axis is then in the order of the words.
    words = tl.reshape(tl.join(tl.join(w0, w2), tl.join(w1, w3)), [BLOCK, 4])
    element = _render(_value(words, numbers, _bits(threshold), KIND), CODE)
    at = group[:, None] * 4 + tl.arange(0, 4)[None, :]
    tl.store(out + at, element, mask=group[:, None] < groups)


@_jit
def map_kernel(
    out: tl.tensor,
    groups: tl.tensor,
    words: tl.tensor,
    numbers: tl.tuple,
    threshold: tl.tensor,
    KIND: tl.constexpr,
    CODE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    """The elements of given words, `groups` of them."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    word = _bits(tl.load(words + at, mask=at < groups, other=0))
    tl.store(out + at, _render(_value(word, numbers, _bits(threshold), KIND), CODE), mask=at < groups)


def fill(draw: Draw, counter: int, out: Tensor) -> None:
    """Write the elements of whole counters, from `counter` on, into `out`: uint8 on the device, aligned for an element.

    The device must be the current one. Returns as soon as the kernel is in the current stream.
    """
    elements = out.view(ELEMENT[draw.code])
    for first in range(0, len(elements), _PIECE):
        part = elements[first : first + _PIECE]
        groups, place = len(part) // 4, counter + first // 4
        block = _block(groups)
        numbers = map(signed, (place, place >> 32, *map(int, draw.identity)))
        draw_kernel[(triton.cdiv(groups, block),)](part, groups, *numbers, *_rest(draw), block, **OPTIONS)


def map_words(draw: Draw, words: Tensor, out: Tensor) -> None:
    """Write the elements that given words make; int32[n] (bit patterns) and uint8[n * size] on the current device."""
    elements = out.view(ELEMENT[draw.code])
    block = _block(len(words))
    map_kernel[(triton.cdiv(len(words), block),)](elements, len(words), words, *_rest(draw), block, **OPTIONS)


def _block(groups: int) -> int:
    return min(int(triton.next_power_of_2(groups)), WIDEST) if INTERPRETED else BLOCK


def _rest(draw: Draw) -> tuple[Any, ...]:
    """params to CODE."""
    params = [*draw.params.tolist(), *[0.0] * _PARAMS][:_PARAMS]
    return tuple(params), signed(draw.threshold), draw.kind, draw.code
