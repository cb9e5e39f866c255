"""What each extra can do, and what the command says where one is missing: no traceback, but what to install.

`make test` hides what an extra would bring; `make prove` installs each into a virtual environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import initium
from initium.client.local_server import SERVER_NEEDS
from tests.conftest import EXAMPLES

ROOT = Path(__file__).parents[2]
LIBRARIES = {"torchvision", "timm", "transformers"}
ABSENT: Mapping[str, set[str]] = {
    "": {*SERVER_NEEDS[1:], *LIBRARIES},
    "law": {*SERVER_NEEDS[1:], *LIBRARIES} - {"numba"},
    "server": LIBRARIES,
}
"""Extra -> what is not there without a larger one."""

HIDING = """
import os, sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in os.environ["ABSENT"].split()
        return None if absent else self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(Without, sys.meta_path)
"""
"""Has a process, and those that it starts, find none of the packages in ABSENT."""


@dataclass(frozen=True, slots=True)
class Case:
    """A command line, its exit code, and how its standard error begins."""

    arguments: tuple[str, ...]
    status: int
    words: str = ""


def cases(extra: str, checkpoint: Path) -> list[Case]:
    plan, redraw = ("plan", str(EXAMPLES / "bare_tensors.json")), ("verify", "--redraw", str(checkpoint))
    if extra == "server":
        library = ("plan", str(EXAMPLES / "resnet50.yaml"))
        return [Case(plan, 0), Case(redraw, 0), Case(library, 1, "error: this server does not have torchvision (")]
    missing = ", ".join(name for name in SERVER_NEEDS if name in ABSENT[extra])
    drawing = Case(redraw, 0) if extra == "law" else Case(redraw, 2, "error: drawing needs numba (")
    return [
        Case(("--version",), 0),
        Case(plan, 2, f"error: a local server is not installed here (no {missing}): install the server extra"),
        Case(("serve",), 2, f"error: the server is not installed here (no {missing}): install the server extra"),
        Case(("verify", str(checkpoint)), 0),
        drawing,
    ]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made") / "checkpoint"
    with initium.local() as client:
        client.generate(EXAMPLES / "bare_tensors.json", directory)
    return directory


def check(command: list[str], environment: Mapping[str, str], extra: str, checkpoint: Path) -> None:
    for case in cases(extra, checkpoint):
        line = [*command, *case.arguments]
        done = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
        assert (done.returncode, "Traceback" in done.stderr) == (case.status, False), (line, done.stderr)
        assert done.stderr.startswith(case.words), (line, done.stderr)


@pytest.mark.parametrize("extra", ABSENT)
def test_what_is_missing_is_named(extra: str, checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDING)
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = os.environ | {"PYTHONPATH": path, "ABSENT": " ".join(ABSENT[extra])}
    check([sys.executable, "-m", "initium.cli"], environment, extra, checkpoint)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("extra", ABSENT)
def test_a_fresh_installation_is_complete_or_says_what_is_missing(extra: str, checkpoint: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "fresh", with_pip=True)
    bin_, what = tmp_path / "fresh" / "bin", f"{ROOT}[{extra}]" if extra else str(ROOT)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    install = [str(bin_ / "pip"), "install", "--quiet", "--disable-pip-version-check", what]
    subprocess.run(install, check=True, env=environment, cwd=tmp_path)
    check([str(bin_ / "initium")], environment, extra, checkpoint)
