"""`initium capture`: a model of one's own as the architecture of a recipe."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from initium.cli import common
from initium.contract.wording import counted, human_bytes, suggestion
from initium.errors import InitiumError, RecipeError, RequestError
from initium.files import replace_file
from initium.torch import capture
from initium.v1.architecture_pb2 import Architecture

_EXAMPLES = """\
  initium capture own_gpt:GPT -o gpt.yaml                      # GPT() in own_gpt.py of this directory
  initium capture own_gpt:GPT --args '{"layers": 2}' -o gpt.yaml
  initium plan gpt.yaml --seed 42 --server trainer:7070

It imports MODULE and calls CALLABLE: that is your own code, and it runs in this process, with all that you may do. No
server ever runs it. The model is built on tensors without memory, so its size does not matter."""

_SEED = "# seed: 42  # required: any integer in 0..2^64-1; or give --seed"


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "turn a PyTorch model of your own into a recipe that any server takes; runs your code here"
    parser = common.add_command(commands, "capture", summary, _EXAMPLES)
    parser.add_argument(
        "target",
        metavar="MODULE:CALLABLE",
        help="a class or function that makes the model; this directory is searched first",
    )
    parser.add_argument(
        "--args",
        type=_arguments,
        default={},
        metavar="JSON",
        help="its arguments: an object by name, or a list in order",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the recipe (YAML); absent: to stdout")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Writes the recipe of a captured model."""
    with contextlib.redirect_stdout(sys.stderr), _in_its_words(args.target):  # stdout is for the recipe
        constructor = _find(args.target)
        positional, named = ((), args.args) if isinstance(args.args, dict) else (args.args, {})
        architecture = capture(constructor, *positional, **named)
    text = "".join(f"{line}\n" for line in _recipe(architecture, args.target))
    if args.output is None:
        print(text, end="")
        return 0
    replace_file(args.output, text.encode())
    tensors = counted(len(architecture.captured.tensors), "tensor")
    common.say(f"wrote {args.output}: {tensors}, {human_bytes(len(text.encode()))}; give it a seed, and rules")
    return 0


def _arguments(text: str) -> Any:
    """The value of --args."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"no JSON: {error}") from None
    if not isinstance(value, dict | list):
        raise argparse.ArgumentTypeError("neither a JSON object nor a list")
    return value


def _find(target: str) -> Callable[..., Any]:
    """What `MODULE:CALLABLE` names. Errors: RequestError, and whatever importing the module raises."""
    module_name, colon, path = target.partition(":")
    if not colon or not module_name or not path or module_name.endswith(".py") or "/" in module_name:
        example = f"{Path(module_name).stem or 'own_gpt'}:{path or 'GPT'}"
        raise RequestError(f"{target!r} is not MODULE:CALLABLE as in Python's import; write e.g. {example}")
    sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise RequestError(f"there is no module {error.name!r} in this directory or among what is installed") from None
    for name in path.split("."):
        if not hasattr(found, name):
            raise RequestError(f"{module_name} has no {path!r}; {suggestion(name, _public(found), 'it has')}")
        found = getattr(found, name)
    if not callable(found):
        raise RequestError(f"{target} is a {type(found).__name__}; name a class or a function that makes the model")
    return found  # type: ignore[no-any-return]  # callable, as checked above


def _public(found: Any) -> list[str]:
    return [name for name, value in vars(found).items() if callable(value) and not name.startswith("_")]


@contextlib.contextmanager
def _in_its_words(target: str) -> Iterator[None]:
    """Has an exception of the user's code say what it says, with its lines. Errors: RecipeError."""
    try:
        yield
    except InitiumError:
        raise
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_foreign(frame.filename)]
        lines = traceback.format_list(frames[-_FRAMES:]) + traceback.format_exception_only(error)
        raise RecipeError(f"{target} could not be run:\n{''.join(lines).rstrip()}") from error


_FRAMES = 5
"""Calls that an error of the user's code shows."""


def _is_foreign(file: str) -> bool:
    """Whether code is neither Initium's own nor Python's import."""
    own = (f"{os.sep}initium{os.sep}", f"{os.sep}initium_server{os.sep}", "<frozen importlib")
    return not any(part in file for part in own)


def _recipe(architecture: Architecture, target: str) -> Iterator[str]:
    """Lines of YAML: a recipe whose seed is to be given, with one line for each tensor."""
    data = common.to_numbers(architecture)["captured"]
    yield f"# {target}, captured by `initium capture`."
    yield _SEED
    yield "architecture:"
    yield "  captured:"
    yield f"    versions: {_line(data['versions'])}"
    yield "    tensors:"
    yield from (f"    - {_line(tensor)}" for tensor in data["tensors"])
    if "literals" in data:
        yield "    literals:"
        yield from (f"      {_line(digest)}: {_line(value)}" for digest, value in data["literals"].items())


def _line(data: Any) -> str:
    """JSON, which is YAML."""
    return json.dumps(data, ensure_ascii=False)
