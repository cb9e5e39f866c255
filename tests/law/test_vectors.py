"""Promise 11 (stable): the published vectors of the law, in this implementation and in the plain reference."""

from __future__ import annotations

import hashlib
import json
import struct

import numpy as np
import numpy.typing as npt
import pytest

from initium_law import prepare
from initium_law.backends import numba_kernel
from initium_law.dtypes import ITEM_SIZE, encode
from initium_law.fills import functions
from initium_law.grammar import Constant, Fill
from initium_law.maps import identity, phi
from initium_law.maps.philox import BLOCK
from initium_law.maps.random_fills import Draw, resolve
from initium_law.maps.render import render

from . import reference, reference_fills
from .cases import BIG, COLUMNS, LITERALS, MAPS, TENSORS
from .support import draws_stored
from .vectors import fill_of, lines, refusals, tensor_of, text_of

FUNCTIONS = {name: getattr(functions, name) for name in ("exp", "log", "expm1", "cos", "sine")}


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def double(text: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(text))[0])


@pytest.mark.parametrize("line", lines("identity.txt"), ids=lambda line: f"{line[0]} {line[1]} {line[2]}")
def test_identities(line: list[str]) -> None:
    purpose, seed, name, ident, expected = line
    made = identity.identity(int(seed), json.loads(name), purpose.replace("-", ""))
    assert made.tolist() == words(ident)
    far = [0, 1, 2, 3, 4, 5, 1023, 1024, 2**32, 2**34 - 1, 2**34, 2**34 + 1, 2**40 + 3, 2**62 - 1]
    out = np.empty(1, np.uint32)
    for index, word in zip(far, words(expected), strict=True):
        numba_kernel.draw_words(out, np.uint64(index), made)
        assert out[0] == word


def map_groups() -> dict[tuple[str, str], list[tuple[int, int]]]:
    groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for fill, dtype, word, value in lines("maps.txt"):
        groups.setdefault((fill, dtype), []).append((int(word, 16), int(value, 16)))
    return groups


