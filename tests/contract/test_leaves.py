"""Leaves: how files are cut, and the digests of the pieces and of the whole."""

from __future__ import annotations

import itertools

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from initium.contract.leaves import LEAF, Span, all_spans, file_digest, file_root, leaf_count, leaf_digest, spans

near_leaves = st.builds(
    lambda leaves, beside: max(0, leaves * LEAF + beside), st.integers(0, 3), st.integers(-2, 2)
) | st.integers(0, 4 * LEAF)


@given(st.integers(0, 5), near_leaves, near_leaves)
def test_a_range_is_cut_at_aligned_leaves_and_nowhere_else(file: int, begin: int, end: int) -> None:
    pieces = list(spans(file, begin, end))
    at = begin
    for piece in pieces:
        assert (piece.file, piece.offset) == (file, at)
        at += piece.size
        assert piece.size > 0
        assert at % LEAF == 0 or at == end
        assert piece.offset // LEAF == (at - 1) // LEAF
    assert at == max(begin, end)


SIZES = [2 * LEAF + 5, 0, LEAF, 3]
PIECES = [(0, 0, LEAF), (0, LEAF, LEAF), (0, 2 * LEAF, 5), (2, 0, LEAF), (3, 0, 3)]


def test_all_files_in_order() -> None:
    assert list(all_spans(SIZES)) == PIECES
    assert list(all_spans([])) == list(all_spans([0, 0])) == []


@pytest.mark.parametrize(
    ("start", "left"),
    [
        ((0, 0), PIECES),
        ((0, LEAF), PIECES[1:]),
        ((0, 2 * LEAF + 5), PIECES[3:]),
        ((1, 0), PIECES[3:]),
        ((2, 7), [(2, 7, LEAF - 7), *PIECES[4:]]),
        ((3, 1), [(3, 1, 2)]),
        ((4, 0), []),
    ],
)
def test_all_files_from_a_place_on(start: tuple[int, int], left: list[Span]) -> None:
    assert list(all_spans(SIZES, start)) == left


def test_a_leafs_digest_is_blake3() -> None:
    empty = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
    assert leaf_digest(b"").hex() == leaf_digest(memoryview(b"")).hex() == empty
    assert leaf_digest(b"abc") == blake3(b"abc").digest()


@pytest.mark.parametrize("size", [0, 1, LEAF - 1, LEAF, LEAF + 1, 3 * LEAF])
def test_a_files_digest_is_that_of_its_size_and_leaves(size: int) -> None:
    data = bytes(itertools.islice(itertools.cycle(range(251)), size))
    leaves = [leaf_digest(data[at : at + LEAF]) for at in range(0, size, LEAF)]
    assert leaf_count(size) == len(leaves)
    assert file_digest(size, leaves) == blake3(size.to_bytes(8, "little") + b"".join(leaves)).hexdigest()
    assert file_root(size).hexdigest() == file_digest(size, ())


def test_a_size_beyond_four_bytes_counts_too() -> None:
    assert file_digest(2**40 + 1, ()) == blake3(b"\x01\0\0\0\0\x01\0\0").hexdigest()
    assert leaf_count(2**40 + 1) == 2**20 + 1
