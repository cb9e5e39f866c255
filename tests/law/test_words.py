"""The generator: known answers, the C++ standard's check value, and what makes a tensor's stream its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from initium_law.maps.identity import identity
from initium_law.maps.philox import BLOCK, words_block

from . import reference

VECTORS = Path(__file__).parents[2] / "proto" / "vectors" / "philox4x32.txt"


def kernel_words(counter: list[int], key: list[int]) -> list[int]:
    """The four words of one counter, as the compiled kernel makes them."""
    index = counter[1] << 32 | counter[0]
    block, group = divmod(index, BLOCK // 4)
    return words_of_block(block, [*key, *counter[2:]])[4 * group : 4 * group + 4].tolist()


def words_of_block(block: int, ident: list[int]) -> npt.NDArray[np.uint32]:
    pairs = np.zeros(BLOCK // 2, np.uint64)
    words_block(pairs, np.uint64(block), np.array(ident, np.uint64))
    return pairs.view(np.uint32)


def known_answers() -> list[list[int]]:
    lines = VECTORS.read_text().splitlines()
    return [[int(field, 16) for field in line.split()] for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("line", known_answers())
def test_random123_known_answers(line: list[int]) -> None:
    """Promise 1 (pure): the words are Random123's."""
    counter, key, expected = line[:4], line[4:6], line[6:]
    assert kernel_words(counter, key) == expected
    assert reference.philox(counter, key) == expected


def test_cpp26_check_value() -> None:
    """Promise 11 (stable): ISO C++26 [rand.predef]: the 10000th word of a default std::philox4x32 is 1955073260."""
    block, at = divmod(9999, BLOCK)
    assert words_of_block(block, [20111115, 0, 0, 0])[at] == 1955073260


@pytest.mark.parametrize("block", [0, 1, 2**24 - 1, 2**24, 2**52 + 3, 2**54 - 1])
def test_blocks_equal_the_reference(block: int) -> None:
    """Promise 2 (addressable): a block far into the stream, across the carry of the low counter word too."""
    ident = [1, 2, 3, 4]
    for group in (0, 1, BLOCK // 4 - 1):
        index = block * (BLOCK // 4) + group
        expected = reference.philox([index & 0xFFFFFFFF, index >> 32, 3, 4], [1, 2])
        assert words_of_block(block, ident)[4 * group : 4 * group + 4].tolist() == expected


def test_identity_is_a_hash_of_law_seed_and_name() -> None:
    """Promise 1 (pure): seed and name alone choose the stream; the name counts in UTF-8, unnormalized."""
    digest = hashlib.sha256(b"stream-v1\0\x2a\0\0\0\0\0\0\0" + "blöck.weight".encode()).digest()
    assert identity(42, "blöck.weight").tobytes() == digest[:16]
    names = ["a", "b", "", "o\u0308", "ö"]
    assert len({identity(seed, name).tobytes() for seed in (0, 1, 2**64 - 1) for name in names}) == 15


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_identity_refuses_other_seeds(seed: int) -> None:
    """Promise 4 (nothing silent)."""
    with pytest.raises(ValueError, match="is not in 0 to"):
        identity(seed, "x")
