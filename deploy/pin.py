"""Writes constraints.txt from the environment that runs it.

    python deploy/pin.py            # rewrite constraints.txt
    python deploy/pin.py --check    # exit 1 if a pin is missing or contradicts pyproject.toml

Pinned are the requirements of pyproject.toml (base, every extra, the build backend) and everything they pull in, at
the versions installed here. Only names and versions are written: where packages come from is up to whoever installs.
"""

import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "constraints.txt"
HEADER = """\
# The exact versions that the tests run with: the package, every extra, and the build backend.
# Written by deploy/pin.py (Linux x86_64, CPython {python}); do not edit by hand.
# A constraint installs nothing by itself, so the CUDA libraries below are ignored where torch does not ask for them,
# and `torch==X` also admits builds with a local label, e.g. `X+cpu`.
"""


def declared() -> list[Requirement]:
    """All requirements that pyproject.toml names, without those on the project itself."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = document["project"]
    lines = [*document["build-system"]["requires"], *project["dependencies"]]
    for extra in project.get("optional-dependencies", {}).values():
        lines += extra
    own = canonicalize_name(project["name"])
    return [req for req in map(Requirement, lines) if canonicalize_name(req.name) != own]


def active(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def closure() -> dict[str, str]:
    """Installed name and version of every package that the project's requirements reach."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    queue = declared()
    while queue:
        requirement = queue.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen or not active(requirement, frozenset()):
            continue
        seen.add(key)
        try:
            found = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            raise SystemExit(f"{requirement.name} is required but not installed here") from None
        pins[key[0]] = found.version.split("+")[0]
        for child in map(Requirement, found.requires or []):
            if active(child, key[1]):
                child.marker = None
                queue.append(child)
    return pins


def pinned() -> dict[str, str]:
    """The pins that constraints.txt holds."""
    lines = (line.strip() for line in TARGET.read_text().splitlines())
    pairs = (line.split("==", 1) for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def complaints() -> Iterator[str]:
    pins = pinned()
    for requirement in declared():
        version = pins.get(canonicalize_name(requirement.name))
        if version is None:
            yield f"{requirement.name} has no pin"
        elif not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name}=={version} does not satisfy {requirement}"


def main() -> int:
    if sys.argv[1:] == ["--check"]:
        found = list(complaints())
        print("\n".join(found) or f"{TARGET.name} satisfies pyproject.toml")
        return 1 if found else 0
    if sys.argv[1:]:
        print(__doc__)
        return 2
    pins = closure()
    header = HEADER.format(python=".".join(map(str, sys.version_info[:2])))
    TARGET.write_text(header + "".join(f"{name}=={version}\n" for name, version in sorted(pins.items())))
    print(f"{TARGET.name}: {len(pins)} pins")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
