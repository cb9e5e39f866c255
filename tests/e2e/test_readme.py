"""What README.md shows, run as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.servers import QUIET, ServerProcess

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ADDRESS = "127.0.0.1:7070"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("initium ")]
    return [shlex.split(line, comments=True) for line in lines]


def test_readme_as_it_stands(tcp_server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "client").symlink_to(ROOT / "client")
    shown = commands()
    assert [words[1] for words in shown] == [
        *("models", "inventory", "plan", "generate", "verify", "generate"),
        *("capture", "generate"),
    ]
    for words in shown:
        run([sys.executable, "-m", "initium.cli", *words[1:]], tcp_server, tmp_path)
    recipe, client, local, training = *blocks("yaml"), *blocks("python")
    (tmp_path / "recipe.yaml").write_text(recipe)
    run([sys.executable, "-m", "initium.cli", "plan", "recipe.yaml"], tcp_server, tmp_path)
    for code in (client, local):
        run([sys.executable, "-c", code], tcp_server, tmp_path)
    before = "import initium, safetensors.torch, torch, torchvision\nmodel = torchvision.models.resnet50()\n"
    run([sys.executable, "-c", before + training], tcp_server, tmp_path)
    first, second = (tmp_path / "out" / name / "model.safetensors" for name in ("resnet50", "resnet50-again"))
    assert first.read_bytes() == second.read_bytes()


TIED = """\
architecture:
  modules:
    root:
      declare: Tied
      children:
        - {name: embed, type: Embedding, args: {num_embeddings: 6, embedding_dim: 4}}
        - {name: head, type: Linear, args: {in_features: 4, out_features: 6, bias: false}}
    ties: [{tensor: head.weight, to: embed.weight}]
seed: 1
groups: {optimizer: SGD, defaults: {lr: 0.1}}
"""
TIED_MODEL = """\
import initium, safetensors.torch, torch
model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(6, 4), "head": torch.nn.Linear(4, 6, bias=False)})
model["head"].weight = model["embed"].weight
before = model["head"].weight.clone()
"""
LOADED = 'assert not model["head"].weight.equal(before) and model["head"].weight is model["embed"].weight\n'


def test_the_training_script_takes_a_tied_model(tcp_server: ServerProcess, tmp_path: Path) -> None:
    (tmp_path / "tied.yaml").write_text(TIED)
    generate = "generate tied.yaml -o out/resnet50 --server " + tcp_server.address
    run([sys.executable, "-m", "initium.cli", *generate.split()], tcp_server, tmp_path)
    run([sys.executable, "-c", TIED_MODEL + blocks("python")[-1] + LOADED], tcp_server, tmp_path)


def run(command: list[str], server: ServerProcess, directory: Path) -> None:
    command = [word.replace(ADDRESS, server.address) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, env=QUIET, cwd=directory)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"


def test_the_demo_leaves_the_names_of_the_readme_free() -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    done = subprocess.run(["make", "-n", "demo"], capture_output=True, text=True, cwd=ROOT, check=True)
    written = set(re.findall(r"\bout/\S+", done.stdout))
    assert written == {"out/demo"}
    assert not written & {word for words in commands() for word in words}
