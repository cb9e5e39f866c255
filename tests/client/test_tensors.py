"""Tensors out of the stream: whole, in file order, in their own dtypes, wherever leaves end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import initium
from initium.client.stream import LeafStream
from initium.client.tensors import tensors
from initium.contract.leaves import LEAF, Leaf, leaf_digest
from initium.v1.plan_pb2 import Plan, PlannedFile, PlannedTensor
from initium_law.dtypes import DTYPES as LAW_DTYPES
from tests.client.fake import FakeServer, make_plan

MakeServer = Callable[..., FakeServer]


def tensor(name: str, shape: list[int], dtype: str, file: int, offset: int, size: int) -> PlannedTensor:
    return PlannedTensor(name=name, shape=shape, dtype=dtype, file=file, offset=offset, size=size)


def received(server: FakeServer) -> dict[str, np.ndarray[Any, Any]]:
    with initium.connect(server.address) as client:
        return dict(client.tensors(server.plan))


DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_comes_as_numpys_own(make_server: MakeServer, name: str) -> None:
    values = np.array([[0, 1, 0], [1, 1, 0]]).astype(DTYPES[name])
    data = b"head" + values.tobytes()
    (found,) = received(make_server({"x": data}, tensors=[tensor("t", [2, 3], name, 0, 4, values.nbytes)])).values()
    assert found.dtype == DTYPES[name]
    assert found.shape == (2, 3)
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("name", sorted(LAW_DTYPES))
def test_torch_tensors_of_every_dtype(make_server: MakeServer, name: str) -> None:
    dtype = LAW_DTYPES[name]
    values = np.array([[0, 1, 0], [1, 1, 0]]).astype(dtype.numpy)
    planned = [
        tensor("t", [2, 3], name, 0, 0, values.nbytes),
        tensor("scalar", [], name, 0, values.nbytes, dtype.size),
        tensor("empty", [0, 3], name, 0, values.nbytes + dtype.size, 0),
    ]
    server = make_server({"x": values.tobytes() + values[0, 1].tobytes()}, tensors=planned)
    with initium.connect(server.address) as client:
        found = dict(client.tensors(server.plan, framework="pt"))
    assert {one.dtype for one in found.values()} == {getattr(torch, dtype.torch)}
    assert [tuple(one.shape) for one in found.values()] == [(2, 3), (), (0, 3)]
    assert found["t"].to(torch.complex64).real.tolist() == values.astype(np.complex64).real.tolist()
    assert found["scalar"].to(torch.complex64).item() == 1


def test_frameworks_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    with initium.connect("127.0.0.1:1") as client:  # refused before any call
        with pytest.raises(initium.RequestError, match="framework is 'torch'; did you mean 'pt'"):
            client.tensors("seed: 1", framework="torch")  # type: ignore[arg-type] # on purpose
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(initium.Unsupported, match="'pt' needs torch, which is not installed here"):
            client.tensors("seed: 1", framework="pt")


STEP = 8


class Cut(LeafStream):
    """Given files without a server, in leaves of STEP bytes."""

    def __init__(self, plan: Plan, files: list[bytes]) -> None:
        self.plan = plan
        self._files = files

    def __iter__(self) -> Iterator[Leaf]:
        for index, data in enumerate(self._files):
            for at in range(0, len(data), STEP):
                piece = data[at : at + STEP]
                yield Leaf(index, at, leaf_digest(piece), memoryview(piece))


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[bytes], list[PlannedTensor]]:
    """Files that are cut into tensors of bytes, with gaps between them."""
    files, planned = [], []
    for index in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, STEP + 1))
        for number in range(draw(st.integers(0, 4))):
            size = draw(st.integers(0, 2 * STEP + 1))
            planned.append(tensor(f"{index}.{number}", [size], "U8", index, at, size))
            at += size + draw(st.integers(0, 2))
        files.append(bytes((index * 100 + place) % 251 for place in range(at)))
    return files, planned


@given(layouts(), st.randoms(use_true_random=False))
def test_wherever_leaves_end_tensors_are_whole_and_in_file_order(
    layout: tuple[list[bytes], list[PlannedTensor]], random: Any
) -> None:
    files, planned = layout
    shuffled = random.sample(planned, len(planned))
    plan = Plan(files=[PlannedFile(name=str(i), size=len(data)) for i, data in enumerate(files)], tensors=shuffled)
    found = list(tensors(Cut(plan, files)))
    by_place = sorted(planned, key=lambda one: (one.file, one.offset, one.size))
    assert [array.size for _, array in found] == [one.size for one in by_place]
    assert {name for name, _ in found} == {one.name for one in planned}
    places = {one.name: one for one in planned}
    for name, array in found:
        one = places[name]
        assert array.tobytes() == files[one.file][one.offset : one.offset + one.size]


def test_tensors_come_as_soon_as_they_are_whole(make_server: MakeServer) -> None:
    sent: list[int] = []
    planned = [tensor("first", [4], "U8", 0, 0, 4), tensor("last", [4], "U8", 0, 59 * LEAF, 4)]
    server = make_server({"x": bytes(60 * LEAF)}, tensors=planned)
    server.faults.on_leaf = sent.append
    with initium.connect(server.address) as client:
        found = client.tensors(server.plan)
        assert next(found)[0] == "first"
        assert len(sent) < 60
        assert [name for name, _ in found] == ["last"]


def test_empty_tensors_of_an_empty_file_come_last() -> None:
    planned = [tensor("none", [0, 2], "F32", 1, 0, 0), tensor("first", [4], "U8", 0, 0, 4)]
    plan = make_plan({"x": b"abcd", "empty": b""}, tensors=planned)
    assert [(name, array.shape) for name, array in tensors(Cut(plan, [b"abcd", b""]))] == [
        ("first", (4,)),
        ("none", (0, 2)),
    ]


def test_a_plan_without_tensors_gives_none(make_server: MakeServer) -> None:
    assert received(make_server({"x": b"abc"})) == {}


def test_a_tensor_beyond_the_files_is_an_error() -> None:
    plan = make_plan({"x": b"abcd"}, tensors=[tensor("t", [8], "U8", 0, 0, 8)])
    with pytest.raises(initium.ServerError, match="the files end before the tensor t"):
        list(tensors(Cut(plan, [b"abcd"])))


@pytest.mark.parametrize(
    ("planned", "kind", "message"),
    [
        (tensor("t", [1], "F4", 0, 0, 1), initium.Unsupported, "t has the dtype F4, new to this client; upgrade"),
        (tensor("t", [1, 2], "F32", 0, 0, 4), initium.ServerError, r"t: 4 bytes do not make \[1, 2\] F32"),
        (tensor("t", [], "F32", 0, 0, 0), initium.ServerError, r"t: 0 bytes do not make \[\] F32"),
    ],
)
def test_tensors_that_cannot_be_are_errors(
    make_server: MakeServer, planned: PlannedTensor, kind: type[initium.InitiumError], message: str
) -> None:
    server = make_server({"x": b"abcd"}, tensors=[planned])
    with pytest.raises(kind, match=message):
        received(server)


def test_a_wrong_leaf_is_replaced_before_it_is_used(make_server: MakeServer) -> None:
    data = bytes(range(200))
    server = make_server({"x": data}, tensors=[tensor("t", [200], "U8", 0, 0, 200)])
    server.faults.corrupt[0, 0] = 1
    assert received(server)["t"].tobytes() == data
