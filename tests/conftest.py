"""Shared fixtures: one server for the whole run, over a socket, and clients to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import initium

# A test run in the background is started with SIGINT ignored, which its children would inherit: Ctrl-C tests need it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A server that stays would outlive the tests, and answer with what it was started with.
os.environ["INITIUM_LOCAL"] = "off"

# A slow machine is no failure; pytest's own timeout finds what hangs.
settings.register_profile("default", deadline=None)
settings.load_profile("default")

# For `make mutants`: the same examples whenever a mutant is tried, and few of them.
settings.register_profile("mutants", derandomize=True, max_examples=25, deadline=None, database=None)

EXAMPLES = Path(__file__).parent.parent / "client" / "examples"


@pytest.fixture(scope="session")
def server_address() -> Iterator[str]:
    """A server in this process, on a free TCP port."""
    from initium_server.rpc.server import Server, Settings

    server = Server(Settings(listen="127.0.0.1:0", threads=2))
    server.start()
    yield server.address
    server.stop(0)


@pytest.fixture
def client(server_address: str) -> Iterator[initium.Client]:
    """A client of the shared server."""
    with initium.connect(server_address) as client:
        yield client
