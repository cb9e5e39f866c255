"""Plans are resolved once, whatever the seed, checked when they come from outside, and kept within a bound."""

from __future__ import annotations

import pytest

from initium.contract.canonical import digests
from initium.errors import LimitExceeded, PlanError, PlanNotFound, RecipeError
from initium.plan.limits import Limits
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe
from initium_server.rpc.plans import HELD_COST, Held, Plans
from initium_server.rpc.settings import Settings
from tests.rpc.calls import InlinePool, make_plans, recipe, source


def here() -> bool:
    return False


@pytest.fixture
def pool() -> InlinePool:
    return InlinePool()


@pytest.fixture
def plans(pool: InlinePool) -> Plans:
    return make_plans(pool, Settings())


def get(plans: Plans, given: Recipe) -> Held:
    return plans.get(source(given), here)


def test_a_sweep_over_seeds_builds_once(plans: Plans, pool: InlinePool) -> None:
    made = [get(plans, recipe(seed=seed)).plan for seed in (1, 2, 2**64 - 1, 1)]
    assert pool.ran == {"resolve": 1}
    assert [plan.seed for plan in made] == [1, 2, 2**64 - 1, 1]
    fresh = [get(make_plans(InlinePool(), Settings()), recipe(seed=seed)).plan for seed in (1, 2, 2**64 - 1, 1)]
    assert made == fresh
    assert all((plan.plan_digest, plan.weights_key) == digests(plan) for plan in made)
    assert len({plan.weights_key for plan in made}) == 3


def test_seeds_make_other_bytes_of_one_layout(plans: Plans) -> None:
    first, second = (get(plans, recipe(seed=seed)) for seed in (1, 2))
    assert list(first.plan.files) == list(second.plan.files)
    read = [held.checkpoint.read("model.safetensors", 1000, 64) for held in (first, second)]  # type: ignore[union-attr]
    assert read[0] != read[1]


def test_anything_else_in_the_recipe_is_another_recipe(plans: Plans, pool: InlinePool) -> None:
    get(plans, recipe())
    assert get(plans, recipe(dtype="BF16")).plan.tensors[0].dtype == "BF16"
    assert pool.ran == {"resolve": 2}


def test_a_recipe_without_seed_is_refused_even_if_its_plan_is_known(plans: Plans) -> None:
    get(plans, recipe())
    unseeded = recipe()
    unseeded.ClearField("seed")
    with pytest.raises(RecipeError) as caught:
        get(plans, unseeded)
    assert caught.value.violations[0].field == "seed"


def test_one_plan_is_held_once_however_it_was_named(plans: Plans) -> None:
    held = get(plans, recipe())
    assert plans.get(source(plan=held.plan), here) is held
    assert plans.get(source(plan_digest=held.plan.plan_digest), here) is held
    assert get(plans, recipe()) is held


def test_a_plan_from_outside_is_checked_and_then_known_by_its_digest(plans: Plans) -> None:
    plan = get(make_plans(InlinePool(), Settings()), recipe()).plan
    with pytest.raises(PlanNotFound, match="send the plan"):
        plans.get(source(plan_digest=plan.plan_digest), here)
    changed = Plan()
    changed.CopyFrom(plan)
    changed.seed += 1
    with pytest.raises(PlanError, match="was changed"):
        plans.get(source(plan=changed), here)
    plans.get(source(plan=plan), here)
    assert plans.get(source(plan_digest=plan.plan_digest), here).plan == plan


def cost(plan: Plan) -> int:
    return plan.ByteSize() * HELD_COST


def test_the_plan_that_was_asked_for_longest_ago_goes_first(pool: InlinePool) -> None:
    size = cost(get(make_plans(pool, Settings()), recipe()).plan)
    plans = make_plans(pool, Settings(), cache_bytes=2 * size + size // 2)
    one, two, three = (recipe(seed=seed) for seed in (1, 2, 3))
    digest = {seed: get(plans, given).plan.plan_digest for seed, given in ((1, one), (2, two))}
    plans.get(source(plan_digest=digest[1]), here)
    digest[3] = get(plans, three).plan.plan_digest
    for seed in (1, 3):
        assert plans.get(source(plan_digest=digest[seed]), here).plan.seed == seed
    with pytest.raises(PlanNotFound):
        plans.get(source(plan_digest=digest[2]), here)


def test_a_plan_that_is_asked_for_by_its_recipe_stays(pool: InlinePool) -> None:
    """However long a sweep over seeds is, its architecture is built once."""
    size = cost(get(make_plans(pool, Settings()), recipe(seed=0)).plan)
    pool.ran.clear()
    plans = make_plans(pool, Settings(), cache_bytes=3 * size + size // 2)
    for seed in range(20):
        get(plans, recipe(seed=seed))
        get(plans, recipe(seed=0))
    assert pool.ran == {"resolve": 1}


def test_a_plan_beyond_the_bound_is_held_alone(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(), cache_bytes=1)
    first = get(plans, recipe(seed=1))
    assert plans.get(source(plan_digest=first.plan.plan_digest), here) is first
    get(plans, recipe(seed=2))
    with pytest.raises(PlanNotFound):
        plans.get(source(plan_digest=first.plan.plan_digest), here)


def test_a_recipe_whose_plan_is_gone_is_resolved_again(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(), cache_bytes=1)
    first = get(plans, recipe()).plan
    get(plans, recipe(dtype="F16"))
    assert get(plans, recipe()).plan == first
    assert pool.ran == {"resolve": 3}


def test_a_plan_that_no_message_carries_is_too_large(pool: InlinePool) -> None:
    size = get(make_plans(pool, Settings()), recipe()).plan.ByteSize()
    room = Settings(limits=Limits(message_bytes=size + 4096))
    assert get(make_plans(pool, room), recipe())
    tight = Settings(limits=Limits(message_bytes=size + 4095))
    with pytest.raises(LimitExceeded, match=f"the plan has {size:,} bytes; messages carry at most {size + 4095:,}"):
        get(make_plans(pool, tight), recipe())


def test_a_device_that_torch_cannot_reach_leaves_only_its_environment_out() -> None:
    found = make_plans(InlinePool(), Settings(device="cuda:99")).capabilities(here)
    assert "SGD" in found.optimizers
    assert not found.torch_environment


def test_torch_is_asked_once_what_it_can_do(plans: Plans, pool: InlinePool) -> None:
    found = plans.capabilities(here)
    assert found == plans.capabilities(here)
    assert {"SGD", "AdamW"} <= set(found.optimizers)
    assert pool.ran == {"capabilities": 1}


def test_limits_hold_for_what_is_resolved(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(limits=Limits(elements=1000)))
    with pytest.raises(LimitExceeded, match="the limit is 1,000"):
        get(plans, recipe())
    with pytest.raises(LimitExceeded, match="the limit is 1,000"):
        plans.inventory(source(recipe()), here)
