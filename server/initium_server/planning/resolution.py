"""A recipe and the inventory of its architecture become a plan. Pure: nothing here builds, draws or asks torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from initium.contract.canonical import seal
from initium.contract.generators import GENERATORS, TORCH
from initium.contract.messages import check_finite
from initium.contract.plans import PLAN_VERSION
from initium.contract.wording import suggestion
from initium.errors import RecipeError, Violation
from initium.plan.limits import Limits, check_size
from initium.v1 import init_pb2, plan_pb2, recipe_pb2
from initium_law.dtypes import FLOATS
from initium_server.planning import casts
from initium_server.planning.assign import assign
from initium_server.planning.bases import base_shapes, check_base
from initium_server.planning.groups import OptionChecker, assign_groups
from initium_server.planning.initializers import LIBRARY_DEFAULT, NOT_OF_TORCH
from initium_server.planning.inventory import Inventory
from initium_server.planning.plan import make_plan
from initium_server.planning.rules import compile_rules, inner_rules
from initium_server.planning.stored import STORED, Sources, reports


def check_recipe(recipe: recipe_pb2.Recipe) -> None:
    """Errors: RecipeError for what shows without building the architecture."""
    check_finite(recipe, RecipeError)
    found = []
    if not recipe.HasField("seed"):
        found.append(Violation("seed", "required: any whole number from 0 to 18446744073709551615"))
    if recipe.generator and recipe.generator not in GENERATORS:
        hint = suggestion(recipe.generator, GENERATORS, "generators")
        found.append(Violation("generator", f"unknown generator {recipe.generator!r}; {hint}"))
    if recipe.dtype and recipe.dtype not in FLOATS:
        found.append(Violation("dtype", casts.unknown(recipe.dtype)))
    if recipe.output.HasField("max_shard_bytes") and recipe.output.max_shard_bytes < 1:
        found.append(Violation("output.max_shard_bytes", "must be 1 or more; leave it out for a single file"))
    if recipe.generator == TORCH and recipe.architecture.WhichOneof("kind") == "tensors":
        found.append(Violation("generator", "`torch` runs a PyTorch model; a bare tensor list needs `stream-v1`"))
    found += check_base(recipe.init)
    if found:
        raise RecipeError(violations=found)
    rules = compile_rules(recipe.init)
    if recipe.generator == TORCH:
        found = [violation for rule in rules for violation in _not_of_torch(rule.message, rule.path)]
    if found:
        raise RecipeError(violations=found)


def _not_of_torch(rule: init_pb2.InitRule, path: str) -> Iterator[Violation]:
    """What generator `torch` cannot run of a rule, and of the rules that stand in it."""
    name = rule.WhichOneof("initializer") or LIBRARY_DEFAULT
    given = {field.name: value for field, value in getattr(rule, name).ListFields()}
    if name in (*NOT_OF_TORCH, STORED):
        yield Violation(f"{path}.{name}", "torch.nn.init has no such function; use `stream-v1`")
    elif given.get("fans", "torch") != "torch" or "axes" in given:
        text = "torch.nn.init counts fans in its own way; leave `fans` and `axes` out, or use `stream-v1`"
        yield Violation(f"{path}.{name}", text)
    for where, inside in inner_rules(rule, path):
        yield from _not_of_torch(inside, where)


def resolve(
    recipe: recipe_pb2.Recipe,
    inventory: Inventory,
    optimizers: OptionChecker | None,
    environment: Mapping[str, str],
    limits: Limits,
    base: Inventory | None = None,
    sources: Sources | None = None,
) -> plan_pb2.Plan:
    """The sealed plan of a checked recipe, and what its architecture was built to.

    `optimizers` is needed for recipes with groups, `environment` under generator `torch`, `base` if there is an
    `init.base.architecture`: what that was built to; `sources` for rules that load.
    Errors: RecipeError for everything that can be wrong with rules and groups; PreconditionError for what is not in a
    store; LimitExceeded beyond `limits`.
    """
    check_size("architecture", ((tensor.name, tensor.shape) for tensor in inventory.tensors), 0, limits)
    dtype, literals = recipe.dtype or "F32", dict(inventory.literals)
    shapes = base_shapes(recipe.init, inventory, base)
    rules = compile_rules(recipe.init, sources)
    assignments = assign(inventory, rules, dtype, literals, shapes)
    grouping = None
    if recipe.HasField("groups"):
        assert optimizers is not None
        grouping = assign_groups(inventory, recipe.groups, optimizers)
    files = casts.cast_files(inventory.files, dtype)
    plan = make_plan(recipe, inventory, assignments, grouping, literals, files, limits)
    if loadings := {rule.path: rule.loading for rule in rules if rule.loading}:
        plan.loads.extend(reports(loadings, {each.tensor.name: each.rule for each in assignments}))
        plan.plan_version = PLAN_VERSION
    if recipe.generator == TORCH:
        plan.recipe.CopyFrom(recipe)
        plan.environment.update({**environment, **inventory.versions})
    return seal(plan)
