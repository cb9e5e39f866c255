"""Why a tensor gets its values: rules in order, the key that failed, the numbers (promise 3)."""

from __future__ import annotations

import math
from typing import Any

import pytest

from initium.errors import RequestError
from initium.v1 import service_pb2
from initium_law.grammar import Normal
from initium_server.planning import Inventory, check_recipe, explain
from initium_server.planning.derivation import exact_words
from initium_server.planning.inventory import InventoryTensor
from initium_server.planning.selectors import first_failure
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.recipes import by_name, planned, recipe
from tests.planning.selectors import compiled, message

WEIGHTS = {"match": {"tensor": ["weight"]}, "normal": {"std": 0.5}}


def explained(name: str, *rules: Any, inventory: Inventory = CONVNET, **fields: Any) -> service_pb2.ExplainResponse:
    given = recipe(init={"rules": list(rules)}, **fields)
    check_recipe(given)
    return explain(given, inventory, name)


CONV, BIAS, BUFFER = CONVNET.tensors[0], CONVNET.tensors[1], CONVNET.tensors[7]
FAILURES: list[tuple[dict[str, Any], InventoryTensor, str, str]] = [
    ({"module": ["_BatchNorm"]}, CONV, "module", "asks for _BatchNorm; the tensor has Conv2d, _ConvNd, Module"),
    ({"class_contains": ["Norm"]}, CONV, "class_contains", "asks for Norm; the tensor has Conv2d"),
    ({"class_path": ["a", "b"]}, CONV, "class_path", "asks for a, b; the tensor has torch.nn.modules.fake.Conv2d"),
    ({"module_path": ["fc"]}, CONV, "module_path", "asks for fc; the tensor has conv1"),
    ({"path": ["fc.*"]}, CONV, "path", "asks for fc.*; the tensor has conv1.weight"),
    ({"regex": ["^fc"]}, CONV, "regex", "asks for ^fc; the tensor has conv1.weight"),
    ({"tensor": ["bias"]}, CONV, "tensor", "asks for bias; the tensor has weight"),
    ({"ndim": [1, 2]}, CONV, "ndim", "asks for 1, 2; the tensor has 4"),
    ({"shape": [{"extents": [8]}, {}]}, CONV, "shape", "asks for [8], []; the tensor has [8, 3, 3, 3]"),
    ({"block": [0]}, CONV, "block", "asks for 0; the tensor has none"),
    ({"role": ["norm"]}, CONV, "role", "asks for norm; the tensor has parameter, weight, conv"),
    ({"tied": True}, CONV, "tied", "asks for true; the tensor has false"),
    ({"tensor": ["weight"], "ndim": [2], "block": [3]}, CONV, "ndim", "asks for 2; the tensor has 4"),
    (
        {"all_of": [{"ndim": [4]}, {"any_of": [{"ndim": [4]}], "tensor": ["bias"]}]},
        *(CONV, "all_of[1].tensor", "asks for bias; the tensor has weight"),
    ),
    (
        {"any_of": [{"ndim": [2]}, {"all_of": [{"tensor": ["bias"]}]}]},
        *(CONV, "any_of", "none of these holds: [0].ndim asks for 2; the tensor has 4; "),
    ),
    ({"none_of": [{"ndim": [2]}, {"ndim": [4]}]}, CONV, "none_of[1]", "it holds, and none may"),
]


@pytest.mark.parametrize(("selector", "given", "path", "text"), FAILURES)
def test_the_first_key_that_does_not_hold(selector: Any, given: InventoryTensor, path: str, text: str) -> None:
    failed = first_failure(message(selector), "match", given, given.owners[0])
    assert failed is not None
    assert failed[0] == f"match.{path}"
    assert failed[1].startswith(text)
    assert not compiled(selector)(given, given.owners[0])


@pytest.mark.parametrize("selector", [{"every": True}, {"module": ["Conv2d"], "none_of": [{"ndim": [1]}]}])
def test_a_selector_that_holds_has_no_failure(selector: dict[str, Any]) -> None:
    assert first_failure(message(selector), "match", CONV, CONV.owners[0]) is None


def test_rules_are_told_in_order_with_what_became_of_each() -> None:
    last = {"match": {"every": True}, "zeros": {}, "name": "rest"}
    found = explained("conv1.weight", {"match": {"ndim": [1]}, "ones": {}}, WEIGHTS, last)
    assert [(t.path, t.name, t.initializer, t.tensor, t.matched, t.failed) for t in found.trials] == [
        ("init.rules[0]", "", "ones", "conv1.weight", False, "init.rules[0].match.ndim"),
        ("init.rules[1]", "", "normal", "conv1.weight", True, ""),
        ("init.rules[2]", "rest", "zeros", "conv1.weight", True, ""),
    ]
    assert [trial.text for trial in found.trials] == [
        "asks for 1; the tensor has 4",
        "it matches and decides",
        "it matches, but the first match decides: init.rules[1]",
    ]
    assert not found.failure


def test_the_tensor_is_that_of_the_plan_without_its_place_and_group() -> None:
    policy = {"optimizer": "SGD", "defaults": {"lr": 1}}
    rules = {"rules": [{"match": {"ndim": [4]}, "kaiming_normal": {}, "name": "k", "dtype": "BF16"}]}
    for each in by_name(planned(init=rules, groups=policy)).values():
        for field in ("file", "offset", "size", "group"):
            each.ClearField(field)
        assert explained(each.name, *rules["rules"]).tensor == each
    assert not explained("conv1.weight", WEIGHTS, generator="torch").tensor.HasField("fill")


