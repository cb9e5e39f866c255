"""Planted bugs: small changes of a module's syntax tree, each of which changes what the module does.

What only words, types or speed depend on is left alone: messages, docstrings, annotations, `__all__`.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-/]*\Z")
NAMES_ONLY = ("TypeVar", "getLogger", "ThreadPoolExecutor", "Thread")
"""Calls whose texts are names for people."""

Edit = Callable[[ast.AST], ast.AST | None]
"""The node in place of a node; None removes a statement."""


class Mutant(NamedTuple):
    """A module with one bug, which is planted when it is asked for."""

    line: int
    change: str
    plant: Callable[[], ast.Module]


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of a module."""
    tree = ast.parse(source)
    for path, node in _places(tree, ()):
        for change, edit in _edits(node):
            yield Mutant(getattr(node, "lineno", 0), change, partial(_planted, tree, path, edit))


def _planted(tree: ast.Module, path: Path, edit: Edit) -> ast.Module:
    mutated = copy.deepcopy(tree)
    _replace(mutated, path, edit)
    return ast.fix_missing_locations(mutated)


Path = tuple[tuple[str, int | None], ...]


def _places(node: ast.AST, path: Path) -> Iterator[tuple[Path, ast.AST]]:
    """The nodes that may be changed, with the way to each."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "bases", "decorator_list", "type_params"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_for_people(child):
                here = (*path, (name, index))
                yield here, child
                yield from _places(child, here)


def _is_for_people(node: ast.AST) -> bool:
    match node:
        case ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name == "__all__" or (_is_type(node.value) and name[0].isupper())
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in NAMES_ONLY
    return False


def _is_type(value: ast.AST) -> bool:
    match value:
        case ast.BinOp(op=ast.BitOr()) | ast.Subscript():
            return True
    return False


def _replace(tree: ast.AST, path: Path, edit: Edit) -> None:
    for name, index in path[:-1]:
        value = getattr(tree, name)
        tree = value if index is None else value[index]
    name, index = path[-1]
    value = getattr(tree, name)
    node = value if index is None else value[index]
    new = edit(node) or ast.Pass()
    if index is None:
        setattr(tree, name, new)
    else:
        value[index] = new


def _edits(node: ast.AST) -> Iterator[tuple[str, Edit]]:
    match node:
        case ast.Compare(ops=[op]):
            other = COMPARISONS[type(op)]
            yield f"{type(op).__name__} -> {other.__name__}", _set("ops", [other()])
        case ast.BoolOp(op=op):
            other_bool = ast.Or if isinstance(op, ast.And) else ast.And
            yield f"{type(op).__name__} -> {other_bool.__name__}", _set("op", other_bool())
        case ast.UnaryOp(op=ast.Not()):
            yield "not removed", lambda node: node.operand  # type: ignore[attr-defined] # matched above
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            yield "minus removed", lambda node: node.operand  # type: ignore[attr-defined] # matched above
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in OPERATORS:
            other_op = OPERATORS[type(op)]
            yield f"{type(op).__name__} -> {other_op.__name__}", _set("op", other_op())
        case ast.Constant(value=bool(value)):
            yield f"{value} -> {not value}", _set("value", not value)
        case ast.Constant(value=int(number)):
            yield f"{number} -> {number + 1}", _set("value", number + 1)
        case ast.Constant(value=str(text)) if WORD.match(text):
            yield f"{text!r} changed", _set("value", f"{text}x")
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.Constant):
                yield "condition negated", _set("test", ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "returns None", _set("value", ast.Constant(None))
        case ast.Raise():
            yield "raise removed", lambda node: None
        case ast.Expr(value=ast.Call()):
            yield "call removed", lambda node: None
        case ast.AugAssign():
            yield "assignment removed", lambda node: None
        case ast.Continue():
            yield "continue -> break", lambda node: ast.Break()
        case ast.Break():
            yield "break removed", lambda node: None


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _set(field: str, value: Any) -> Edit:
    def edit(node: ast.AST) -> ast.AST:
        setattr(node, field, copy.deepcopy(value))
        return node

    return edit
