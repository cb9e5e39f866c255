"""Why a tensor gets the values that it gets: the rules that were tried for it, and how its numbers come about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from initium.contract.generators import TORCH
from initium.contract.wording import suggestion
from initium.errors import RecipeError, RequestError, invalid
from initium.plan.fills import encode_fill
from initium.plan.layout import spec_of
from initium.v1 import plan_pb2, recipe_pb2, service_pb2
from initium_server.planning.assign import assign
from initium_server.planning.bases import base_shapes
from initium_server.planning.derivation import derivation
from initium_server.planning.inventory import TENSOR_KINDS, Inventory, InventoryTensor, Owner
from initium_server.planning.plan import planned_tensor
from initium_server.planning.rules import Rule, compile_rules, first
from initium_server.planning.selectors import first_failure
from initium_server.planning.stored import STORED, Sources

_BUFFER = "rules leave buffers alone, unless their selector names `role: [buffer]`"


def explain(
    recipe: recipe_pb2.Recipe,
    inventory: Inventory,
    name: str,
    base: Inventory | None = None,
    sources: Sources | None = None,
) -> service_pb2.ExplainResponse:
    """What a checked recipe does to the tensor of that name, or, without a name, what each of its rules reaches.

    `base` and `sources` as in `resolve`. Errors: RequestError for a name that the architecture does not have;
    PreconditionError for what is not in a store.
    """
    rules = compile_rules(recipe.init, sources)
    if not name:
        return service_pb2.ExplainResponse(reaches=(_reach(rule, rules, inventory) for rule in rules))
    place, tensor = _find(inventory, name)
    response = service_pb2.ExplainResponse(trials=_trials(rules, tensor))
    try:
        shapes = base_shapes(recipe.init, inventory, base)
        (made,) = assign(inventory, rules, recipe.dtype or "F32", dict(inventory.literals), shapes, only=tensor)
    except RecipeError as error:
        response.failure = str(error)
        response.tensor.CopyFrom(_undecided(tensor, place))
        return response
    fill = None if recipe.generator == TORCH else encode_fill(made.fill)
    response.tensor.CopyFrom(planned_tensor(spec_of(tensor.name, tensor.shape, made.dtype, place), made, fill))
    response.derivation.extend(derivation(made))
    return response


def _find(inventory: Inventory, name: str) -> tuple[int, InventoryTensor]:
    for place, tensor in enumerate(inventory.tensors):
        if any(owner.name == name for owner in tensor.owners):
            return place, tensor
    names = [owner.name for tensor in inventory.tensors for owner in tensor.owners]
    hint = suggestion(name, names, "tensors")
    raise invalid("tensor", f"the architecture has no tensor {name!r}; {hint}", RequestError)


def _undecided(tensor: InventoryTensor, place: int) -> plan_pb2.PlannedTensor:
    return plan_pb2.PlannedTensor(
        name=tensor.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        aliases=tensor.aliases,
        kind=TENSOR_KINDS[tensor.kind],
        trainable=tensor.trainable,
        ordinal=place,
    )


def _trials(rules: Sequence[Rule], tensor: InventoryTensor) -> Iterator[service_pb2.RuleTrial]:
    for owner in tensor.owners:
        winner = first(rules, tensor, owner)
        for rule in rules:
            failed, text = _failure(rule, tensor, owner) or ("", _outcome(rule, winner))
            yield service_pb2.RuleTrial(
                path=rule.path,
                name=rule.message.name,
                initializer=rule.initializer,
                tensor=owner.name,
                matched=not failed,
                failed=failed,
                text=text,
            )


def _failure(rule: Rule, tensor: InventoryTensor, owner: Owner) -> tuple[str, str] | None:
    """Why the rule does not match: the path of what does not hold, and words."""
    path = f"{rule.path}.match"
    if tensor.kind == "buffer" and not rule.buffers:
        return path, _BUFFER
    failed = first_failure(rule.message.match, path, tensor, owner)
    if failed is None and rule.loading and not rule.loading.matches(tensor):
        return f"{rule.path}.{STORED}", rule.loading.why_not(tensor)
    return failed


def _outcome(rule: Rule, winner: Rule | None) -> str:
    if rule is winner or winner is None:
        return "it matches and decides"
    return f"it matches, but the first match decides: {winner.label}"


def _reach(rule: Rule, rules: Sequence[Rule], inventory: Inventory) -> service_pb2.RuleReach:
    reach = service_pb2.RuleReach(path=rule.path)
    others: dict[str, None] = {}
    for tensor in inventory.tensors:
        hits = [owner for owner in tensor.owners if rule.hits(tensor, owner)]
        winners = [winner for owner in hits if (winner := first(rules, tensor, owner))]
        reach.matched += bool(hits)
        reach.decided += rule in winners
        others |= {winner.path: None for winner in winners if winner is not rule}
    reach.shadowed_by.extend(others)
    return reach
