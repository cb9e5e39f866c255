"""`initium serve`: becomes the server."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

from initium.cli.common import Commands
from initium.client.local_server import INSTALL
from initium.errors import ServerMissing


def register(commands: Commands) -> None:
    """Adds the command. Its flags, `--help` among them, are the server's own."""
    parser = commands.add_parser("serve", help="run a server", add_help=False)
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    """Replaces this process by the server's. Errors: ServerMissing."""
    if importlib.util.find_spec("initium_server") is None:
        raise ServerMissing(f"the server is not installed here: {INSTALL}")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "initium_server", "serve", *args.rest])
