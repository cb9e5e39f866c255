"""The command `initium`. One file per command; this one only puts them together.

Data goes to stdout, everything else to stderr. With `--json` stdout is one JSON document: the data, or, beside the
words on stderr, `{"error": {...}}` as `common.error_json` has it. Exit codes: 0 fine; 1 failed, or a verification found
a difference; 2 wrong usage or input; 130 Ctrl-C; 143 SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import initium
from initium.cli import capabilities, capture, common, completion, generate, inventory, models, plan, serve, verify
from initium.contract.wording import did_you_mean, joined, suggestion
from initium.errors import InitiumError, PlanError, RecipeError, RequestError, ServerMissing
from initium.malloc import keep_freed_memory

_COMMANDS = (serve, models, capture, inventory, plan, generate, verify, capabilities, completion)
_BAD_INPUT = (RecipeError, PlanError, RequestError, ServerMissing)
_EXAMPLES = """\
examples:
  initium inventory resnet50.yaml
  initium plan resnet50.yaml
  initium generate resnet50.yaml -o resnet50/
  eval "$(initium completion bash)"              # completes commands and flags from here on"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    keep_freed_memory()
    try:
        with common.orderly_sigterm():
            code = _run(sys.argv[1:] if argv is None else argv)
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
        return common.stop_status(stop)


def _drop_output() -> None:
    """Python would else complain again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser() -> tuple[common.Parser, common.Commands]:
    """The parser of all commands, and what has the parser of each."""
    parser = common.Parser(
        prog="initium",
        description="Makes a model's first checkpoint from a recipe: seeded, the same bytes everywhere.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.register(commands)
    return parser, commands


class _Version(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"initium {initium.__version__}")
        parser.exit()


def _run(argv: Sequence[str]) -> int:
    try:
        args = _parse(argv)
        return int(args.run(args))
    except SystemExit as stop:
        return int(stop.code or 0)
    except InitiumError as error:
        print(f"error: {error}", file=sys.stderr)
        if "--json" in argv:
            common.print_json(common.error_json(error))
        return 2 if isinstance(error, _BAD_INPUT) else 1


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    """Errors: RequestError. SystemExit after `--help` and `--version`."""
    parser, commands = build_parser()
    if not argv:
        parser.print_help(sys.stderr)
        parser.error("no command was given")
    if not argv[0].startswith("-") and argv[0] not in commands.choices:
        parser.error(f"there is no command {argv[0]!r}; {suggestion(argv[0], commands.choices, 'commands')}")
    if argv[0].startswith("--") and not any(flag.startswith(argv[0]) for flag in parser.flags):
        of_commands = any(argv[0] in command.flags for command in commands.choices.values())
        hint = "write it behind" if of_commands else did_you_mean(argv[0], parser.flags)
        parser.error(joined(f"there is no argument {argv[0]!r} before the command", hint))
    args, rest = parser.parse_known_args(argv)
    args.rest, args.argv = rest, argv
    if rest and not getattr(args, "passes_on", False):
        own = commands.choices[args.command]
        own.error(joined(f"there is no argument {rest[0]!r}", did_you_mean(rest[0], own.flags)))
    return args
