"""Fills of fills, and those that need their whole tensor."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from initium_law import Cache, Engine, TooLargeError, prepare
from initium_law.dtypes import FLOATS
from initium_law.fills import functions
from initium_law.grammar import (
    Arange,
    Constant,
    Copy,
    Eye,
    Fill,
    Linspace,
    Normal,
    NormOf,
    Orthogonal,
    Part,
    Parts,
    Permutation,
    Pointwise,
    Sparse,
    TruncNormal,
    Uniform,
)

from . import reference_fills
from .support import array, draw, whole

SIMPLE = st.sampled_from(
    [
        Constant(0.25),
        Uniform(-1.0, 1.0),
        Normal(0.0, 1.0),
        TruncNormal(0.0, 1.0, -2.0, 2.0),
        Orthogonal(1.0),
        Sparse(0.5, 1.0),
        Eye(),
        Arange(1.0, 0.1, 0),
        Linspace(0.0, 1.0, 1),
        NormOf("v", (3, 2), Normal(0.0, 1.0), 0),
    ]
)


def fits(fill: Fill, shape: tuple[int, ...]) -> bool:
    """Whether a fill of SIMPLE is for boxes of this shape."""
    return math.prod(shape) == 3 if isinstance(fill, NormOf) else True


@st.composite
def nested(draw: st.DrawFn, shape: tuple[int, ...], depth: int = 3) -> Fill:
    """Any fill of a matrix: parts in parts, functions of functions."""
    kind = draw(st.sampled_from(["simple", "pointwise", "parts", "copy"])) if depth else "simple"
    match kind:
        case "pointwise":
            op = draw(st.sampled_from(["add", "multiply", "exp", "cos"]))
            count = 2 if op in ("add", "multiply") else 1
            return Pointwise(op, tuple(draw(nested(shape, depth - 1)) for _ in range(count)))
        case "copy":
            return Copy("other", draw(nested(shape, depth - 1)))
        case "parts":
            return Parts(
                draw(nested(shape, depth - 1)), tuple(draw(part(shape, depth)) for _ in range(draw(st.integers(0, 2))))
            )
        case _:
            return draw(SIMPLE.filter(lambda fill: fits(fill, shape)))


@st.composite
def part(draw: st.DrawFn, shape: tuple[int, ...], depth: int) -> Part:
    edges = [sorted((draw(st.integers(0, n)), draw(st.integers(0, n)))) for n in shape]
    start, stop = tuple(low for low, _ in edges), tuple(high for _, high in edges)
    extents = tuple(high - low for low, high in edges)
    return Part(start, stop, draw(nested(extents, depth - 1)))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), shape=st.tuples(st.integers(1, 6), st.integers(1, 6)), dtype=st.sampled_from(list(FLOATS)))
def test_any_fill_in_any_range_equals_the_reference(data: st.DataObject, shape: tuple[int, int], dtype: str) -> None:
    """Promises 1 (pure) and 2 (addressable): nested parts, functions and copies, in every dtype, over any range."""
    fill = data.draw(nested(shape))
    drawer = prepare(fill, 3, "t", shape, dtype)
    expected, size = reference_fills.tensor(fill, 3, "t", shape, dtype, {}), drawer.item_size
    start = data.draw(st.integers(0, drawer.elements))
    count = data.draw(st.integers(0, drawer.elements - start))
    assert draw(drawer, 0, drawer.elements) == expected
    assert draw(drawer, start, count) == expected[start * size : (start + count) * size]


def test_large_fills_of_fills_across_slabs() -> None:
    """Promise 2 (addressable): what is worked off in slabs has no seams, in boxes that are not contiguous, too."""
    inner = Pointwise("multiply", (Normal(0.0, 1.0), Arange(1.0, 1.0, 1)))
    fill = Parts(Uniform(0.0, 1.0), (Part((0, 100), (1000, 300), inner), Part((10, 0), (20, 400), Arange(0.0, 1.0, 1))))
    drawer = prepare(fill, 9, "x", (1000, 400), "F32")
    whole = np.frombuffer(draw(drawer, 0, 400_000), np.float32).reshape(1000, 400)
    normals = np.frombuffer(draw(prepare(Normal(0.0, 1.0), 9, "x", (1000, 400), "F32"), 0, 400_000), np.float32)
    expected = normals.reshape(1000, 400)[500, 100:300] * np.arange(1, 201, dtype=np.float32)
    assert np.array_equal(whole[500, 100:300], expected)
    assert np.array_equal(whole[15], np.arange(400, dtype=np.float32))
    assert draw(drawer, 123_457, 200_001) == whole.tobytes()[4 * 123_457 : 4 * 323_458]


@pytest.mark.parametrize("shape", [(8, 5), (5, 8), (6, 3, 3, 3), (40, 2, 2)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_orthogonal_as_torch_flattens_it(shape: tuple[int, ...], dtype: str) -> None:
    """Rows or columns, whichever are fewer, are orthonormal up to gain, in narrow dtypes as far as those resolve."""
    matrix = array(Orthogonal(1.5), shape, dtype).reshape(shape[0], -1)
    gram = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    error = {"F64": 1e-6, "F32": 1e-6, "F16": 5e-3, "BF16": 4e-2}.get(dtype, 0.6)
    assert np.abs(gram - 2.25 * np.eye(len(gram))).max() < error


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_sparse_has_torchs_count_of_zeros(sparsity: float) -> None:
    """As `torch.nn.init.sparse_`: so many zeros in every column, at places that differ; the rest is normal."""
    theirs = torch.nn.init.sparse_(torch.empty(50, 400), sparsity, 0.02)
    ours = array(Sparse(sparsity, 0.02), (50, 400), "F32")
    zeros = (ours == 0).sum(axis=0)
    assert np.array_equal(zeros, (theirs == 0).sum(dim=0).numpy())
    plain = array(Normal(0.0, 0.02), (50, 400), "F32")
    assert np.array_equal(ours[ours != 0], plain[ours != 0])
    share = (ours == 0).mean(axis=1)
    assert np.abs(share - zeros[0] / 50).max() < 0.12


def test_sparse_zeros_do_not_depend_on_the_values() -> None:
    """The words that choose are not those that make values."""
    ours = array(Sparse(0.5, 1.0), (1000, 64), "F32")
    plain = array(Normal(0.0, 1.0), (1000, 64), "F32")
    assert abs(plain[ours == 0].mean()) < 5 / math.sqrt(32_000)


def test_permutation_is_one() -> None:
    """Every number once, and no fixed pattern."""
    ours = array(Permutation(), (5000,), "I32").astype(int)
    assert sorted(ours) == list(range(5000))
    assert abs(np.corrcoef(ours, np.arange(5000))[0, 1]) < 0.06


@pytest.mark.parametrize("name", ["exp", "log", "expm1", "cos", "sine"])
def test_functions_are_rounded_almost_correctly(name: str) -> None:
    """All but a few results in a million are the binary32 number nearest to the true one, the others its neighbour."""
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-90, 90, 200_000), rng.normal(0, 1e-3, 50_000), rng.uniform(0, 2, 50_000)])
    x = np.abs(x) if name == "log" else x
    given = x.astype(np.float32)
    with np.errstate(all="ignore"):
        made = getattr(functions, name)(given).astype(np.float64)
        true = getattr(np, {"sine": "sin"}.get(name, name))(given.astype(np.longdouble)).astype(np.float32)
    close = np.isfinite(true)
    assert (made[close] == true[close]).mean() > 1 - 1e-5
    assert np.array_equal(np.isfinite(made), close)


def held(values: int) -> Callable[[], npt.NDArray[np.float32]]:
    return lambda: np.zeros(values, np.float32)


def test_cache_forgets_the_oldest() -> None:
    """Promise 6 (flat memory): what is kept is bounded, and what was read last stays."""
    cache, made = Cache(2 * (40 + 512)), list[str]()

    def make(name: str) -> npt.NDArray[np.float32]:
        made.append(name)
        return np.zeros(10, np.float32)

    for name in ("a", "b", "a", "c", "a", "b"):
        cache.get(name, lambda name=name: make(name))
    assert made == ["a", "b", "c", "b"]
    assert cache.get("large", held(1000)).nbytes == 4000
    cache.get("b", lambda: make("again"))
    assert made[-1] == "b"


def test_cache_makes_once_for_many() -> None:
    """Eight threads that want one tensor wait for the one that makes it."""
    cache, made = Cache(1 << 20), list[int]()
    gate = threading.Barrier(8)

    def make() -> npt.NDArray[np.float32]:
        made.append(1)
        time.sleep(0.05)
        return np.zeros(4, np.float32)

    def read() -> int:
        gate.wait()
        return len(cache.get("x", make))

    with ThreadPoolExecutor(8) as pool:
        assert [future.result() for future in [pool.submit(read) for _ in range(8)]] == [4] * 8
    assert len(made) == 1


def test_cache_has_no_gap_between_making_and_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes when a tensor is made and not yet kept waits for it."""
    cache, made, keep = Cache(1 << 20), list[str](), Cache._keep
    second = threading.Thread(target=lambda: cache.get("x", lambda: make("second")))

    def make(who: str) -> npt.NDArray[np.float32]:
        made.append(who)
        return np.zeros(4, np.float32)

    def slow_keep(self: Cache, key: Hashable, values: npt.NDArray[np.float32]) -> None:
        if not second.ident:
            second.start()
            second.join(0.2)
        keep(self, key, values)

    monkeypatch.setattr(Cache, "_keep", slow_keep)
    cache.get("x", lambda: make("first"))
    second.join()
    assert made == ["first"]


