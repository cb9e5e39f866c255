"""A plan is drawn by whoever holds it: without server and torch, and with a clear word where that cannot be."""

from __future__ import annotations

import subprocess
import sys

import pytest

import initium
from initium.errors import PlanError, ServerMissing, Unsupported
from initium.plan.checkpoint import VirtualCheckpoint
from tests.plan.plans import make_plan, unsealed


def test_it_gives_the_checkpoint_and_leaves_the_plan_as_it_is() -> None:
    plan = unsealed(make_plan())
    before = plan.SerializeToString(deterministic=True)
    checkpoint = initium.open_plan(plan, threads=2)
    assert checkpoint.read("model.safetensors") == VirtualCheckpoint(make_plan()).read("model.safetensors")
    assert plan.SerializeToString(deterministic=True) == before


def test_it_loads_neither_torch_nor_grpc() -> None:
    code = (
        "import sys, initium\n"
        "from tests.plan.plans import make_plan\n"
        "assert initium.open_plan(make_plan()).read('config.json')\n"
        "print(sorted({'torch', 'grpc', 'initium_server'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_plan_is_checked() -> None:
    plan = unsealed(make_plan())
    plan.tensors[0].offset += 1
    with pytest.raises(PlanError, match="not where the layout puts"):
        initium.open_plan(plan)


def test_generator_torch_needs_a_server() -> None:
    plan = unsealed(make_plan())
    plan.generator = "torch"
    with pytest.raises(Unsupported, match="runs on a server"):
        initium.open_plan(plan)


def test_without_numba_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("initium_law", "initium.plan.check"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ServerMissing, match=r"pip install 'initium\[law\]'"):
        initium.open_plan(make_plan())


def test_a_device_that_is_not_there_is_named() -> None:
    with pytest.raises(ServerMissing, match="device mps cannot draw"):
        initium.open_plan(make_plan(), device="mps")
