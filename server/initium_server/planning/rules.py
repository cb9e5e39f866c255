"""Init rules: each tensor's fill, dtype and explanation. First match wins; nothing is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from initium.contract.wording import counted, joined
from initium.errors import RecipeError, Violation
from initium.v1 import init_pb2
from initium_law import MAX_ELEMENTS, Engine, prepare
from initium_law.dtypes import FLOATS
from initium_law.engine import Reader
from initium_law.grammar import Fill, Stored
from initium_server.planning import casts
from initium_server.planning.initializers import INITIALIZERS, Resolution
from initium_server.planning.inventory import Inventory, InventoryTensor, Owner
from initium_server.planning.selectors import Matcher, compile_selector, selects_buffers, unknown_word
from initium_server.planning.stored import Loading, Sources
from initium_server.planning.stored import check as check_stored

LIBRARY_DEFAULT, STORED = "library_default", "stored"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What the rules decided for one tensor."""

    tensor: InventoryTensor
    dtype: str
    fill: Fill
    rule: str = ""
    """Path of the rule; empty where none decided."""
    rule_name: str = ""
    initializer: str = ""
    numbers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Rule:
    """A compiled init rule, and the tallies for its errors."""

    index: int
    message: init_pb2.InitRule
    matches: Matcher
    buffers: bool
    initializer: str
    loading: Loading | None = None
    """What a `stored` rule loads from, once that may be looked at."""
    decided: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"init.rules[{self.index}]"

    @property
    def label(self) -> str:
        return f"{self.path} {self.message.name}".rstrip()

    def hits(self, tensor: InventoryTensor, owner: Owner) -> bool:
        selected = (tensor.kind == "parameter" or self.buffers) and self.matches(tensor, owner)
        return selected and (self.loading is None or self.loading.matches(tensor))

    def resolve(self, tensor: InventoryTensor) -> Resolution:
        """The rule's fill for `tensor`, where it loads none. ValueError where it cannot apply."""
        if self.initializer == LIBRARY_DEFAULT:
            return Resolution(default_fill(tensor))
        return INITIALIZERS[self.initializer](getattr(self.message, self.initializer), tensor)


def compile_rules(rules: Sequence[init_pb2.InitRule], sources: Sources | None = None) -> list[Rule]:
    """Checks and compiles `rules`; without `sources` those that load cannot be applied.

    Errors: RecipeError with every violation found; PreconditionError for what is not in a store.
    """
    compiled: list[Rule] = []
    violations: list[Violation] = []
    for i, rule in enumerate(rules):
        path = f"init.rules[{i}]"
        violations += _rule_violations(rule, path)
        try:
            matcher = compile_selector(rule.match, f"{path}.match")
            initializer = rule.WhichOneof("initializer") or ""
            buffers = initializer == STORED or selects_buffers(rule.match)
            compiled.append(Rule(i, rule, matcher, buffers, initializer))
        except RecipeError as error:
            violations += error.violations
    if violations:
        raise RecipeError(violations=violations)
    for each in compiled:
        if each.initializer == STORED and sources:
            each.loading = Loading.of(each.message.stored, f"{each.path}.{STORED}", sources)
    return compiled


def _rule_violations(rule: init_pb2.InitRule, path: str) -> list[Violation]:
    found = []
    if not rule.WhichOneof("initializer"):
        known = ", ".join([*INITIALIZERS, LIBRARY_DEFAULT, STORED])
        found.append(Violation(path, f"the rule has no initializer; give exactly one of {known}"))
    if rule.dtype and rule.dtype not in FLOATS:
        found.append(Violation(f"{path}.dtype", casts.unknown(rule.dtype)))
    if rule.ties not in ("", "first"):
        found.append(Violation(f"{path}.ties", f"{rule.ties!r} is unknown; leave it out, or write `first`"))
    if rule.HasField(STORED):
        found += check_stored(rule.stored, f"{path}.{STORED}")
    return found


def assign(inventory: Inventory, rules: Sequence[Rule], dtype: str, literals: dict[str, bytes]) -> list[Assignment]:
    """Decides every tensor of `inventory`; literals cast to another dtype are added to `literals`.

    Errors: RecipeError with a violation for each rule that cannot apply or decides nothing, and each
    tensor that has neither rule nor default fill.
    """
    violations: list[Violation] = []
    assignments: list[Assignment] = []
    finish = _Finish(dtype, literals)
    for tensor in inventory.tensors:
        try:
            assignments.append(_assign_one(tensor, rules, finish))
        except _Undecided as undecided:
            violations += undecided.violations
    violations += [v for rule in rules for v in _tally_violations(rule, rules, inventory)]
    if violations:
        raise RecipeError(violations=violations)
    return assignments


class _Undecided(Exception):
    def __init__(self, *violations: Violation) -> None:
        self.violations = violations
        super().__init__()


def _assign_one(tensor: InventoryTensor, rules: Sequence[Rule], finish: _Finish) -> Assignment:
    hits = [rule for owner in tensor.owners if (rule := _first(rules, tensor, owner))]
    if not hits:
        try:
            return finish(tensor, None, Resolution(default_fill(tensor)))
        except ValueError as error:
            raise _Undecided(Violation("init.rules", f"{error}; add a rule that matches it")) from None
    made = [_resolve(tensor, rule, rules, finish) for rule in hits]
    if None in made:
        raise _Undecided()
    done = [assignment for assignment in made if assignment]
    if len(hits) > 1:
        _check_ties(tensor, hits, done)
    return done[0]


