"""What the files of the contract say to generators of code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from initium.v1 import service_pb2

PROTO = Path(__file__).parents[2] / "proto"

PLUGIN = f"""#!{sys.executable}
import sys
from google.protobuf.compiler import plugin_pb2
request = plugin_pb2.CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
answer = plugin_pb2.CodeGeneratorResponse(supported_features=1)
for file in request.proto_file:
    if file.name in request.file_to_generate:
        answer.file.add(name=file.name, content=file.options.go_package)
sys.stdout.buffer.write(answer.SerializeToString())
"""


def test_generators_get_packages_from_managed_options(tmp_path: Path) -> None:
    """The template as it is, with a plugin that tells what it was given."""
    plugin, template = tmp_path / "plugin", tmp_path / "buf.gen.yaml"
    plugin.write_text(PLUGIN)
    plugin.chmod(0o755)
    options = yaml.safe_load((PROTO / "buf.gen.yaml").read_text())
    options["plugins"] = [{"local": str(plugin), "out": str(tmp_path / "out")}]
    template.write_text(yaml.safe_dump(options))
    buf = Path(sys.executable).with_name("buf")
    subprocess.run([buf, "generate", str(PROTO), "--template", str(template)], check=True, capture_output=True)
    made = sorted(path for path in (tmp_path / "out").rglob("*.proto"))
    assert [path.name for path in made] == sorted(path.name for path in PROTO.glob("initium/v1/*.proto"))
    package = "github.com/initium-project/initium/gen/go/initium/v1;initiumv1"
    assert {path.read_text() for path in made} == {package}


def test_every_method_says_that_it_may_be_called_again() -> None:
    """So proxies and clients may retry: nothing is ever changed but what a server keeps for a while."""
    for method in service_pb2.DESCRIPTOR.services_by_name["InitiumService"].methods:
        level = method.GetOptions().IdempotencyLevel.Name(method.GetOptions().idempotency_level)
        assert level == ("IDEMPOTENT" if method.name == "UploadPlan" else "NO_SIDE_EFFECTS"), method.name


def test_no_file_of_the_contract_holds_options_of_one_language() -> None:
    for path in PROTO.glob("initium/v1/*.proto"):
        assert "\noption " not in path.read_text(), path
