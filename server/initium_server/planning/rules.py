"""Init rules, compiled: which tensors each is for, and whether it is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from initium.contract.wording import counted, joined
from initium.errors import RecipeError, Violation
from initium.v1 import init_pb2
from initium_law.dtypes import FLOATS
from initium_law.grammar import Fill
from initium_server.planning import casts, computed
from initium_server.planning.fields import at
from initium_server.planning.initializers import Resolution, resolve_rule
from initium_server.planning.inventory import Inventory, InventoryTensor, Owner
from initium_server.planning.presets import rules_of
from initium_server.planning.selectors import Matcher, compile_selector, selects_buffers, unknown_word
from initium_server.planning.stored import STORED, Loading, Sources
from initium_server.planning.stored import check as check_stored
from initium_server.planning.target import Target, default_fill

MAX_DEPTH = 16
"""How deep rules may stand in one another."""

_NAMES = [field.name for field in init_pb2.InitRule.DESCRIPTOR.oneofs_by_name["initializer"].fields]


@dataclass(slots=True)
class Rule:
    """A compiled init rule, and the tallies for its errors."""

    index: int
    """Its place among all rules of the recipe and its preset."""
    path: str
    message: init_pb2.InitRule
    matches: Matcher
    buffers: bool
    initializer: str
    preset: str = ""
    """The preset that it belongs to, if it does."""
    loading: Loading | None = None
    """What a `stored` rule loads from, once that may be looked at."""
    decided: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    """Fields below the rule, and what is wrong with each."""

    @property
    def label(self) -> str:
        return f"{self.path} {self.message.name}".rstrip()

    def hits(self, tensor: InventoryTensor, owner: Owner) -> bool:
        selected = (tensor.kind == "parameter" or self.buffers) and self.matches(tensor, owner)
        return selected and (self.loading is None or self.loading.matches(tensor))

    def resolve(self, target: Target) -> Resolution:
        """The fill of a rule that does not load. ValueError where it cannot apply."""
        return resolve_rule(self.message, target)


def first(rules: Sequence[Rule], tensor: InventoryTensor, owner: Owner) -> Rule | None:
    """The rule that decides for a tensor under one of its names."""
    return next((rule for rule in rules if rule.hits(tensor, owner)), None)


def made(rules: Sequence[Rule], rule: Rule, target: Target) -> Resolution:
    """The fill that one of the rules gives a tensor. ValueError where it cannot apply."""
    if rule.loading is None:
        return rule.resolve(target)
    with at("computed"):
        args, numbers = computed.arguments(rule.message, target)
    with at(STORED):
        return Resolution(rule.loading.fill(args, target.tensor, lambda: _rest(rules, rule, target)), numbers)


def _rest(rules: Sequence[Rule], rule: Rule, target: Target) -> Fill:
    """What the rules behind `rule`, or else the library, give a tensor. ValueError where that is nothing."""
    later, tensor = rules[rule.index + 1 :], target.tensor
    hits = ((hit, owner) for owner in tensor.owners if (hit := first(later, tensor, owner)))
    found, owner = next(hits, (None, None))
    if found is None or owner is None:
        try:
            return default_fill(tensor)
        except ValueError as error:
            raise ValueError(f"its rest has no rule, and {error}") from None
    found.decided += 1
    try:
        return made(rules, found, Target.of(tensor, owner, target.model)).fill
    except ValueError as error:
        raise ValueError(f"its rest is for {found.label}: {error}") from None


def compile_rules(policy: init_pb2.InitPolicy, sources: Sources | None = None) -> list[Rule]:
    """Checks and compiles a policy's own rules, then its preset's; without `sources` those that load cannot be applied.

    Errors: RecipeError with every violation found; PreconditionError for what is not in a store.
    """
    compiled: list[Rule] = []
    violations: list[Violation] = []
    for path, preset, rule in _placed(policy):
        violations += _outer_violations(rule, path)
        violations += _violations(rule, path, 0)
        try:
            matcher = compile_selector(rule.match, f"{path}.match")
            initializer = rule.WhichOneof("initializer") or ""
            buffers = initializer == STORED or selects_buffers(rule.match)
            compiled.append(Rule(len(compiled), path, rule, matcher, buffers, initializer, preset))
        except RecipeError as error:
            violations += error.violations
    if violations:
        raise RecipeError(violations=violations)
    for each in compiled:
        if each.initializer == STORED and sources:
            each.loading = Loading.of(each.message.stored, f"{each.path}.{STORED}", sources)
    return compiled


def _placed(policy: init_pb2.InitPolicy) -> Iterator[tuple[str, str, init_pb2.InitRule]]:
    """Every rule of a policy in order, with its path, and with the preset that it belongs to."""
    for i, rule in enumerate(policy.rules):
        yield f"init.rules[{i}]", "", rule
    for i, rule in enumerate(rules_of(policy.preset) if policy.preset else ()):
        yield f"init.preset[{policy.preset}].rules[{i}]", policy.preset, rule


def _outer_violations(rule: init_pb2.InitRule, path: str) -> Iterator[Violation]:
    if rule.dtype and rule.dtype not in FLOATS:
        yield Violation(f"{path}.dtype", casts.unknown(rule.dtype))
    if rule.ties not in ("", "first"):
        yield Violation(f"{path}.ties", f"{rule.ties!r} is unknown; leave it out, or write `first`")


def _violations(rule: init_pb2.InitRule, path: str, depth: int) -> Iterator[Violation]:
    if depth > MAX_DEPTH:
        yield Violation(path, f"rules stand in one another more than {MAX_DEPTH} deep")
        return
    if depth:
        for name in ("match", "dtype", "optional", "ties"):
            if rule.HasField("match") if name == "match" else getattr(rule, name):
                yield Violation(f"{path}.{name}", "only the outermost rule has it; leave it out here")
    if not rule.WhichOneof("initializer"):
        yield Violation(path, f"the rule has no initializer; give exactly one of {', '.join(_NAMES)}")
        return
    if rule.HasField(STORED):
        yield from check_stored(rule.stored, f"{path}.{STORED}")
        if depth:
            yield Violation(f"{path}.{STORED}", "only an outermost rule can load; use `mismatch: fit` or two rules")
    yield from computed.violations(rule, path)
    for where, inside in inner_rules(rule, path):
        yield from _violations(inside, where, depth + 1)


def inner_rules(message: Any, path: str) -> Iterator[tuple[str, init_pb2.InitRule]]:
    """The rules that stand directly in a rule at `path`, each with its own path."""
    for field_, value in message.ListFields():
        if field_.message_type is None or field_.name in ("match", "computed"):
            continue
        items = [(f"[{i}]", item) for i, item in enumerate(value)] if field_.is_repeated else [("", value)]
        for index, item in items:
            where = f"{path}.{field_.name}{index}"
            if isinstance(item, init_pb2.InitRule):
                yield where, item
            else:
                yield from inner_rules(item, where)


def nothing_decided(path: str, match: init_pb2.Selector, shadows: Mapping[str, int], inventory: Inventory) -> Violation:
    """What is wrong with a rule that decides for no tensor; `shadows` has the rules before it that take its tensors."""
    if shadows:
        return Violation(path, f"{_shadowed(shadows)}; put this rule first, remove it, or set `optional: true`")
    key, hint = unknown_word(match, inventory)
    where, cause = (f"{path}.match.{key}", f": {hint}") if hint else (path, "")
    remedy = "`initium inventory` lists names and classes. Fix or remove the rule, or set `optional: true`"
    return Violation(where, joined(f"the rule matches no tensor{cause}", remedy))


def _shadowed(shadows: Mapping[str, int]) -> str:
    labels = list(shadows)
    more = f" and {counted(len(labels) - 3, 'more rule')}" if len(labels) > 3 else ""
    matched = counted(sum(shadows.values()), "tensor")
    return f"the rule matches {matched}, but first match wins, and before it stands {', '.join(labels[:3])}{more}"
