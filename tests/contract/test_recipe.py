"""Recipes in every form, and every way they can be wrong (promise 4)."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

import initium
from initium.contract.recipe import load
from initium.v1.recipe_pb2 import Recipe
from tests.client.fake import make_plan
from tests.contract.recipes import ARCHITECTURE, RULE, args, recipe, rule

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"


REFUSED: dict[str, tuple[Any, str]] = {
    "missing seed": ({"architecture": ARCHITECTURE}, "seed: required"),
    "negative seed": (recipe(seed=-1), "seed: must be an integer in 0..2^64-1, not -1"),
    "large seed": (recipe(seed=2**64), "seed: must be an integer in 0..2^64-1"),
    "boolean seed": (recipe(seed=True), "seed: must be an integer in 0..2^64-1, not True"),
    "fractional seed": (recipe(seed=1.5), "seed: must be an integer in 0..2^64-1, not 1.5"),
    "inexact seed": (recipe(seed=1e17), "seed: must be an integer"),
    "text seed": (recipe(seed="one"), "seed: must be an integer in 0..2^64-1, not 'one'"),
    "quoted seed": (recipe(seed="42"), "seed: must be an integer in 0..2^64-1, not '42'; write 42 without quotes"),
    "empty seed": (recipe(seed=None), "seed: has no value; give one or remove the key"),
    "unknown key": (
        rule(kaiming_normal={"moed": "fan_in"}),
        f"{RULE}.kaiming_normal.moed: unknown key; did you mean mode?",
    ),
    "unknown word": (recipe(zzz=1), "zzz: unknown key; the keys are architecture, seed"),
    "takes no keys": (rule(ones={"val": 1}), f"{RULE}.ones.val: unknown key; it takes no keys"),
    "camel case": (rule(kaimingNormal={}), f"{RULE}.kaimingNormal: unknown key; write kaiming_normal"),
    "no value": (rule(ones=None), f"{RULE}.ones: has no value; write `ones: {{}}`"),
    "two members": (rule(ones={}, zeros={}), f"{RULE}: ones and zeros exclude each other; keep one"),
    "two kinds": (
        recipe(architecture=ARCHITECTURE | {"tensors": {"tensors": [{"name": "x"}]}}),
        "architecture: library and tensors exclude each other",
    ),
    "empty match": (rule(match={}), f"{RULE}.match: is empty; give at least one key, or `every: true`"),
    "empty nested selector": (rule(match={"none_of": [{}]}), f"{RULE}.match.none_of[0]: is empty"),
    "empty item of any": (rule(match={"any_of": [{}]}), f"{RULE}.match.any_of[0]: is empty"),
    "empty item of all": (rule(match={"all_of": [{}]}), f"{RULE}.match.all_of[0]: is empty"),
    "key in all": (
        rule(match={"all_of": [{"modul": ["x"]}]}),
        f"{RULE}.match.all_of[0].modul: unknown key; did you mean module",
    ),
    "all in all": (
        rule(match={"all_of": [{"all_of": [{"classContains": ["x"]}]}]}),
        f"{RULE}.match.all_of[0].all_of[0].classContains: unknown key; write class_contains",
    ),
    "empty list": (rule(match={"module": []}), f"{RULE}.match.module: is an empty list; remove the key"),
    "no shape to match": (rule(match={"shape": []}), f"{RULE}.match.shape: is an empty list; remove the key"),
    "empty any": (rule(match={"any_of": []}), f"{RULE}.match.any_of: is an empty list"),
    "empty rules": (recipe(init={"rules": []}), "init.rules: is an empty list"),
    "text for a list": (
        rule(match={"module": "Conv2d"}),
        f"{RULE}.match.module: must be a list, not text; write ['Conv2d']",
    ),
    "list for a mapping": (recipe(init=[]), "init: must be a mapping, not a list"),
    "number for text": (recipe(dtype=32), "dtype: must be text, not a number 32; put it in quotes"),
    "text for a boolean": (rule(optional="yes"), f"{RULE}.optional: must be true or false, not 'yes'"),
    "text for a number": (rule(sparse={"sparsity": ""}), f"{RULE}.sparse.sparsity: must be a number, not text ''"),
    "not a number": (rule(normal={"std": math.nan}), f"{RULE}.normal.std: must be finite, not nan"),
    "the text NaN": (rule(normal={"std": "NaN"}), f"{RULE}.normal.std: must be a number, not text 'NaN'"),
    "a quoted number": (
        rule(normal={"std": "2e-2"}),
        f"{RULE}.normal.std: must be a number, not text '2e-2'; write 2e-2 without quotes",
    ),
    "infinite": (rule(constant={"val": math.inf}), f"{RULE}.constant.val: must be finite, not inf"),
    "too large for a double": (rule(constant={"val": 10**400}), f"{RULE}.constant.val: must be finite"),
    "infinite argument": (args(x=[1, {"y": -math.inf}]), "architecture.library.args.x[1].y: must be finite, not -inf"),
    "inexact argument": (args(x=2**53 + 1), "architecture.library.args.x: 9007199254740993 is beyond 2^53"),
    "python object": (args(x=object()), "architecture.library.args.x: must be a number, not a Python object"),
    "args a list": (
        recipe(architecture={"library": {"source": "x", "name": "x", "args": [1]}}),
        "architecture.library.args: must be a mapping, not a list",
    ),
    "negative ndim": (rule(match={"ndim": [-1]}), f"{RULE}.match.ndim[0]: must be an integer in 0..2^32-1, not -1"),
    "bad factor": (
        recipe(groups={"optimizer": "SGD", "adjust": [{"match": {"every": True}, "scale": {"lr": "x"}}]}),
        "groups.adjust[0].scale.lr: must be a number, not text 'x'",
    ),
    "shape": (rule(match={"shape": [3]}), f"{RULE}.match.shape[0]: must be a mapping, not a number"),
    "surrogate": (recipe(dtype="\ud800"), "dtype: holds half of a surrogate pair"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_path(name: str) -> None:
    data, message = REFUSED[name]
    with pytest.raises(initium.RecipeError) as caught:
        initium.load_recipe(data)
    assert any(str(violation).startswith(message) for violation in caught.value.violations), str(caught.value)


def test_every_violation_is_reported() -> None:
    bad = rule(kaiming_normal={"moed": 1, "a": [1]}, optional=3)
    bad["dtyp"] = "F32"
    del bad["seed"]
    with pytest.raises(initium.RecipeError) as caught:
        initium.load_recipe(bad)
    fields = [violation.field for violation in caught.value.violations]
    assert fields == [f"{RULE}.kaiming_normal.moed", f"{RULE}.kaiming_normal.a", f"{RULE}.optional", "dtyp", "seed"]


def test_at_most_twenty_violations() -> None:
    with pytest.raises(initium.RecipeError) as caught:
        initium.load_recipe(recipe(init={"rules": [{"match": {}}] * 1000}))
    assert len(caught.value.violations) == 20


def test_a_dict_that_contains_itself_is_an_error() -> None:
    selector: dict[str, Any] = {}
    selector["none_of"] = [selector]
    values: list[Any] = []
    values.append(values)
    for data in (rule(match=selector), args(x=values)):
        with pytest.raises(initium.RecipeError, match="nested more than 100 deep"):
            initium.load_recipe(data)


def test_every_selects_everything_and_shapes_take_any_extent() -> None:
    shapes = [{"extents": [64, -1]}, {"extents": []}, {}]
    loaded = initium.load_recipe(rule(match={"every": True, "shape": shapes, "tied": False}, ones={}))
    match = loaded.init.rules[0].match
    assert match.every
    assert match.HasField("tied")
    assert [list(pattern.extents) for pattern in match.shape] == [[64, -1], [], []]


def test_a_scalar_has_an_empty_shape() -> None:
    loaded = initium.load_recipe(recipe(architecture={"tensors": {"tensors": [{"name": "x", "shape": []}]}}))
    assert list(loaded.architecture.tensors.tensors[0].shape) == []


@pytest.mark.parametrize("seed", [0, 2**53 + 1, 2**64 - 1, 7.0])
def test_seeds(seed: Any) -> None:
    loaded = initium.load_recipe(recipe(seed=seed))
    assert loaded.HasField("seed")
    assert loaded.seed == int(seed)


def test_a_seed_from_outside_replaces_and_supplies() -> None:
    assert initium.load_recipe(recipe(seed=3), seed=4).seed == 4
    assert initium.load_recipe({"architecture": ARCHITECTURE}, seed=0).HasField("seed")
    assert initium.load_recipe(Recipe(seed=3), seed=5).seed == 5
    with pytest.raises(initium.RecipeError, match="seed: must be an integer"):
        initium.load_recipe(Recipe(seed=3), seed=-5)


def test_the_inventory_needs_no_seed() -> None:
    assert not initium.load_recipe({"architecture": ARCHITECTURE}, require_seed=False).HasField("seed")


def test_one_recipe_in_every_form(tmp_path: Path) -> None:
    data = rule(normal={"std": 1e-3})
    file = tmp_path / "recipe.yaml"
    file.write_text("\ufeff" + json.dumps(data), "utf-8")
    yaml_text = "architecture: {library: {source: torchvision, name: resnet18}}\nseed: 1\n"
    yaml_text += "init: {rules: [{match: {tensor: [weight]}, normal: {std: 1e-3}}]}\n"
    expected = initium.load_recipe(copy.deepcopy(data))
    assert expected.init.rules[0].normal.std == 0.001
    for source in (json.dumps(data), file, yaml_text, expected):
        assert initium.load_recipe(source) == expected


def test_tuples_and_numpy_numbers_are_welcome() -> None:
    import numpy as np

    loaded = initium.load_recipe(rule(match={"ndim": (np.int64(2),)}, normal={"std": np.float32(0.5)}))
    assert list(loaded.init.rules[0].match.ndim) == [2]
    assert loaded.init.rules[0].normal.std == 0.5


def test_text_of_one_line_may_name_a_file(tmp_path: Path) -> None:
    text = json.dumps(recipe())
    file = tmp_path / "recipe"
    file.write_text(text)
    assert initium.load_recipe(str(file)) == initium.load_recipe(text) == initium.load_recipe(file)
    for name in ("resnet50.yaml", "a b.yml", str(tmp_path / "x.json")):
        with pytest.raises(initium.RecipeError, match=f"cannot read {name}: No such file"):
            initium.load_recipe(name)
    with pytest.raises(initium.RecipeError, match="not the text 'resnet50', which is no file's name either"):
        initium.load_recipe("resnet50")
    with pytest.raises(initium.RecipeError, match="zzz: unknown key"):
        initium.load_recipe("zzz: x.yaml")
    with pytest.raises(initium.RecipeError, match="not the text"):
        initium.load_recipe(f"{file}\n")
    assert initium.load_recipe(text + " " * 5000)  # too long for a name


def test_a_path_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    with pytest.raises(initium.RecipeError, match=r"cannot read .*missing.yaml: No such file"):
        initium.load_recipe(tmp_path / "missing.yaml")
    (tmp_path / "missin.yml").touch()
    with pytest.raises(initium.RecipeError, match=r"No such file or directory; did you mean missin.yml\?"):
        initium.load_recipe(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(initium.RecipeError, match=r"latin.yaml is not UTF-8: byte 3 is 0xe9"):
        initium.load_recipe(tmp_path / "latin.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(initium.RecipeError, match=r"bad.yaml: the text is not valid YAML[\s\S]*line "):
        initium.load_recipe(tmp_path / "bad.yaml")


@pytest.mark.parametrize("value", [None, 3, [1], "text", True])
def test_not_even_a_mapping(value: Any) -> None:
    with pytest.raises(initium.RecipeError, match="a recipe is a mapping"):
        initium.load_recipe(value if not isinstance(value, list) else json.dumps(value))


@pytest.mark.parametrize(
    "file", sorted([*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("*.json")]), ids=lambda file: file.name
)
def test_examples_are_valid(file: Path) -> None:
    assert initium.load_recipe(file).HasField("seed")


def test_plans_are_recognized_and_checked(tmp_path: Path) -> None:
    plan = make_plan({"model.safetensors": b"x"})
    file = tmp_path / "plan.json"
    initium.write_plan(plan, file)
    assert load(file) == plan == initium.read_plan(file) == initium.read_plan(str(file))
    initium.write_plan(plan, str(file))
    with pytest.raises(initium.RecipeError, match="a plan, not a recipe"):
        initium.load_recipe(file)
    with pytest.raises(initium.PlanError, match="the plan has seed 1, not 2"):
        load(file, seed=2)
    file.write_text(file.read_text().replace('"size":"1"', '"size":"2"'))
    with pytest.raises(initium.PlanError, match="changed after it was written"):
        load(file)


def test_unknown_keys_of_plan_files_are_named_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    fill = {"normal": {"mean": "0x0p+0", "sdt": "0x1p+0"}}
    file.write_text(json.dumps({"plan_version": 1, "weight_key": "", "tensors": [{}, {"fill": fill}]}))
    for read in (initium.read_plan, load, initium.load_recipe):
        with pytest.raises(initium.PlanError, match=f"{file}: not a plan") as caught:
            read(file)
        reported = [str(violation) for violation in caught.value.violations]
        assert reported == [
            "weight_key: unknown key; did you mean weights_key?",
            "tensors[1].fill.normal.sdt: unknown key; did you mean std?",
        ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"plan_version": 3, "tensor": []}', "plan_version 3 is newer"),
        ('{"plan_version": 1, "nonsense": 1}', "not a plan"),
        ('{"seed": 1}', "it has no plan_version"),
        ("[", "is not JSON"),
    ],
)
def test_bad_plan_files(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(initium.PlanError, match=message):
        initium.read_plan(tmp_path / "plan.json")
