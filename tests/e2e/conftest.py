"""Every example generated once, by the command from a server over TCP; tests share the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.servers import EXAMPLES, ServerProcess, initium_command, serving

NAMES = ["resnet50.yaml", "vit_b16.yaml", "gpt2.yaml", "llama_1b.yaml", "mlp.yaml", "bare_tensors.json"]


@pytest.fixture(scope="session")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the server's store of that name."""
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="session")
def tcp_server(zoo: Path) -> Iterator[ServerProcess]:
    """A server with two threads, over TCP."""
    with serving(stores={"zoo": zoo}) as server:
        yield server


@pytest.fixture(scope="session")
def generated(tcp_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Directories of the examples."""
    root = tmp_path_factory.mktemp("examples")
    for name in NAMES:
        initium_command("generate", EXAMPLES / name, "-o", root / name, "--server", tcp_server.address)
    return {name: root / name for name in NAMES}
