from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.contract.leaves import LEAF
from tests.client.clock import Clock, skipping
from tests.client.fake import FakeServer

FILES = {
    "a.safetensors": random.Random(1).randbytes(3 * LEAF + 17),
    "b.safetensors": random.Random(2).randbytes(2 * LEAF),
    "empty.txt": b"",
    "config.json": b"{}",
}
RECIPE = {"architecture": {"library": {"source": "torchvision", "name": "resnet18"}}, "seed": 1}


def assert_complete(directory: Path) -> None:
    """That FILES are in a directory, with their manifest and nothing else."""
    assert sorted(os.listdir(directory)) == sorted([*FILES, "manifest.json"])
    for name, data in FILES.items():
        assert (directory / name).read_bytes() == data
    initium.verify(directory)


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., FakeServer]]:
    servers: list[FakeServer] = []

    def make(files: dict[str, bytes] = FILES, address: str = "", **fields: Any) -> FakeServer:
        servers.append(FakeServer(files, address or f"unix:{tmp_path}/s{len(servers)}", **fields))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def server(make_server: Callable[..., FakeServer]) -> FakeServer:
    return make_server()


@pytest.fixture
def client(server: FakeServer) -> Iterator[initium.Client]:
    with initium.connect(server.address, patience=5.0, timeout=10.0) as result:
        yield result


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Has retries wait for nothing."""
    return skipping(monkeypatch)


@pytest.fixture
def reported() -> list[tuple[int, int]]:
    """What a callback for progress was called with: the bytes that are done, and all."""
    return []
