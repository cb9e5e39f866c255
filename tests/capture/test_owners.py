"""Names, owners, blocks and kinds of a model's tensors."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from initium.errors import Unsupported
from initium_law.grammar import Constant
from initium_server.capture import capture, describe
from initium_server.capture.inventory import BARE_ERROR, join, original
from initium_server.planning.inventory import Inventory, InventoryTensor
from tests.capture.making import fills_of, inventory_of

Build = Callable[[], nn.Module]


def described(build: Build) -> Inventory:
    return describe(capture(build))


def tensors(build: Build) -> dict[str, InventoryTensor]:
    return {tensor.name: tensor for tensor in described(build).tensors}


def blocks(build: Build) -> dict[str, int | None]:
    return {name: tensor.owners[0].block for name, tensor in tensors(build).items()}


def test_parameters_come_before_buffers_each_in_torch_s_order() -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 3))

    found = tensors(build)
    assert list(found) == [
        *(name for name, _ in build().named_parameters()),
        *(name for name, _ in build().named_buffers()),
    ]
    assert [(t.kind, t.trainable) for t in found.values()] == [("parameter", True)] * 4 + [("buffer", False)] * 3
    assert found["1.weight"].shape == (3, 2)
    assert found["0.num_batches_tracked"].shape == ()


def test_an_owner_has_its_classes_its_class_path_and_where_it_is() -> None:
    class Own(nn.Linear):
        pass

    owner = tensors(lambda: nn.ModuleDict({"layer": Own(2, 2)}))["layer.weight"].owners[0]
    assert (owner.name, owner.module_path, owner.leaf) == ("layer.weight", "layer", "weight")
    assert owner.classes == ("Own", "Linear", "Module")
    assert owner.class_path == f"{__name__}.{Own.__qualname__}"
    plain = tensors(lambda: nn.Linear(2, 2))["weight"].owners[0]
    assert (plain.module_path, plain.class_path) == ("", "torch.nn.modules.linear.Linear")


def test_parameters_that_are_not_trained() -> None:
    def build() -> nn.Module:
        layer = nn.Linear(2, 2)
        layer.bias.requires_grad_(False)
        return layer

    assert {name: t.trainable for name, t in tensors(build).items()} == {"weight": True, "bias": False}


def test_a_tied_tensor_is_there_once_with_every_owner() -> None:
    def build() -> nn.Module:
        model = nn.ModuleDict({"head": nn.Linear(2, 3, bias=False), "embed": nn.Embedding(3, 2)})
        model["embed"].weight = model["head"].weight
        return model

    (tied,) = described(build).tensors
    assert (tied.name, tied.aliases) == ("head.weight", ("embed.weight",))
    assert [owner.classes[0] for owner in tied.owners] == ["Linear", "Embedding"]


def test_a_module_at_two_places_owns_its_tensors_under_both_names() -> None:
    def build() -> nn.Module:
        layer = nn.BatchNorm1d(2)
        return nn.ModuleList([layer, nn.Linear(2, 2), layer])

    found = tensors(build)
    assert found["0.weight"].aliases == ("2.weight",)
    assert found["0.running_mean"].aliases == ("2.running_mean",)
    assert [owner.block for owner in found["0.weight"].owners] == [0, 2]
    assert found["1.weight"].aliases == ()


def test_the_first_owner_is_the_one_that_names_the_tensor() -> None:
    """`named_parameters` goes by modules, a parameter of the root first."""

    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(2, 2, bias=False)
            self.own = self.inner.weight

    (tensor,) = described(Late).tensors
    assert (tensor.name, tensor.aliases) == (next(iter(Late().named_parameters()))[0], ("inner.weight",))


def test_only_what_a_state_dict_holds_is_there() -> None:
    def build() -> nn.Module:
        module = nn.Module()
        module.register_buffer("hidden", torch.ones(2), persistent=False)
        module.register_buffer("none", None)
        module.register_parameter("no", None)
        module.register_buffer("shown", torch.ones(2))
        module.inner = nn.Module()
        module.inner.register_buffer("again", module.shown)
        module.inner.register_buffer("hidden_again", module.hidden, persistent=False)
        module.inner.register_buffer("last", torch.zeros(2))
        return module

    found = tensors(build)
    assert list(found) == ["shown", "inner.last"]
    assert found["shown"].aliases == ("inner.again",)
    assert {name for t in found.values() for name in (t.name, *t.aliases)} == set(build().state_dict())


PAIR = (nn.Linear, nn.Linear)


def many(*classes: type[nn.Module]) -> list[nn.Module]:
    return [cls(2, 2) if issubclass(cls, nn.Linear | nn.Embedding) else cls(2) for cls in classes]


class Numbered(nn.Module):
    """A stack that is no container of torch's, beside a layer with a name."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(2, 2)
        for index, layer in enumerate(many(nn.Linear, nn.Linear)):
            self.add_module(str(index), layer)
        self.after = nn.Linear(2, 2)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = many(nn.Linear, nn.Linear)
        self.third = None


