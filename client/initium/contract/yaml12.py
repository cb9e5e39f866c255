"""The YAML 1.2 core schema, strictly: what the text of a recipe is read with. JSON is a subset.

Differences from `yaml.safe_load` (YAML 1.1), each of which has bitten recipes: `1e-3` is a number, `on` and `no` are
strings, `0o17` is octal and `017` is seventeen, `1_000` and `12:30` are strings, dates are strings. Duplicate keys,
anchors, aliases and tags are errors.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from initium.contract.strict import EXACT, MAX_DEPTH
from initium.errors import RecipeError, Violation

# Longer integers stay text, since Python refuses to convert them.
_SCALARS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "null": (r"|~|null|Null|NULL", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", lambda text: text[0] in "tT"),
    "int": (r"[-+]?[0-9]{1,4000}", int),
    "octal": (r"0o[0-7]{1,4000}", lambda text: int(text[2:], 8)),
    "hex": (r"0x[0-9a-fA-F]{1,4000}", lambda text: int(text[2:], 16)),
    "float": (r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", float),
    "infinity": (r"[-+]?\.(?:inf|Inf|INF)", lambda text: -math.inf if text[0] == "-" else math.inf),
    "nan": (r"\.nan|\.NaN|\.NAN", lambda text: math.nan),
}
"""The core schema: what a plain scalar is, if it is no text."""


def core_loader(base: Any) -> Any:
    """A loader class with the core schema, and mappings with distinct keys of text."""
    loader: Any = type("CoreLoader", (base,), {"yaml_implicit_resolvers": {}})
    for name, (pattern, value) in _SCALARS.items():
        loader.add_implicit_resolver(f"!{name}", re.compile(f"(?:{pattern})\\Z"), None)
        loader.add_constructor(f"!{name}", lambda _, node, value=value: _exact(value(node.value), node.start_mark))
    loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    return loader


def _exact(value: Any, mark: Any) -> Any:
    """The value of a scalar. Errors: RecipeError for an integer that many readers of JSON would round."""
    if isinstance(value, int) and abs(value) > EXACT:
        raise _error(mark, f"{value} is beyond 2^53, where many JSON readers round numbers; put it in quotes")
    return value


def _json_integer(text: str) -> int:
    value = int(text)
    if abs(value) > EXACT:
        raise ValueError("not exact in a double")
    return value


def _mapping(loader: Any, node: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _error(key_node.start_mark, "a mapping or list as a key; keys are text")
        key = loader.construct_object(key_node)
        if not isinstance(key, str):
            raise _error(key_node.start_mark, f"the key {key_node.value or 'null'} is not text; put it in quotes")
        if key in result:
            raise _error(key_node.start_mark, f"the key {key!r} is given twice; keep one")
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_LOADER: Any = core_loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def load(text: str) -> Any:
    """The value of a JSON or YAML 1.2 text of one document.

    Errors: RecipeError with `line:column` of the first thing that is wrong.
    """
    if text.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse, parse_int=_json_integer)
        except (ValueError, RecursionError):
            pass  # the YAML reader below says where
    try:
        _check(text)
        value = yaml.load(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _error(mark, _problem(error, mark, text)) from None
    except yaml.YAMLError as error:
        raise _error(None, " ".join(str(error).split())) from None
    except UnicodeEncodeError:
        raise _error(None, "half of a surrogate pair; a recipe is valid Unicode") from None
    if isinstance(value, str) and _PYTHON.search(text):
        raise _error(None, _NO_PYTHON)
    return value


def _check(text: str) -> None:
    """Refuses what YAML has and recipes have not, by its events: nothing is built or nested yet."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise _error(event.start_mark, "a second document; a recipe is one document, so remove the `---`")
            if event.version not in (None, (1, 2)):
                raise _error(event.start_mark, f"%YAML {event.version[0]}.{event.version[1]}; recipes are YAML 1.2")
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            raise _error(event.start_mark, f"the alias *{anchor}; repeat the value instead (or quote a glob)")
        if anchor is not None:
            raise _error(event.start_mark, f"the anchor &{anchor}; recipes have no anchors, repeat the value")
        if tag is not None:
            raise _error(event.start_mark, f"the tag {tag}; recipes have no tags")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _error(event.start_mark, f"nested more than {MAX_DEPTH} deep")
    if not documents:
        raise RecipeError("the text is empty; a recipe needs at least `architecture` and `seed`")


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


_PYTHON = re.compile(r"^(?:import|from|def|class)\s+\w", re.MULTILINE)
_NO_PYTHON = "this looks like Python; a recipe is data: `architecture: ...`, `seed: ...` and so on, in YAML or JSON"
_TAB = re.compile(r" *\t")
_CURES = (
    ("an alias|an anchor", "a plain value cannot begin with `*` or `&`; put a glob in quotes"),
    ("cannot start any token", "a plain value cannot begin with this character; put the value in quotes"),
    ("a quoted scalar", "a quote is opened and not closed"),
    ("a flow", "a bracket is not closed, or a comma is missing"),
    ("a block", "this line is not indented like those it belongs to; keys of one mapping begin in one column"),
    ("mapping values", "no `:` can stand here: indent the line like its neighbours, end the key above with a colon "
     "and a space, or put text with a colon in quotes"),
    ("a simple key|expected ':'", "a key without `: ` behind it, or text of several lines without quotes"),
)  # fmt: skip
"""What both of PyYAML's parsers say, as patterns, and what a writer of recipes should look for."""


def _problem(error: yaml.MarkedYAMLError, mark: Any, text: str) -> str:
    """What is wrong in a newcomer's words, where there are any; else in the parser's."""
    if _PYTHON.search(text):
        return _NO_PYTHON
    lines = text.split("\n")
    if mark is not None and mark.line < len(lines) and _TAB.match(lines[mark.line]):
        return "a tab; YAML is indented with spaces"
    said, start = f"{error.context} {error.problem}", error.context_mark
    cure = next((cure for pattern, cure in _CURES if re.search(pattern, said)), error.problem or "not YAML")
    if start is None or mark is None or (start.line, start.column) == (mark.line, mark.column):
        return cure
    return f"{cure} (see line {start.line + 1}:{start.column + 1})"
