"""Sources that other packages bring: installed for real, used over the wire, and broken in many ways."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import initium
from tests.e2e.servers import QUIET, ServerProcess

GOOD = """
import socket
from torch import nn
from initium_server.sources.arguments import target
from initium_server.sources.library import Prepared

def linear(width: int, call_home: bool = False):
    if call_home:
        socket.create_connection(("127.0.0.1", 1))
    return nn.Linear(2, width)

def prepare(library):
    args = {name: int(value.number_value) for name, value in library.args.fields.items()}
    return Prepared(lambda: linear(**args), {"toys": "1.5"}, target(linear))

def names():
    return ["linear"]
"""
BROKEN = {
    "raises": ("raise ValueError('half written')", "this server does not have raises (ValueError: half written)"),
    "lacks": ("import nowhere_to_be_found", "this server does not have lacks (No module named 'nowhere_to_be_found')"),
    "leaves": ("import sys; sys.exit(3)", "this server does not have leaves (SystemExit: 3)"),
    "empty": ("", "AttributeError: module 'packaged_empty' has no attribute 'prepare'"),
    "wrong": ("def prepare(library): return 3", "packaged_wrong.prepare gave a int instead of a Prepared"),
    "fails": ("def prepare(library): return {}['x']", "fails any could not be built: KeyError: 'x'"),
    "crashes": ("import os; os.abort()", "the build process ended"),
}


def install(directory: Path, source: str, code: str, package: str = "", version: str = "1.5") -> None:
    """What an installer leaves of a package with one source."""
    package = package or f"packaged_{source}"
    (directory / f"{package}.py").write_text(code)
    info = directory / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[initium.sources]\n{source} = {package}\n")


def environment(*directories: Path) -> dict[str, str]:
    return QUIET | {"PYTHONPATH": os.pathsep.join([*map(str, directories), *filter(None, sys.path)])}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[initium.Client]:
    """Of a server beside all packages, the broken ones, too."""
    directory = tmp_path_factory.mktemp("site")
    install(directory, "toys", GOOD)
    for source, (code, _) in BROKEN.items():
        install(directory, source, code)
    server = ServerProcess(warm=False, environment=environment(directory))
    with initium.connect(server.address) as connected:
        yield connected
    server.close()


def plan(client: initium.Client, source: str, **args: object) -> initium.Plan:
    return client.resolve({"architecture": {"library": {"source": source, "name": "any", "args": args}}, "seed": 1})


_WIDTHS = itertools.count(3)
"""Each of its own, so that the server holds no plan of it yet."""


def check_toys(client: initium.Client) -> None:
    width = next(_WIDTHS)
    made = plan(client, "toys", width=width)
    assert {tensor.name: list(tensor.shape) for tensor in made.tensors} == {"weight": [width, 2], "bias": [width]}
    assert made.versions["toys"] == "1.5"


def test_an_installed_package_is_one_more_source(client: initium.Client) -> None:
    check_toys(client)
    assert client.models("toys") == ["linear"]
    assert client.capabilities().libraries["toys"] == "1.5"
    with pytest.raises(initium.RecipeError, match="did you mean 'width'") as caught:
        plan(client, "toys", widht=3)
    assert caught.value.violations[0].field == "architecture.library.args.widht"


def test_it_runs_behind_the_same_fence(client: initium.Client) -> None:
    with pytest.raises(initium.RecipeError, match="not allowed while a model is built: socket"):
        plan(client, "toys", width=2, call_home=1)


@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_package_is_a_failed_request(source: str, client: initium.Client) -> None:
    with pytest.raises(initium.InitiumError) as caught:
        plan(client, source)
    assert BROKEN[source][1] in str(caught.value)
    assert caught.value.reason in ("LIBRARY_MISSING", "BUILD_FAILED", "BUILD_CRASHED")
    check_toys(client)


@pytest.mark.parametrize(
    ("source", "names"),
    [("timm", "has the name of this server's own"), ("toys", "has the name of that of the package")],
)
def test_names_that_clash_are_refused_at_the_start(source: str, names: str, tmp_path: Path) -> None:
    install(tmp_path, source, GOOD, package="first")
    install(tmp_path, "toys", GOOD, package="second")
    command = [sys.executable, "-m", "initium_server", "serve", "--listen", "127.0.0.1:0"]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert names in done.stderr
    assert "Traceback" not in done.stderr