def test_cache_tries_again_after_a_failure() -> None:
    """An error reaches its reader, and the next one starts anew."""
    cache = Cache(1 << 20)

    def fail() -> npt.NDArray[np.float32]:
        raise MemoryError

    with pytest.raises(MemoryError):
        cache.get("x", fail)
    assert len(cache.get("x", held(3))) == 3


def test_engines_share_no_bytes_but_give_the_same() -> None:
    """Promise 1 (pure): neither threads nor the size of the cache show."""
    fill = Parts(Normal(0.0, 1.0), (Part((0, 10), (100, 90), Orthogonal(1.0)),))
    drawn = set()
    for engine in (Engine(threads=1), Engine(threads=3), Engine(cache=Cache(0))):
        drawer = prepare(fill, 1, "x", (100, 100), "F32", {}, engine)
        drawn.add(b"".join(draw(drawer, start, 2500) for start in range(0, 10_000, 2500)))
    assert len(drawn) == 1


def test_signed_zeros_are_different_fills() -> None:
    """Promise 1 (pure): what was made before is no excuse; -0.0 equals 0.0 as a number and makes other bytes."""
    first, second = (whole(Orthogonal(gain), (3, 3), "F32") for gain in (0.0, -0.0))
    assert first != second


def test_whole_tensors_are_bounded() -> None:
    """Promise 5 (safe to expose): a tensor that would have to be made whole is refused above the engine's size."""
    engine = Engine(whole_elements=1000)
    prepare(Orthogonal(1.0), 0, "x", (50, 20), "F32", {}, engine)
    for fill in (Orthogonal(1.0), Sparse(0.1, 1.0), Pointwise("exp", (Orthogonal(1.0),))):
        with pytest.raises(TooLargeError, match="such tensors are made up to 1,000"):
            prepare(fill, 0, "x", (50, 21), "F32", {}, engine)
    prepare(Parts(Orthogonal(1.0), ()), 0, "x", (50, 20), "F32", {}, engine)


