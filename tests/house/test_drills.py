"""What DESIGN.md says one has to touch to add something is all that one has to touch.

Each drill is done in a copy of the house, with generated code made anew, and used from a recipe to bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("client/initium", "server/initium_law", "server/initium_server", "proto")

IMPORTS = """
from initium_law import grammar as fills
from initium_server.planning.initializers import Resolution, initializer
"""

INITIALIZER = """

@initializer(torch=False)
def toy(args, tensor):
    return Resolution(fills.Constant(2 * args.value), {"doubled": str(args.value)})
"""

SOURCE = """
from torch import nn

from initium_server.sources.arguments import target
from initium_server.sources.library import Prepared


def prepare(library):
    out = int(library.args.fields["out"].number_value)
    return Prepared(lambda: nn.Linear(3, out), {"toys": "1"}, target(nn.Linear))
"""

RECIPE = """
import initium
from initium.errors import InitiumError
from initium.plan import open_plan
from initium.plan.limits import Limits
from initium_server.planning import check_recipe, resolve
from initium_server.sources import build_inventory

def plan(**changes):
    recipe = initium.load_recipe({
        "architecture": {"library": {"source": "toys", "name": "any", "args": {"out": 4}}},
        "seed": 1,
        "init": {"rules": [{"match": {"tensor": ["weight"]}, "toy": {"value": 1.5}}]},
        **changes,
    })
    check_recipe(recipe)
    return resolve(recipe, build_inventory(recipe.architecture), None, {}, Limits())

made = plan()
(weight,) = [tensor for tensor in made.tensors if tensor.name == "weight"]
assert list(weight.shape) == [4, 3] and weight.initializer == "toy" and weight.resolved == {"doubled": "1.5"}
assert made.versions["toys"] == "1"
bytes_ = open_plan(made).read("model.safetensors", weight.offset, weight.size)
assert bytes_ == bytes([0, 0, 0x40, 0x40]) * 12  # 3.0
try:
    plan(generator="torch")
except InitiumError as error:
    assert "torch.nn.init has no such function" in str(error)
else:
    raise AssertionError("torch=False is not heeded")
"""

FILL = """
import initium
from initium.cli import words
from initium.plan import open_plan
from initium.plan.fills import decode_fill, encode_fill
from initium_law.grammar import Alternating, Parts, Part, Constant, inner_fills

fill = Alternating(1.0, Constant(2.0))
assert decode_fill(encode_fill(fill), "") == fill
assert words.fill(encode_fill(fill)) == "alternating(first=1, second=constant(2))"
assert list(inner_fills(fill)) == [Constant(2.0)]

from initium.v1 import plan_pb2
from initium.plan.layout import layout_of, write_layout
plan = plan_pb2.Plan(plan_version=1, generator="stream-v1", seed=1)
plan.tensors.add(name="x", shape=[4], dtype="F16", fill=encode_fill(Parts(fill, (Part((3,), (4,), Constant(0.0)),))))
write_layout(plan, layout_of(plan), {})
assert open_plan(plan).read("model.safetensors")[-8:] == bytes.fromhex("003c0040003c0000")
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for part in PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "vectors"))
    return tmp_path


def edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert text.count(before) == 1, f"{file}: {before!r} stands {text.count(before)} times"
    file.write_text(text.replace(before, after))


def add(file: Path, line: str, after: str) -> None:
    """A line behind another one."""
    edit(file, f"{after}\n", f"{after}\n{line}\n")


def generate(house: Path) -> None:
    """`make generate` in the copy."""
    protos = [str(path.relative_to(house / "proto")) for path in (house / "proto").glob("initium/v1/*.proto")]
    command = [sys.executable, "-m", "grpc_tools.protoc", "-I", "proto", "--python_out=client", *protos]
    subprocess.run(command, cwd=house, check=True)


def run(house: Path, code: str) -> None:
    environment = os.environ | {"PYTHONPATH": f"{house}/client:{house}/server:{house}", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def add_message(house: Path) -> None:
    proto = house / "proto" / "initium" / "v1" / "init.proto"
    add(proto, "    Toy toy = 99;", after="    Orthogonal orthogonal = 23;")
    proto.write_text(proto.read_text() + "\nmessage Toy {\n  optional double value = 1;\n}\n")
    generate(house)


def test_an_initializer_and_a_source(house: Path) -> None:
    """An initializer: its message, its function. A source: a file."""
    add_message(house)
    initializers = house / "server" / "initium_server" / "planning" / "initializers" / "plain.py"
    initializers.write_text(initializers.read_text() + INITIALIZER)
    (house / "server" / "initium_server" / "sources" / "libraries" / "toys.py").write_text(SOURCE)
    run(house, RECIPE)


def test_an_initializer_and_a_source_in_a_package_of_ones_own(house: Path) -> None:
    """The source is registered by its entry point, the initializer by its import."""
    add_message(house)
    (house / "toys").mkdir()
    (house / "toys" / "__init__.py").touch()
    (house / "toys" / "initializers.py").write_text(IMPORTS + INITIALIZER)
    (house / "toys" / "models.py").write_text(SOURCE)
    (house / "toys-1.dist-info").mkdir()
    (house / "toys-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1\n")
    (house / "toys-1.dist-info" / "entry_points.txt").write_text("[initium.sources]\ntoys = toys.models\n")
    run(house, f"import toys.initializers\n{RECIPE}")


def test_a_kind_of_fill(house: Path) -> None:
    """Its dataclass and its maker in the law, and its message; texts and vectors aside, nothing else."""
    law = house / "server" / "initium_law"
    kind = (
        "@dataclass(frozen=True, slots=True)\nclass Alternating:\n    first: float\n    second: Fill\n\n\nPOINTWISE = {"
    )
    edit(law / "grammar.py", "POINTWISE = {", kind)
    add(law / "grammar.py", "    | Alternating", after="    | Parts")
    maker = (
        "def _alternating(fill, place):\n"
        "    first, second = constant(fill.first, place.dtype), _writer(fill.second, place)\n\n"
        "    def write(start, out):\n"
        "        for i in range(len(out) // place.size):\n"
        "            (second if (start + i) % 2 else first)(start + i, out[i * place.size : (i + 1) * place.size])\n\n"
        "    return place.local(write)\n\n\n"
        "_MAKERS: Mapping"
    )
    edit(law / "draw.py", "_MAKERS: Mapping", maker)
    edit(
        law / "draw.py",
        "    grammar.Parts: _parts,\n",
        "    grammar.Parts: _parts,\n    grammar.Alternating: _alternating,\n",
    )
    proto = house / "proto" / "initium" / "v1" / "fill.proto"
    edit(
        proto, "    NormOfFill norm_of = 16;\n", "    NormOfFill norm_of = 16;\n    AlternatingFill alternating = 99;\n"
    )
    proto.write_text(proto.read_text() + "\nmessage AlternatingFill {\n  string first = 1;\n  Fill second = 2;\n}\n")
    generate(house)
    run(house, FILL)
