"""What the rules decide: each tensor's fill, dtype and explanation. First match wins; nothing is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from initium.contract.wording import counted
from initium.errors import RecipeError, Violation
from initium_law import MAX_ELEMENTS, Engine, prepare
from initium_law.dtypes import FLOATS
from initium_law.engine import Reader
from initium_law.grammar import Fill, Stored
from initium_server.planning import casts
from initium_server.planning.fields import At
from initium_server.planning.initializers import Resolution
from initium_server.planning.inventory import Inventory, InventoryTensor
from initium_server.planning.rules import Rule, first, made, nothing_decided
from initium_server.planning.stored import STORED
from initium_server.planning.target import Model, Shape, Target, default_fill, unknown_tensor

MAX_REFERENCES = 8
"""How many tensors may refer to one another in a row."""


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


def assign(
    inventory: Inventory,
    rules: Sequence[Rule],
    dtype: str,
    literals: dict[str, bytes],
    base: Mapping[str, Shape] | None = None,
    only: InventoryTensor | None = None,
) -> list[Assignment]:
    """Decides every tensor of `inventory`, or one; literals that rules and casts make are added to `literals`.

    Errors: RecipeError with a violation for each rule that cannot apply or decides nothing, a preset that decides
    nothing, and each tensor that has neither rule nor default fill.
    """
    violations: list[Violation] = []
    assignments: list[Assignment] = []
    deciding = _Deciding(rules, model_of(inventory, rules, literals, base or {}), dtype)
    for tensor in (only,) if only else inventory.tensors:
        try:
            assignments.append(deciding.decide(tensor))
        except _Undecided as undecided:
            violations += undecided.violations
    useless = [] if only else _useless_preset(rules)
    tallied = [rule for rule in rules if (rule.failures if only else not (useless and rule.preset))]
    violations += useless
    violations += [v for rule in tallied for v in _tally_violations(rule, rules, inventory)]
    if violations:
        raise RecipeError(violations=violations)
    return assignments


def model_of(
    inventory: Inventory, rules: Sequence[Rule], literals: dict[str, bytes], base: Mapping[str, Shape]
) -> Model:
    """What initializers may know of the model, with the fills of its other tensors."""
    others = _Others(inventory, rules)
    others.model = Model(literals, base, others.made)
    return others.model


class _Others:
    """The fills of tensors that others refer to, by any of their names."""

    model: Model

    def __init__(self, inventory: Inventory, rules: Sequence[Rule]) -> None:
        self._inventory, self._rules = inventory, rules
        self._open: list[str] = []

    @cached_property
    def _tensors(self) -> dict[str, InventoryTensor]:
        return {owner.name: tensor for tensor in self._inventory.tensors for owner in tensor.owners}

    def made(self, name: str) -> tuple[InventoryTensor, Fill]:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise ValueError(unknown_tensor(name, self._tensors))
        chain = [*self._open, tensor.name]
        if tensor.name in self._open:
            raise ValueError(
                f"{' > '.join(chain)}: the tensors are made from one another; give one another initializer"
            )
        if len(chain) > MAX_REFERENCES:
            raise ValueError(f"{' > '.join(chain)}: more than {MAX_REFERENCES} tensors refer to one another in a row")
        self._open.append(tensor.name)
        try:
            return tensor, self._fill(tensor)
        except ValueError as error:
            raise ValueError(f"{tensor.name} has no fill: {error}") from None
        finally:
            self._open.pop()

    def _fill(self, tensor: InventoryTensor) -> Fill:
        for owner in tensor.owners:
            if rule := first(self._rules, tensor, owner):
                return made(self._rules, rule, Target.of(tensor, owner, self.model)).fill
        return default_fill(tensor)


class _Undecided(Exception):
    def __init__(self, *violations: Violation) -> None:
        self.violations = violations
        super().__init__()


class _Deciding:
    """The decision for one tensor after the other."""

    def __init__(self, rules: Sequence[Rule], model: Model, dtype: str) -> None:
        self._rules, self._model = rules, model
        self._finish = _Finish(dtype, model.literals)

    def decide(self, tensor: InventoryTensor) -> Assignment:
        hits = [(rule, owner) for owner in tensor.owners if (rule := first(self._rules, tensor, owner))]
        if not hits:
            return self._default(tensor)
        resolved = [self._resolve(rule, Target.of(tensor, owner, self._model)) for rule, owner in hits]
        if None in resolved:
            raise _Undecided()
        done = [assignment for assignment in resolved if assignment]
        if len(hits) > 1:
            _check_ties(tensor, [rule for rule, _ in hits], done)
        return done[0]

    def _default(self, tensor: InventoryTensor) -> Assignment:
        try:
            return self._finish(tensor, None, Resolution(default_fill(tensor)))
        except ValueError as error:
            text = str(error) if tensor.default else f"{tensor.name} {list(tensor.shape)} has no rule, and {error}"
            raise _Undecided(Violation("init.rules", f"{text}; {_remedy(tensor)}")) from None

    def _resolve(self, rule: Rule, target: Target) -> Assignment | None:
        """What the rule makes of the tensor; None, and a note on the rule, where it cannot apply."""
        rule.decided += 1
        try:
            return self._finish(target.tensor, rule, made(self._rules, rule, target))
        except (ValueError, OverflowError) as error:
            text = "its numbers are out of range" if isinstance(error, OverflowError) else str(error)
            where = error.field if isinstance(error, At) else rule.initializer
            rule.failures.append((where, text if target.name in text else f"{target.name}: {text}"))
            return None


def _remedy(tensor: InventoryTensor) -> str:
    """A rule that matches the tensor: one for a buffer must say that it is meant for buffers."""
    role = ", role: [buffer]" if tensor.kind == "buffer" else ""
    return f"add a rule that matches it: `match: {{path: [{tensor.name}]{role}}}`"


def _check_ties(tensor: InventoryTensor, hits: Sequence[Rule], made: Sequence[Assignment]) -> None:
    decided = (made[0].fill, made[0].dtype)
    different = [rule for rule, one in zip(hits, made, strict=True) if (one.fill, one.dtype) != decided]
    if not different or any(rule.message.ties == "first" for rule in hits):
        return
    names = " = ".join(owner.name for owner in tensor.owners)
    message = (
        f"{names} is one tied tensor, but {hits[0].label} and {different[0].label} fill it differently; "
        "make them equal, match one name only, or set `ties: first` on a rule"
    )
    raise _Undecided(Violation(different[0].path, message))


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
        where, text = rule.failures[0]
        more = f" (and {counted(len(rule.failures) - 1, 'more tensor')})" if len(rule.failures) > 1 else ""
        return [Violation(f"{rule.path}.{where}", text + more)]
    if rule.decided or rule.message.optional:
        return []
    matched = ((tensor, owner) for tensor in inventory.tensors for owner in tensor.owners if rule.hits(tensor, owner))
    shadows = Counter(one.label for tensor, owner in matched if (one := first(rules, tensor, owner)))
    if not rule.preset:
        return [nothing_decided(rule.path, rule.message.match, shadows, inventory)]
    text = f"no tensor of this model is what {rule.label} is for; {_OTHER}"
    return [] if shadows else [Violation(rule.path, text)]  # A recipe's own rules may replace parts of a preset.


_OTHER = "take another preset, or write rules of your own; `initium capabilities --json` has the rules of all presets"


def _useless_preset(rules: Sequence[Rule]) -> list[Violation]:
    """A preset that decides for no tensor, whether its rules match none or stand behind the recipe's own."""
    ours = [rule for rule in rules if rule.preset]
    if not ours or any(rule.decided for rule in ours):
        return []
    return [Violation("init.preset", f"the preset {ours[0].preset} decides for no tensor; remove it, or {_OTHER}")]
