"""`initium capabilities`: what a server can do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from initium.cli import common

_EXAMPLES = """\
  initium capabilities
  initium capabilities --server trainer:7070 --json"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.add_command(commands, "capabilities", "show what a server can do, and its limits", _EXAMPLES)
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the capabilities."""
    with common.open_client(args) as client:
        data = common.to_numbers(client.capabilities())
    if args.json:
        common.print_json(data)
    else:
        print(*_lines(data), sep="\n")
    return 0


def _lines(data: dict[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {name}: {item}" for name, item in value.items())
        else:
            yield f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
