"""Runs the tests of a part against a mutant, in a fork of a process that has the heavy libraries loaded already."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

PRELOADED = ("numpy", "numba", "torch", "hypothesis", "pytest", "google.protobuf.json_format", "yaml", "scipy.stats")
"""Libraries that take long to import, none of them this project's or gRPC, which must not be forked."""


OPTIONS = (
    *("-x", "-q", "--timeout=60", "--hypothesis-profile=mutants"),
    *("-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
"""Of pytest; it would else complain that Hypothesis is loaded before it."""


class _Planted(MetaPathFinder, Loader):
    """Has one module run other code."""

    def __init__(self, name: str, file: Path, code: CodeType) -> None:
        self._name, self._file, self._code = name, file, code

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        package = [str(self._file.parent)] if self._file.name == "__init__.py" else None
        return spec_from_file_location(fullname, self._file, loader=self, submodule_search_locations=package)

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, vars(module))


def preload() -> None:
    """Imports PRELOADED in this process."""
    for name in PRELOADED:
        importlib.import_module(name)


def survives(name: str, file: Path, code: CodeType | None, tests: Sequence[str], seconds: float) -> bool:
    """Whether the tests pass although the module `name` runs `code` (its own if None). Tests that hang do not."""
    identifier = os.fork()
    if not identifier:
        _run(name, file, code, tests)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(identifier, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(identifier, signal.SIGKILL)
    os.waitpid(identifier, 0)
    return False


def _run(name: str, file: Path, code: CodeType | None, tests: Sequence[str]) -> None:
    """In the fork: pytest, in a process group of its own so that whatever it starts ends with it."""
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        if code is not None:
            sys.meta_path.insert(0, _Planted(name, file, code))
        import pytest

        os._exit(int(pytest.main([*OPTIONS, *tests])))
    finally:
        os._exit(1)
