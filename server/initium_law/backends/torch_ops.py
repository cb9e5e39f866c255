"""The law as plain eager torch operations: for every device that torch has and Triton has not, and as a second opinion.

Each operation is one call, so each rounds by itself; nothing here may be compiled or fused (no `torch.compile`,
`addcmul`, `lerp`). Division is tensor by tensor, since CUDA divides by a number with its reciprocal. Unsigned 32-bit
words are held in int32 by their bit pattern, which every device knows well; sums wrap. A 32 x 32 -> 64 bit product
wraps in int64, and its high half is right after a mask. Branches are selections on the bit pattern.

No value and no bound is -0.0 or NaN (a sum is -0.0 only if both terms are, and means and bounds never are), so that
`clamp_` equals the law's comparisons on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from initium_law.backends.numba_kernel import refuse_flush_to_zero
from initium_law.maps import far, normal
from initium_law.maps.random_fills import FAR, NORMAL, TRUNCATED, UNIFORM, Draw
from initium_law.maps.render import BF16, F8_E4M3, F8_E5M2, F16, F32, F64

CPU_BLOCK, DEVICE_BLOCK = 1 << 15, 1 << 20
"""Elements made at a time. On a CPU a block stays in the cache of one core, and torch gives it to one thread."""

_LOW32 = 0xFFFFFFFF
_M0, _M1, _W0, _W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
_LOW31, _SIGN = 0x7FFFFFFF, -0x80000000
_SQRT_HALF = 0x3F3504F3

P0, P1, P2, P3, P4, P5, P6 = map(float, (normal.P0, normal.P1, normal.P2, normal.P3, normal.P4, normal.P5, normal.P6))
N0, N1, N2, N3, N4, N5 = map(float, (normal.N0, normal.N1, normal.N2, normal.N3, normal.N4, normal.N5))
D0, D1, D2, D3, D4, D5 = map(float, (normal.D0, normal.D1, normal.D2, normal.D3, normal.D4, normal.D5))
M0, M1, M2, M3, M4, M5, M6 = map(float, (far.M0, far.M1, far.M2, far.M3, far.M4, far.M5, far.M6))
E0, E1, E2, E3, E4 = map(float, (far.E0, far.E1, far.E2, far.E3, far.E4))

ELEMENT: Mapping[int, torch.dtype] = {
    F32: torch.int32,
    BF16: torch.int16,
    F16: torch.int16,
    F64: torch.float64,
    F8_E4M3: torch.int8,
    F8_E5M2: torch.int8,
}
"""What the elements of a rendering are written as: mostly their bit patterns."""


def fill(draw: Draw, counter: int, out: Tensor) -> None:
    """Write the elements of whole counters, from `counter` on, into `out`: uint8 on the device, aligned for an element.

    RuntimeError if the device is the CPU and the calling thread flushes subnormal numbers to zero.
    """
    _check_thread(out.device)
    elements = out.view(ELEMENT[draw.code])
    block = CPU_BLOCK if out.device.type == "cpu" else DEVICE_BLOCK
    for low in range(0, len(elements), block):
        part = elements[low : low + block]
        words = philox(draw, counter + low // 4, len(part) // 4, out.device)
        part.copy_(render(map_values(draw, words), draw.code))


def map_words(draw: Draw, words: Tensor, out: Tensor) -> None:
    """Write the elements that given words make; int32[n] (bit patterns) and uint8[n * size] on one device."""
    _check_thread(out.device)
    out.view(ELEMENT[draw.code]).copy_(render(map_values(draw, words), draw.code))


def map_values(draw: Draw, words: Tensor) -> Tensor:
    """The canonical values of words; int32 to float32. Takes memory for about ten tensors of that size."""
    return _MAPS[draw.kind](words, draw.params.tolist(), draw.threshold)


def _check_thread(device: torch.device) -> None:
    if device.type == "cpu":
        refuse_flush_to_zero()


def philox(draw: Draw, counter: int, count: int, device: torch.device) -> Tensor:
    """The words of `count` counters: int32[4 * count]."""
    key0, key1, upper2, upper3 = map(int, draw.identity)
    counters = torch.arange(counter, counter + count, dtype=torch.int64, device=device)
    c0, c1 = counters & _LOW32, counters >> 32
    c2, c3 = torch.full_like(c0, upper2), torch.full_like(c0, upper3)
    for _ in range(10):
        a, b = c0.mul_(_M0), c2.mul_(_M1)
        c0, c1 = (b >> 32).bitwise_and_(_LOW32).bitwise_xor_(c1).bitwise_xor_(key0), b.bitwise_and_(_LOW32)
        c2, c3 = (a >> 32).bitwise_and_(_LOW32).bitwise_xor_(c3).bitwise_xor_(key1), a.bitwise_and_(_LOW32)
        key0, key1 = (key0 + _W0) & _LOW32, (key1 + _W1) & _LOW32
    # The low halves of the int64 numbers; torch's own narrowing need not wrap.
    return torch.stack((c0, c1, c2, c3), 1).view(-1).view(torch.int32)[::2].contiguous()


def _unsigned(words: Tensor) -> Tensor:
    """The unsigned integers, rounded once to float32."""
    return words.view(torch.uint32).to(torch.float32)


def _linear(x: Tensor, slope: float, rest: float) -> Tensor:
    return (x * slope).add_(rest)


def _minus_log2(g: Tensor) -> Tensor:
    bits = g.view(torch.int32)
    exponent = (bits - _SQRT_HALF).bitwise_right_shift_(23)
    d = (bits - (exponent << 23)).view(torch.float32).sub_(1.0)
    d2 = d * d
    high = _linear(d, P5, P4).add_(d2 * P6).mul_(d2 * d2)
    low = _linear(d, P3, P2).mul_(d2).add_(_linear(d, P1, P0))
    return high.add_(low).mul_(d).sub_(exponent.to(torch.float32))


def _ratio(log: Tensor) -> Tensor:
    l2 = log * log
    l4 = l2 * l2
    numerator = _linear(log, N5, N4).mul_(l4).add_(_linear(log, N3, N2).mul_(l2).add_(_linear(log, N1, N0)))
    denominator = _linear(log, D5, D4).mul_(l4).add_(_linear(log, D3, D2).mul_(l2).add_(_linear(log, D1, D0)))
    return numerator.div_(denominator)


def _sqrt(x: Tensor) -> Tensor:
    """Square roots, rounded correctly, which `torch.sqrt` does not promise: on x86 it calls MKL, which is one unit off.

    So NumPy's on a CPU, in place (MKL also starts threads of its own for it). Elsewhere a root in float64, which even
    with an error of a unit in its last place is never so near to the middle of two float32 numbers that rounding it
    again could go wrong.
    """
    if x.device.type == "cpu":
        np.sqrt(x.numpy(), out=x.numpy())
        return x
    return _root_by_float64(x)


def _root_by_float64(x: Tensor) -> Tensor:
    return x.to(torch.float64).sqrt_().to(torch.float32)


def _clamped(values: Tensor, params: Sequence[float]) -> Tensor:
    return values.clamp_(params[0], params[1])


def _uniform(words: Tensor, params: Sequence[float], threshold: int) -> Tensor:
    middle, rest, half = params[2:5]
    values = words.to(torch.float32).add_(0.5).mul_(2.0**-31)
    return _clamped(values.mul_(half).add_(rest).add_(middle), params)


def _symmetric(words: Tensor, params: Sequence[float], threshold: int) -> Tensor:
    mean, stride, step, outer = params[2:6]
    n = (words >> 31).bitwise_xor_(words)
    x = n.to(torch.float32).add_(0.5).mul_(stride)
    x.view(torch.int32).bitwise_xor_(words & _SIGN)
    t = n.bitwise_xor_(_LOW31).to(torch.float32).add_(0.5).mul_(step).add_(outer)
    log = _minus_log2(t.mul_(2.0 - t))
    return _clamped(_ratio(log).mul_(x).add_(mean), params)


def _sided(words: Tensor, params: Sequence[float], threshold: int) -> Tensor:
    mean, stride0, step0, outer0, stride1, step1, outer1 = params[2:9]
    # u = word xor 2^31 is below the threshold exactly if the signed word is below threshold - 2^31.
    above = (words < threshold - 2**31).to(torch.int32).sub_(1)
    u = words ^ _SIGN
    k = _unsigned(u ^ above).add_(0.5)
    t = k.mul_(_select(above, step0, step1)).add_(_select(above, outer0, outer1))
    from_mean = u.sub_(signed(threshold)).bitwise_xor_(~above)
    x = _unsigned(from_mean).add_(0.5).mul_(_select(above, stride0, stride1))
    log = _minus_log2(t.mul_(2.0 - t))
    return _clamped(_ratio(log).mul_(x).add_(mean), params)


def _far(words: Tensor, params: Sequence[float], threshold: int) -> Tensor:
    mean, std, stride, inner, step, outer, offset = params[2:9]
    t = _unsigned(words ^ _LOW31).add_(0.5).mul_(step).add_(outer)
    x = _unsigned(words ^ _SIGN).add_(0.5).mul_(stride).add_(inner)
    y = _sqrt(_minus_log2(t.mul_(x + 1.0)).add_(offset)).sub_(4.0)
    y2 = y * y
    y4 = y2 * y2
    numerator = _linear(y, M5, M4).add_(y2 * M6).mul_(y4)
    numerator.add_(_linear(y, M3, M2).mul_(y2).add_(_linear(y, M1, M0)))
    denominator = (y + E4).mul_(y4).add_(_linear(y, E3, E2).mul_(y2).add_(_linear(y, E1, E0)))
    return _clamped(numerator.div_(denominator).mul_(x).mul_(std).add_(mean), params)


_MAPS: Mapping[int, Callable[[Tensor, Sequence[float], int], Tensor]] = {
    UNIFORM: _uniform,
    NORMAL: _symmetric,
    TRUNCATED: _sided,
    FAR: _far,
}


def signed(word: int) -> int:
    """The int32 with the bit pattern of the low 32 bits."""
    return ((word & _LOW32) ^ -_SIGN) + _SIGN


def _select(mask: Tensor, zero: float, ones: float) -> Tensor:
    """float32 `zero` where the mask is 0, `ones` where it is -1."""
    first, second = (int(np.float32(number).view(np.int32)) for number in (zero, ones))
    return (mask & (first ^ second)).bitwise_xor_(first).view(torch.float32)


def render(values: Tensor, code: int) -> Tensor:
    """Values as elements of a rendering, of the dtype in ELEMENT."""
    if code == F64:
        return values.to(torch.float64)
    bits = values.view(torch.int32)
    if code == F32:
        return bits
    if code == BF16:
        odd = (bits >> 16).bitwise_and_(1)
        return odd.add_(bits).add_(0x7FFF).bitwise_right_shift_(16).to(torch.int16)
    fraction, lowest, width = _NARROW[code]
    return _narrow(bits, fraction, lowest, width).to(ELEMENT[code])


_NARROW: Mapping[int, tuple[int, int, int]] = {F16: (10, 113, 16), F8_E4M3: (3, 121, 8), F8_E5M2: (2, 113, 8)}
"""fraction, lowest and width of `maps.render.narrow`."""


def _narrow(bits: Tensor, fraction: int, lowest: int, width: int) -> Tensor:
    """`maps.render.narrow`, sign-extended: so the result is in the range of a signed integer of `width` bits."""
    size = bits & _LOW31
    drop = 23 - fraction
    odd = (size >> drop).bitwise_and_(1)
    normal_ = odd.add_(size).add_((1 << (drop - 1)) - 1).bitwise_right_shift_(drop).sub_((lowest - 1) << fraction)
    # At least drop, so that no device shifts by a negative number; those elements are normal and taken from above.
    shift = (size >> 23).neg_().add_(lowest + drop).clamp_(drop, 25)
    whole = (size & 0x007FFFFF).bitwise_or_(0x00800000)
    odd = (whole >> shift).bitwise_and_(1)
    half = torch.ones_like(size).bitwise_left_shift_(shift - 1).sub_(1)
    subnormal = odd.add_(whole).add_(half).bitwise_right_shift_(shift)
    magnitude = torch.where(size >= lowest << 23, normal_, subnormal)
    return (bits >> 31).bitwise_left_shift_(width - 1).bitwise_or_(magnitude)
