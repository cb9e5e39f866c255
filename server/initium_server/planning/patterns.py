"""Globs and regular expressions of clients, by RE2: they run in linear time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import re2

from initium.errors import invalid

MAX_PATTERN = 1000
"""Characters of one pattern."""


def compile_regex(pattern: str, path: str) -> Any:
    """The compiled RE2 expression; `search` is its method. Errors: RecipeError at `path`."""
    if len(pattern) > MAX_PATTERN:
        raise invalid(path, f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN} are allowed")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        text = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise invalid(path, f"{pattern!r} is no RE2 expression: {text}") from None


_WILDCARDS = (("**", ".*"), ("*", "[^.]*"), ("?", "[^.]"))


def is_glob(text: str) -> bool:
    """Whether it has wildcards."""
    return any(sign in text for sign in "*?")


def widened(glob: str) -> str:
    """The glob with every `*` written `**`, so that it crosses dots."""
    return glob.replace("**", "*").replace("*", "**")


def _glob_to_regex(glob: str) -> str:
    out, i = "", 0
    while i < len(glob):
        for wildcard, expression in _WILDCARDS:
            if glob.startswith(wildcard, i):
                out, i = out + expression, i + len(wildcard)
                break
        else:
            out, i = out + re2.escape(glob[i]), i + 1
    return f"(?s)^{out}$"


def compile_globs(globs: Sequence[str], path: str) -> Callable[[str], bool]:
    """Whether a whole name fits one of the globs. Errors: RecipeError at `path`."""
    plain = frozenset(glob for glob in globs if not is_glob(glob))
    compiled = [compile_regex(_glob_to_regex(g), f"{path}[{i}]") for i, g in enumerate(globs) if g not in plain]
    return lambda text: text in plain or any(pattern.search(text) for pattern in compiled)
