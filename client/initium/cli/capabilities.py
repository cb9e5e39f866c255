"""`initium capabilities`: what a server can do, and what a word of recipes means."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from initium.cli import common
from initium.contract.wording import suggestion
from initium.errors import RequestError

if TYPE_CHECKING:
    from initium.contract.reference import Entry

_EXAMPLES = """\
  initium capabilities
  initium capabilities --server trainer:7070 --json
  initium capabilities kaiming_normal            # an initializer, a key, a role: its meaning; asks no server
  initium capabilities gpt2                      # a preset: its rules"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "show what a server can do, and its limits, or what a word of recipes means"
    parser = common.add_command(commands, "capabilities", summary, _EXAMPLES)
    parser.add_argument(
        "word",
        metavar="WORD",
        nargs="?",
        help="a key or a word of recipes, or a preset, e.g. normal, module, norm, gpt2",
    )
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the capabilities, or the entries of a word."""
    if args.word is not None:
        return _explain(args)
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
            yield f"{key}: {', '.join(map(_shown, value)) if isinstance(value, list) else value}"


def _shown(item: Any) -> str:
    """A word of a list, or the name of a preset, whose text `--json` has."""
    return str(item["name"] if isinstance(item, dict) else item)


def _explain(args: argparse.Namespace) -> int:
    """Errors: RequestError for a word that recipes do not have."""
    from initium.contract.reference import entries

    found = [entry for entry in entries() if entry.word == args.word]
    if not found:
        return _preset(args, [entry.word for entry in entries()])
    if args.json:
        common.print_json([_entry_json(entry) for entry in found])
    else:
        print("\n\n".join("\n".join(_entry(entry)) for entry in found))
    return 0


def _preset(args: argparse.Namespace, words: list[str]) -> int:
    """Prints the rules of a preset, which the server has. Errors: RequestError where it has none of that name."""
    with common.open_client(args) as client:
        presets = {preset.name: preset for preset in client.capabilities().presets}
    if args.word not in presets:
        raise RequestError(f"recipes have no word {args.word!r}; {suggestion(args.word, [*words, *presets], 'words')}")
    if args.json:
        common.print_json(common.to_numbers(presets[args.word]))
    else:
        print(presets[args.word].text.rstrip())
    return 0


def _entry(entry: Entry) -> Iterator[str]:
    yield f"{entry.word}: {entry.kind}, at {entry.path}"
    yield from (f"  {line}".rstrip() for line in entry.text.split("\n"))
    keys = dict(_keys(entry))
    if entry.kind == "initializer":
        yield from (f"    {name}: {' '.join(text.split())}" for name, text in keys.items())
    elif keys:
        yield f"  Keys: {', '.join(keys)}"
    if entry.example:
        yield f"  Example: {entry.example}"


def _entry_json(entry: Entry) -> dict[str, Any]:
    shown = {name: getattr(entry, name) for name in ("word", "kind", "path", "text", "example")}
    return shown | {"keys": dict(_keys(entry))}


def _keys(entry: Entry) -> Iterator[tuple[str, str]]:
    """The keys of what the word holds, each with what is said of it."""
    from initium.contract.reference import name_of, text, value_type

    inner = value_type(entry.field) if entry.field is not None else None
    if inner is not None:
        yield from ((each.name, text(name_of(each))) for each in inner.fields)
