"""Fills that need their whole tensor: made once, kept by the engine's cache, and read in ranges."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from initium_law.backends import numba_kernel
from initium_law.dtypes import FLOATS, Bytes, Singles, encode, exact
from initium_law.fills.orthogonal import orthogonal as orthogonal_matrix
from initium_law.fills.place import Place
from initium_law.fills.writer import Writer, in_slabs
from initium_law.grammar import Fill, Normal, NormOf, Orthogonal, Permutation, Sparse
from initium_law.jit import jit
from initium_law.maps.render import render

Words = npt.NDArray[np.uint32]
Make = Callable[[], npt.NDArray[Any]]


class TooLargeError(ValueError):
    """A fill needs more elements at once than this engine makes: those of its box, or of the tensor of `norm_of`."""


_SLAB = 1 << 20
"""Elements of another tensor that `norm_of` holds at a time."""


def orthogonal(fill: Orthogonal, place: Place) -> Writer:
    """The matrix (first extent, all others); one with more columns than rows is made from transposed normals."""
    if len(place.shape) < 2:
        raise ValueError(f"an orthogonal fill needs 2 axes or more, and this tensor has shape {list(place.shape)}")
    if not math.isfinite(fill.gain):
        raise ValueError(f"gain={fill.gain} is not finite")

    def make() -> Singles:
        normals = _normals(place, 1.0).reshape(place.shape[0], math.prod(place.shape[1:]))
        wide = normals.shape[0] < normals.shape[1]
        tall = np.ascontiguousarray(normals.T) if wide else normals
        matrix = orthogonal_matrix(tall, fill.gain, place.engine.threads)
        return np.ascontiguousarray(matrix.T if wide else matrix).reshape(-1)

    check_size(fill, place.shape, place)
    return cached(fill, place, make, _rendering(place))


def sparse(fill: Sparse, place: Place) -> Writer:
    """Normals with zeros: in each column those rows whose (word, row) are the smallest, compared as integers."""
    if len(place.shape) != 2:
        raise ValueError(f"a sparse fill needs a matrix, and this tensor has shape {list(place.shape)}")
    if not 0.0 <= fill.sparsity <= 1.0:
        raise ValueError(f"sparsity={fill.sparsity} is not between 0 and 1")
    place.random(Normal(0.0, fill.std))
    rows = place.shape[0]
    zeros = math.ceil(fill.sparsity * rows)

    def make() -> Singles:
        values = _normals(place, fill.std)
        if zeros and place.elements:
            order = _order(_choice(place).reshape(place.shape), np.arange(rows, dtype=np.uint64)[:, None])
            last = np.partition(order, zeros - 1, axis=0)[zeros - 1]
            values.reshape(place.shape)[order <= last] = 0.0
        return values

    check_size(fill, place.shape, place)
    return cached(fill, place, make, _rendering(place))


def permutation(fill: Permutation, place: Place) -> Writer:
    """The indices of the elements in ascending order of (word, index)."""
    if len(place.shape) != 1 or place.elements > 1 << 32:
        raise ValueError(f"a permutation fill needs 1 axis of at most 2^32, and this tensor has {list(place.shape)}")
    form, largest = FLOATS.get("F32" if place.dtype == "C64" else place.dtype), max(place.elements - 1, 0)
    if form is not None and largest > 1 << form.precision:
        raise ValueError(f"dtype {place.dtype} cannot hold all whole numbers up to {largest}; use I64")
    encode(float(largest), place.dtype)

    def make() -> npt.NDArray[np.float64]:
        order = np.sort(_order(_choice(place), np.arange(place.elements, dtype=np.uint64)))
        return (order & np.uint64(0xFFFFFFFF)).astype(np.float64)

    check_size(fill, place.shape, place)
    return cached(fill, place, make, lambda values: exact(values, place.dtype))


def norm_of(fill: NormOf, place: Place, write: Writer) -> Writer:
    """sqrt of the sums of squares over all axes but one, in binary64; `write` gives the other tensor as F32.

    Each sum is taken in ascending order of the elements, from zero on.
    """
    if not 0 <= fill.axis < len(fill.shape):
        raise ValueError(f"axis {fill.axis} is not one of shape {list(fill.shape)}")
    extent, total = fill.shape[fill.axis], math.prod(fill.shape)
    if place.elements != extent:
        raise ValueError(
            f"norms along axis {fill.axis} of shape {list(fill.shape)} are {extent}, "
            f"and this tensor has {place.elements} elements"
        )
    check_size(fill, fill.shape, place)
    check_size(fill, place.shape, place)  # more only where the other tensor has no elements

    def make() -> Singles:
        sums, inner = np.zeros(extent, np.float64), np.uint64(math.prod(fill.shape[fill.axis + 1 :]))
        for start in range(0, total, _SLAB):
            values = np.empty(min(_SLAB, total - start), "<f4")
            write(start, values.view(np.uint8))
            _add_squares(sums, values, np.uint64(start), inner)
        with np.errstate(over="ignore"):
            return np.sqrt(sums).astype(np.float32)

    return cached(fill, place, make, _rendering(place))


@jit
def _add_squares(sums: Any, values: Any, start: Any, inner: Any) -> None:
    """Add the square of element start + j to the sum of its index along the axis; float64[extent], float32[:]."""
    extent = np.uint64(sums.shape[0])
    for j in range(np.uint64(values.shape[0])):
        wide = np.float64(values[j])
        sums[(start + j) // inner % extent] += wide * wide


def cached(fill: Fill, place: Place, make: Make, elements: Callable[[Any], Bytes]) -> Writer:
    """A writer that reads what `make` returns from the engine's cache, and turns ranges of it into `elements`."""
    # Text, since -0.0 equals 0.0 as a number and makes other bytes; hashed, since fills can be large.
    spec = repr((place.seed, place.name, place.whole, place.start, place.stop, fill))
    key = hashlib.sha256(spec.encode("utf-8", "surrogatepass")).digest()

    def write(start: int, out: Bytes) -> None:
        values = place.engine.cache.get(key, make)

        def write_slab(at: int, slab: Bytes) -> None:
            slab[:] = elements(values[at : at + len(slab) // place.size])

        in_slabs(write_slab, place.size)(start, out)

    return place.local(write)


def check_size(fill: Fill, shape: Sequence[int], place: Place) -> None:
    """Notes that a tensor of this shape is made whole for `place`. TooLargeError beyond what the engine makes."""
    most = place.engine.whole_elements
    place.whole_elements.append(math.prod(shape))
    if math.prod(shape) > most:
        raise TooLargeError(
            f"{type(fill).__name__} needs its whole tensor at once, and shape {list(shape)} has "
            f"{math.prod(shape):,} elements; such tensors are made up to {most:,}"
        )


def _rendering(place: Place) -> Callable[[Any], Bytes]:
    if place.dtype not in FLOATS:
        raise ValueError(f"this fill needs one of the dtypes {', '.join(FLOATS)}, and this tensor has {place.dtype}")
    return lambda values: render(values, place.dtype)


def _normals(place: Place, std: float) -> Singles:
    """Normal(0, std) at every element of the box, float32[elements]."""
    single = replace(place, dtype="F32")
    return single.gather(single.random(Normal(0.0, std))).view("<f4")


def _choice(place: Place) -> Words:
    """The choosing words of the box's elements, uint32[elements]."""
    single = replace(place, dtype="U32")
    identity = place.words("choice")

    def write(start: int, out: Bytes) -> None:
        numba_kernel.draw_words(out.view("<u4"), np.uint64(start), identity)

    return single.gather(write).view("<u4")


def _order(words: Words, index: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """(word, index) as one integer."""
    return (words.astype(np.uint64) << np.uint64(32)) | index