def mapped(draw: Draw, given: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The values of words by the compiled map, as bit patterns."""
    padded = np.resize(given, -(-len(given) // BLOCK) * BLOCK)
    out = np.empty(len(padded), np.float32)
    xs, logs = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for at in range(0, len(padded), BLOCK):
        block = slice(at, at + BLOCK)
        numba_kernel.map_block(padded[block], xs, logs, out[block], draw.kind, draw.params, np.uint32(draw.threshold))
    return out[: len(given)].view(np.uint32)


@pytest.mark.parametrize("group", map_groups().items(), ids=lambda group: " ".join(group[0]))
def test_maps(group: tuple[tuple[str, str], list[tuple[int, int]]]) -> None:
    (text, dtype), pairs = group
    draw = resolve(fill_of(text), np.zeros(4, np.uint32), dtype)  # type: ignore[arg-type] # only random fills here
    assert isinstance(draw, Draw)
    given, expected = (np.array(column, np.uint32) for column in zip(*pairs, strict=True))
    assert mapped(draw, given).tolist() == expected.tolist()


def test_bounds() -> None:
    for name, argument, result in lines("bounds.txt"):
        assert getattr(phi, name)(double(argument)).hex() == double(result).hex()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    pairs = [(int(x, 16), int(y, 16)) for function, x, y in lines("functions.txt") if function == name]
    given, expected = (np.array(column, np.uint32) for column in zip(*pairs, strict=True))
    with np.errstate(all="ignore"):
        made = FUNCTIONS[name](given.view(np.float32))
    assert render(made, "F32").view("<u4").tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", COLUMNS)
def test_renderings(dtype: str) -> None:
    column = 1 + list(COLUMNS).index(dtype)
    pairs = [(int(line[0], 16), int(line[column], 16)) for line in lines("renderings.txt")]
    given, expected = zip(*pairs, strict=True)
    made = render(np.array(given, np.uint32).view(np.float32), dtype).view(f"<u{ITEM_SIZE[dtype]}")
    assert made.tolist() == list(expected)


@pytest.mark.parametrize("dtype", COLUMNS)
def test_constants(dtype: str) -> None:
    column = 1 + list(COLUMNS).index(dtype)
    for line in lines("constants.txt"):
        assert encode(double(line[0]), dtype)[::-1].hex() == line[column]
        assert whole(Constant(double(line[0])), 0, "x", (1,), dtype)[::-1].hex() == line[column]


def whole(fill: Fill, seed: int, name: str, shape: tuple[int, ...], dtype: str) -> bytes:
    drawer = prepare(fill, seed, name, shape, dtype, LITERALS, draws_stored())
    out = np.empty(drawer.elements * drawer.item_size, np.uint8)
    drawer.draw(0, out)
    return out.tobytes()


def spec(line: list[str]) -> tuple[Fill, int, str, tuple[int, ...], str]:
    seed, name, dtype, shape, fill = line[:5]
    extents = () if shape == "-" else tuple(map(int, shape.split("x")))
    return fill_of(fill), int(seed), json.loads(name), extents, dtype


@pytest.mark.parametrize("line", lines("tensors.txt"), ids=lambda line: f"{line[2]} {line[3]} {line[4][:40]}")
def test_tensors(line: list[str]) -> None:
    """Whole, and element by element."""
    fill, seed, name, shape, dtype = spec(line)
    assert whole(fill, seed, name, shape, dtype).hex() == line[5]
    drawer, size = prepare(fill, seed, name, shape, dtype, LITERALS, draws_stored()), ITEM_SIZE[dtype]
    out = np.empty(size, np.uint8)
    for index in range(drawer.elements):
        drawer.draw(index, out)
        assert out.tobytes().hex() == line[5][2 * index * size : 2 * (index + 1) * size]


@pytest.mark.parametrize("line", lines("tensors.txt"), ids=lambda line: f"{line[2]} {line[3]} {line[4][:40]}")
def test_tensors_of_the_reference(line: list[str]) -> None:
    fill, seed, name, shape, dtype = spec(line)
    assert reference_fills.tensor(fill, seed, name, shape, dtype, LITERALS).hex() == line[5]


@pytest.mark.parametrize("group", map_groups().items(), ids=lambda group: " ".join(group[0]))
def test_maps_of_the_reference(group: tuple[tuple[str, str], list[tuple[int, int]]]) -> None:
    (text, dtype), pairs = group
    given, expected = (np.array(column, np.uint32) for column in zip(*pairs, strict=True))
    made = reference.values(given, fill_of(text), dtype)  # type: ignore[arg-type] # only random fills here
    assert made.view(np.uint32).tolist() == expected.tolist()


def test_vectors_are_those_of_the_cases() -> None:
    """Whoever writes the files anew loses no line."""
    assert [" | ".join(line[:5]) for line in lines("tensors.txt")] == [tensor_of(*case) for case in TENSORS]
    assert [" | ".join(line[:5]) for line in lines("digests.txt")] == [tensor_of(*case) for case in BIG]
    assert [" | ".join(line) for line in lines("refusals.txt")] == list(refusals())
    drawn = dict.fromkeys((line[0], line[1]) for line in lines("maps.txt"))
    assert list(drawn) == [(text_of(fill), dtype) for fill, dtype in MAPS]


@pytest.mark.parametrize("line", lines("refusals.txt"), ids=" ".join)
def test_refusals(line: list[str]) -> None:
    """Promise 4 (nothing silent)."""
    dtype, shape, fill = line
    with pytest.raises(ValueError, match=r"."):
        prepare(fill_of(fill), 0, "x", tuple(map(int, shape.split("x"))), dtype, LITERALS, draws_stored())


@pytest.mark.parametrize("line", lines("digests.txt"), ids=lambda line: f"{line[2]} {line[3]} {line[4][:40]}")
def test_digests(line: list[str]) -> None:
    fill, seed, name, shape, dtype = spec(line)
    assert hashlib.sha256(whole(fill, seed, name, shape, dtype)).hexdigest() == line[5]
