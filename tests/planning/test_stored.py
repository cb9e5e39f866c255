"""Rules that load from a checkpoint: what each tensor takes, what is left to others, and the report."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf import json_format

from initium.errors import InitiumError, PreconditionError, RecipeError
from initium.plan.limits import Limits
from initium.plan.stores import SourceTensor
from initium.v1 import init_pb2, plan_pb2, recipe_pb2
from initium_law import Engine, prepare
from initium_law.dtypes import DTYPES
from initium_law.grammar import Constant, Fill, Normal, Part, Parts, Stored
from initium_server import planning
from initium_server.planning.assign import Assignment, assign
from initium_server.planning.inventory import Inventory
from initium_server.planning.rules import compile_rules
from tests.law.support import Contents
from tests.planning.inventories import CONVNET, owner, tensor

Array = npt.NDArray[Any]


def digest(array: Array) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


@dataclass
class Checkpoint:
    """A checkpoint of arrays; counts whose digests were asked for."""

    arrays: Mapping[str, Array]
    store: str = "zoo"
    asked: list[str] = field(default_factory=list)

    @property
    def tensors(self) -> dict[str, SourceTensor]:
        names = {str(np.dtype(dtype.numpy)): name for name, dtype in DTYPES.items()}
        return {
            name: SourceTensor("m/model.safetensors", names[str(array.dtype)], array.shape)
            for name, array in sorted(self.arrays.items())
        }

    def digest(self, name: str) -> str:
        self.asked.append(name)
        return digest(self.arrays[name])


def arrays(prefix: str = "") -> dict[str, Array]:
    """One for every tensor of CONVNET, all of other values."""
    found: dict[str, Array] = {}
    for number, each in enumerate(CONVNET.tensors, 1):
        kind = np.int64 if each.dtype == "I64" else np.float32
        found[prefix + each.name] = (np.arange(math.prod(each.shape)).reshape(each.shape) + 1000 * number).astype(kind)
    return found


def run(
    *rules: dict[str, Any], checkpoint: Checkpoint | None = None, inventory: Inventory = CONVNET
) -> dict[str, Assignment]:
    given = checkpoint or Checkpoint(arrays())
    messages = [json_format.ParseDict(rule, init_pb2.InitRule()) for rule in rules]
    done = assign(inventory, compile_rules(init_pb2.InitPolicy(rules=messages), lambda text: given), "F32", {})
    return {each.tensor.name: each for each in done}


def load(match: dict[str, Any] | None = None, /, **fields: Any) -> dict[str, Any]:
    return {"match": match or {"every": True}, "stored": {"from": "zoo/m", **fields}}


def failure(
    *rules: dict[str, Any], checkpoint: Checkpoint | None = None, inventory: Inventory = CONVNET
) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        run(*rules, checkpoint=checkpoint, inventory=inventory)
    return caught.value


def values(fill: Fill, shape: tuple[int, ...], checkpoint: Checkpoint, dtype: str = "F32") -> Array:
    """What a fill draws, with the arrays of a checkpoint."""
    stored = Contents({digest(array): array.tobytes() for array in checkpoint.arrays.values()})
    drawer = prepare(fill, 7, "x", shape, dtype, {}, Engine(stores=stored))
    out = np.empty(drawer.elements * drawer.item_size, np.uint8)
    drawer.draw(0, out)
    return out.view(DTYPES[dtype].numpy).reshape(shape)


def one(have: tuple[int, ...], want: tuple[int, ...], **fields: Any) -> Array:
    """What a tensor of shape `want` takes of one of shape `have` that counts from 0."""
    checkpoint = Checkpoint({"w": np.arange(math.prod(have), dtype=np.float32).reshape(have)})
    inventory = Inventory((tensor("w", want, default=Constant(-1.0)),))
    found = run(load(**fields), checkpoint=checkpoint, inventory=inventory)
    return values(found["w"].fill, want, checkpoint)


def test_every_tensor_and_buffer_takes_its_own() -> None:
    """Buffers without being named: trained weights on fresh running statistics would be no checkpoint."""
    checkpoint = Checkpoint(arrays())
    found = run(load(), checkpoint=checkpoint)
    assert set(checkpoint.asked) == set(found) == set(checkpoint.arrays)
    for name, each in found.items():
        assert isinstance(each.fill, Stored)
        assert (each.rule, each.initializer, each.fill.tensor) == ("init.rules[0]", "stored", name)
        assert (values(each.fill, each.tensor.shape, checkpoint, each.dtype) == checkpoint.arrays[name]).all()


def test_digests_are_taken_of_what_is_loaded() -> None:
    checkpoint = Checkpoint(arrays())
    run({"match": {"path": ["head.*"]}, "zeros": {}}, load({"path": ["conv1.*"]}), checkpoint=checkpoint)
    assert sorted(checkpoint.asked) == ["conv1.bias", "conv1.weight"]


def test_names_are_made_into_those_of_the_checkpoint() -> None:
    given = {
        name.replace("layers.", "h.") if name.startswith("layers") else name: a for name, a in arrays("m.").items()
    }
    given = {name.replace("m.layers.", "m.h_"): array for name, array in given.items()}
    renames = [{"pattern": "^", "to": "m."}, {"pattern": r"layers\.(\d+)", "to": r"h_\1"}]
    found = run(load(rename=renames), checkpoint=Checkpoint(given))
    assert {each.fill.tensor for each in found.values() if isinstance(each.fill, Stored)} == set(given)
    assert found["layers.1.fc.weight"].fill == Stored(
        "zoo", "m/model.safetensors", "m.h_1.fc.weight", digest(given["m.h_1.fc.weight"]), "F32", (8, 8)
    )


def test_what_is_missing_is_an_error_or_left_to_others() -> None:
    given = arrays()
    del given["head.weight"], given["bn1.bias"]
    given["heads.weight"] = np.zeros(3, np.float32)
    [violation] = failure(load(), checkpoint=Checkpoint(given)).violations
    assert violation.field == "init.rules[0].stored"
    assert "zoo/m has no tensor 'bn1.bias'" in violation.message
    assert "(and 1 more tensor)" in violation.message
    head = {"match": {"path": ["head.*"]}, "normal": {"std": 3.0}}
    found = run(load(missing="next"), head, checkpoint=Checkpoint(given))
    assert found["head.weight"].fill == Normal(0.0, 3.0)
    assert (found["bn1.bias"].fill, found["bn1.bias"].rule) == (Constant(0.0), "")


def test_the_nearest_name_is_said() -> None:
    given = arrays()
    given["heads.weight"] = given.pop("head.weight")
    assert "did you mean heads.weight?" in str(failure(load(), checkpoint=Checkpoint(given)))


def test_another_shape_is_an_error_or_left_to_others() -> None:
    given = arrays() | {"head.weight": np.ones((1000, 8), np.float32)}
    text = str(failure(load(), checkpoint=Checkpoint(given)))
    assert "init.rules[0].stored: 'head.weight' of zoo/m has shape [1000, 8], not [10, 8]" in text
    assert run(load(mismatch="next"), checkpoint=Checkpoint(given))["head.weight"].fill == Normal(0.0, 1.0)
    assert isinstance(
        run(load(missing="next", mismatch="fit"), checkpoint=Checkpoint(given))["head.weight"].fill, Stored
    )


def test_fit_cuts_what_is_larger() -> None:
    assert (one((7, 5), (4, 5), mismatch="fit") == np.arange(20).reshape(4, 5)).all()
    assert (one((7, 5), (7, 3), mismatch="fit") == np.arange(35).reshape(7, 5)[:, :3]).all()


def test_fit_leaves_the_rest_to_later_rules() -> None:
    """New rows of a vocabulary are drawn as a rule behind says, or else as the library does."""
    expected = np.full((6, 5), -1.0)
    expected[:4, :3] = np.arange(16).reshape(4, 4)[:, :3]
    assert (one((4, 4), (6, 5), mismatch="fit")[:, :3] == expected[:, :3]).all()
    checkpoint = Checkpoint({"w": np.arange(16, dtype=np.float32).reshape(4, 4)})
    inventory = Inventory((tensor("w", (6, 4)), tensor("v", (2,))))
    rules = load({"path": ["w"]}, mismatch="fit"), {"match": {"every": True}, "uniform": {"a": 5.0, "b": 6.0}}
    made = values(run(*rules, checkpoint=checkpoint, inventory=inventory)["w"].fill, (6, 4), checkpoint)
    assert (made[:4] == checkpoint.arrays["w"]).all()
    assert ((made[4:] >= 5) & (made[4:] <= 6)).all()
    behind = load({"path": ["w"]}, mismatch="fit"), {"match": {"path": ["w"]}, "ones": {}}
    assert (
        values(run(*behind, checkpoint=checkpoint, inventory=inventory)["w"].fill, (6, 4), checkpoint)[4:] == 1
    ).all()


def test_fit_needs_something_for_the_rest_and_as_many_axes() -> None:
    checkpoint = Checkpoint({"w": np.zeros((2, 2), np.float32)})
    bare = Inventory((tensor("w", (3, 2), default=None),))
    assert "has no rule" in str(failure(load(mismatch="fit"), checkpoint=checkpoint, inventory=bare))
    flat = Inventory((tensor("w", (4,)),))
    assert "`fit` needs as many axes" in str(failure(load(mismatch="fit"), checkpoint=checkpoint, inventory=flat))


@pytest.mark.parametrize(
    ("have", "want"), [((4, 3, 2), (4, 7, 2)), ((4, 1, 2), (4, 7, 2)), ((1, 2), (5, 3)), ((2, 2), (4, 4))]
)
def test_repeat_tiles(have: tuple[int, ...], want: tuple[int, ...]) -> None:
    source = np.arange(math.prod(have), dtype=np.float32).reshape(have)
    tiles = np.tile(source, [-(-w // h) for h, w in zip(have, want, strict=True)])
    assert (one(have, want, repeat=True) == tiles[tuple(map(slice, want))]).all()


def test_a_stem_for_other_input_channels_is_timms() -> None:
    """timm.layers.adapt_input_conv: repeated, cut, and scaled by 3 / channels in binary32."""
    source = np.random.default_rng(1).normal(size=(8, 3, 2, 2)).astype(np.float32)
    checkpoint = Checkpoint({"w": source})
    computed = load(repeat=True) | {"computed": {"scale": "3 / shape[1]"}}
    for channels, rule in ((4, load(repeat=True, scale=0.75)), (6, computed), (7, computed)):
        inventory, scale = Inventory((tensor("w", (8, channels, 2, 2)),)), 3 / channels
        found = run(rule, checkpoint=checkpoint, inventory=inventory)
        expected = np.concatenate([source] * 3, 1)[:, :channels] * np.float32(scale)
        assert (values(found["w"].fill, (8, channels, 2, 2), checkpoint) == expected).all()


def test_repeat_is_bounded() -> None:
    checkpoint = Checkpoint({"w": np.zeros((2, 2), np.float32)})
    inventory = Inventory((tensor("w", (1 << 40, 1 << 20)),))
    text = str(failure(load(repeat=True), checkpoint=checkpoint, inventory=inventory))
    assert "takes 288,230,376,151,711,744 parts; 1,024 are the most" in text


def test_transpose_is_for_matrices() -> None:
    assert (one((5, 3), (3, 5), transpose=True) == np.arange(15).reshape(5, 3).T).all()
    assert (one((4,), (4,), transpose=True) == np.arange(4)).all()
    assert (one((5, 3), (2, 5), transpose=True, mismatch="fit") == np.arange(15).reshape(5, 3).T[:2]).all()
    checkpoint = Checkpoint({"w": np.zeros((2, 2, 2), np.float32)})
    inventory = Inventory((tensor("w", (2, 2, 2)),))
    text = str(failure(load(transpose=True), checkpoint=checkpoint, inventory=inventory))
    assert "`transpose` is for tensors of up to 2" in text


def test_a_tied_tensor_has_the_first_name_that_is_there() -> None:
    tied = Inventory((tensor("head.w", (2,), aliases=(owner("embed.w"),)), tensor("b", (2,))))
    checkpoint = Checkpoint({"embed.w": np.ones(2, np.float32), "b": np.ones(2, np.float32)})
    fill = run(load(), checkpoint=checkpoint, inventory=tied)["head.w"].fill
    assert isinstance(fill, Stored)
    assert fill.tensor == "embed.w"


def test_whole_numbers_stay_what_they_are() -> None:
    given = arrays() | {"bn1.num_batches_tracked": np.array(1.0, np.float32)}
    assert "the source is F32, and is needed as I64" in str(failure(load(), checkpoint=Checkpoint(given)))


def test_a_rule_that_loads_nothing_shows_both_sides() -> None:
    """Promise 4 (nothing silent): with the rename that would do."""
    for fields in ({}, {"missing": "next", "mismatch": "next"}):
        [violation] = failure(load(**fields), checkpoint=Checkpoint(arrays("a.b."))).violations
        assert violation.field == "init.rules[0].stored"
        assert (
            "zoo/m has none of 9 tensors that it should have; looked for: conv1.weight, conv1.bias" in violation.message
        )
        assert "it has: a.b.bn1.bias" in violation.message
        assert "try `rename: [{pattern: '^', to: 'a.b.'}]`" in violation.message
    run(load(rename=[{"pattern": "^", "to": "a.b."}]), checkpoint=Checkpoint(arrays("a.b.")))


def test_a_prefix_too_many_is_seen_too() -> None:
    inventory = Inventory((tensor("net.body.w", (2,)), tensor("net.body.b", (2,))))
    checkpoint = Checkpoint({name: np.zeros(2, np.float32) for name in ("w", "b", "c")})
    text = str(failure(load(), checkpoint=checkpoint, inventory=inventory))
    assert r"try `rename: [{pattern: '^net\.body\.', to: ''}]`" in text
    run(load(rename=[{"pattern": r"^net\.body\.", "to": ""}]), checkpoint=checkpoint, inventory=inventory)


def test_strange_names_are_shown_without_a_guess() -> None:
    text = str(failure(load(), checkpoint=Checkpoint({"x": np.zeros(1, np.float32)})))
    assert "make names here into names there with `rename`" in text
    shapes = {name: np.zeros((9, 9, 9), np.float32) for name in arrays()}
    assert "another shape for each of conv1.weight" in str(
        failure(load(mismatch="next"), checkpoint=Checkpoint(shapes))
    )


def test_an_optional_rule_may_load_nothing() -> None:
    found = run(load(missing="next") | {"optional": True}, checkpoint=Checkpoint({"x": np.zeros(1, np.float32)}))
    assert {each.rule for each in found.values()} == {""}


@pytest.mark.parametrize(
    ("fields", "where", "text"),
    [
        ({"from": "../zoo"}, "from", "is not STORE/path"),
        ({"from": "zoo/../../etc"}, "from", "is not STORE/path"),
        ({"from": "zoo//etc"}, "from", "is not STORE/path"),
        ({"from": "zoo/a\\b"}, "from", "is not STORE/path"),
        ({"from": ""}, "from", "is not STORE/path"),
        ({"missing": "fit"}, "missing", "'fit' is unknown; words: error, next"),
        ({"mismatch": "cut"}, "mismatch", "did you mean 'fit'?|words: error, next, fit"),
        ({"scale": "NaN"}, "scale", "it must be finite"),
        ({"rename": [{"pattern": "("}]}, "rename[0].pattern", "is no RE2 expression"),
        ({"rename": [{"pattern": "a" * 1001}]}, "rename[0].pattern", "at most 1000"),
        ({"rename": [{"pattern": "(a)", "to": r"\2"}]}, "rename[0].to", "are this pattern's groups"),
        ({"rename": [{"pattern": "(a)", "to": r"\g<0>"}]}, "rename[0].to", "are this pattern's groups"),
        ({"rename": [{"pattern": "a", "to": "b\\"}]}, "rename[0].to", "are this pattern's groups"),
        ({"rename": [{"pattern": "a", "to": "b" * 1001}]}, "rename[0].to", "are this pattern's groups"),
        ({"rename": [{"pattern": "a"}] * 101}, "rename", "100 are the most"),
    ],
)
def test_bad_arguments_are_named_before_anything_is_built(fields: dict[str, Any], where: str, text: str) -> None:
    rule = {"match": {"every": True}, "stored": {"from": "zoo/m"} | fields}
    recipe = json_format.ParseDict({"seed": 1, "init": {"rules": [rule]}}, recipe_pb2.Recipe())
    with pytest.raises(RecipeError) as caught:
        planning.check_recipe(recipe)
    [violation] = caught.value.violations
    assert violation.field == f"init.rules[0].stored.{where}"
    assert any(part in violation.message for part in text.split("|")), violation.message


def test_an_explanation_says_why_a_tensor_is_not_loaded() -> None:
    given = arrays() | {"head.weight": np.ones((7, 8), np.float32)}
    del given["bn1.bias"]
    rules = [load(missing="next", mismatch="next"), {"match": {"path": ["bn1.bias"]}, "ones": {}}]
    recipe = json_format.ParseDict({"seed": 1, "init": {"rules": rules}}, recipe_pb2.Recipe())

    def explained(name: str) -> Any:
        return planning.explain(recipe, CONVNET, name, sources=lambda text: Checkpoint(given))

    first, second = explained("bn1.bias").trials
    assert (first.failed, second.text) == ("init.rules[0].stored", "it matches and decides")
    assert first.text == "zoo/m has no tensor 'bn1.bias', so later rules decide"
    assert explained("head.weight").trials[0].text == "'head.weight' of zoo/m has shape [7, 8], so later rules decide"
    loaded = explained("conv1.weight")
    assert (loaded.trials[0].text, loaded.tensor.initializer) == ("it matches and decides", "stored")
    assert [(reach.matched, reach.decided) for reach in explained("").reaches] == [(7, 7), (1, 1)]


def test_only_an_outermost_rule_loads() -> None:
    rule = {"match": {"every": True}, "pointwise": {"op": "sqrt", "operands": [{"stored": {"from": "zoo/m"}}]}}
    [violation] = failure(rule).violations
    assert violation.field == "init.rules[0].pointwise.operands[0].stored"
    assert "only an outermost rule can load" in violation.message


def test_a_tensor_may_be_made_from_one_that_is_loaded() -> None:
    """As weight_norm's g: the norms of the v that is stored."""
    checkpoint = Checkpoint({"v": np.arange(6, dtype=np.float32).reshape(2, 3)})
    inventory = Inventory((tensor("v", (2, 3)), tensor("g", (2,))))
    rules = load({"path": ["v"]}), {"match": {"path": ["g"]}, "norm_of": {"tensor": "v"}}
    found = run(*rules, checkpoint=checkpoint, inventory=inventory)
    assert values(found["g"].fill, (2,), checkpoint).tolist() == np.sqrt([5.0, 50.0]).astype(np.float32).tolist()