def _resolve(tensor: InventoryTensor, rule: Rule, rules: Sequence[Rule], finish: _Finish) -> Assignment | None:
    """What the rule makes of the tensor; None, and a note on the rule, where it cannot apply."""
    rule.decided += 1
    try:
        return finish(tensor, rule, _made(tensor, rule, rules))
    except (ValueError, OverflowError) as error:
        text = "its numbers are out of range" if isinstance(error, OverflowError) else str(error)
        rule.failures.append(text if tensor.name in text else f"{tensor.name}: {text}")
        return None


def _made(tensor: InventoryTensor, rule: Rule, rules: Sequence[Rule]) -> Resolution:
    """The rule's fill for the tensor. ValueError where it cannot apply."""
    if rule.loading is None:
        return rule.resolve(tensor)
    return Resolution(rule.loading.fill(tensor, lambda: _rest(tensor, rule, rules)))


def _rest(tensor: InventoryTensor, rule: Rule, rules: Sequence[Rule]) -> Fill:
    """What the rules behind `rule`, or else the library, give the tensor. ValueError where that is nothing."""
    later = rules[rules.index(rule) + 1 :]
    found = next((hit for owner in tensor.owners if (hit := _first(later, tensor, owner))), None)
    if found is None:
        return default_fill(tensor)
    found.decided += 1
    return _made(tensor, found, rules).fill


def _first(rules: Sequence[Rule], tensor: InventoryTensor, owner: Owner) -> Rule | None:
    return next((rule for rule in rules if rule.hits(tensor, owner)), None)


def _check_ties(tensor: InventoryTensor, hits: Sequence[Rule], made: Sequence[Assignment]) -> None:
    first = (made[0].fill, made[0].dtype)
    different = [rule for rule, one in zip(hits, made, strict=True) if (one.fill, one.dtype) != first]
    if not different or any(rule.message.ties == "first" for rule in hits):
        return
    names = " = ".join(owner.name for owner in tensor.owners)
    message = (
        f"{names} is one tied tensor, but {hits[0].label} and {different[0].label} fill it differently; "
        "make them equal, match one name only, or set `ties: first` on a rule"
    )
    raise _Undecided(Violation(different[0].path, message))


def default_fill(tensor: InventoryTensor) -> Fill:
    """The library's own fill. ValueError where there is none."""
    if tensor.default is None:
        reason = tensor.default_error or "its library gives it no fill"
        raise ValueError(f"{tensor.name} {list(tensor.shape)} has no rule, and {reason}")
    return tensor.default


class _AnyStore:
    """Takes every stored tensor, and reads none: planning draws nothing."""

    def reader(self, fill: Stored) -> Reader:
        return lambda begin, out: None


_ANY = Engine(whole_elements=MAX_ELEMENTS, stores=_AnyStore())
"""Whether a server has the room for a fill, or a stored tensor, shows when it takes the plan."""


class _Finish:
    """From a resolved fill to an assignment: in the tensor's dtype, and checked. Equal fills become one object."""

    def __init__(self, dtype: str, literals: dict[str, bytes]) -> None:
        self._dtype, self._literals = dtype, literals
        self._fills: dict[str, Fill] = {}
        self._drawable: set[tuple[str, tuple[int, ...], str]] = set()

    def __call__(self, tensor: InventoryTensor, rule: Rule | None, made: Resolution) -> Assignment:
        """ValueError if the law cannot draw it: found here, where the rule is known."""
        target = _target_dtype(tensor, rule, self._dtype)
        fill = casts.cast_fill(made.fill, tensor.dtype, target, self._literals)
        text = repr(fill)  # -0.0 == 0.0
        fill = self._fills.setdefault(text, fill)
        key = text, tensor.shape, target  # Whether a fill fits does not depend on the name.
        if key not in self._drawable:
            prepare(fill, 0, tensor.name, tensor.shape, target, self._literals, _ANY)
            self._drawable.add(key)
        if rule is None:
            return Assignment(tensor, target, fill)
        return Assignment(tensor, target, fill, rule.path, rule.message.name, rule.initializer, dict(made.numbers))


def _target_dtype(tensor: InventoryTensor, rule: Rule | None, dtype: str) -> str:
    if tensor.dtype not in FLOATS:
        return tensor.dtype
    if rule and rule.message.dtype:
        return rule.message.dtype
    return dtype if tensor.kind == "parameter" else tensor.dtype


def _tally_violations(rule: Rule, rules: Sequence[Rule], inventory: Inventory) -> list[Violation]:
    if rule.loading and not rule.message.optional and (nothing := rule.loading.nothing()):
        return [Violation(f"{rule.path}.{STORED}", nothing)]
    if rule.failures:
        more = f" (and {counted(len(rule.failures) - 1, 'more tensor')})" if len(rule.failures) > 1 else ""
        return [Violation(f"{rule.path}.{rule.initializer}", rule.failures[0] + more)]
    if rule.decided or rule.message.optional:
        return []
    matched = ((tensor, owner) for tensor in inventory.tensors for owner in tensor.owners if rule.hits(tensor, owner))
    shadows = Counter(first.label for tensor, owner in matched if (first := _first(rules, tensor, owner)))
    return [nothing_decided(rule.path, rule.message.match, shadows, inventory)]


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
