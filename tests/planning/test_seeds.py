"""A plan depends on its seed in the seed alone, so that a sweep over seeds is resolved once (DESIGN, "Decisions")."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initium.contract.canonical import to_json
from initium.contract.plans import check_digests
from initium.v1 import plan_pb2
from initium_server.planning import with_seed
from tests.planning.recipes import planned

SEEDS = st.integers(0, 2**64 - 1)
FIELDS: dict[str, dict[str, Any]] = {
    "a library's own model": {},
    "rules, groups, dtype and shards": {
        "dtype": "BF16",
        "init": {"rules": [{"match": {"ndim": [2]}, "kaiming_normal": {}}]},
        "groups": {"optimizer": "SGD", "rules": [{"name": "norms", "match": {"ndim": [1]}}]},
        "output": {"max_shard_bytes": "500"},
    },
    "run by torch": {"generator": "torch", "init": {"rules": [{"match": {"ndim": [2]}, "kaiming_normal": {}}]}},
}
ENVIRONMENT = {"torch": "2.14.1", "device": "cpu"}


def of_seed(seed: int, fields: dict[str, Any]) -> plan_pb2.Plan:
    return planned(seed=str(seed), environment=ENVIRONMENT, **fields)


def without_seed(plan: plan_pb2.Plan) -> dict[str, Any]:
    """Everything but the seed and what is a digest of it."""
    rest = {key: value for key, value in to_json(plan).items() if key not in ("seed", "plan_digest", "weights_key")}
    if "recipe" in rest:
        rest["recipe"] = {key: value for key, value in rest["recipe"].items() if key != "seed"}
    return rest


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
@settings(max_examples=8)
@given(first=SEEDS, second=SEEDS)
def test_two_seeds_give_plans_that_differ_in_the_seed_alone(fields: dict[str, Any], first: int, second: int) -> None:
    one, other = of_seed(first, fields), of_seed(second, fields)
    assert (one.seed, other.seed) == (first, second)
    assert without_seed(one) == without_seed(other)
    assert (one.plan_digest == other.plan_digest) == (one.weights_key == other.weights_key) == (first == second)
    assert with_seed(one, second) == other


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
def test_the_plan_that_is_given_another_seed_stays_as_it_is(fields: dict[str, Any]) -> None:
    plan = of_seed(7, fields)
    other = with_seed(plan, 8)
    assert plan == of_seed(7, fields)
    check_digests(other)
    assert with_seed(other, 7) == plan


def test_only_generator_torch_has_the_recipe_in_the_plan() -> None:
    by_torch, drawn = of_seed(7, FIELDS["run by torch"]), of_seed(7, {})
    assert not with_seed(drawn, 8).HasField("recipe")
    assert with_seed(by_torch, 8).recipe.seed == 8
    assert with_seed(by_torch, 8).recipe.init == by_torch.recipe.init
