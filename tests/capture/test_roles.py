"""The role vocabulary of init.proto, word by word, on torch's classes and on classes that are named as libraries do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from initium_server.capture import capture, describe


def named(name: str, *bases: type[nn.Module]) -> type[Any]:
    """A module class with a weight, called as a library calls its own."""

    def init(self: nn.Module) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.ones(2))

    return type(name, bases or (nn.Module,), {"__init__": init})


def roles(make: Callable[[], nn.Module]) -> dict[str, set[str]]:
    """The roles of a module's tensors; what follows it takes the role of the head away from it."""
    inventory = describe(capture(lambda: nn.ModuleDict({"it": make(), "last": nn.Bilinear(1, 1, 1)})))
    found = {tensor.name.removeprefix("it."): set(tensor.roles) for tensor in inventory.tensors}
    assert found.pop("last.weight") == {"parameter", "weight", "linear", "head"}
    assert found.pop("last.bias") == {"parameter", "bias", "linear", "head"}
    return found


CLASSES: dict[str, tuple[Callable[[], nn.Module], set[str]]] = {
    "BatchNorm": (lambda: nn.BatchNorm2d(2), {"norm"}),
    "LayerNorm": (lambda: nn.LayerNorm(2), {"norm"}),
    "GroupNorm": (lambda: nn.GroupNorm(1, 2), {"norm"}),
    "a library's RMSNorm": (named("LlamaRMSNorm"), {"norm"}),
    "a subclass of a norm": (named("Scale", nn.LayerNorm), {"norm"}),
    "a norm that is an attention": (named("AttentionNorm"), {"norm", "attention"}),
    "Embedding": (lambda: nn.Embedding(2, 2), {"embedding"}),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(2, 2), {"embedding"}),
    "a library's Embedding": (named("OPTLearnedPositionalEmbedding"), {"embedding"}),
    "a subclass of an Embedding": (named("Table", nn.Embedding), {"embedding"}),
    "more than one embedding": (named("BertEmbeddings"), set()),
    "Conv": (lambda: nn.Conv1d(2, 2, 1), {"conv"}),
    "ConvTranspose": (lambda: nn.ConvTranspose2d(2, 2, 1), {"conv"}),
    "Linear": (lambda: nn.Linear(2, 2), {"linear"}),
    "Bilinear": (lambda: nn.Bilinear(2, 2, 2), {"linear"}),
    "transformers' Conv1D": (named("Conv1D"), {"linear"}),
    "a subclass of Linear": (named("Projection", nn.Linear), {"linear"}),
    "LSTM": (lambda: nn.LSTM(2, 2), {"recurrent"}),
    "GRUCell": (lambda: nn.GRUCell(2, 2), {"recurrent"}),
    "a library's attention": (named("GPT2Attention"), {"attention"}),
    "an attention by its base alone": (named("Heads", named("SelfAttention")), set()),
    "a subclass of torch's attention": (named("Heads", nn.MultiheadAttention), {"attention"}),
    "PReLU": (lambda: nn.PReLU(), {"activation"}),
    "a subclass of PReLU": (named("Slope", nn.PReLU), set()),
    "none": (named("Scale"), set()),
    "a bare module called Norm": (named("Norm"), {"norm"}),
}


@pytest.mark.parametrize("case", CLASSES)
def test_a_class_gives_its_words_to_all_its_tensors(case: str) -> None:
    make, words = CLASSES[case]
    for found in roles(make).values():
        assert found - {"parameter", "buffer", "weight", "bias"} == words


def test_torch_s_attention_is_no_activation_and_its_projection_is_linear() -> None:
    found = roles(lambda: nn.MultiheadAttention(2, 1))
    assert found["in_proj_weight"] == {"parameter", "weight", "attention"}
    assert found["in_proj_bias"] == {"parameter", "bias", "attention"}
    assert found["out_proj.weight"] == {"parameter", "weight", "linear"}


def test_weight_and_bias_are_what_a_parameter_s_own_name_ends_in() -> None:
    found = roles(lambda: nn.LSTM(2, 2, proj_size=1))
    assert found["weight_ih_l0"] == {"parameter", "recurrent"}

    class Names(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in ("weight", "bias", "in_weight", "bias_k", "weight_in", "scale"):
                self.register_parameter(name, nn.Parameter(torch.ones(1)))
            self.register_buffer("old_weight", torch.ones(1))

    assert roles(Names) == {
        "weight": {"parameter", "weight"},
        "bias": {"parameter", "bias"},
        "in_weight": {"parameter", "weight"},
        "bias_k": {"parameter"},
        "weight_in": {"parameter"},
        "scale": {"parameter"},
        "old_weight": {"buffer"},
    }


def test_buffers_have_the_words_of_their_class_and_are_no_parameters() -> None:
    found = roles(lambda: nn.BatchNorm1d(2))
    assert found["running_mean"] == {"buffer", "norm"}
    assert found["weight"] == {"parameter", "weight", "norm"}


def test_the_head_is_the_last_module_that_owns_a_parameter() -> None:
    def build() -> nn.Module:
        model = nn.ModuleDict({"body": nn.Linear(2, 2), "head": nn.Linear(2, 2), "act": nn.ReLU()})
        model["stats"] = nn.BatchNorm1d(2, affine=False)
        model["empty"] = nn.Module()
        model["empty"].register_parameter("weight", None)
        return model

    found = {tensor.name: tensor.roles for tensor in describe(capture(build)).tensors}
    assert {name for name, words in found.items() if "head" in words} == {"head.weight", "head.bias"}
    # A buffer in the head module is no head: rules for the head are for what is trained.
    solo = describe(capture(lambda: nn.BatchNorm1d(2)))
    assert [("head" in tensor.roles) for tensor in solo.tensors] == [True, True, False, False, False]


def test_words_stand_in_the_order_of_the_vocabulary() -> None:
    def build() -> nn.Module:
        model = nn.ModuleDict({"embed": nn.Embedding(3, 2), "head": nn.Linear(2, 3, bias=False)})
        model["head"].weight = model["embed"].weight
        return model

    (tied,) = describe(capture(build)).tensors
    assert tied.roles == ("parameter", "weight", "embedding", "linear", "head")
