"""What several commands share: input, the server, and chatter."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from initium.client.client import Client, connect
from initium.client.local_server import local
from initium.client.retry import OnRetry
from initium.contract import stores
from initium.contract.canonical import to_json
from initium.contract.recipe import MAX_SEED, load
from initium.contract.wording import counted, human_bytes, joined
from initium.disk.manifest import Manifest
from initium.errors import InitiumError, RecipeError, RequestError, Unavailable
from initium.v1.manifest_pb2 import FileDigest
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe

Commands = Any
"""What `add_subparsers` returns; argparse has no public name for it. `choices` has the parser of each command."""

_WIDE = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)


class Parser(argparse.ArgumentParser):
    """Wrong usage is an error like all others."""

    def error(self, message: str) -> NoReturn:
        """Errors: RequestError."""
        raise RequestError(joined(message, f"see `{self.prog} --help`"))

    @property
    def flags(self) -> list[str]:
        """The long names of all flags."""
        return [name for action in self._actions for name in action.option_strings if name.startswith("--")]


def add_command(commands: Commands, name: str, summary: str, examples: str) -> Parser:
    """A parser for one command, with examples in its help."""
    parser: Parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[:1].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_recipe(parser: argparse.ArgumentParser, name: str = "RECIPE") -> None:
    """The positional argument for the input."""
    what = "recipe (YAML or JSON) or plan" if "PLAN" in name else "recipe (YAML or JSON)"
    parser.add_argument("source", metavar=name, help=f"file of a {what}; - reads it from stdin")


def add_seed(parser: argparse.ArgumentParser) -> None:
    """--seed."""
    parser.add_argument("--seed", type=seed, metavar="N", help="replace the recipe's seed (0..2^64-1)")


def add_server(parser: argparse.ArgumentParser) -> None:
    """--server, and the flags of the local server that takes its place."""
    parser.add_argument(
        "--server", metavar="ADDR", help="host:port or unix:/path; absent: a local server (`initium serve --help`)"
    )
    parser.add_argument("--device", metavar="D", help="device of the local server: auto (default), cpu, cuda, cuda:N")
    parser.add_argument("--threads", type=positive, metavar="N", help="threads of the local server; default: all cores")
    stores.add_flag(parser, " (local server)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help='print one JSON document: the data, or {"error": ...}')


def seed(text: str) -> int:
    """The value of --seed."""
    with contextlib.suppress(ValueError):
        value = int(text, 0)
        if 0 <= value <= MAX_SEED:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no integer in 0..2^64-1")


def positive(text: str) -> int:
    """A count of at least 1."""
    with contextlib.suppress(ValueError):
        if int(text) >= 1:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no integer of at least 1")


def directory(text: str) -> Path:
    """The path of a directory, which need not be there yet."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is no directory")
    return path


def read_source(name: str, *, seed: int | None = None, require_seed: bool = True) -> Recipe | Plan:
    """The recipe or plan of a file, or of stdin for `-`. Errors: RecipeError, PlanError."""
    return load(_stdin() if name == "-" else Path(name), seed=seed, require_seed=require_seed)


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig") + "\n"  # text, even if it would name a file
    except UnicodeDecodeError as error:
        raise RecipeError(f"stdin is not UTF-8 at byte {error.start}") from None


@contextlib.contextmanager
def open_client(args: argparse.Namespace) -> Iterator[Client]:
    """The client of --server, or of a local server."""
    if args.server is None:
        with local(device=args.device or "auto", threads=args.threads, stores=args.store) as client:
            yield client
        return
    if args.device is not None or args.threads is not None or args.store:
        text = "--device, --threads and --store are for a local server; with --server the server's owner decides"
        raise RequestError(text)
    with connect(args.server, on_retry=_reporting_retries()) as client:
        yield client


def _reporting_retries() -> OnRetry:
    """Says why a call is tried again, once for each reason in a row."""
    last = ""

    def report(error: Unavailable, pause: float) -> None:
        nonlocal last
        if error.message != last:
            say(f"{error.message}; trying again")
        last = error.message

    return report


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with a status of its own."""


def stop_status(stop: KeyboardInterrupt) -> int:
    """The exit code after Ctrl-C or SIGTERM."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def orderly_sigterm() -> Iterator[None]:
    """Has SIGTERM raise Terminated, so that partial files stay and a local server and its directory go."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not break the cleaning up
    raise Terminated


def say(text: str) -> None:
    """One line of chatter."""
    print(text, file=sys.stderr, flush=True)


def to_numbers(message: Message) -> dict[str, Any]:
    """`to_json(message)` with numbers for 64-bit integers, which JSON's mapping of protobuf writes as text."""
    result: dict[str, Any] = _numbers(message.DESCRIPTOR, to_json(message))
    return result


def _numbers(schema: Any, value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(schema, item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _field(schema.fields_by_name.get(key), item) for key, item in value.items()}


def _field(field: Any, value: Any) -> Any:
    if field is not None and field.cpp_type in _WIDE:
        return list(map(int, value)) if isinstance(value, list) else int(value)
    return value if field is None or field.message_type is None else _numbers(field.message_type, value)


def print_json(data: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def error_json(error: InitiumError) -> dict[str, Any]:
    """What `--json` prints of an error, in every command."""
    return {
        "error": {
            "type": type(error).__name__,
            "reason": error.reason,
            "message": error.message or str(error),
            "violations": [{"field": one.field, "message": one.message} for one in error.violations],
            "metadata": error.metadata,
            "retryable": isinstance(error, Unavailable),
        }
    }


def checkpoint_json(directory: Path, manifest: Manifest) -> dict[str, Any]:
    """What `--json` prints of a checkpoint, in every command."""
    return {
        "directory": str(directory),
        "plan_digest": manifest.plan.plan_digest,
        "weights_key": manifest.plan.weights_key,
        "bytes": sum(file.size for file in manifest.proto.files),
        "files": [to_numbers(file) for file in manifest.proto.files],
    }


def files_and_bytes(files: Sequence[FileDigest]) -> str:
    """How many there are, and how large they are together."""
    return f"{counted(len(files), 'file')}, {human_bytes(sum(file.size for file in files))}"
