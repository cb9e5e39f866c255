"""`initium serve`: becomes the server."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from initium.cli.common import Commands, add_command, positive
from initium.client.local import INSTALL
from initium.errors import ServerMissing

_EXAMPLES = """\
  initium serve
  initium serve --listen 0.0.0.0:7070 --device cuda
  initium serve --listen unix:/run/initium.sock --threads 8
Further flags go to the server as they are; `python -m initium_server serve --help` lists them all."""


def register(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "serve", "run a server", _EXAMPLES)
    parser.add_argument("--listen", metavar="ADDR", help="host:port or unix:/path (default 127.0.0.1:7070)")
    parser.add_argument("--device", metavar="D", help="auto (default: every GPU, else cpu), cpu, cuda:0,cuda:1")
    parser.add_argument("--threads", type=positive, metavar="N", help="threads that draw; default: all cores")
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    """Replaces this process by the server's. Errors: ServerMissing."""
    if importlib.util.find_spec("initium_server") is None:
        raise ServerMissing(f"the server is not installed here: {INSTALL}")
    command = [sys.executable, "-P", "-m", "initium_server", "serve", *_flags(args), *args.rest]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def _flags(args: argparse.Namespace) -> list[str]:
    given = {"--listen": args.listen, "--device": args.device, "--threads": args.threads}
    return [word for flag, value in given.items() if value is not None for word in (flag, str(value))]
