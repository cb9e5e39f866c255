"""The whole job against a local PyTorch script, process start included: with a remote server, and with a local one."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import initium
from tests.bench.processes import serving
from tests.bench.report import Report, alternate

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"
TARGETS = {"llama_1b": 0.5, "vit_l": 0.2, "resnet50": 0.7}
COLD, WARM = {"INITIUM_LOCAL": "off"}, {"INITIUM_LOCAL": "on"}
"""A local server for each command, and one that stays."""
LOCAL = {"plan bare_tensors.json": 0.25, "plan resnet50.yaml": 1.3, "generate resnet50.yaml": 1.5}
"""What a cold command may take of the local script of ResNet-50."""


def run(report: Report) -> None:
    """Each round has a seed of its own, so that every recipe is resolved afresh."""
    report.section("whole job: client to local file, warm server, against a local PyTorch script; seconds")
    with serving("full") as address, tempfile.TemporaryDirectory() as scratch:
        for name, target in TARGETS.items():
            recipe = _recipe(name, Path(scratch))
            with initium.connect(address) as client:
                client.resolve(recipe)
            seeds = itertools.count(100)
            ours, theirs = alternate(
                lambda recipe=recipe, seeds=seeds: _remote(address, recipe, next(seeds), Path(scratch) / "out"),
                lambda name=name: _local(name, Path(scratch) / "out"),
            )
            report.at_most(f"{name} / local script", ours / theirs, target, f"{ours:.2f} s against {theirs:.2f} s")
    _local_servers(report)


def _local_servers(report: Report) -> None:
    """Cold, a command starts a server and libraries are imported; warm, it finds the server of the last command."""
    report.section("commands without --server, against the local PyTorch script of ResNet-50; seconds")
    with tempfile.TemporaryDirectory() as scratch:
        out, runtime = Path(scratch) / "out", {"XDG_RUNTIME_DIR": scratch}
        try:
            for command, target in LOCAL.items():
                verb, recipe = command.split()
                arguments = [verb, str(EXAMPLES / recipe), *(["-o", str(out)] if verb == "generate" else [])]
                ours = [
                    lambda arguments=arguments, mode=mode: _command(arguments, out, runtime | mode)
                    for mode in (COLD, WARM)
                ]
                ours[1]()  # its server starts
                cold, warm, theirs = alternate(*ours, lambda: _local("resnet50", out))
                report.at_most(f"{command}, cold", cold / theirs, target, f"{cold:.2f} s against {theirs:.2f} s")
                report.at_most(f"{command}, warm", warm / theirs, 0.2, f"{warm:.2f} s")
        finally:
            _command(["serve", "--stop"], out, runtime)


def _recipe(name: str, scratch: Path) -> Path:
    if name != "vit_l":
        return EXAMPLES / f"{name}.yaml"
    recipe = yaml.safe_load((EXAMPLES / "vit_b16.yaml").read_text())
    recipe["architecture"]["library"]["name"] = "vit_large_patch16_224"
    path = scratch / "vit_l.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _remote(address: str, recipe: Path, seed: int, out: Path) -> None:
    _command(["generate", str(recipe), "--seed", str(seed), "-o", str(out), "--server", address], out, {})


def _command(arguments: list[str], out: Path, environment: dict[str, str]) -> None:
    _run([sys.executable, "-m", "initium.cli", *arguments], out, environment)


def _local(name: str, out: Path) -> None:
    _run([sys.executable, "-m", "tests.bench.local_script", name, str(out)], out, {})


def _run(command: list[str], out: Path, environment: dict[str, str]) -> None:
    nowhere = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=nowhere, stderr=nowhere, env=os.environ | environment)
    shutil.rmtree(out, ignore_errors=True)
