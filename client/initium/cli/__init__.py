"""The command `initium`. One file per command; this one only puts them together.

Data goes to stdout, everything else to stderr. Exit codes: 0 fine; 1 failed, or a verification found a difference;
2 wrong usage or input; 130 Ctrl-C; 143 SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import initium
from initium.cli import capabilities, generate, inventory, plan, serve, verify
from initium.cli.common import orderly_sigterm, stop_status
from initium.cli.malloc import keep_freed_memory
from initium.errors import InitiumError, PlanError, RecipeError, RequestError, ServerMissing

_COMMANDS = (serve, inventory, plan, generate, verify, capabilities)
_BAD_INPUT = (RecipeError, PlanError, RequestError, ServerMissing)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    keep_freed_memory()
    try:
        with orderly_sigterm():
            code = _run(argv)
            sys.stdout.flush()
            return code
    except BrokenPipeError:
        # The reader of stdout is gone, e.g. `| head`.
        _drop_output()
        return 1
    except OSError as error:
        _drop_output()
        what = error if error.filename else f"cannot write the output: {error.strerror}"  # stdout has no name
        print(f"error: {what}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        print("stopped", file=sys.stderr)
        return stop_status(stop)


def _drop_output() -> None:
    """Python would else complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="initium",
        description="Makes a model's first checkpoint from a recipe: seeded, the same bytes everywhere.",
        epilog="Start with: initium plan RECIPE",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.register(commands)
    return parser


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"initium {initium.__version__}")
        parser.exit()


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    try:
        args, rest = parser.parse_known_args(argv)
        if rest and not getattr(args, "passes_on", False):
            parser.error(f"unknown arguments: {' '.join(rest)}; see `initium {args.command} --help`")
        args.rest = rest
    except SystemExit as stop:
        return int(stop.code or 0)
    try:
        return int(args.run(args))
    except InitiumError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, _BAD_INPUT) else 1
