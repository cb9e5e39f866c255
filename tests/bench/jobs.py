"""The whole job: a remote client with a warm server, against a local PyTorch script. Process start included."""

from __future__ import annotations

import itertools
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


def _recipe(name: str, scratch: Path) -> Path:
    if name != "vit_l":
        return EXAMPLES / f"{name}.yaml"
    recipe = yaml.safe_load((EXAMPLES / "vit_b16.yaml").read_text())
    recipe["architecture"]["library"]["name"] = "vit_large_patch16_224"
    path = scratch / "vit_l.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def _remote(address: str, recipe: Path, seed: int, out: Path) -> None:
    command = ["generate", str(recipe), "--seed", str(seed), "-o", str(out), "--server", address]
    _run([sys.executable, "-m", "initium.cli", *command], out)


def _local(name: str, out: Path) -> None:
    _run([sys.executable, "-m", "tests.bench.local_script", name, str(out)], out)


def _run(command: list[str], out: Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.rmtree(out)