def test_the_size_of_a_whole_fill_is_that_of_its_box() -> None:
    """Promise 5 (safe to expose): what counts is what is made, however large the tensor around it is."""
    engine, shape = Engine(whole_elements=27), (9, 2**40)
    norms = NormOf("v", (27, 1), Normal(0.0, 1.0), 0)
    boxes = Part((0, 5), (9, 8), Sparse(0.0, 1.0)), Part((0, 2**39), (9, 2**39 + 3), norms)
    drawer = prepare(Parts(Constant(0.0), boxes), 7, "x", shape, "F32", {}, engine)
    normals, alone = prepare(Normal(0.0, 1.0), 7, "x", shape, "F32"), prepare(norms, 7, "g", (27,), "F32")
    for row in (0, 8):
        start = row * shape[1]
        assert draw(drawer, start + 4, 5) == bytes(4) + draw(normals, start + 5, 3) + bytes(4)
        assert draw(drawer, start + 2**39, 3) == draw(alone, 3 * row, 3)
    for fill, stop in ((Sparse(0.0, 1.0), (4, 7)), (NormOf("v", (7, 4), Normal(0.0, 1.0), 0), (7, 1))):
        with pytest.raises(TooLargeError, match="has 28 elements; such tensors are made up to 27"):
            prepare(Parts(Constant(0.0), (Part((0, 0), stop, fill),)), 7, "x", shape, "F32", {}, engine)
    with pytest.raises(TooLargeError, match="has 28 elements"):
        prepare(NormOf("v", (28, 0), Normal(0.0, 1.0), 0), 7, "x", (28,), "F32", {}, engine)


@pytest.mark.parametrize("shape", [(9000, 41), (300, 2000), (40_000, 9)])
def test_boxes_are_gathered(shape: tuple[int, int]) -> None:
    """Promise 1 (pure): rows near to each other and far apart, over several slabs."""
    fill = Parts(Constant(0.0), (Part((1, 2), shape, Sparse(0.0, 1.0)),))
    normals = array(Normal(0.0, 1.0), shape, "F32")
    assert np.array_equal(array(fill, shape, "F32")[1:, 2:], normals[1:, 2:])
