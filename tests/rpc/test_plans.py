"""Plans are resolved once, whatever the seed, checked when they come from outside, and kept within a bound."""

from __future__ import annotations

import contextlib

import pytest

from initium.contract.canonical import digests
from initium.errors import LimitExceeded, PlanError, PlanNotFound, RecipeError
from initium.plan.limits import Limits
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe
from initium.v1.service_pb2 import ListTensorsRequest, PlanSource
from initium_server.rpc.plans import Call, Held, Plans
from initium_server.rpc.settings import Settings
from initium_server.workers import JobLimits, Pool, Zygote, jobs
from tests.rpc.calls import InlinePool, make_plans, recipe, source
from tests.workers.hostile_jobs import loaded

here = Call("", lambda: False)
"""Nobody in particular, who waits for the answer."""


def by_digest(plan: Plan | Held) -> PlanSource:
    return source(plan_digest=bytes.fromhex(plan.plan_digest))


@pytest.fixture
def pool() -> InlinePool:
    return InlinePool()


@pytest.fixture
def plans(pool: InlinePool) -> Plans:
    return make_plans(pool, Settings())


def get(plans: Plans, given: Recipe) -> Held:
    return plans.get(source(given), here)


def test_a_sweep_over_seeds_builds_once(plans: Plans, pool: InlinePool) -> None:
    made = [get(plans, recipe(seed=seed)).packed.plan() for seed in (1, 2, 2**64 - 1, 1)]
    assert pool.ran == {"resolve": 1}
    assert [plan.seed for plan in made] == [1, 2, 2**64 - 1, 1]
    others = [make_plans(InlinePool(), Settings()) for _ in made]
    fresh = [get(other, recipe(seed=plan.seed)).packed.plan() for other, plan in zip(others, made, strict=True)]
    assert made == fresh
    assert all((plan.plan_digest, plan.weights_key) == digests(plan) for plan in made)
    assert len({plan.weights_key for plan in made}) == 3


def test_seeds_make_other_bytes_of_one_layout(plans: Plans) -> None:
    first, second = (get(plans, recipe(seed=seed)) for seed in (1, 2))
    assert list(first.files) == list(second.files)
    read = [held.checkpoint.read("model.safetensors", 1000, 64) for held in (first, second)]  # type: ignore[union-attr]
    assert read[0] != read[1]


def test_anything_else_in_the_recipe_is_another_recipe(plans: Plans, pool: InlinePool) -> None:
    get(plans, recipe())
    assert get(plans, recipe(dtype="BF16")).packed.plan().tensors[0].dtype == "BF16"
    assert pool.ran == {"resolve": 2}


def test_a_recipe_without_seed_is_refused_even_if_its_plan_is_known(plans: Plans) -> None:
    get(plans, recipe())
    unseeded = recipe()
    unseeded.ClearField("seed")
    with pytest.raises(RecipeError) as caught:
        get(plans, unseeded)
    assert caught.value.violations[0].field == "source.recipe.seed"


def test_one_plan_is_held_once_however_it_was_named(plans: Plans) -> None:
    held = get(plans, recipe())
    assert plans.get(source(plan=held.packed.plan()), here) is held
    assert plans.get(by_digest(held), here) is held
    assert plans.get(source(weights_key=bytes.fromhex(held.weights_key)), here) is held
    assert get(plans, recipe()) is held


def test_a_plan_from_outside_is_checked_and_then_known_by_its_digest(plans: Plans) -> None:
    plan = get(make_plans(InlinePool(), Settings()), recipe()).packed.plan()
    with pytest.raises(PlanNotFound, match="send the plan"):
        plans.get(by_digest(plan), here)
    changed = Plan()
    changed.CopyFrom(plan)
    changed.seed += 1
    with pytest.raises(PlanError, match="was changed"):
        plans.get(source(plan=changed), here)
    plans.get(source(plan=plan), here)
    assert plans.get(by_digest(plan), here).packed.plan() == plan


