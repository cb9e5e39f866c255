"""What the papers of the repository say is so: paths, commands, licence, picture."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.terminal import PICTURE, draw, session

ROOT = Path(__file__).parents[2]
PAPERS = (
    "README.md",
    "DESIGN.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "deploy/README.md",
    "docs/recipe.md",
)
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOPS = ("client/", "server/", "proto/", "tests/", "deploy/", "docs/", ".github/", ".ci/")
PLACEHOLDER = re.compile(r"NAME|\*|out/")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_path_that_is_named_is_there(paper: str) -> None:
    text = (ROOT / paper).read_text()
    named = set(re.findall(r"`([\w./-]+)`", text)) | set(re.findall(r"\]\(([\w./-]+)\)", text))
    paths = {path for path in named if path.startswith(TOPS) or path.endswith(".md")}
    base = (ROOT / paper).parent
    missing = {
        path
        for path in paths
        if not PLACEHOLDER.search(path) and not (ROOT / path).exists() and not (base / path).exists()
    }
    assert missing == set()


def test_the_house_is_drawn_with_all_its_rooms() -> None:
    drawn = (ROOT / "DESIGN.md").read_text().split("## The house")[1].split("`make check` enforces")[0]
    for package in ("client/initium", "server/initium_law", "server/initium_server"):
        for path in sorted((ROOT / package).iterdir()):
            if path.is_dir() and path.name != "__pycache__":
                assert re.search(rf"\b{path.name}\b", drawn), f"{path} is not in DESIGN.md"


def test_every_target_of_make_that_is_named_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)) | {"law", "transport", "jobs", "plans"}
    for paper in PAPERS:
        for words in re.findall(r"`make ([a-z ]+)`", (ROOT / paper).read_text()):
            assert set(words.split()) <= targets, f"{paper}: make {words}"


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert set(PROJECT["urls"]) >= {"Source", "Issues", "Changelog"}


def test_hosted_ci_does_what_ci_does() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    assert "make test\nmake check" in (ROOT / ".ci" / "run").read_text()


def test_extras_build_on_each_other() -> None:
    extras = PROJECT["optional-dependencies"]
    assert extras["law"] == ["numba>=0.62"]
    assert "initium[law]" in extras["server"]
    assert not any("torch" in line or "numba" in line for line in PROJECT["dependencies"])


def test_the_picture_shows_what_the_commands_print(server_address: str) -> None:
    assert draw(session(server_address)) == PICTURE.read_text(), "run: python -m tests.house.terminal"


def test_tests_that_papers_name_exist() -> None:
    """A table that says which test holds a feature names tests that there are."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "initialization.md").read_text())
    assert len(named) > 30
    for path, function in named:
        assert not function or f"def {function}(" in (ROOT / path).read_text(), f"{path}::{function}"
        assert (ROOT / path).is_file(), path