BLOCKS: dict[str, tuple[Build, list[int | None]]] = {
    "a list": (lambda: nn.ModuleList(many(nn.Embedding, nn.Embedding, nn.Embedding)), [0, 1, 2]),
    "a sequence": (lambda: nn.Sequential(*many(nn.Embedding, nn.Embedding)), [0, 1]),
    "a dict": (lambda: nn.ModuleDict(zip("ab", many(nn.Embedding, nn.Embedding), strict=True)), [0, 1]),
    "other classes between": (lambda: nn.ModuleList(many(nn.Embedding, nn.PReLU, nn.Embedding)), [0, 1, 2]),
    "no two alike": (lambda: nn.ModuleList(many(nn.Embedding, nn.PReLU)), [None, None]),
    "one alone": (lambda: nn.ModuleList(many(nn.Embedding)), [None]),
    "no stack at all": (lambda: nn.Embedding(2, 2), [None]),
    "a layer that stands twice": (lambda: nn.ModuleList(many(nn.Embedding) * 2), [0]),
    "the outermost stack counts": (
        lambda: nn.ModuleList([nn.ModuleList(many(nn.Embedding, nn.Embedding)) for _ in range(2)]),
        [0, 0, 1, 1],
    ),
    "an outer stack of one does not": (
        lambda: nn.ModuleList([nn.ModuleList(many(nn.Embedding, nn.Embedding))]),
        [0, 1],
    ),
    "inside a block": (lambda: nn.ModuleList([nn.ModuleDict({"in": nn.Embedding(2, 2)}) for _ in range(2)]), [0, 1]),
    "beside a stack": (
        lambda: nn.ModuleDict({"embed": nn.Embedding(2, 2), "layers": nn.ModuleList(many(nn.PReLU, nn.PReLU))}),
        [None, 0, 1],
    ),
    "children with names": (Named, [None] * 4),
    "children with numbers": (Numbered, [None, None, 1, 1, 2, 2, None, None]),
}
"""The block of each tensor."""


@pytest.mark.parametrize("case", BLOCKS)
def test_blocks_are_places_in_the_outermost_stack_of_alike_modules(case: str) -> None:
    build, expected = BLOCKS[case]
    assert list(blocks(build).values()) == expected


def test_a_block_knows_how_many_its_stack_has() -> None:
    def build() -> nn.Module:
        stack = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2)))
        return nn.ModuleDict({"body": stack, "head": nn.Linear(2, 2)})

    counts = {name: tensor.owners[0].blocks for name, tensor in tensors(build).items() if name.endswith("weight")}
    assert counts == {"body.0.weight": 3, "body.1.0.weight": 3, "body.2.0.weight": 3, "head.weight": None}


def test_a_convolution_has_groups_and_an_embedding_its_padding_row() -> None:
    found = tensors(
        lambda: nn.ModuleList(
            [
                nn.Conv2d(4, 8, 3, groups=2, bias=False),
                nn.ConvTranspose1d(4, 8, 3, bias=False),
                nn.Embedding(5, 2, padding_idx=-1),
                nn.Embedding(5, 2),
                nn.Linear(2, 2, bias=False),
            ]
        )
    )
    owners = [tensor.owners[0] for tensor in found.values()]
    assert [owner.groups for owner in owners] == [2, 1, None, None, None]
    assert [owner.padding_idx for owner in owners] == [None, None, 4, None, None]


