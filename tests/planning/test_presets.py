"""Presets: rules under a name, that stand behind a recipe's own."""

from __future__ import annotations

from typing import Any

import pytest

from initium.contract import yaml12
from initium.errors import InitiumError
from initium_server.planning.presets import presets, rules_of
from tests.planning.inventories import Inventory, tensor
from tests.planning.recipes import planned


def fails(init: dict[str, Any], **fields: Any) -> dict[str, str]:
    with pytest.raises(InitiumError) as caught:
        planned(init=init, **fields)
    assert caught.value.reason == "INVALID_RECIPE"
    return {violation.field: violation.message for violation in caught.value.violations}


@pytest.mark.parametrize("name", presets())
def test_a_preset_says_what_it_is_where_it_is_from_and_names_its_rules(name: str) -> None:
    preset = presets()[name]
    assert preset.name == name
    assert 20 < len(preset.summary) < 120
    assert "\n# Source: " in preset.text
    rules = rules_of(name)
    assert len(rules) == len(yaml12.load(preset.text)["rules"])
    names = [rule.name for rule in rules]
    assert all(names)
    assert len(set(names)) == len(names)


def test_plans_show_the_rules_of_a_preset() -> None:
    by_name = {tensor.name: tensor for tensor in planned(init={"preset": "dcgan"}).tensors}
    conv = by_name["conv1.weight"]
    assert (conv.rule, conv.rule_name, conv.initializer) == ("init.preset[dcgan].rules[0]", "convolutions", "normal")
    assert by_name["bn1.bias"].rule == "init.preset[dcgan].rules[2]"
    assert by_name["head.weight"].rule == ""


def test_a_recipes_own_rules_go_first_and_may_take_all_that_a_rule_of_the_preset_is_for() -> None:
    own = {"name": "mine", "match": {"path": ["conv1.weight"]}, "ones": {}}
    by_name = {tensor.name: tensor for tensor in planned(init={"rules": [own], "preset": "dcgan"}).tensors}
    assert (by_name["conv1.weight"].rule, by_name["conv1.weight"].initializer) == ("init.rules[0]", "ones")
    assert by_name["bn1.weight"].rule == "init.preset[dcgan].rules[1]"


def test_an_unknown_preset_is_an_error_with_the_nearest() -> None:
    found = fails({"preset": "gtp2"})
    assert found.keys() == {"init.preset"}
    assert found["init.preset"].startswith("unknown preset 'gtp2'; did you mean 'gpt2'?")


def test_a_preset_that_decides_for_no_tensor_is_an_error() -> None:
    norms = Inventory((tensor("a.weight", (3,), "LayerNorm"), tensor("b", (4,), "Net")))
    found = fails({"preset": "by_type"}, inventory=norms)
    assert found.keys() == {"init.preset"}
    assert "the preset by_type decides for no tensor; remove it, or take another preset" in found["init.preset"]


def test_a_preset_behind_rules_that_take_all_is_an_error() -> None:
    everything = {"match": {"every": True}, "ones": {}}
    assert fails({"rules": [everything], "preset": "dcgan"}).keys() == {"init.preset"}


def test_a_rule_of_the_preset_that_matches_nothing_says_that_the_preset_is_for_other_models() -> None:
    """Without a residual projection to scale, it is not GPT-2."""
    found = fails({"preset": "gpt2"})
    assert found.keys() == {"init.preset[gpt2].rules[0]"}
    text = found["init.preset[gpt2].rules[0]"]
    assert "no tensor of this model is what init.preset[gpt2].rules[0] residual projections is for" in text
    assert "take another preset, or write rules of your own" in text


def test_a_rule_of_the_preset_that_cannot_apply_is_named() -> None:
    inventory = Inventory((tensor("c_proj.weight", (4, 4), "Linear", roles=("weight",)),))
    found = fails({"preset": "gpt2"}, inventory=inventory)
    assert "lies in no stack of blocks" in found["init.preset[gpt2].rules[0].computed.std"]


def test_generator_torch_refuses_what_torch_does_not_have() -> None:
    found = fails({"preset": "flax"}, generator="torch")
    assert found["init.preset[flax].rules[8].lecun_normal"] == "torch.nn.init has no such function; use `stream-v1`"
