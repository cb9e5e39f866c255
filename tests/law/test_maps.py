"""The compiled maps and renderings equal the plain reference to the bit, and are as accurate as the law says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.special

from initium_law import prepare
from initium_law.dtypes import ITEM_SIZE
from initium_law.grammar import Fill, Normal, TruncNormal, Uniform
from initium_law.maps import phi
from initium_law.maps.normal import STEP, log_block, symmetric_block, values_block
from initium_law.maps.philox import BLOCK
from initium_law.maps.render import RENDERINGS, render_block

from . import reference
from .support import NUMPY, RANDOM_FILLS, draw

STANDARD = Normal(0.0, 1.0)


def extreme_words() -> npt.NDArray[np.uint32]:
    """Words at both ends, around the sign change, and around every power of two; one block of them."""
    powers = [(sign * 2**k + step) % 2**32 for k in range(32) for sign in (1, -1) for step in range(-4, 5)]
    edges = [(at + step) % 2**32 for at in (0, 2**31) for step in range(-200, 200)]
    return np.resize(np.array(sorted({*powers, *edges}), np.uint32), BLOCK)


def random_words(blocks: int) -> npt.NDArray[np.uint32]:
    return np.random.default_rng(1).integers(0, 2**32, blocks * BLOCK, np.uint32)


def kernel_normals(words: npt.NDArray[np.uint32]) -> npt.NDArray[np.float32]:
    """Standard normal values of whole blocks of words."""
    blocks = []
    params = np.array([-np.finfo(np.float32).max, np.finfo(np.float32).max, 0, STEP, STEP, 0], np.float32)
    for block in words.reshape(-1, BLOCK):
        xs, logs, values = (np.empty(BLOCK, np.float32) for _ in range(3))
        symmetric_block(block.copy(), xs, logs, params)
        log_block(logs)
        values_block(xs, logs, values, params)
        blocks.append(values)
    return np.concatenate(blocks)


@pytest.mark.parametrize("dtype", RENDERINGS)
@pytest.mark.parametrize("fill", RANDOM_FILLS, ids=str)
def test_draws_equal_the_reference(fill: Fill, dtype: str) -> None:
    """Promise 1 (pure): two implementations of one text give the same bytes."""
    drawer = prepare(fill, 5, "layer.weight", (2**40,), dtype)
    for start in (0, 2**34 - 1001, 2**39 + 7):
        assert draw(drawer, start, 3000) == reference.draw(fill, 5, "layer.weight", dtype, start, 3000)


def test_no_truncated_normal_is_far_out_however_far_its_bounds_are() -> None:
    """timm's truncated normal maps a uniform draw of exactly -1, one in 2^24, to its bound: -2 at a std of 0.02, 100
    standard deviations out. No word gives that here: the ends of the range are the ends of the distribution."""
    made = reference.values(extreme_words(), TruncNormal(0.0, 0.02, -2.0, 2.0), "F32")
    assert 0.12 < float(made.max()) == -float(made.min()) < 0.13


@pytest.mark.parametrize("words", [extreme_words(), random_words(256)], ids=["extreme", "random"])
def test_normal_map_equals_the_reference(words: npt.NDArray[np.uint32]) -> None:
    """Promise 1 (pure): word by word, the ends of the range included."""
    assert kernel_normals(words).tobytes() == reference.normal_values(words, STANDARD).tobytes()


def test_normal_map_is_odd_finite_and_bounded() -> None:
    """The map of a word and of its complement differ in sign only; no word gives infinity or NaN."""
    words = np.concatenate([extreme_words(), random_words(64)])
    values = kernel_normals(words)
    assert np.array_equal(values, -kernel_normals(~words))
    assert np.isfinite(values).all()
    assert np.abs(values).max() < 6.34
    assert np.abs(kernel_normals(np.resize(np.array([2**31 - 1], np.uint32), BLOCK))).min() > 6.33


def test_normal_map_accuracy() -> None:
    """Within 2.5e-6 of the exact quantile everywhere, measured densely in both tails and at the mean."""
    rng = np.random.default_rng(2)
    tails = 2**31 - 1 - (2 ** rng.uniform(0, 31, 2**18)).astype(np.int64)
    words = np.concatenate([extreme_words(), random_words(256), tails.astype(np.uint32)])
    i = words.view(np.int32).astype(np.int64)
    n, negative = np.where(i < 0, -1 - i, i), i < 0
    exact = np.where(n < 2**30, np.sqrt(2) * scipy.special.erfinv((n + 0.5) * 2.0**-31), 0.0)
    exact = np.where(n < 2**30, exact, -scipy.special.ndtri((2.0**31 - 0.5 - n) * 2.0**-32))
    assert np.abs(kernel_normals(words) - np.where(negative, -exact, exact)).max() < 2.5e-6


def test_unreachable_bounds_give_the_normal_map() -> None:
    """A truncation that cannot be felt, as vision libraries use, is the plain normal bit for bit."""
    for fill, plain in ((TruncNormal(0, 0.02, -2, 2), Normal(0, 0.02)), (TruncNormal(1, 2, -499, 501), Normal(1, 2))):
        truncated = draw(prepare(fill, 1, "x", (4096,), "F32"), 0, 4096)
        assert truncated == draw(prepare(plain, 1, "x", (4096,), "F32"), 0, 4096)


@pytest.mark.parametrize("dtype", RENDERINGS)
def test_rendering_rounds_to_nearest_even(dtype: str) -> None:
    """Every exponent, ties, subnormals and both zeros, against ml_dtypes and NumPy."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2**32, 256 * BLOCK, np.uint32)
    ties = (bits & np.uint32(0xFFFFF000)) | np.uint32(0x1000)
    values = np.concatenate([bits, ties, bits & np.uint32(0xFFFF8000)]).view(np.float32)
    top = float(reference.inside(-np.inf, np.inf, dtype)[1])
    values = np.where(np.abs(values) <= top, values, np.float32(0))
    made = np.empty(BLOCK * ITEM_SIZE[dtype], np.uint8)
    for block in values.reshape(-1, BLOCK):
        render_block(block.copy(), made, RENDERINGS[dtype])
        expected = block.astype(NUMPY[dtype])
        assert made.tobytes() == expected.tobytes()


