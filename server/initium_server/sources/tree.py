"""The shape of a declared module tree, checked before anything is built: kinds, names, depth and size."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping

from initium.contract.wording import joined, suggestion
from initium.errors import invalid
from initium.v1 import architecture_pb2
from initium_server.sources.blocks import check_use, children_of, copies_of, named_in
from initium_server.sources.torch_modules import ALLOWED, CONTAINERS, REFUSED

FIELD = "architecture.modules"
MAX_DEPTH = 24
MAX_MODULES = 100_000

_NAME = re.compile(r"[A-Za-z0-9_]+\Z")


class Checker:
    """Checks every node once; blocks are measured once however often they are used."""

    def __init__(self, blocks: Mapping[str, architecture_pb2.Module]) -> None:
        self._blocks = blocks
        self._measured: dict[str, tuple[int, int]] = {}
        self._named: dict[str, dict[str, str]] = {}
        self._open: list[str] = []

    def check(self, root: architecture_pb2.Module) -> None:
        """Errors: RecipeError naming the first field at fault."""
        path = f"{FIELD}.root"
        if field := _field_of_children(root):
            raise invalid(f"{path}.{field}", "the root has no name, repeat or each; leave it out")
        for name, block in self._blocks.items():
            self._check_block(name, block)
        for name, where in named_in(root, path).items():
            raise invalid(where, f"only a block has arguments; ${name} stands in none")
        size, depth = self._measure(root, path)
        if size > MAX_MODULES:
            raise invalid(path, f"the tree has {size} modules after expansion; at most {MAX_MODULES} are allowed")
        if depth > MAX_DEPTH:
            raise invalid(path, f"the tree is {depth} modules deep after expansion; at most {MAX_DEPTH} are allowed")

    def _check_block(self, name: str, block: architecture_pb2.Module) -> None:
        path = f"{FIELD}.blocks.{name}"
        if _field_of_children(block):
            raise invalid(path, "a block has no name, repeat or each: give them where it is used")
        self._block(name, path)

    def _block(self, name: str, path: str) -> tuple[int, int]:
        if name not in self._blocks:
            raise invalid(path, f"unknown block {name!r}; {suggestion(name, self._blocks, 'blocks')}")
        if len(self._open) > MAX_DEPTH:
            raise invalid(path, f"blocks use each other more than {MAX_DEPTH} deep: {' > '.join(self._open[:4])} > ...")
        if name in self._open:
            raise invalid(path, f"block {name!r} uses itself: {' > '.join([*self._open, name])}")
        if name not in self._measured:
            self._open.append(name)
            self._named[name] = named_in(self._blocks[name], f"{FIELD}.blocks.{name}")
            self._measured[name] = self._measure(self._blocks[name], f"{FIELD}.blocks.{name}")
            self._open.pop()
        return self._measured[name]

    def _measure(self, node: architecture_pb2.Module, path: str) -> tuple[int, int]:
        """Number of modules and depth of the node, expanded."""
        check_node(node, path)
        if node.WhichOneof("kind") == "use":
            measured = self._block(node.use, f"{path}.use")
            check_use(node, self._named[node.use], path)
            return measured
        size, depth = 1, 1
        for child, where in children_of(node, path):
            _check_child(node, child, where)
            child_size, child_depth = self._measure(child, where)
            size += child_size * copies_of(child)
            depth = max(depth, 1 + child_depth)
        return size, depth


def _field_of_children(node: architecture_pb2.Module) -> str:
    """The first field that the node has and that only children have."""
    return next((field for field in ("name", "repeat", "each") if _has(node, field)), "")


def _has(node: architecture_pb2.Module, field: str) -> bool:
    return any(known.name == field for known, _ in node.ListFields())


def check_node(node: architecture_pb2.Module, path: str) -> None:
    """Whether the fields of a node go together."""
    kind = node.WhichOneof("kind")
    if kind is None:
        raise invalid(path, "give exactly one of type, declare, use")
    if node.args.fields and kind != "type":
        raise invalid(f"{path}.args", f"only with `type`; this node has `{kind}`")
    if node.parameters and kind != "declare":
        raise invalid(f"{path}.parameters", f"only with `declare`; this node has `{kind}`")
    for field in ("with", "each"):
        if kind != "use" and _has(node, field):
            raise invalid(f"{path}.{field}", f"only with `use`; this node has `{kind}`")
    if kind == "type":
        _check_type(node, path)
    if kind == "declare":
        _check_declared(node.declare, f"{path}.declare")
    if kind == "use" and node.children:
        raise invalid(f"{path}.children", "not with `use`: the block has its own children")


def _check_type(node: architecture_pb2.Module, path: str) -> None:
    if node.type in REFUSED:
        raise invalid(f"{path}.type", f"{node.type} is refused: {REFUSED[node.type]}")
    if node.type not in ALLOWED:
        hint = suggestion(node.type, sorted(ALLOWED), "classes")
        own = "a class of your own is written with `declare`"
        raise invalid(f"{path}.type", joined(f"unknown class {node.type!r}", hint, own))
    if node.children and node.type not in CONTAINERS:
        containers = ", ".join(sorted(CONTAINERS))
        raise invalid(f"{path}.children", f"{node.type} takes no children; {containers} and declared classes do")


def _check_declared(name: str, path: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise invalid(path, f"{name!r} is not an identifier; write a class name, e.g. ResidualBlock")
    if name in ALLOWED or name in REFUSED:
        raise invalid(path, f"{name!r} is a class of torch.nn; use `type`, or another name")


def _check_child(parent: architecture_pb2.Module, child: architecture_pb2.Module, path: str) -> None:
    check_name(child.name, f"{path}.name", empty=True)
    if child.HasField("repeat") and child.repeat == 0:
        raise invalid(f"{path}.repeat", "at least 1; to leave the module out, leave it out")
    if child.HasField("repeat") and child.each:
        raise invalid(f"{path}.each", "not together with repeat: there is a copy for each entry")
    field = "each" if child.each else "repeat"
    if child.name and _has(child, field):
        raise invalid(
            f"{path}.{field}", f"not together with a name: {child.name!r} would stand {copies_of(child)} times"
        )
    if parent.type == "ModuleDict" and not child.name:
        raise invalid(f"{path}.name", "required: the children of a ModuleDict have names")


def check_name(name: str, path: str, *, empty: bool = False) -> None:
    """Whether the name of a module or parameter is one."""
    if not (name or empty):
        raise invalid(path, "required")
    if name and not _NAME.match(name):
        raise invalid(path, f"{name!r}: only letters, digits and underscores (dots separate modules)")
