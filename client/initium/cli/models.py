"""`initium models`: the names that a model library has."""

from __future__ import annotations

import argparse

from initium.cli import common

_EXAMPLES = """\
  initium models timm vit_base
  initium models torchvision
  initium models transformers Llama --server trainer:7070"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.add_command(commands, "models", "list the models of a library, by name", _EXAMPLES)
    parser.add_argument("library", metavar="LIBRARY", help="torchvision, timm or transformers")
    parser.add_argument("contains", metavar="TEXT", nargs="?", default="", help="only names that contain this text")
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the names; no name is exit code 1, as for grep."""
    with common.open_client(args) as client:
        names = client.models(args.library, args.contains)
    if args.json:
        common.print_json(names)
    else:
        print("".join(f"{name}\n" for name in names), end="")
    return 0 if names else 1
