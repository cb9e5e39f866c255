"""The YAML 1.2 core schema, strictly: what the text of a recipe is read with.

Differences from `yaml.safe_load` (YAML 1.1), each of which has bitten recipes: `1e-3` is a number, `on` and `no` are
strings, `0o17` is octal and `017` is seventeen, `1_000` and `12:30` are strings, dates are strings. Duplicate keys,
anchors, aliases and tags are errors. JSON is a subset.

PyYAML supplies the events only; values are built here without recursion, so depth is a matter of one limit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from initium.errors import RecipeError, Violation

MAX_DEPTH = 100
"""Mappings and sequences may nest this deep; protobuf reads no deeper either."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
_MAX_DIGITS = 4000  # Python refuses to convert longer ones

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """The value of a JSON or YAML 1.2 text of one document.

    Errors: RecipeError with `line:column` of the first thing that is wrong.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass  # the YAML reader below says where
    return _Builder().build(text)


def resolve(text: str) -> Any:
    """The value of a plain (unquoted) scalar in the core schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if len(text) <= _MAX_DIGITS:
        return _number(text)
    return text


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return math.nan if text in _NAN else text


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("duplicate key")
    return result


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _error(mark: Any, message: str) -> RecipeError:
    where = "" if mark is None else f"line {mark.line + 1}:{mark.column + 1}"
    return RecipeError("the text is not valid YAML 1.2 or JSON", violations=[Violation(where, message)])


class _Builder:
    """Builds the value of one document from parser events."""

    def __init__(self) -> None:
        self.root: list[Any] = []
        self.open: list[tuple[Any, set[str]]] = [(self.root, set())]
        self.keys: list[str | None] = [None]  # per open container: the key that waits for its value

    def build(self, text: str) -> Any:
        documents = 0
        for event in _events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                self._start_document(event, documents)
            else:
                self._take(event)
        if not self.root:
            raise RecipeError("the text is empty; a recipe needs at least `architecture` and `seed`")
        return self.root[0]

    def _start_document(self, event: Any, number: int) -> None:
        if number > 1:
            raise _error(event.start_mark, "a second document; a recipe is one document, so remove the `---`")
        if event.version not in (None, (1, 2)):
            raise _error(event.start_mark, f"%YAML {event.version[0]}.{event.version[1]}; recipes are YAML 1.2")

    def _take(self, event: Any) -> None:
        _refuse_extras(event)
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter(event, {})
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter(event, [])
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self.open.pop()
            self.keys.pop()

    def _scalar(self, event: Any) -> None:
        plain = event.implicit[0]
        value = resolve(event.value) if plain else event.value
        container, seen = self.open[-1]
        if isinstance(container, dict) and self.keys[-1] is None:
            self.keys[-1] = _key(event, value, seen)
        else:
            self._put(event, value)

    def _enter(self, event: Any, container: Any) -> None:
        if len(self.open) > MAX_DEPTH:
            raise _error(event.start_mark, f"nested more than {MAX_DEPTH} deep")
        self._put(event, container)
        self.open.append((container, set()))
        self.keys.append(None)

    def _put(self, event: Any, value: Any) -> None:
        container, _ = self.open[-1]
        if isinstance(container, list):
            container.append(value)
            return
        key = self.keys[-1]
        if key is None:
            raise _error(event.start_mark, "a mapping or list as a key; keys are text")
        container[key] = value
        self.keys[-1] = None


def _key(event: Any, value: Any, seen: set[str]) -> str:
    if not isinstance(value, str):
        raise _error(event.start_mark, f"the key {event.value or 'null'} is not text; put it in quotes")
    if value in seen:
        raise _error(event.start_mark, f"the key {value!r} is given twice; keep one")
    seen.add(value)
    return value


def _refuse_extras(event: Any) -> None:
    if isinstance(event, yaml.AliasEvent):
        raise _error(event.start_mark, f"the alias *{event.anchor}; repeat the value instead (or quote a glob)")
    if getattr(event, "anchor", None) is not None:
        raise _error(event.start_mark, f"the anchor &{event.anchor}; recipes have no anchors, repeat the value")
    if getattr(event, "tag", None) is not None:
        raise _error(event.start_mark, f"the tag {event.tag}; recipes have no tags")


def _events(text: str) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _error(error.problem_mark or error.context_mark, _problem(error)) from None
    except yaml.YAMLError as error:
        raise _error(None, " ".join(str(error).split())) from None
    except UnicodeEncodeError:
        raise _error(None, "half of a surrogate pair; a recipe is valid Unicode") from None


def _problem(error: yaml.MarkedYAMLError) -> str:
    start = error.context_mark
    began = f" ({error.context}, from line {start.line + 1}:{start.column + 1})" if start is not None else ""
    return f"{error.problem or 'not YAML'}{began}"
