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

from initium.contract.strict import MAX_DEPTH
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
        loader.add_constructor(f"!{name}", lambda _, node, value=value: value(node.value))
    loader.add_constructor("tag:yaml.org,2002:map", _mapping)
    return loader


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
            return json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass  # the YAML reader below says where
    try:
        _check(text)
        return yaml.load(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _error(error.problem_mark or error.context_mark, _problem(error)) from None
    except yaml.YAMLError as error:
        raise _error(None, " ".join(str(error).split())) from None
    except UnicodeEncodeError:
        raise _error(None, "half of a surrogate pair; a recipe is valid Unicode") from None


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


def _problem(error: yaml.MarkedYAMLError) -> str:
    start = error.context_mark
    began = f" ({error.context}, from line {start.line + 1}:{start.column + 1})" if start is not None else ""
    return f"{error.problem or 'not YAML'}{began}"
