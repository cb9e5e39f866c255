"""Stores: directories of checkpoints that a server, or whoever draws, may read. Their names, and paths below them."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from initium.errors import RequestError

Directories = Mapping[str, str | Path]
"""Stores by name."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PART = re.compile(r"[^/\\\x00-\x1f\x7f]+")
MAX_PATH = 1024
"""Characters of a path below a store."""


def is_path(path: str) -> bool:
    """Whether a path names something below a store: names joined by `/`, none of them `.` or `..`."""
    parts = path.split("/")
    return len(path) <= MAX_PATH and all(_PART.fullmatch(part) and part not in (".", "..") for part in parts)


def split(text: str) -> tuple[str, str]:
    """`STORE/path` as store and path; the path is empty for the store's root. ValueError where it is neither."""
    store, _, path = text.partition("/")
    if not NAME.fullmatch(store) or (path and not is_path(path)):
        raise ValueError(
            f"{text[:200]!r} is not STORE/path: a store's name, then names joined by `/`, none `.` or `..`"
        )
    return store, path


def checked(directories: Directories) -> dict[str, str]:
    """The stores with absolute directories, all of which are there, without links. Errors: RequestError."""
    found = {}
    for name, directory in directories.items():
        if not NAME.fullmatch(name):
            raise RequestError(f"store name {name!r} is not 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or digit")
        found[name] = os.path.realpath(os.path.expanduser(directory))
        if not os.path.isdir(found[name]):
            raise RequestError(f"store {name}: {directory} is no directory")
    return found


class _Add(argparse.Action):
    """Adds a store to those that were given before."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option: str | None = None) -> None:
        name, directory = values
        before = getattr(namespace, self.dest)
        if name in before:
            raise argparse.ArgumentError(self, f"store {name} is given twice")
        setattr(namespace, self.dest, {**before, name: directory})


def _named(text: str) -> tuple[str, str]:
    """The value of `--store`: NAME=DIR."""
    name, equals, directory = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    try:
        return name, checked({name: directory})[name]
    except RequestError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_flag(parser: argparse.ArgumentParser, whose: str) -> None:
    """--store, whose values become a mapping from names to directories."""
    parser.add_argument(
        "--store",
        type=_named,
        action=_Add,
        default={},
        metavar="NAME=DIR",
        help=f"a directory of safetensors files that rules with `stored` may load from{whose}; repeatable",
    )


def flags(directories: Mapping[str, str]) -> list[str]:
    """The arguments that name these stores on a command line."""
    return [word for name in sorted(directories) for word in ("--store", f"{name}={directories[name]}")]
