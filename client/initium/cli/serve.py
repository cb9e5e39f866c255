"""`initium serve`: becomes the server."""

from __future__ import annotations

import argparse
import os
import sys

from initium.cli.common import Commands
from initium.client.local_server import require_server


def register(commands: Commands) -> None:
    """Adds the command. Its flags, `--help` among them, are the server's own."""
    parser = commands.add_parser("serve", help="run a server", add_help=False)
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    """Replaces this process by the server's. Errors: ServerMissing."""
    require_server()
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "initium_server", "serve", *args.rest])
