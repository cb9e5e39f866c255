"""`python -m tests.house.reference [--check]`: writes, or compares, what is made of the comments of the protos.

That is what the client knows of the contract at run time, the reference for those who write recipes, and the JSON
Schema for their editors.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from initium.contract.schema import recipe_schema
from tests.house.recipe_page import page

ROOT = Path(__file__).parents[2]
PROTO = ROOT / "proto"
SCHEMA, PAGE = ROOT / "docs" / "recipe.schema.json", ROOT / "docs" / "recipe.md"
COMMENTS = ROOT / "client" / "initium" / "contract" / "reference.json"
_NOTE = re.compile(r"([A-Z]{3,})\. ")


def comments(directory: Path = PROTO) -> Mapping[str, str]:
    """The comments of all that a recipe can hold, by name; see `initium.contract.reference.comments`."""
    with tempfile.TemporaryDirectory() as made:
        output = Path(made) / "set"
        flags = [f"-I{directory}", "--include_imports", "--include_source_info", f"--descriptor_set_out={output}"]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *flags, "initium/v1/recipe.proto"], check=True)
        files = FileDescriptorSet.FromString(output.read_bytes()).file
    return dict(sorted(pair for file in files if file.package == "initium.v1" for pair in _of_file(file)))


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    for location in file.source_code_info.location:
        for note in map(_plain, location.leading_detached_comments):
            if found := _NOTE.match(note):
                yield found[1], note
        name = _name(file, list(location.path))
        if name and location.leading_comments:
            yield name, _plain(location.leading_comments)


def _name(file: FileDescriptorProto, path: list[int]) -> str:
    """The name of a message, field or oneof from its place in the file; see descriptor.proto."""
    if path[:1] != [FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER] or len(path) not in (2, 4):
        return ""
    message = file.message_type[path[1]]
    members: Mapping[int, Any] = {
        DescriptorProto.FIELD_FIELD_NUMBER: message.field,
        DescriptorProto.ONEOF_DECL_FIELD_NUMBER: message.oneof_decl,
    }
    if len(path) == 2:
        return message.name
    return f"{message.name}.{members[path[2]][path[3]].name}" if path[2] in members else ""


def _plain(comment: str) -> str:
    return "\n".join(line.removeprefix(" ").rstrip() for line in comment.strip("\n").split("\n")).rstrip()


def texts() -> Mapping[Path, Callable[[], str]]:
    """What each generated file has to hold. The comments come first: the others are made of them."""
    return {COMMENTS: lambda: _json(comments()), SCHEMA: lambda: _json(recipe_schema()), PAGE: page}


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def main(check: bool) -> int:
    """Writes the files, or says which one is out of date. Returns the exit status."""
    for path, text in texts().items():
        made = text()
        if path.exists() and path.read_text() == made:
            continue
        if check:
            print(f"{path.relative_to(ROOT)} is out of date: run make generate", file=sys.stderr)
            return 1
        path.parent.mkdir(exist_ok=True)
        path.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
