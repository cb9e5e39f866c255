"""What the package shows, and what it does not load (promise 10)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import initium

PUBLIC = [
    "AccessDenied",
    "Busy",
    "Cancelled",
    "Client",
    "FileNotFound",
    "InitiumError",
    "IntegrityError",
    "LimitExceeded",
    "Manifest",
    "ManifestError",
    "NotFound",
    "OutOfRange",
    "OutputError",
    "Plan",
    "PlanError",
    "PlanNotFound",
    "PreconditionError",
    "Recipe",
    "RecipeError",
    "RequestError",
    "ServerError",
    "ServerMissing",
    "TimedOut",
    "Unavailable",
    "Unsupported",
    "VerifyError",
    "Violation",
    "__version__",
    "connect",
    "load_recipe",
    "local",
    "open_plan",
    "read_plan",
    "redraw",
    "verify",
    "write_plan",
]


def test_exports_are_pinned() -> None:
    assert initium.__all__ == PUBLIC
    shown = {name: getattr(initium, name) for name in dir(initium) if name == "__version__" or name[0] != "_"}
    assert {name for name, value in shown.items() if not isinstance(value, ModuleType)} == {
        *PUBLIC,
        *("TYPE_CHECKING", "Any"),
    }
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        initium.nothing  # noqa: B018 # asking for it is what is tested


@pytest.mark.parametrize("module", ["initium", "initium.cli"])
def test_promise_10_no_torch(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'numba', 'grpc', 'safetensors', 'numpy', 'rich', 'initium_server', 'transformers', 'timm'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_serving_and_planning_load_neither_torch_nor_numba() -> None:
    code = (
        "import sys, initium_server.rpc.server, initium_server.workers.preload as preload\n"
        "preload.load(preload.first(everything=False))\n"
        "heavy = {'torch', 'numba', 'scipy', 'transformers', 'timm', 'torchvision', 'rich'}\n"
        "print(sorted(heavy & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("address", ["", "a b", "http://host:7070/", "https://host", None, 7070, Path("x"), b"x:1"])
def test_no_address(address: Any) -> None:
    with pytest.raises(initium.RequestError, match=r"is no address; write host:port|is a URL; gRPC takes 'host"):
        initium.connect(address)
