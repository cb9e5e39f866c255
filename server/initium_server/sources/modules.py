"""Declared trees of torch.nn modules (`initium.v1.ModuleTree`), built with the real torch.nn constructors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import nn

from initium.contract.wording import suggestion
from initium.errors import InitiumError, RecipeError, Unsupported, Violation, invalid
from initium.v1 import architecture_pb2
from initium_server.capture import capture, describe, quiet
from initium_server.planning.inventory import Inventory
from initium_server.planning.structs import plain
from initium_server.sources.arguments import Parameter, Target, check_names, target
from initium_server.sources.blocks import Arguments, children_of, scopes, shown, substitute
from initium_server.sources.failures import explain
from initium_server.sources.refusals import refuse
from initium_server.sources.tree import FIELD, Checker, check_name

DECLARED_MODULE = "initium.declared"
"""The module part of a declared class's qualified name."""


def inventory(tree: architecture_pb2.ModuleTree) -> Inventory:
    """The tree's tensors. Errors: RecipeError."""
    builder = _Builder(tree)
    captured = capture(builder.build)
    return describe(captured, bare=builder.bare_names(captured.model))


def model(tree: architecture_pb2.ModuleTree) -> nn.Module:
    """The real model in float32 on the CPU, drawn from torch's current seed. Bare parameters are left as allocated."""
    with quiet():
        return _Builder(tree).build()


class _Builder:
    """Builds one tree."""

    def __init__(self, tree: architecture_pb2.ModuleTree) -> None:
        Checker(tree.blocks).check(tree.root)
        self._tree = tree
        self._classes: dict[str, type[nn.Module]] = {}
        self._bare: set[int] = set()

    def build(self) -> nn.Module:
        """The model, ties included."""
        root = self._only(self._tree.root, f"{FIELD}.root", {})
        _Tier(root).tie(list(self._tree.ties))
        return root

    def bare_names(self, model: nn.Module) -> frozenset[str]:
        """Names of the parameters without a constructor of their own."""
        return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in self._bare)

    def _only(self, node: architecture_pb2.Module, path: str, given: Arguments) -> nn.Module:
        """The one module of a node that is no child."""
        (inside,) = scopes(node, given, path)
        return self._node(node, path, inside)

    def _node(self, node: architecture_pb2.Module, path: str, given: Arguments) -> nn.Module:
        """One copy of a node, inside which the arguments `given` hold."""
        match node.WhichOneof("kind"):
            case "use":
                return self._only(self._tree.blocks[node.use], f"{FIELD}.blocks.{node.use}", given)
            case "type":
                module = construct(node, path, given)
            case _:
                module = self._declared(node.declare)()
        for index, parameter in enumerate(node.parameters):
            self._add_parameter(module, parameter, f"{path}.parameters[{index}]")
        self._add_children(module, node, path, given)
        return module

    def _declared(self, name: str) -> type[nn.Module]:
        if name not in self._classes:
            self._classes[name] = type(name, (nn.Module,), {"__module__": DECLARED_MODULE})
        return self._classes[name]

    def _add_parameter(self, module: nn.Module, bare: architecture_pb2.BareParameter, path: str) -> None:
        check_name(bare.name, f"{path}.name")
        if bare.name in module._parameters:
            raise invalid(f"{path}.name", f"{bare.name!r} is taken by another parameter of this module")
        try:
            parameter = nn.Parameter(torch.empty(list(bare.shape)))
        except (RuntimeError, TypeError, OverflowError) as error:
            raise explain(error, f"a parameter of shape {list(bare.shape)}", f"{path}.shape") from error
        try:
            module.register_parameter(bare.name, parameter)
        except KeyError as error:
            raise invalid(f"{path}.name", f"{bare.name!r} is taken in this module: {error.args[0]}") from error
        self._bare.add(id(parameter))

    def _add_children(self, module: nn.Module, node: architecture_pb2.Module, path: str, given: Arguments) -> None:
        position = 0
        for child, where in children_of(node, path):
            for inside in scopes(child, given, where):
                _add_child(module, child.name or str(position), self._node(child, where, inside), where)
                position += 1


def _add_child(module: nn.Module, name: str, child: nn.Module, path: str) -> None:
    try:
        taken = name in module._modules
        module.add_module(name, child)
    except KeyError as error:
        raise invalid(f"{path}.name", f"{name!r} is taken in this module: {error.args[0]}") from error
    if taken:
        raise invalid(f"{path}.name", f"two children are named {name!r} (unnamed ones are named by their position)")


