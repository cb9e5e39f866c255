"""Generator `torch`: rules inside rules and computed numbers, against what a user would write (promise 9)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from google.protobuf import json_format
from torch import nn

import initium
from initium.errors import RecipeError
from initium.plan.limits import Limits
from initium.v1 import plan_pb2, recipe_pb2
from initium_server.planning import check_recipe
from initium_server.pytorch import generator
from initium_server.workers import jobs


def module(kind: str, **args: Any) -> dict[str, Any]:
    return {"type": kind, "args": args}


def sequence(*children: dict[str, Any]) -> dict[str, Any]:
    return {"modules": {"root": {"type": "Sequential", "children": list(children)}}}


LINEARS = sequence(*(module("Linear", in_features=8, out_features=24) for _ in range(3)))
EMBEDDING = sequence(module("Embedding", num_embeddings=10, embedding_dim=4, padding_idx=3))
WEIGHTS = {"match": {"tensor": ["weight"]}}


def resolved(architecture: dict[str, Any], *rules: dict[str, Any], **init: Any) -> plan_pb2.Plan:
    recipe = initium.load_recipe(
        {"architecture": architecture, "seed": 7, "generator": "torch", "init": {"rules": list(rules), **init}}
    )
    return plan_pb2.Plan.FromString(jobs.resolve(Limits(), "cpu", 1, {}, recipe.SerializeToString())())


def scripted(build: Callable[[], nn.Module], init: Callable[[nn.Module], Any]) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    model = build()
    with torch.no_grad():
        model.apply(lambda each: init(each) if hasattr(each, "weight") else None)
    return model.state_dict()


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def linears() -> nn.Module:
    return nn.Sequential(*(nn.Linear(8, 24) for _ in range(3)))


def third(weight: torch.Tensor, k: int) -> torch.Tensor:
    return weight[8 * k : 8 * k + 8]


def slices(module: Any) -> None:
    for k in range(3):
        nn.init.orthogonal_(third(module.weight, k), gain=math.sqrt(2.0))


def different_slices(module: Any) -> None:
    nn.init.normal_(module.weight[:, :2], std=0.5)
    nn.init.xavier_uniform_(module.weight[:, 2:])


def squeezed(module: Any) -> None:
    for k in range(24):
        nn.init.normal_(module.weight[k], std=1 / 8)


def boxes(module: Any) -> None:
    nn.init.kaiming_uniform_(module.weight, a=1.0)
    nn.init.eye_(module.weight[2:5, 1:4])


def by_depth(module: Any) -> None:
    nn.init.normal_(module.weight, std=0.02 / math.sqrt(2 * 3))


def inside(module: Any) -> None:
    for k in range(3):
        nn.init.normal_(third(module.weight, k))
        third(module.weight, k)[7].zero_()


PART = {"computed": {"gain": "relu"}, "orthogonal": {}}
CASES: dict[str, tuple[dict[str, Any], Callable[[Any], None]]] = {
    "split": ({"split": {"count": 3, "parts": [PART]}}, slices),
    "split by sizes": (
        {"split": {"axis": 1, "sizes": [2, 6], "parts": [{"normal": {"std": 0.5}}, {"xavier_uniform": {}}]}},
        different_slices,
    ),
    "squeezed": ({"split": {"squeeze": True, "parts": [{"normal": {"std": "1 / shape[0]"}}]}}, squeezed),
    "pieces": (
        {
            "pieces": {
                "base": {"kaiming_uniform": {"a": 1}},
                "pieces": [{"start": [2, 1], "stop": [5, 4], "init": {"eye": {}}}],
            }
        },
        boxes,
    ),
    "computed": ({"normal": {"std": "0.02 / sqrt(2 * blocks)"}}, by_depth),
    "fans as torch counts them": (
        {"kaiming_normal": {"fans": "torch", "mode": "fan_out"}},
        lambda module: nn.init.kaiming_normal_(module.weight, mode="fan_out"),
    ),
    "padded slices": ({"split": {"count": 3, "parts": [{"padded": {"row": -1, "of": {"normal": {}}}}]}}, inside),
}


@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_those_of_a_script(name: str) -> None:
    rule, script = CASES[name]
    ours = generator.run(resolved(LINEARS, {**WEIGHTS, **rule}), "cpu")
    assert same(ours, scripted(linears, script))


def test_copies_come_last_through_any_chain() -> None:
    """A copy has what the other has in the end, though the other, which may be a copy itself, is initialized later."""
    rules = [
        {"match": {"path": ["0.weight"]}, "copy": {"tensor": "1.weight"}},
        {"match": {"path": ["1.weight"]}, "copy": {"tensor": "2.weight"}},
        {"match": {"path": ["2.weight"]}, "normal": {}},
    ]
    plan = resolved(LINEARS, *rules)
    ours = generator.run(plan, "cpu")
    assert torch.equal(ours["0.weight"], ours["2.weight"])
    assert torch.equal(ours["1.weight"], ours["2.weight"])
    assert ours["2.weight"].std() > 0.8


@pytest.mark.parametrize("row", [{}, {"row": 3}, {"row": -7}])
@pytest.mark.parametrize("inner", ["normal", "library_default"])
def test_a_padding_row(row: dict[str, int], inner: str) -> None:
    def script(module: Any) -> None:
        if inner == "normal":
            nn.init.normal_(module.weight)
        module.weight[3].zero_()

    ours = generator.run(resolved(EMBEDDING, {**WEIGHTS, "padded": {**row, "of": {inner: {}}}}), "cpu")
    assert same(ours, scripted(lambda: nn.Sequential(nn.Embedding(10, 4, padding_idx=3)), script))
    assert not ours["0.weight"][3].any()


def test_widths_are_computed_against_the_base() -> None:
    base = sequence(*(module("Linear", in_features=2, out_features=6) for _ in range(3)))
    rule = {**WEIGHTS, "normal": {"std": "1 / width"}}
    ours = generator.run(resolved(LINEARS, rule, base={"architecture": base}), "cpu")
    assert same(ours, scripted(linears, lambda module: nn.init.normal_(module.weight, std=0.25)))


@pytest.mark.parametrize(
    ("rule", "field", "text"),
    [
        ({"split": {"count": 2, "parts": [{"lecun_normal": {}}]}}, "split.parts[0].lecun_normal", "no such function"),
        ({"padded": {"of": {"mup": {"of": {"normal": {}}}}}}, "padded.of.mup", "no such function"),
        ({"xavier_normal": {"fans": "transposed"}}, "xavier_normal", "torch.nn.init counts fans in its own way"),
        (
            {"split": {"count": 2, "parts": [{"kaiming_normal": {"axes": {"fan_in": [0], "fan_out": [1]}}}]}},
            "split.parts[0].kaiming_normal",
            "leave `fans` and `axes` out, or use `stream-v1`",
        ),
    ],
)
def test_what_torch_has_not_is_refused_wherever_it_stands(rule: dict[str, Any], field: str, text: str) -> None:
    data = {"architecture": LINEARS, "seed": 1, "generator": "torch", "init": {"rules": [{**WEIGHTS, **rule}]}}
    with pytest.raises(RecipeError) as caught:
        check_recipe(json_format.ParseDict(data, recipe_pb2.Recipe()))
    assert [violation.field for violation in caught.value.violations] == [f"init.rules[0].{field}"]
    assert text in caught.value.violations[0].message


def test_the_base_architecture_is_built_and_its_errors_name_it() -> None:
    base = sequence(*(module("Linear", in_features=2, out_features=6) for _ in range(3)))
    recipe: dict[str, Any] = {
        "architecture": LINEARS,
        "seed": 7,
        "init": {"rules": [{**WEIGHTS, "mup": {"of": {"xavier_normal": {}}}}], "base": {"architecture": base}},
    }

    def plan() -> plan_pb2.Plan:
        message = initium.load_recipe(recipe)
        return plan_pb2.Plan.FromString(jobs.resolve(Limits(), "cpu", 1, {}, message.SerializeToString())())

    (std,) = {t.fill.normal.std for t in plan().tensors if t.name.endswith("weight")}
    assert float.fromhex(std) == math.sqrt(2 / 8) / 2
    base["modules"]["root"]["children"][1] = module("Linaer")
    with pytest.raises(RecipeError) as caught:
        plan()
    (violation,) = caught.value.violations
    assert violation.field == "init.base.architecture.modules.root.children[1].type"
    base["modules"]["root"]["children"][1] = module("Linear", in_features=2, out_features=6, bias=False)
    with pytest.raises(RecipeError) as caught:
        plan()
    assert str(caught.value.violations[0]).startswith("init.base.architecture: it has no tensor '1.bias'")


def test_a_job_asks_for_what_the_base_takes() -> None:
    library = {"library": {"source": "timm", "name": "vit_tiny_patch16_224"}}
    recipe = initium.load_recipe(
        {
            "architecture": {"tensors": {"tensors": [{"name": "w"}]}},
            "seed": 1,
            "init": {"base": {"architecture": library}},
        }
    )
    needed = jobs.needs(recipe)
    assert "initium_server.sources.tensors" in needed
    assert "initium_server.sources.libraries.timm" in needed