def test_renaming_takes_bounded_memory() -> None:
    """Ten renames that each make a letter into a thousand."""
    renames = [{"pattern": ".", "to": "a" * 1000}] * 10
    assert "none of 9 tensors" in str(failure(load(rename=renames)))


def test_generator_torch_loads_nothing() -> None:
    recipe = json_format.ParseDict({"seed": 1, "generator": "torch", "init": {"rules": [load()]}}, recipe_pb2.Recipe())
    with pytest.raises(RecipeError, match=r"init.rules\[0\].stored: torch.nn.init has no such function"):
        planning.check_recipe(recipe)


def test_what_is_not_in_a_store_is_placed() -> None:
    def sources(text: str) -> Checkpoint:
        raise PreconditionError("there is no store 'zoo' here", "NOT_IN_STORE")

    with pytest.raises(InitiumError) as caught:
        compile_rules(init_pb2.InitPolicy(rules=[json_format.ParseDict(load(), init_pb2.InitRule())]), sources)
    assert caught.value.reason == "NOT_IN_STORE"
    assert [each.field for each in caught.value.violations] == ["init.rules[0].stored.from"]


def resolved(*rules: dict[str, Any], checkpoint: Checkpoint) -> plan_pb2.Plan:
    recipe = json_format.ParseDict({"seed": 1, "init": {"rules": list(rules)}}, recipe_pb2.Recipe())
    return planning.resolve(recipe, CONVNET, None, {}, Limits(), sources=lambda text: checkpoint)


