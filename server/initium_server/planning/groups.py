"""Optimizer groups: every trainable tensor in exactly one, with its final options."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from initium.errors import RecipeError, Violation
from initium.v1 import groups_pb2, init_pb2
from initium_server.planning.inventory import Inventory, InventoryTensor
from initium_server.planning.rules import nothing_decided
from initium_server.planning.selectors import Matcher, compile_selector
from initium_server.planning.structs import integral, plain

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A class of tensors of one name and equal options. `tensors` keeps the inventory's order."""

    name: str
    options: Options
    tensors: tuple[InventoryTensor, ...]
    source: str
    """Path of the rule that made it, for errors about its options."""

    @property
    def elements(self) -> int:
        return sum(math.prod(tensor.shape) for tensor in self.tensors)


@dataclass(frozen=True, slots=True)
class Grouping:
    """What a policy makes of an inventory."""

    groups: Sequence[Group]
    frozen: frozenset[str]
    """Names of the tensors that the policy freezes."""


@dataclass(slots=True)
class _Entry:
    """A compiled rule, adjustment or freeze, and whether it did anything."""

    path: str
    message: Any
    matches: Matcher
    decided: int = 0
    shadows: Counter[str] = field(default_factory=Counter)
    complaints: dict[str, str] = field(default_factory=dict)

    def hits(self, tensor: InventoryTensor) -> bool:
        return any(self.matches(tensor, owner) for owner in tensor.owners)


class OptionChecker(Protocol):
    """What knows the options of optimizers: `initium_server.pytorch.optimizers` knows those of torch.optim."""

    def check_options(
        self,
        optimizer: str,
        written: Iterable[tuple[Mapping[str, object], str]],
        groups: Iterable[tuple[Mapping[str, object], str]],
    ) -> None:
        """Errors: RecipeError for options that are wrong as written, or refused as those of a group."""


def assign_groups(inventory: Inventory, policy: groups_pb2.GroupPolicy, optimizers: OptionChecker) -> Grouping:
    """The final groups of `policy`, with checked options, and what it freezes.

    Errors: RecipeError: a rule that decides nothing, a factor without a number to multiply, options that are refused.
    """
    rules, adjust, freeze = (
        _compile(getattr(policy, name), f"groups.{name}") for name in ("rules", "adjust", "freeze")
    )
    _raise(_policy_violations(policy))
    defaults = plain(policy.defaults)
    trainable = [tensor for tensor in inventory.tensors if tensor.trainable and not _frozen(tensor, freeze)]
    frozen = frozenset(t.name for t in inventory.tensors if t.trainable) - {t.name for t in trainable}
    names = [rule.message.name for rule in rules]
    classes: dict[tuple[int, str, str], tuple[Options, str, list[InventoryTensor]]] = {}
    for tensor in trainable:
        name, options, source = _decide(tensor, rules, defaults, policy)
        options = _adjusted(tensor, options, adjust)
        first_use = names.index(name) if name in names else len(names)
        key = first_use, name, repr(sorted(options.items()))
        classes.setdefault(key, (options, source, []))[2].append(tensor)
    _raise(_tally([*rules, *adjust, *freeze], inventory))
    ordered = sorted(classes.items(), key=lambda item: item[0][0])
    groups = [Group(name, options, tuple(tensors), source) for (_, name, _), (options, source, tensors) in ordered]
    written = [(policy.defaults, "groups.defaults")]
    written += [(rule.message.options, f"{rule.path}.options") for rule in rules]
    optimizers.check_options(
        policy.optimizer,
        [(plain(struct), path) for struct, path in written],
        [(group.options, group.source) for group in groups],
    )
    return Grouping(groups, frozen)


def _compile(messages: Iterable[Any], path: str) -> list[_Entry]:
    entries: list[_Entry] = []
    violations: list[Violation] = []
    for i, message in enumerate(messages):
        where = f"{path}[{i}]"
        try:
            match: init_pb2.Selector = message.match
            entries.append(_Entry(where, message, compile_selector(match, f"{where}.match")))
        except RecipeError as error:
            violations += error.violations
    _raise(violations)
    return entries


def _policy_violations(policy: groups_pb2.GroupPolicy) -> list[Violation]:
    found = []
    if not policy.optimizer:
        found.append(Violation("groups.optimizer", "required: a class of torch.optim, e.g. AdamW"))
    for i, rule in enumerate(policy.rules):
        if not rule.name:
            found.append(Violation(f"groups.rules[{i}].name", "required: the name of the group"))
    for i, adjustment in enumerate(policy.adjust):
        if not adjustment.scale:
            found.append(Violation(f"groups.adjust[{i}].scale", "required: at least one factor, e.g. {lr: 0.1}"))
    return found


def _frozen(tensor: InventoryTensor, freeze: Sequence[_Entry]) -> bool:
    hits = [entry for entry in freeze if entry.hits(tensor)]
    for entry in hits:
        entry.decided += 1
    return bool(hits)


def _decide(
    tensor: InventoryTensor, rules: Sequence[_Entry], defaults: Options, policy: groups_pb2.GroupPolicy
) -> tuple[str, Options, str]:
    """Name and options of the tensor's group, and the path of what decides."""
    hits = [rule for rule in rules if rule.hits(tensor)]
    if not hits:
        return policy.default_group or "default", dict(defaults), "groups.defaults"
    rule = hits[0]
    rule.decided += 1
    for later in hits[1:]:
        later.shadows[f"{rule.path} {rule.message.name}"] += 1
    return rule.message.name, _scaled(defaults | plain(rule.message.options), rule, tensor), rule.path


def _adjusted(tensor: InventoryTensor, options: Options, adjust: Sequence[_Entry]) -> Options:
    for entry in adjust:
        if entry.hits(tensor):
            entry.decided += 1
            options = _scaled(options, entry, tensor)
    return options


def _scaled(options: Options, entry: _Entry, tensor: InventoryTensor) -> Options:
    out = dict(options)
    for name, factor in entry.message.scale.items():
        value = options.get(name)
        if not math.isfinite(factor):
            entry.complaints[name] = f"the factor is {factor}; it must be finite"
        elif isinstance(value, bool) or not isinstance(value, int | float):
            have = "has no value" if value is None else f"is {value!r}, not a number,"
            entry.complaints[name] = (
                f"{name} {have} for {tensor.name}, so it cannot be multiplied; give it a number in groups.defaults"
            )
        else:
            out[name] = integral(value * factor)
            if not math.isfinite(out[name]):
                entry.complaints[name] = f"{value} times {factor} is {out[name]} for {tensor.name}; it must be finite"
    return out


def _tally(entries: Sequence[_Entry], inventory: Inventory) -> list[Violation]:
    found = []
    for entry in entries:
        found += [Violation(f"{entry.path}.scale.{name}", text) for name, text in entry.complaints.items()]
        if not entry.decided and not entry.message.optional:
            found.append(nothing_decided(entry.path, entry.message.match, entry.shadows, inventory))
    return found


def _raise(violations: Sequence[Violation]) -> None:
    if violations:
        raise RecipeError(violations=violations)
