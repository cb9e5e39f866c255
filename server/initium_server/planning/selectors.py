"""Selectors: which tensors a rule is for. One small function per key of `initium.v1.Selector`.

A compiled selector looks at a tensor under one of its names, since a tied tensor is matched if any name is. To add a
key: add the field to init.proto and a function to this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from initium.contract.wording import counted, did_you_mean, joined, suggestion
from initium.errors import RecipeError, Violation, invalid
from initium.v1 import init_pb2
from initium_server.planning.inventory import ROLES, Inventory, InventoryTensor, Owner
from initium_server.planning.patterns import compile_globs, compile_regex, is_glob, widened

Matcher = Callable[[InventoryTensor, Owner], bool]
Compiler = Callable[[Any, str], Matcher]

MAX_DEPTH = 24

_COMPILERS: dict[str, Compiler] = {}


def key(function: Compiler) -> Compiler:
    """Registers the compiler of the selector key that `function` is named after (a trailing underscore is dropped)."""
    _COMPILERS[function.__name__.rstrip("_")] = function
    return function


def compile_selector(selector: init_pb2.Selector, path: str, depth: int = 0) -> Matcher:
    """The predicate of `selector`: true when all its keys hold.

    Errors: RecipeError whose violations name the key at fault under `path`.
    """
    if depth > MAX_DEPTH:
        raise invalid(path, f"selectors nest more than {MAX_DEPTH} deep; flatten them")
    fields = selector.ListFields()
    if not fields:
        raise invalid(path, "an empty match selects nothing; write `every: true` to select every tensor")
    parts: list[Matcher] = []
    violations: list[Violation] = []
    for field, value in fields:
        where = f"{path}.{field.name}"
        try:
            if field.name in _NESTED:
                inner = [compile_selector(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
                parts.append(_NESTED[field.name](inner))
            else:
                parts.append(_COMPILERS[field.name](value, where))
        except RecipeError as error:
            violations += error.violations
    if violations:
        raise RecipeError(violations=violations)
    return _conjunction(parts)


def selects_buffers(selector: init_pb2.Selector) -> bool:
    """Whether the selector names the role `buffer`, and so is meant for buffers too."""
    return "buffer" in selector.role or any(map(selects_buffers, (*selector.any_of, *selector.all_of)))


def unknown_word(selector: init_pb2.Selector, inventory: Inventory) -> tuple[str, str]:
    """The key with a word that no tensor of the architecture has, and what to say of it; two empty texts if none."""
    owners = [owner for tensor in inventory.tensors for owner in tensor.owners]
    kinds: tuple[tuple[str, str, Iterable[str]], ...] = (
        (
            "module",
            "no module of this architecture has the class",
            (name for owner in owners for name in owner.classes),
        ),
        ("tensor", "no module of this architecture has a tensor", (owner.leaf for owner in owners)),
        ("path", "no tensor of this architecture has the name", (owner.name for owner in owners)),
    )
    for key, text, have in kinds:
        known = sorted(set(have))
        for word in getattr(selector, key):
            if word not in known and not (key == "path" and is_glob(word)):
                return key, joined(f"{text} {word!r}", did_you_mean(word, known))
    return _narrow_glob(selector, owners)


_GLOBS: tuple[tuple[str, Callable[[Owner], str]], ...] = (
    ("path", lambda owner: owner.name),
    ("module_path", lambda owner: owner.module_path),
    ("class_path", lambda owner: owner.class_path),
)
"""The keys that take globs, and what they are matched with."""


def _narrow_glob(selector: init_pb2.Selector, owners: Sequence[Owner]) -> tuple[str, str]:
    """A key whose globs fit nothing only because `*` stops at dots, and the glob that fits; two empty texts if none."""
    for key, name in _GLOBS:
        names, globs = {name(owner) for owner in owners}, list(getattr(selector, key))
        if not globs or any(map(compile_globs(globs, key), names)):
            continue
        for glob in globs:
            wide = widened(glob)
            if fitting := sum(map(compile_globs([wide], key), names)):
                fits = f"write {wide!r}, which fits {counted(fitting, 'name')}"
                return key, f"{glob!r} fits none, since `*` stops at dots; {fits}"
    return "", ""


def _conjunction(parts: Sequence[Matcher]) -> Matcher:
    if len(parts) == 1:
        return parts[0]
    return lambda tensor, owner: all(part(tensor, owner) for part in parts)


def _one_of(values: Iterable[Any], get: Callable[[InventoryTensor, Owner], Any]) -> Matcher:
    wanted = frozenset(values)
    return lambda tensor, owner: get(tensor, owner) in wanted


# --- keys on the owning module -----------------------------------------------------------------------------------


@key
def module(names: Sequence[str], path: str) -> Matcher:
    wanted = frozenset(names)
    return lambda tensor, owner: not wanted.isdisjoint(owner.classes)


@key
def class_contains(texts: Sequence[str], path: str) -> Matcher:
    wanted = tuple(texts)
    if "" in wanted:
        raise invalid(path, "an empty text is in every class name; write `every: true` to select every tensor")
    return lambda tensor, owner: any(text in name for name in owner.classes[:1] for text in wanted)


@key
def class_path(globs: Sequence[str], path: str) -> Matcher:
    matches = compile_globs(globs, path)
    return lambda tensor, owner: matches(owner.class_path)


@key
def module_path(globs: Sequence[str], path: str) -> Matcher:
    matches = compile_globs(globs, path)
    return lambda tensor, owner: matches(owner.module_path)


@key
def block(indices: Sequence[int], path: str) -> Matcher:
    return _one_of(indices, lambda tensor, owner: owner.block)


# --- keys on the tensor ------------------------------------------------------------------------------------------


@key
def path(globs: Sequence[str], path: str) -> Matcher:
    matches = compile_globs(globs, path)
    return lambda tensor, owner: matches(owner.name)


@key
def regex(patterns: Sequence[str], path: str) -> Matcher:
    searches = [compile_regex(pattern, f"{path}[{i}]").search for i, pattern in enumerate(patterns)]
    return lambda tensor, owner: any(search(owner.name) for search in searches)


@key
def tensor(names: Sequence[str], path: str) -> Matcher:
    return _one_of(names, lambda tensor, owner: owner.leaf)


@key
def ndim(counts: Sequence[int], path: str) -> Matcher:
    return _one_of(counts, lambda tensor, owner: len(tensor.shape))


@key
def shape(shapes: Sequence[Any], path: str) -> Matcher:
    wanted = [tuple(item.extents) for item in shapes]
    for i, extents in enumerate(wanted):
        if min(extents, default=0) < -1:
            raise invalid(f"{path}[{i}].extents", f"{min(extents)} is no extent; give a size, or -1 for any")

    def same(tensor: InventoryTensor, extents: tuple[int, ...]) -> bool:
        return len(tensor.shape) == len(extents) and all(
            want in (-1, have) for want, have in zip(extents, tensor.shape, strict=True)
        )

    return lambda tensor, owner: any(same(tensor, extents) for extents in wanted)


@key
def role(words: Sequence[str], path: str) -> Matcher:
    for i, word in enumerate(words):
        if word not in ROLES:
            raise invalid(f"{path}[{i}]", f"unknown role {word!r}; {suggestion(word, ROLES, 'roles')}")
    wanted = frozenset(words)
    return lambda tensor, owner: not wanted.isdisjoint(tensor.roles)


@key
def tied(value: bool, path: str) -> Matcher:
    return lambda tensor, owner: (len(tensor.owners) > 1) == value


# --- combinators -------------------------------------------------------------------------------------------------


@key
def every(value: bool, path: str) -> Matcher:
    return lambda tensor, owner: value


def _any_of(parts: Sequence[Matcher]) -> Matcher:
    return lambda tensor, owner: any(part(tensor, owner) for part in parts)


def _none_of(parts: Sequence[Matcher]) -> Matcher:
    return lambda tensor, owner: not any(part(tensor, owner) for part in parts)


_NESTED: dict[str, Callable[[Sequence[Matcher]], Matcher]] = {
    "any_of": _any_of,
    "all_of": _conjunction,
    "none_of": _none_of,
}
"""Keys that hold selectors -> what joins them."""
