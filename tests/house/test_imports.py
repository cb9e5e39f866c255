"""The import contracts hold, and notice what they are for: a breach of each is planted in a copy of the house."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BREACHES = {
    "server, then client, then law": ("server/initium_law/dtypes.py", "from initium.errors import InitiumError"),
    "server, then client": ("client/initium/plan/check.py", "import initium_server.planning.rules"),
    "server, then client, then law:": ("client/initium/torch/__init__.py", "import initium_server.sources.library"),
    "inside the server": ("server/initium_server/planning/rules.py", "import initium_server.sources"),
    "inside the client": ("client/initium/contract/strict.py", "import initium.disk.manifest"),
    "inside the law": ("server/initium_law/maps/philox.py", "import initium_law.engine"),
    "the law needs no protobuf and no gRPC": ("server/initium_law/draw.py", "import google.protobuf.message"),
    "the law needs no": ("server/initium_law/fills/whole.py", "import torch"),
    "the client never imports a model library, and torch only": ("client/initium/client/stream.py", "import torch"),
    "the client never": ("client/initium/disk/manifest.py", "import transformers"),
    "gRPC is for whoever talks": ("client/initium/plan/layout.py", "import grpc"),
    "the process that serves imports no torch": ("server/initium_server/rpc/plans.py", "import torch"),
    "the process that serves": ("server/initium_server/planning/groups.py", "from torch import optim"),
    "torchvision is imported by its adapter": ("server/initium_server/sources/library.py", "import torchvision"),
    "timm is imported by its adapter": ("server/initium_server/capture/calls.py", "import timm.layers"),
    "transformers is imported by its": ("server/initium_server/workers/preload.py", "import transformers"),
    "triton is imported by its backend": ("server/initium_law/backends/lanes.py", "import triton"),
    "no parent package": ("server/initium_server/somewhere/__init__.py", ""),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    for part in ("client/initium", "server/initium_law", "server/initium_server"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    environment = {"PYTHONPATH": f"{house}/client:{house}/server", "COLUMNS": "200"}
    return subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True)


def test_the_house_is_as_it_is_drawn(house: Path) -> None:
    done = lint(house)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("contract", BREACHES)
def test_a_breach_is_noticed(contract: str, house: Path) -> None:
    file, planted = house / BREACHES[contract][0], BREACHES[contract][1]
    original = file.read_text() if file.exists() else None
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{original or ''}\n{planted}\n")
    try:
        done = lint(house)
    finally:
        if original is None:
            shutil.rmtree(file.parent)
        else:
            file.write_text(original)
    assert done.returncode == 1, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if "BROKEN" in line or "not exhaustive" in line.lower()]
    assert any(line.startswith(contract) or not planted for line in said), done.stdout + done.stderr


def test_every_contract_has_a_breach() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    names = [contract["name"] for contract in contracts]
    assert [name for name in names if not any(name.startswith(breach) for breach in BREACHES)] == []