def test_buffers_are_left_alone_by_name() -> None:
    found = explained("bn1.running_mean", {"match": {"every": True}, "zeros": {}, "optional": True})
    assert (found.trials[0].failed, found.trials[0].matched) == ("init.rules[0].match", False)
    assert "role: [buffer]" in found.trials[0].text
    named = explained("bn1.running_mean", {"match": {"role": ["buffer"]}, "ones": {}})
    assert named.trials[0].matched
    assert named.tensor.rule == "init.rules[0]"


TIED = tensor("embed.weight", (4, 2), "Embedding", aliases=(owner("head.weight", "Linear"),))
HEAD = {"match": {"module": ["Linear"]}, "ones": {}}


def test_a_tied_tensor_is_explained_under_each_of_its_names() -> None:
    inventory = Inventory((TIED,))
    for name in ("embed.weight", "head.weight"):
        found = explained(name, HEAD, inventory=inventory)
        assert [(trial.tensor, trial.matched) for trial in found.trials] == [
            ("embed.weight", False),
            ("head.weight", True),
        ]
        assert (found.tensor.name, list(found.tensor.aliases)) == ("embed.weight", ["head.weight"])
    both = explained("head.weight", HEAD, {"match": {"module": ["Embedding"]}, "zeros": {}}, inventory=inventory)
    assert "is one tied tensor, but init.rules[1] and init.rules[0] fill it differently" in both.failure
    assert not both.tensor.HasField("fill")


def test_what_resolve_refuses_is_explained() -> None:
    """A rule that cannot apply, one that decides nothing, and another tensor without a fill."""
    bare = tensor("token", (2,), default=None)
    inventory = Inventory((*CONVNET.tensors, bare))
    broken = {"match": {"tensor": ["bias"]}, "xavier_normal": {}}
    found = explained("conv1.bias", broken, {"match": {"ndim": [9]}, "ones": {}}, inventory=inventory)
    assert "fans need 2 or more dimensions" in found.failure
    assert found.trials[0].matched
    assert (found.tensor.name, list(found.tensor.shape), found.tensor.ordinal) == ("conv1.bias", [8], 1)
    assert "no rule" in explained("token", broken, inventory=inventory).failure
    assert not explained("conv1.weight", broken, inventory=inventory).failure


def test_a_name_that_is_not_there_has_a_nearest_one() -> None:
    with pytest.raises(RequestError) as caught:
        explained("conv1.wieght", WEIGHTS)
    (violation,) = caught.value.violations
    assert violation.field == "tensor"
    assert "no tensor 'conv1.wieght'; did you mean 'conv1.weight'" in violation.message


DERIVED = [
    (
        {"kaiming_normal": {"nonlinearity": "relu"}},
        ["fan = 3 x 3 x 3 = 27", "gain = sqrt(2) = 1.4142135623730951", "std = gain / sqrt(fan) = sqrt(2/27) = 0.272"],
    ),
    ({"kaiming_normal": {"mode": "fan_out", "nonlinearity": "tanh"}}, ["fan = 8 x 3 x 3 = 72", "gain = 5/3 = 1.66666"]),
    (
        {"xavier_uniform": {"gain": 0.5}},
        [
            "fan_in = 3 x 3 x 3 = 27",
            "fan_out = 8 x 3 x 3 = 72",
            "gain = 0.5",
            "bound = gain * sqrt(6 / (fan_in + fan_out)) = ",
        ],
    ),
    ({"normal": {}}, []),
]


@pytest.mark.parametrize(("initializer", "lines"), DERIVED)
def test_numbers_are_derived(initializer: dict[str, Any], lines: list[str]) -> None:
    found = explained("conv1.weight", {"match": {"ndim": [4]}, **initializer})
    assert all(any(line.startswith(start) for line in found.derivation) for start in lines)
    assert len(found.derivation) == len(found.tensor.resolved)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (math.sqrt(2.0), "sqrt(2)"),
        (math.sqrt(2 / 3), "sqrt(2/3)"),
        (5 / 3, "5/3"),
        (0.02, ""),
        (1.0, ""),
        (-math.sqrt(2.0), ""),
        (math.pi, ""),
        (math.nextafter(math.sqrt(2.0), 2), ""),
        (1e-300 / 3, ""),
    ],
)
def test_numbers_are_recognized_only_where_they_are_exact(value: float, words: str) -> None:
    assert exact_words(value) == words


def test_without_a_name_each_rule_tells_what_it_reaches() -> None:
    rules = (
        WEIGHTS,
        {"match": {"ndim": [2, 4]}, "ones": {}, "optional": True},
        {"match": {"ndim": [1]}, "zeros": {}},
        {"match": {"ndim": [9]}, "zeros": {}, "optional": True},
        {"match": {"every": True}, "library_default": {}, "optional": True},
    )
    inventory = Inventory((*CONVNET.tensors, TIED, tensor("x", (2, 2), default=Normal(0.0, 1.0))))
    found = explained("", *rules, inventory=inventory)
    assert not found.trials
    assert [(r.path, r.matched, r.decided, list(r.shadowed_by)) for r in found.reaches] == [
        ("init.rules[0]", 6, 6, []),
        ("init.rules[1]", 6, 1, ["init.rules[0]"]),
        ("init.rules[2]", 3, 2, ["init.rules[0]"]),
        ("init.rules[3]", 0, 0, []),
        ("init.rules[4]", 9, 0, ["init.rules[0]", "init.rules[2]", "init.rules[1]"]),
    ]
