"""Arguments of blocks: texts such as `$out` and `$out * 4` in a block, and their values in each of its copies."""

from __future__ import annotations

import ast
import operator
import re
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from initium.contract.wording import suggestion
from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.planning.structs import plain

Arguments = Mapping[str, Any]

MAX_TEXT = 200
MAX_WHOLE = 1 << 53

_TOKENS = re.compile(r"(?:\$[A-Za-z_]\w*|\d+|//|[-+*()]|\s)+", re.ASCII)
_OPERATORS: Mapping[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_GRAMMAR = (ast.BinOp, ast.Name, ast.Load, ast.Constant, *_OPERATORS)


def substitute(value: Any, arguments: Arguments, path: str) -> Any:
    """`value`, plain data, with its texts that have a `$` replaced. Errors: RecipeError."""
    return _replace(value, path, lambda text, where: _evaluate(_parse(text, where), arguments, where))


def scopes(node: architecture_pb2.Module, arguments: Arguments, path: str) -> list[Arguments]:
    """For each copy of `node`, which stands where `arguments` hold: what holds inside. Errors: RecipeError."""
    if node.WhichOneof("kind") != "use":
        return [arguments] * copies_of(node)
    given = substitute(_given(node), arguments, path)
    return [{**given["with"], **entry} for entry in given["each"] or [{}] * copies_of(node)]


def copies_of(node: architecture_pb2.Module) -> int:
    """How often the node stands in a row."""
    return len(node.each) or (node.repeat if node.HasField("repeat") else 1)


def named_in(node: architecture_pb2.Module, path: str) -> dict[str, str]:
    """The arguments that a node and its children name, and where each stands first. Errors: RecipeError."""
    found: dict[str, str] = {}

    def note(text: str, where: str) -> None:
        for part in ast.walk(_parse(text, where)):
            if isinstance(part, ast.Name):
                found.setdefault(part.id[1:], where)

    _replace({"args": plain(node.args), **_given(node)}, path, note)
    for child, where in children_of(node, path):
        for name, place in named_in(child, where).items():
            found.setdefault(name, place)
    return dict(sorted(found.items()))  # Structs have no order.


def children_of(node: architecture_pb2.Module, path: str) -> Iterator[tuple[architecture_pb2.Module, str]]:
    """The children, each with its path in the request."""
    for index, child in enumerate(node.children):
        yield child, f"{path}.children[{index}]"


def check_use(node: architecture_pb2.Module, names: Collection[str], path: str) -> None:
    """Whether a node gives its block the arguments that the block names. Errors: RecipeError."""
    given = _given(node)
    entries = [(entry, f"{path}.each[{index}]") for index, entry in enumerate(given["each"])]
    for arguments, where in [(given["with"], f"{path}.with"), *entries]:
        for name in arguments:
            if name not in names:
                hint = suggestion(name, names, "its arguments")
                raise invalid(f"{where}.{name}", f"block {node.use!r} has no argument {name!r}; {hint}")
    for arguments, where in entries or [({}, f"{path}.with")]:
        for name in names:
            if name not in arguments and name not in given["with"]:
                raise invalid(f"{where}.{name}", f"required: block {node.use!r} names ${name}")


def _given(node: architecture_pb2.Module) -> dict[str, Any]:
    """What a node gives its block: to all copies, and to each."""
    return {"with": plain(getattr(node, "with")), "each": [plain(entry) for entry in node.each]}


def shown(arguments: Arguments) -> str:
    """Arguments in a message."""
    return ", ".join(f"{name} = {reprlib.repr(value)}" for name, value in arguments.items())


def _replace(value: Any, path: str, replace: Callable[[str, str], Any]) -> Any:
    match value:
        case str() if "$" in value:
            return replace(value, path)
        case list():
            return [_replace(item, f"{path}[{index}]", replace) for index, item in enumerate(value)]
        case dict():
            return {key: _replace(item, f"{path}.{key}", replace) for key, item in value.items()}
    return value


@lru_cache(maxsize=4096)
def _parse(text: str, path: str) -> ast.expr:
    """The formula that a text is; names begin with `_` in place of `$`, since `$in` is no Python name."""
    try:
        if len(text) <= MAX_TEXT and _TOKENS.fullmatch(text):
            formula = ast.parse(text.replace("$", "_").strip(), mode="eval").body
            if all(isinstance(part, _GRAMMAR) for part in ast.walk(formula)):
                return formula
    except SyntaxError:
        pass
    raise invalid(
        path,
        f"{text[:60]!r} is no argument such as `$out`, and no formula such as `$out * 4`: arguments and whole numbers "
        f"with + - * // and parentheses, in at most {MAX_TEXT} characters",
    )


def _evaluate(formula: ast.expr, arguments: Arguments, path: str) -> Any:
    match formula:
        case ast.Name(id=name):
            return arguments[name[1:]]
        case ast.BinOp(left=left, op=op, right=right):
            sides = [_whole(_evaluate(side, arguments, path), ast.unparse(side), path) for side in (left, right)]
            try:
                return _whole(_OPERATORS[type(op)](*sides), ast.unparse(formula), path)
            except ZeroDivisionError:
                raise invalid(path, f"{_shown(ast.unparse(formula))} divides by 0") from None
    assert isinstance(formula, ast.Constant)
    return formula.value


def _whole(value: Any, text: str, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WHOLE:
        return value
    raise invalid(path, f"{_shown(text)} is {reprlib.repr(value)}; formulas have whole numbers up to 2^53")


def _shown(text: str) -> str:
    return re.sub(r"\b_", "$", text)
