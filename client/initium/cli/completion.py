"""`initium completion`: scripts that have a shell complete commands and flags."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

from initium.cli import common

_EXAMPLES = """\
  eval "$(initium completion bash)"              # in this shell; in ~/.bashrc for all
  eval "$(initium completion zsh)"               # in ~/.zshrc, likewise
  initium completion fish > ~/.config/fish/completions/initium.fish"""

_BASH = """\
_initium() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} words=
    case "$COMP_CWORD ${{COMP_WORDS[1]}} $word" in
        "1 "*) words={names} ;;
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _initium initium"""  # without a match the shell completes names of files


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "print a script for a shell that completes commands and flags"
    parser = common.add_command(commands, "completion", summary, _EXAMPLES)
    parser.add_argument("shell", choices=_SHELLS, help="the shell that is to run it")
    parser.set_defaults(run=partial(run, commands))


def run(commands: common.Commands, args: argparse.Namespace) -> int:
    """Prints the script."""
    print(_SHELLS[args.shell](commands))
    return 0


def _bash(commands: common.Commands) -> str:
    cases = []
    for name, parser in commands.choices.items():
        flags = parser.flags or _flags_of_serve()
        cases.append(f'        *" {name} -"*) words={shlex.quote(" ".join(flags))} ;;')
        for choices in _choices(parser):
            cases.append(f'        "2 {name} "*) words={shlex.quote(" ".join(choices))} ;;')
    return _BASH.format(names=shlex.quote(" ".join(commands.choices)), cases="\n".join(cases))


def _zsh(commands: common.Commands) -> str:
    return f"autoload -Uz compinit bashcompinit && compinit && bashcompinit\n{_bash(commands)}"


def _fish(commands: common.Commands) -> str:
    lines = []
    for name, parser in commands.choices.items():
        lines.append(f"complete -c initium -n __fish_use_subcommand -f -a {name} -d {shlex.quote(_summary(parser))}")
        of_it = f"complete -c initium -n '__fish_seen_subcommand_from {name}'"
        lines += [f"{of_it} -l {flag.removeprefix('--')}" for flag in parser.flags or _flags_of_serve()]
        lines += [f"{of_it} -f -a {shlex.quote(' '.join(choices))}" for choices in _choices(parser)]
    return "\n".join(lines)


_SHELLS: dict[str, Callable[[common.Commands], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _summary(parser: common.Parser) -> str:
    return (parser.description or "run a server").rstrip(".")


def _choices(parser: common.Parser) -> Iterator[list[str]]:
    return (list(action.choices) for action in parser._actions if action.choices)


def _flags_of_serve() -> list[str]:
    """From its help, since they are the server's own; none where the server is not installed."""
    done = subprocess.run([sys.executable, "-m", "initium.cli", "serve", "--help"], capture_output=True, text=True)
    return re.findall(r"^  (?:-\w, )?(--[a-z-]+)", done.stdout, re.MULTILINE)