def construct(node: architecture_pb2.Module, path: str, given: Arguments) -> nn.Module:
    """A module of torch.nn by its class name and arguments; `given` are those of the block that it stands in."""
    try:
        return _construct(node, path, substitute(plain(node.args), given, f"{path}.args"))
    except RecipeError as error:
        if not given:
            raise
        found = [Violation(each.field, f"{each.message} (where {shown(given)})") for each in error.violations]
        raise RecipeError(error.message, error.reason, found) from error


def _construct(node: architecture_pb2.Module, path: str, arguments: dict[str, Any]) -> nn.Module:
    cls = getattr(nn, node.type, None)
    if cls is None:
        raise Unsupported(f"{path}.type: torch {torch.__version__} has no {node.type}")
    accepted = accepted_arguments(cls)
    refuse(arguments, f"{path}.args")
    check_names(arguments, accepted.parameters, f"{path}.args")
    fitted = {name: accepted.fit(name, value) for name, value in arguments.items()}
    _check_required(accepted, fitted, node.type, path)
    try:
        module = cls(**fitted)
    except (MemoryError, InitiumError):
        raise
    except Exception as error:
        raise explain(error, node.type, f"{path}.args", accepted.parameters) from error
    assert isinstance(module, nn.Module)
    return module


def _check_required(accepted: Target, given: Mapping[str, object], name: str, path: str) -> None:
    for parameter, known in accepted.parameters.items():
        if known.default is inspect.Parameter.empty and parameter not in given:
            raise invalid(f"{path}.args.{parameter}", f"required by {name}; accepted: {', '.join(accepted.parameters)}")


@cache
def accepted_arguments(cls: type[nn.Module]) -> Target:
    """The keywords of a torch.nn class; recurrent classes take theirs from their base."""
    found = target(*(vars(base)["__init__"] for base in cls.__mro__ if "__init__" in vars(base)))
    if issubclass(cls, nn.RNNBase):
        found = _recurrent(cls, found)
    return Target({name: parameter for name, parameter in found.parameters.items() if not _is_hidden(name)})


def _is_hidden(name: str) -> bool:
    """Arguments that no recipe can give: places, modules, process groups, and private ones."""
    return name in {"self", "device", "dtype", "process_group"} or name.startswith(("_", "custom_"))


def _recurrent(cls: type[nn.Module], found: Target) -> Target:
    """RNNBase's arguments, but for those that are another class's own."""
    extra = {"nonlinearity": Parameter(str, "tanh")} if issubclass(cls, nn.RNN) else {}
    dropped = {"mode"} if issubclass(cls, nn.LSTM) else {"mode", "proj_size"}
    return Target({**{n: p for n, p in found.parameters.items() if n not in dropped}, **extra})


class _Tier:
    """Makes declared ties, each checked against the tree as it was before."""

    def __init__(self, root: nn.Module) -> None:
        self._root = root
        self._names = dict(root.named_parameters(remove_duplicate=False))

    def tie(self, ties: Sequence[architecture_pb2.Tie]) -> None:
        """Errors: RecipeError for the first tie that cannot be."""
        replaced: set[str] = set()
        pairs = [(tie.tensor, tie.to, f"{FIELD}.ties[{index}]") for index, tie in enumerate(ties)]
        sources = {tensor for tensor, _, _ in pairs}
        for tensor, to, path in pairs:
            self._check(tensor, to, path)
            if tensor in replaced:
                raise invalid(f"{path}.tensor", f"{tensor!r} is already tied by an earlier tie; a tensor is tied once")
            if to in sources:
                raise invalid(f"{path}.to", f"{to!r} is itself tied to another; tie both to one that stays")
            replaced.add(tensor)
        for tensor, to, _ in pairs:
            owner, _, leaf = tensor.rpartition(".")
            self._root.get_submodule(owner)._parameters[leaf] = self._names[to]

    def _check(self, tensor: str, to: str, path: str) -> None:
        for name, field in ((tensor, "tensor"), (to, "to")):
            if name not in self._names:
                message = f"the tree has no parameter {name!r}; {suggestion(name, self._names, 'parameters')}"
                raise invalid(f"{path}.{field}", message)
        if tensor == to:
            raise invalid(path, f"{tensor!r} is tied to itself")
        mine, other = tuple(self._names[tensor].shape), tuple(self._names[to].shape)
        if mine != other:
            raise invalid(path, f"{tensor!r} has the shape {mine}, {to!r} has {other}; tied tensors have one shape")
