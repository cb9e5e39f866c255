"""Globs on dotted names, as `Selector` in init.proto defines them."""

from __future__ import annotations

import re
from itertools import chain

_WILDCARDS = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
_SIGN = re.compile(r"\*\*|\*|\?")


def is_glob(text: str) -> bool:
    """Whether a text has a wildcard; without one it is a name."""
    return _SIGN.search(text) is not None


def glob_to_regex(glob: str) -> str:
    """An expression for RE2 or Python that fits a whole name if `glob` does; its dots take newlines, too."""
    literals = [re.escape(part) for part in _SIGN.split(glob)]
    wildcards = [_WILDCARDS[sign] for sign in _SIGN.findall(glob)]
    return "".join(chain.from_iterable(zip(literals, [*wildcards, ""], strict=True)))