def test_an_empty_place_in_a_stack_is_counted() -> None:
    def build() -> nn.Module:
        layers = nn.Sequential(*many(nn.Embedding, nn.Embedding, nn.Embedding))
        layers._modules["1"] = None
        return layers

    assert blocks(build) == {"0.weight": 0, "2.weight": 2}
    assert {tensor.owners[0].blocks for tensor in tensors(build).values()} == {3}


def test_a_parametrized_tensor_belongs_to_the_module_whose_tensor_it_was() -> None:
    class Double(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight * self.scale

        def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
            return weight

    def build() -> nn.Module:
        layers = [nn.Sequential(nn.Conv1d(2, 2, 1)) for _ in range(2)]
        for layer in layers:
            nn.utils.parametrize.register_parametrization(layer[0], "weight", Double())
        return nn.ModuleDict({"deep": nn.ModuleList(layers)})

    found = tensors(build)
    weight = found["deep.1.0.parametrizations.weight.original"].owners[0]
    assert weight.classes == ("Conv1d", "_ConvNd", "Module")
    assert weight.class_path == "torch.nn.modules.conv.Conv1d"
    assert weight.block == 1
    assert found["deep.1.0.bias"].owners[0].classes == weight.classes
    assert found["deep.0.0.parametrizations.weight.0.scale"].owners[0].classes == weight.classes
    assert {name for name, tensor in found.items() if "head" in tensor.roles} == {
        name for name in found if name.startswith("deep.1.0.")
    }


def test_a_class_that_is_merely_called_parametrized_is_itself() -> None:
    parametrized = type("ParametrizedLinear", (nn.Linear,), {})
    assert tensors(lambda: parametrized(2, 2))["weight"].owners[0].classes[0] == "ParametrizedLinear"


def test_a_module_called_parametrizations_that_torch_did_not_make() -> None:
    root, inner = nn.Module(), nn.Module()
    modules = {"": root, "a.parametrizations.weight": inner}
    assert original("a.parametrizations.weight", modules) is inner
    assert original("", modules) is root


def test_names_are_joined_with_dots() -> None:
    assert join("", "weight") == "weight"
    assert join("a.b", "weight") == "a.b.weight"


def test_a_bare_parameter_has_no_default_fill() -> None:
    captured = capture(lambda: nn.Linear(2, 2))
    weight, bias = describe(captured, bare=frozenset({"weight"})).tensors
    assert (weight.default, weight.default_error) == (None, BARE_ERROR)
    assert bias.default is not None


def test_files_and_versions_are_kept_and_torch_s_is_added() -> None:
    captured = capture(lambda: nn.Linear(2, 2))
    bare = describe(captured)
    assert (bare.files, bare.versions) == ({}, {"torch": str(torch.__version__)})
    full = describe(captured, {"config.json": b"{}"}, {"timm": "1.0"})
    assert (full.files, full.versions) == ({"config.json": b"{}"}, {"torch": str(torch.__version__), "timm": "1.0"})


DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint64: "U64",
    torch.uint32: "U32",
    torch.uint16: "U16",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_dtypes_have_safetensors_names(dtype: torch.dtype) -> None:
    (tensor,) = inventory_of(lambda: torch.ones(3, dtype=dtype), buffer=True).tensors
    assert (tensor.dtype, tensor.default) == (DTYPES[dtype], Constant(1.0))


def test_complex_numbers_are_literals() -> None:
    (tensor,) = inventory_of(lambda: torch.ones(3, dtype=torch.complex64), buffer=True).tensors
    assert tensor.dtype == "C64"
    assert fills_of(lambda: [torch.ones(3, dtype=torch.complex64)])[0][0] == tensor.default


@pytest.mark.parametrize("dtype", [torch.complex128, torch.float8_e5m2fnuz, torch.float8_e4m3fnuz], ids=str)
def test_a_dtype_that_safetensors_lacks_is_unsupported_by_name(dtype: torch.dtype) -> None:
    with pytest.raises(Unsupported, match=rf"t0 has the dtype {dtype}, which safetensors does not have"):
        inventory_of(lambda: torch.zeros(3, dtype=dtype), buffer=True)
