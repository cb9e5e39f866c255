"""Headers of safetensors files: those of the library are read, and no lie is believed."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from initium.plan.headers import MAX_HEADER, read_header

GOOD = {
    "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b": {"dtype": "U8", "shape": [0], "data_offsets": [24, 24]},
    "c": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
}


def file_of(header: bytes, data: bytes = bytes(26)) -> bytes:
    return len(header).to_bytes(8, "little") + header + data


def read(file: bytes) -> dict[str, Any]:
    return dict(read_header(lambda begin, count: file[begin : begin + count], len(file)))


def test_files_of_the_library_are_read() -> None:
    arrays = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(5, np.int64), "e": np.zeros((0, 4))}
    file = save(arrays, metadata={"format": "pt"})
    found = read(file)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].shape == array.shape
        assert file[found[name].begin :][: found[name].size] == array.tobytes()


def changed(name: str, **fields: Any) -> bytes:
    return json.dumps({**GOOD, name: {**GOOD[name], **fields}}).encode()


LIES = {
    "no JSON": b"{",
    "no object": b"[]",
    "no UTF-8": b'{"\xff": 1}',
    "nested": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "twice": b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1], "dtype": "U8"}}',
    "same name twice": json.dumps(GOOD).encode()[:-1]
    + b', "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}',
    "entry": b'{"a": 5}',
    "missing": b'{"a": {"dtype": "U8", "shape": [26]}}',
    "more": changed("a", more=1),
    "dtype": changed("a", dtype="F31"),
    "dtype is a list": changed("a", dtype=["F32"]),
    "negative": changed("a", shape=[-2, -3]),
    "negative offsets": changed("a", data_offsets=[-24, 0]),
    "fraction": changed("a", shape=[2.0, 3]),
    "bool": changed("c", shape=[True]),
    "text": changed("a", shape="23"),
    "huge extent": changed("a", shape=[1 << 70, 0]),
    "huge number": changed("a", shape=[int("9" * 4000)]),
    "huge product": changed("a", shape=[1 << 40, 1 << 40]),
    "axes": changed("a", shape=[1] * 65 + [6]),
    "three offsets": changed("a", data_offsets=[0, 24, 24]),
    "reversed": changed("a", data_offsets=[24, 0]),
    "too long": changed("a", data_offsets=[0, 28]),
    "overlap": changed("c", data_offsets=[22, 24]),
    "gap": changed("c", data_offsets=[26, 28]),
    "the same bytes twice": changed("b", dtype="F32", shape=[6], data_offsets=[0, 24]),
    "not a number": changed("a", shape=[float("nan")]),
    "data beyond": json.dumps({"a": GOOD["a"]}).encode(),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_lie_is_believed(lie: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(file_of(LIES[lie]))
    assert read(file_of(json.dumps(GOOD).encode())).keys() == GOOD.keys()


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 100, MAX_HEADER + 1])
def test_no_length_is_believed(length: int) -> None:
    with pytest.raises(ValueError, match="longer than the file"):
        read(length.to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize("size", range(8))
def test_nothing_is_read_of_a_file_that_is_too_short(size: int) -> None:
    with pytest.raises(ValueError, match="longer than the file"):
        read(bytes(size))


@given(st.integers(0, 300), st.binary(max_size=3))
def test_random_damage_is_an_error_or_harmless(at: int, junk: bytes) -> None:
    """Whatever is read lies within the file."""
    file = bytearray(file_of(json.dumps(GOOD).encode()))
    file[at : at + len(junk)] = junk
    try:
        found = read(bytes(file))
    except ValueError:
        return
    assert all(0 <= each.begin <= each.begin + each.size <= len(file) for each in found.values())
