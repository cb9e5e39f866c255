"""The server's package comes with every installation, what it needs does not."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest

import initium
from initium.cli import main
from initium.client.local_server import SERVER_NEEDS

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
MODULES = {"google-re2": "re2", "grpcio-health-checking": "grpc_health", "grpcio-reflection": "grpc_reflection"}
"""What distributions are imported as, where that is another name."""


@pytest.mark.parametrize("hidden", SERVER_NEEDS)
def test_what_the_server_needs_is_looked_for_before_it_starts(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, hidden, None)
    words = rf"a local server is not installed here \(no {hidden}\): install"
    with pytest.raises(initium.ServerMissing, match=words), initium.local():
        raise AssertionError("it started")


def test_the_command_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "grpc_health", None)
    assert main(["serve", "--listen", "127.0.0.1:0"]) == 2
    assert capsys.readouterr().err.startswith("error: the server is not installed here (no grpc_health): install")


def test_all_of_the_extra_is_looked_for() -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    named = [re.split(r"[<>=\[]", requirement)[0] for requirement in (*extras["law"], *extras["server"])]
    modules = {MODULES.get(name, name) for name in named if name != "initium"}
    assert modules | {"initium_server"} <= {*SERVER_NEEDS, "numpy", "ml_dtypes", "ml-dtypes"}
