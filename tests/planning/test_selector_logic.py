"""Selectors put together: all keys of one, any_of, all_of, none_of; how deep; and what is no selector (promise 5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initium.errors import RecipeError
from initium_server.planning import Inventory, selectors
from initium_server.planning.selectors import unknown_word
from tests.planning.inventories import CONVNET, owner, tensor
from tests.planning.selectors import compiled, message

PAIRS = [
    (tensor, owner)
    for tensor in (*CONVNET.tensors, tensor("e.weight", (4, 2), "Embedding", aliases=(owner("h.weight", "Linear"),)))
    for owner in tensor.owners
]


def selected(selector: dict[str, Any]) -> set[str]:
    """The names under which tensors are selected."""
    matches = compiled(selector)
    return {owner.name for tensor, owner in PAIRS if matches(tensor, owner)}


def violations(selector: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(RecipeError) as caught:
        compiled(selector)
    return [(violation.field, violation.message) for violation in caught.value.violations]


EVERYTHING = {owner.name for _, owner in PAIRS}
LEAVES: list[dict[str, Any]] = [
    {"module": ["Linear", "_BatchNorm"]},
    {"class_contains": ["Conv", "Emb"]},
    {"path": ["layers.**", "*.bias"]},
    {"tensor": ["weight"]},
    {"ndim": [1, 4]},
    {"shape": [{"extents": [8, -1]}, {"extents": [-1]}]},
    {"block": [0]},
    {"role": ["weight", "buffer"]},
    {"tied": True},
    {"every": True},
]
TREES = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"any_of": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"all_of": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda items: {"none_of": items}),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
    ),
    max_leaves=6,
)


def meant(selector: dict[str, Any]) -> set[str]:
    """The definition of init.proto: each key is a set of names, and a selector is what its keys have in common."""
    result = EVERYTHING
    for key, value in selector.items():
        match key:
            case "any_of":
                result = result & set().union(*map(meant, value))
            case "all_of":
                result = result.intersection(*map(meant, value))
            case "none_of":
                result = result.difference(*map(meant, value))
            case _:
                result = result & selected({key: value})
    return result


@settings(max_examples=60)
@given(TREES)
def test_selectors_compose_as_sets(selector: dict[str, Any]) -> None:
    assert selected(selector) == meant(selector)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({"shape": [{"extents": []}]}, {"bn1.num_batches_tracked"}),
        ({"shape": [{"extents": [-1, -1]}], "block": [0, 1]}, {"layers.0.fc.weight", "layers.1.fc.weight"}),
        ({"shape": [{"extents": [10, -1]}, {"extents": [8, 3, 3, -1]}]}, {"head.weight", "conv1.weight"}),
        ({"shape": [{"extents": [10, 8, 1]}]}, set()),
        ({"shape": [{"extents": [10]}]}, set()),
        ({"shape": [{"extents": [0, 8]}]}, set()),
        ({"ndim": [0]}, {"bn1.num_batches_tracked"}),
        ({"tied": True}, {"e.weight", "h.weight"}),
        ({"path": ["h.*"]}, {"h.weight"}),
        ({"all_of": [{"every": True}, {"ndim": [4]}]}, {"conv1.weight"}),
        ({"module_path": ["h"]}, {"h.weight"}),
        ({"class_path": ["**.Embedding"]}, {"e.weight"}),
        ({"class_contains": ["mbed", "tchNorm2"], "tensor": ["weight"]}, {"e.weight", "bn1.weight"}),
    ],
)
def test_more_of_the_keys(selector: dict[str, Any], expected: set[str]) -> None:
    assert selected(selector) == expected


def nested(*keys: str) -> dict[str, Any]:
    """A selector of convolutions under these keys, the outermost first."""
    selector: dict[str, Any] = {"ndim": [4]}
    for key in reversed(keys):
        selector = {key: [selector]}
    return selector


@pytest.mark.parametrize("key", ["any_of", "all_of", "none_of"])
def test_selectors_nest_24_deep_and_no_deeper(key: str) -> None:
    compiled(nested(*[key] * 24))
    ((field, text),) = violations(nested(*[key] * 25))
    assert field == f"match{f'.{key}[0]' * 25}"
    assert "more than 24 deep" in text


@pytest.mark.parametrize(
    ("selector", "field", "text"),
    [
        ({"all_of": [{}]}, "match.all_of[0]", "every: true"),
        ({"all_of": [{"any_of": [{}]}]}, "match.all_of[0].any_of[0]", "every: true"),
        ({"any_of": [{"ndim": [1]}, {"regex": ["("]}]}, "match.any_of[1].regex[0]", "RE2"),
        ({"module_path": ["a", "*a" * 501]}, "match.module_path[1]", "characters"),
        ({"class_path": ["*a" * 501]}, "match.class_path[0]", "characters"),
        ({"path": ["*a" * 501]}, "match.path[0]", "characters"),
        ({"role": ["norm", "Norm"]}, "match.role[1]", "parameter, buffer, weight, bias, norm"),
        ({"shape": [{"extents": [-1]}, {"extents": [3, -2]}]}, "match.shape[1].extents", "-2 is no extent"),
        ({"class_contains": ["a", ""]}, "match.class_contains", "empty text"),
    ],
)
def test_errors_name_the_place(selector: dict[str, Any], field: str, text: str) -> None:
    ((where, words),) = violations(selector)
    assert where == field
    assert text in words


ROLES = "parameter buffer weight bias norm embedding conv linear recurrent attention activation head"


@pytest.mark.parametrize("word", ROLES.split())
def test_the_roles_are_those_of_the_contract(word: str) -> None:
    own = tensor("w", (2,), roles=("other", word))
    assert compiled({"role": ["head", word]})(own, own.owners[0])
    assert not compiled({"role": [word]})(tensor("w", (2,)), own.owners[0])


def test_every_key_that_is_wrong_is_reported_at_once() -> None:
    bad = {"role": ["x"], "regex": ["("], "class_contains": [""], "ndim": [1], "none_of": [{}]}
    assert [field for field, _ in violations(bad)] == [
        "match.class_contains",
        "match.regex[0]",
        "match.role[0]",
        "match.none_of[0]",
    ]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"module": ["Conv2"]}, "has the class 'Conv2'; did you mean Conv2d?"),
        ({"module": ["Conv2d", "Linaer", "Conv2"]}, "has the class 'Linaer'; did you mean Linear?"),
        ({"module": ["Xyzzy"]}, "has the class 'Xyzzy'"),
        ({"module": ["Embedding"]}, ""),
        ({"path": ["l.weigth"]}, "has the name 'l.weigth'; did you mean l.weight?"),
        ({"path": ["l.*"]}, ""),
        ({"tensor": ["weight", "bais"]}, "has a tensor 'bais'; did you mean bias?"),
        ({"path": ["*.weight"], "ndim": [7]}, ""),  # it fits l.weight
        (
            {"path": ["layers.*"]},
            "'layers.*' fits none, since `*` stops at dots; write 'layers.**', which fits 2 names",
        ),
        ({"path": ["nope", "*.nope"]}, "has the name 'nope'"),
        ({"path": ["nope.*"]}, ""),
        ({"path": ["layers.*.weight", "x?"]}, "write 'layers.**.weight', which fits 2 names"),
        ({"path": ["layers.**.w*t"]}, ""),
        ({"module_path": ["la*fc"]}, "'la*fc' fits none, since `*` stops at dots; write 'la**fc', which fits 2 names"),
        ({"class_path": ["torch.*.Conv2d"]}, "write 'torch.**.Conv2d', which fits 1 name"),
    ],
)
def test_a_class_that_no_module_has_is_named_with_the_nearest(selector: dict[str, Any], text: str) -> None:
    """Under any name of any tensor."""
    tied = tensor("l.weight", (4, 2), "Linear", aliases=(owner("e.weight", "Embedding"),))
    key, hint = unknown_word(message(selector), Inventory((tied, *CONVNET.tensors)))
    assert hint.endswith(text)
    assert bool(hint) == bool(text) == (key in selector)


def test_the_decorator_of_keys_returns_the_function() -> None:
    assert selectors.tied(True, "match.tied")(*PAIRS[-1])
