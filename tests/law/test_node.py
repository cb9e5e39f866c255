"""The second implementation of the law, in TypeScript, against the published vectors."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "client" / "node" / "law"
VECTORS = Path(__file__).parents[2] / "proto" / "vectors"


def run(*command: str, cwd: Path) -> str:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def without(what: str) -> None:
    """Ends the test where Node is there: in CI a failure, elsewhere a skip that says so."""
    message = f"{what}, SO THE TYPESCRIPT LAW WAS NOT CHECKED"
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A type-checked and compiled copy."""
    if not shutil.which("node") or not shutil.which("npm"):
        without("NODE AND NPM ARE NOT INSTALLED")
    folder = tmp_path_factory.mktemp("node") / "law"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--fetch-retries=5"], cwd=folder, capture_output=True, text=True
    )
    if installed.returncode:
        without(f"npm ci FAILED ({installed.stderr.strip()[-300:]})")
    run("npx", "--no-install", "tsc", cwd=folder)
    return folder


def test_typescript_gives_every_vector(compiled: Path) -> None:
    """Promise 1 (pure): an implementation that was written from the text alone gives the same bytes."""
    lines = run("node", "dist/check.js", str(VECTORS), cwd=compiled).splitlines()
    counts = {line.split(": ")[0]: line.split(": ")[1].split(" of ") for line in lines}
    assert {path.name for path in VECTORS.glob("*.txt")} - set(counts) == {"plans.txt"}, "which is the contract's"
    assert all(passed == total != "0" for passed, total in counts.values())


def test_typescript_notices_a_wrong_vector(compiled: Path, tmp_path: Path) -> None:
    """A changed vector fails the check, so that its success means something."""
    wrong = tmp_path / "vectors"
    shutil.copytree(VECTORS, wrong)
    text = (wrong / "maps.txt").read_text(encoding="utf-8")
    (wrong / "maps.txt").write_text(text[:-2] + ("0" if text[-2] != "0" else "1") + "\n", encoding="utf-8")
    ran = subprocess.run(["node", "dist/check.js", str(wrong)], cwd=compiled, capture_output=True, text=True)
    assert ran.returncode == 1