def test_the_plan_that_was_asked_for_longest_ago_goes_first(pool: InlinePool) -> None:
    size = get(make_plans(pool, Settings()), recipe()).nbytes
    plans = make_plans(pool, Settings(), held_bytes=2 * size + size // 2)
    one, two, three = (recipe(seed=seed) for seed in (1, 2, 3))
    held = {seed: get(plans, given) for seed, given in ((1, one), (2, two))}
    plans.get(by_digest(held[1]), here)
    held[3] = get(plans, three)
    for seed in (1, 3):
        assert plans.get(by_digest(held[seed]), here).seed == seed
    with pytest.raises(PlanNotFound):
        plans.get(by_digest(held[2]), here)


def test_a_plan_that_is_asked_for_by_its_recipe_stays(pool: InlinePool) -> None:
    """However long a sweep over seeds is, its architecture is built once."""
    size = get(make_plans(pool, Settings()), recipe(seed=0)).nbytes
    pool.ran.clear()
    plans = make_plans(pool, Settings(), held_bytes=3 * size + size // 2)
    for seed in range(20):
        get(plans, recipe(seed=seed))
        get(plans, recipe(seed=0))
    assert pool.ran == {"resolve": 1}


def test_a_plan_beyond_the_bound_is_held_alone(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(), held_bytes=1)
    first = get(plans, recipe(seed=1))
    assert plans.get(by_digest(first), here) is first
    get(plans, recipe(seed=2))
    with pytest.raises(PlanNotFound):
        plans.get(by_digest(first), here)


def test_a_recipe_whose_plan_is_gone_is_resolved_again(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(), held_bytes=1)
    first = get(plans, recipe()).packed.plan()
    get(plans, recipe(dtype="F16"))
    assert get(plans, recipe()).packed.plan() == first
    assert pool.ran == {"resolve": 3}


def test_a_plan_beyond_the_limit_is_too_large(pool: InlinePool) -> None:
    size = len(get(make_plans(pool, Settings()), recipe()).packed.data)
    assert get(make_plans(pool, Settings(limits=Limits(plan_bytes=size))), recipe())
    with pytest.raises(LimitExceeded, match=f"the plan has {size:,} bytes; the limit is {size - 1:,}") as caught:
        get(make_plans(pool, Settings(limits=Limits(plan_bytes=size - 1))), recipe())
    limits = {"limit": "plan_bytes", "max": str(size - 1), "remedy": "make the model smaller"}
    assert caught.value.metadata == limits


def test_a_caller_neither_uses_nor_finds_out_anothers_plans(plans: Plans, pool: InlinePool) -> None:
    """A digest is no handle to what somebody else sent, and no test whether the server has seen it."""
    one, other = (Call(name, here.cancelled) for name in ("one", "other"))
    held = plans.get(source(recipe()), one)
    assert plans.get(by_digest(held), one) is held
    for named in (by_digest(held), source(weights_key=bytes.fromhex(held.weights_key))):
        for stranger in (other, here):
            with pytest.raises(PlanNotFound):
                plans.get(named, stranger)
    assert plans.get(source(recipe()), other) is not held
    assert pool.ran == {"resolve": 2}, "nor is a build shared, whose time would tell"


def test_an_unchanged_seed_reseals_nothing(plans: Plans, monkeypatch: pytest.MonkeyPatch) -> None:
    held = get(plans, recipe(seed=3))
    monkeypatch.setattr("initium.contract.canonical.digests", None)
    assert get(plans, recipe(seed=3)) is held


def test_plans_of_equal_bytes_are_named_by_the_one_seen_last(plans: Plans) -> None:
    held = get(plans, recipe())
    reworded = held.packed.plan()
    reworded.tensors[0].rule_name = "worded anew"
    reworded.ClearField("plan_digest")
    other = plans.get(source(plan=reworded), here)
    assert (other.plan_digest != held.plan_digest, other.weights_key) == (True, held.weights_key)
    by_key = source(weights_key=bytes.fromhex(held.weights_key))
    assert plans.get(by_key, here) is other
    assert plans.get(by_digest(held), here) is held


def test_a_key_goes_with_its_plan(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(), held_bytes=1)
    held = get(plans, recipe(seed=1))
    get(plans, recipe(seed=2))
    with pytest.raises(PlanNotFound, match="weights_key"):
        plans.get(source(weights_key=bytes.fromhex(held.weights_key)), here)


def test_an_inventory_is_built_once_for_all_its_pages(plans: Plans, pool: InlinePool) -> None:
    for _ in range(3):
        assert len(plans.tensors(ListTensorsRequest(recipe=recipe()), here)) == 4
    assert pool.ran == {"inventory": 1}


def test_a_device_that_torch_cannot_reach_leaves_only_its_environment_out() -> None:
    found = make_plans(InlinePool(), Settings(device="cuda:99")).capabilities(here.cancelled)
    assert "SGD" in found.optimizers
    assert not found.torch_environment


def test_torch_is_asked_once_what_it_can_do(plans: Plans, pool: InlinePool) -> None:
    found = plans.capabilities(here.cancelled)
    assert found == plans.capabilities(here.cancelled)
    assert {"SGD", "AdamW"} <= set(found.optimizers)
    assert pool.ran == {"capabilities": 1}


def test_limits_hold_for_what_is_resolved(pool: InlinePool) -> None:
    plans = make_plans(pool, Settings(limits=Limits(elements=1000)))
    with pytest.raises(LimitExceeded, match="the limit is 1,000"):
        get(plans, recipe())
    with pytest.raises(LimitExceeded, match="the limit is 1,000"):
        plans.tensors(ListTensorsRequest(recipe=recipe()), here)


def test_a_mistake_in_the_recipe_itself_is_found_before_libraries_are_loaded() -> None:
    wrong = recipe(architecture={"library": {"source": "torchvision", "name": "resnet18"}}, dtype="F33")
    with contextlib.closing(Zygote(preload=False)) as zygote:
        pool = Pool(zygote, JobLimits(60))
        with pytest.raises(RecipeError) as caught:
            get(make_plans(pool, Settings()), wrong)
        assert [violation.field for violation in caught.value.violations] == ["source.recipe.dtype"]
        assert not pool.has(jobs.needs(wrong))
        assert pool.run(loaded, b"torch") == b"False"
