"""A library's exception as a failed request: one line in the library's own words, at the field that it is about."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from types import FrameType
from typing import Any

from initium.contract.wording import suggestion
from initium.errors import InitiumError, PreconditionError, RecipeError, Violation, invalid

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_MISSING = re.compile(r"missing \d+ required (?:positional|keyword-only) arguments?: (.*)")
_LACKS = re.compile(r"requires the (\S+) library|No module named '([^']+)'")
_WORDS = 500
"""Characters of a library's words: some list all the models that they know."""


def explain(error: BaseException, what: str, path: str, accepted: Iterable[str] = ()) -> InitiumError:
    """The error of `what`, whose arguments stand at `path`; `accepted` are the names that they may have.

    A bad or missing argument if the library says so; LIBRARY_MISSING; else BUILD_FAILED in the library's words.
    """
    words, names = " ".join(str(error).split()), list(accepted)
    if isinstance(error, TypeError) and (found := _UNEXPECTED.search(words)):
        return invalid(f"{path}.{found[1]}", f"{what} takes no argument {found[1]!r}; {suggestion(found[1], names)}")
    if isinstance(error, TypeError) and (found := _MISSING.search(words)):
        return invalid(path, f"{what} needs the argument {found[1]}")
    if isinstance(error, ImportError) and (found := _LACKS.search(words)):
        library = found[1] or found[2]
        text = f"{what} needs {library}, which this server does not have; install it there, or ask another server"
        return PreconditionError(text, "LIBRARY_MISSING", metadata={"library": library})
    said = ": ".join(filter(None, (type(error).__name__, words)))
    said = said if len(said) <= _WORDS else f"{said[:_WORDS]} ..."
    unset, owner = _unset(error)
    hint = f"; {owner} has no value for {', '.join(unset)}" if unset else ""
    about = unset or [name for name in names if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", words)]
    where = f"{path}.{about[0]}" if len(about) == 1 and about[0] in names else path
    return RecipeError("", "BUILD_FAILED", [Violation(where, f"{what} could not be built: {said}{hint}")])


def _unset(error: BaseException) -> tuple[list[str], str]:
    """The keys that are None in the configuration which a constructor stopped at, and the configuration's class."""
    about_none = isinstance(error, TypeError) or "'NoneType'" in str(error)
    for frame, instruction in reversed(list(_stops(error))):
        config = frame.f_locals.get("config")
        if config is not None and about_none:
            here, before = _source(frame, instruction)
            for text, pattern in ((here, _CHAIN), (here, r"\w+"), (before, _CHAIN)):
                if keys := _none_in(config, re.findall(pattern, text)):
                    return keys, type(config).__name__
    return [], ""


def _stops(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """The frames that an exception came through, outermost first, and the instruction that each stopped at."""
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame, step.tb_lasti
        step = step.tb_next


_CHAIN = r"\bconfig\.([\w.]+)"


def _none_in(config: Any, chains: Iterable[str]) -> list[str]:
    """The chains of attributes that lead to None; identifiers of tokens may be None in any model."""
    found = dict.fromkeys(filter(None, (_none_on(config, chain.split(".")) for chain in chains)))
    return [key for key in found if not key.endswith("_token_id")]


def _none_on(config: Any, names: list[str]) -> str:
    value = config
    for index, name in enumerate(names):
        value = getattr(value, name, ...)
        if value is None:
            return ".".join(names[: index + 1])
    return ""


def _source(frame: FrameType, instruction: int) -> tuple[str, str]:
    """The expression that a frame stopped at, and the lines of its function before it."""
    first, last, start, end = next(islice(frame.f_code.co_positions(), instruction // 2, None))
    lines = linecache.getlines(frame.f_code.co_filename)
    if not first or not last:
        return "", ""
    here = [*lines[first - 1 : last - 1], lines[last - 1][:end]] if lines else [""]
    here[0] = here[0][start:]
    return "".join(here), "".join(lines[frame.f_code.co_firstlineno - 1 : first - 1])