def test_the_plan_reports_what_was_loaded() -> None:
    given = arrays() | {"head.weight": np.ones((7, 8), np.float32), "conv1.weight": np.ones(2, np.float32)}
    del given["bn1.bias"]
    given |= {f"extra.{i:02}": np.zeros(1, np.float32) for i in range(30)}
    fit = load({"path": ["head.*"]}, mismatch="fit")
    plan = resolved(fit, load(missing="next", mismatch="next"), checkpoint=Checkpoint(given))
    assert plan.plan_version == 2
    first, second = plan.loads
    assert (first.rule, getattr(first, "from"), first.loaded) == ("init.rules[0]", "zoo/m", 1)
    assert list(first.fitted.names) == ["head.weight"]
    assert {field.name for field, _ in first.ListFields()} == {"rule", "from", "loaded", "fitted", "unused"}
    assert (second.rule, second.loaded) == ("init.rules[1]", 6)
    assert (list(second.missing.names), second.missing.total) == (["bn1.bias"], 1)
    assert list(second.mismatched.names) == ["conv1.weight"], "and not the head, of which it was asked for the rest"
    for report in plan.loads:  # what neither took
        assert report.unused.total == 31
        assert list(report.unused.names) == ["conv1.weight", *(f"extra.{i:02}" for i in range(19))]


def test_a_report_of_nothing_needs_a_new_plan_too() -> None:
    rule = load(missing="next") | {"optional": True}
    plan = resolved(rule, checkpoint=Checkpoint({"x": np.zeros(1, np.float32)}))
    assert (plan.plan_version, plan.loads[0].loaded, plan.loads[0].missing.total) == (2, 0, 9)


def test_a_plan_that_loads_nothing_is_as_before() -> None:
    plan = resolved({"match": {"every": True}, "zeros": {}}, checkpoint=Checkpoint({}))
    assert (plan.plan_version, len(plan.loads)) == (1, 0)


def test_parts_hold_what_is_stored() -> None:
    """A later cast of the base's literals leaves it alone."""
    checkpoint = Checkpoint({"w": np.zeros((2, 2), np.float32)})
    inventory = Inventory((tensor("w", (3, 2)),))
    fill = run(load(mismatch="fit"), checkpoint=checkpoint, inventory=inventory)["w"].fill
    stored = Stored("zoo", "m/model.safetensors", "w", digest(checkpoint.arrays["w"]), "F32", (2, 2))
    assert fill == Parts(Normal(0.0, 1.0), (Part((0, 0), (2, 2), stored),))