@pytest.mark.parametrize("x", [0.0, 1e-300, 1e-9, 0.3, 1.0, 1.999999, 2.0, 2.5, 5.0, 10.0, 25.0, 36.9])
def test_phi_is_accurate(x: float) -> None:
    """Tail and centre probabilities to about 13 digits, without the platform's mathematical library."""
    assert phi.tail(x) == pytest.approx(scipy.special.ndtr(-x), rel=2e-13)
    assert phi.centre(x) == pytest.approx(0.5 * scipy.special.erf(x / np.sqrt(2)), rel=1e-14)


def test_phi_has_fixed_bits() -> None:
    """Promise 11 (stable): the sequence of operations is part of the law."""
    found = [phi.tail(2.0).hex(), phi.tail(6.0).hex(), phi.centre(1.0).hex(), phi.exp(-700.0).hex()]
    assert found == [
        "0x1.74bcf82c9d862p-6",
        "0x1.0f30ef0092d49p-30",
        "0x1.5d897a241a6fbp-2",
        "0x1.14f2b0fb9307fp-1010",
    ]


@pytest.mark.parametrize("low", [1.0, 0.1, -3.0])
def test_narrow_uniform_gives_each_value_its_share(low: float) -> None:
    """Four representable values between the bounds: the inner ones get twice the outer ones' share."""
    first = np.float32(low)
    values = [first]
    for _ in range(3):
        values.append(np.nextafter(values[-1], np.float32(np.inf)))
    fill = Uniform(float(values[0]), float(values[-1]))
    drawn = np.frombuffer(draw(prepare(fill, 1, "x", (60000,), "F32"), 0, 60000), np.float32)
    counts = [int((drawn == value).sum()) for value in values]
    assert sum(counts) == 60000
    assert counts == pytest.approx([10000, 20000, 20000, 10000], rel=0.05)
