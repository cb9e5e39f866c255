"""The classic recipes: under generator `torch`, byte for byte what a script by hand gives in plain PyTorch."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load, save
from torch import nn

import initium
from initium.errors import RecipeError
from initium.plan.limits import Limits
from initium_law.grammar import Uniform
from initium_server.planning import resolve
from initium_server.pytorch import generator
from initium_server.sources import build_inventory
from initium_server.sources.libraries import adapters
from tests.e2e import faces
from tests.e2e.servers import EXAMPLES

CLASSIC = EXAMPLES / "classic"
BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d


def recipe_of(name: str) -> dict[str, Any]:
    return yaml.safe_load((CLASSIC / f"{name}.yaml").read_text())


def served(client: initium.Client, out: Path, recipe: dict[str, Any]) -> bytes:
    client.generate(recipe | {"generator": "torch"}, out)
    return (out / "model.safetensors").read_bytes()


def by_hand(script: Callable[[], nn.Module], seed: int = 1) -> bytes:
    torch.manual_seed(seed)
    return save({name: t.contiguous() for name, t in script().state_dict().items()}, metadata={"format": "pt"})


# --- scripts as people write them --------------------------------------------------------------------------------


def by_class_name() -> nn.Module:
    def weights_init(module: nn.Module) -> None:
        name = module.__class__.__name__
        if "Conv" in name:
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif "BatchNorm" in name:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.constant_(module.bias, 0)

    return nn.Sequential(
        nn.ConvTranspose2d(100, 32, 4, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 3, 4, 2, 1, bias=False),
        nn.Tanh(),
    ).apply(weights_init)


def by_type() -> nn.Module:
    def weights_init(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.weight.data.normal_(0.0, 0.02)
            module.bias.data.fill_(0)

    convolutions = nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
    linear = nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 10)
    return nn.Sequential(*convolutions, nn.Flatten(), *linear).apply(weights_init)


def by_type_xavier() -> nn.Module:
    def weights_init(module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
            nn.init.constant_(module.bias, 0)
        elif isinstance(module, BATCH_NORMS):
            nn.init.constant_(module.weight, 1)
            nn.init.constant_(module.bias, 0)

    layers = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.AdaptiveAvgPool2d(2)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 32), nn.BatchNorm1d(32)).apply(weights_init)


def he_fan_out() -> nn.Module:
    def weights_init(module: nn.Module) -> None:
        name = module.__class__.__name__
        if "Conv" in name:
            n = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            module.weight.data.normal_(0, math.sqrt(2.0 / n))
        elif "BatchNorm" in name:
            module.weight.data.fill_(1)
            module.bias.data.zero_()
        elif "Linear" in name:
            module.weight.data.normal_(0, 0.01)
            module.bias.data = torch.ones(module.bias.data.size())

    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 16), (16, 32)):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10)).apply(weights_init)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        conv1, conv2 = nn.Conv2d(3, 16, 5, bias=False), nn.Conv2d(16, 32, 3, groups=4)
        bn1, bn2 = nn.BatchNorm2d(16), nn.BatchNorm2d(32)
        self.features = faces.Named(conv1=conv1, bn1=bn1, conv2=conv2, bn2=bn2)
        self.classifier = nn.Linear(32, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                n = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
                module.weight.data.normal_(0, math.sqrt(2.0 / n))
                if module.bias is not None:
                    module.bias.data.zero_()
            elif isinstance(module, nn.BatchNorm2d):
                module.weight.data.fill_(1)
                module.bias.data.zero_()
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                module.bias.data.zero_()


class CosineHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1000, 128))
        self.bias = nn.Parameter(torch.empty(1000))
        self.scale = nn.Parameter(torch.empty(()))
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)
        nn.init.constant_(self.scale, 30)


def bare_parameters() -> nn.Module:
    return faces.Named(features=nn.Linear(64, 128), head=CosineHead())


def every_initializer() -> nn.Module:
    gain = nn.init.calculate_gain
    calls: dict[str, Callable[[torch.Tensor], Any]] = {
        "uniform": lambda w: nn.init.uniform_(w, -0.1, 0.1),
        "normal": lambda w: nn.init.normal_(w, 0, 0.02),
        "trunc_normal": lambda w: nn.init.trunc_normal_(w, 0, 0.02, -0.04, 0.04),
        "constant": lambda w: nn.init.constant_(w, 0.3),
        "ones": nn.init.ones_,
        "zeros": nn.init.zeros_,
        "eye": nn.init.eye_,
        "dirac": lambda w: nn.init.dirac_(w, groups=2),
        "xavier_uniform": lambda w: nn.init.xavier_uniform_(w, gain("tanh")),
        "xavier_normal": lambda w: nn.init.xavier_normal_(w, gain("relu")),
        "kaiming_uniform": lambda w: nn.init.kaiming_uniform_(w, 0.1),
        "kaiming_normal": lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"),
        "orthogonal": lambda w: nn.init.orthogonal_(w, gain("relu")),
        "sparse": lambda w: nn.init.sparse_(w, 0.25, 0.01),
    }
    makers: dict[str, Callable[[], nn.Module]] = {
        "conv": lambda: nn.Conv2d(4, 6, 3),
        "linear": lambda: nn.Linear(12, 8),
        "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    }
    left_out = {"eye": {"conv", "transposed"}, "sparse": {"conv", "transposed"}, "dirac": {"linear"}}
    parts = {
        name: faces.Named(**{kind: make() for kind, make in makers.items() if kind not in left_out.get(name, ())})
        for name in calls
    }
    model = faces.Named(**parts)
    for name, call in calls.items():
        for layer in model.get_submodule(name).children():
            call(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


SOBEL = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])


@torch.no_grad()
def given_weights() -> nn.Module:
    model = faces.Named(edges=nn.Conv2d(1, 2, 3, bias=False), online=nn.Linear(32, 16), target=nn.Linear(32, 16))
    model.edges.weight.copy_(torch.stack([SOBEL, SOBEL.T]).unsqueeze(1))
    nn.init.xavier_uniform_(model.online.weight)
    model.target.weight.copy_(model.online.weight)
    model.target.bias.copy_(model.online.bias)
    return model


SCRIPTS: dict[str, Callable[[], nn.Module]] = {
    "by_class_name": by_class_name,
    "by_type": by_type,
    "by_type_xavier": by_type_xavier,
    "he_fan_out": he_fan_out,
    "in_constructor": Net,
    "bare_parameters": bare_parameters,
    "every_initializer": every_initializer,
    "given_weights": given_weights,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_bytes_are_those_of_the_script(name: str, client: initium.Client, tmp_path: Path) -> None:
    assert served(client, tmp_path / "out", recipe_of(name)) == by_hand(SCRIPTS[name])


def test_xavier_on_a_bias_fails_and_says_what_to_do(client: initium.Client) -> None:
    """The well-known script fails in torch, too."""
    recipe = recipe_of("by_type_xavier")
    del recipe["init"]["rules"][0]["match"]["tensor"]
    with pytest.raises(RecipeError) as caught:
        client.resolve(recipe)
    (violation,) = (v for v in caught.value.violations if v.field.endswith("xavier_normal"))
    assert violation.field == "init.rules[0].xavier_normal"
    assert "0.bias has shape [16]. Match weights only, e.g. with `tensor: [weight]`" in violation.message
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        nn.init.xavier_normal_(nn.Conv2d(3, 16, 3).bias)


@pytest.mark.parametrize("name", ["eye", "sparse", "dirac"])
def test_initializers_that_cannot_apply_fail_as_in_torch(name: str, client: initium.Client) -> None:
    recipe = recipe_of("every_initializer")
    child = next(child for child in recipe["architecture"]["modules"]["root"]["children"] if child["name"] == name)
    child["use"] = "layers"
    with pytest.raises(RecipeError, match=rf"rules\[\d+\]\.{name}: .*{name}\.(conv|linear)\.weight"):
        client.resolve(recipe)


def test_fan_out_of_transposed_convolutions_is_torchs(client: initium.Client, tmp_path: Path) -> None:
    args = {"in_channels": 8, "out_channels": 12, "kernel_size": [3, 5], "groups": 4}
    rule = {"match": {"tensor": ["weight"]}, "kaiming_normal": {"mode": "fan_out", "nonlinearity": "relu"}}
    recipe = {
        "architecture": {"modules": {"root": {"type": "ConvTranspose2d", "args": args}}},
        "seed": 1,
        "init": {"rules": [rule]},
    }

    def script() -> nn.Module:
        layer = nn.ConvTranspose2d(8, 12, (3, 5), groups=4)
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        return layer

    assert served(client, tmp_path / "out", recipe) == by_hand(script)
    weight = next(tensor for tensor in client.resolve(recipe).tensors if tensor.name == "weight")
    assert weight.resolved["fan"] == str(8 * 3 * 5)  # torch takes axis 0 for fan out, which has the inputs here


def test_given_weights_are_copied_and_written_as_they_stand(client: initium.Client, tmp_path: Path) -> None:
    manifest = client.generate(CLASSIC / "given_weights.yaml", tmp_path / "out")
    state = load((tmp_path / "out" / "model.safetensors").read_bytes())
    assert torch.equal(state["edges.weight"], torch.stack([SOBEL, SOBEL.T]).unsqueeze(1))
    assert torch.equal(state["target.weight"], state["online.weight"])
    assert torch.equal(state["target.bias"], state["online.bias"])
    assert state["online.weight"].unique().numel() > 500
    assert [tensor.name for tensor in manifest.plan.tensors if not tensor.trainable] == ["edges.weight"]


# --- face recognition --------------------------------------------------------------------------------------------

FACES: dict[str, tuple[Callable[[int], nn.Module], int, int]] = {
    "ir_50": (faces.ir_50, 187, 108),
    "ir_se_50": (faces.ir_se_50, 235, 108),
    "face_resnet_50": (faces.face_resnet_50, 165, 110),
}
"""The script, its parameters, and those of them in batch norms."""


def narrow(value: Any) -> Any:
    """The recipe with a quarter of the channels."""
    if isinstance(value, dict):
        return {key: narrow(item) if key not in ("init", "groups") else item for key, item in value.items()}
    if isinstance(value, list):
        return [narrow(item) for item in value]
    return value // 4 if type(value) is int and value >= 64 else value


@pytest.mark.parametrize("name", FACES)
def test_a_narrow_backbone_has_the_bytes_of_the_script(name: str, client: initium.Client, tmp_path: Path) -> None:
    script = FACES[name][0]
    assert served(client, tmp_path / "out", narrow(recipe_of(name))) == by_hand(lambda: script(16))


@pytest.mark.parametrize("name", FACES)
def test_a_backbone_has_the_tensors_and_groups_of_the_script(name: str, client: initium.Client) -> None:
    script, parameters, batch_norms = FACES[name]
    plan = client.resolve(CLASSIC / f"{name}.yaml")
    with torch.device("meta"):
        expected = script(64).state_dict()
    assert {t.name: tuple(t.shape) for t in plan.tensors} == {name: tuple(t.shape) for name, t in expected.items()}
    groups = {group.name: group for group in plan.groups.groups}
    assert len(groups["batch_norm"].tensors) == batch_norms
    assert len(groups["decay"].tensors) == parameters - batch_norms
    assert groups["batch_norm"].options["weight_decay"] != groups["decay"].options["weight_decay"]


def test_names_of_layers_change_no_byte_of_their_values(client: initium.Client, tmp_path: Path) -> None:
    """Named layers or positions: generator `torch` draws in the order of registration."""
    recipe = narrow(recipe_of("ir_50"))
    unnamed = load(served(client, tmp_path / "unnamed", recipe))
    for number, child in enumerate(recipe["architecture"]["modules"]["blocks"]["res_layer"]["children"]):
        child["name"] = f"layer{number}"
    named = load(served(client, tmp_path / "named", recipe))
    assert "body.3.res_layer.layer1.weight" in named
    assert unnamed.keys() == {name.replace("layer.layer", "layer.") for name in named}
    assert all(torch.equal(tensor, unnamed[name.replace("layer.layer", "layer.")]) for name, tensor in named.items())


TWICE = """
from torch import nn

from initium_server.sources.arguments import target
from initium_server.sources.library import Prepared


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Conv2d(32, 2, 1, bias=False)
        nn.init.xavier_uniform_(self.fc1.weight)
        self.fc2 = nn.Conv2d(2, 32, 1, bias=False)


def prepare(library):
    return Prepared(Twice, {"twice": "1"}, target(Twice))
"""


def test_the_last_draw_of_a_constructor_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """IR-SE's fc1 is drawn by its own constructor, and then by the module that has it."""
    (tmp_path / "twice.py").write_text(TWICE)
    (tmp_path / "twice-1.dist-info").mkdir()
    (tmp_path / "twice-1.dist-info" / "entry_points.txt").write_text("[initium.sources]\ntwice = twice\n")
    monkeypatch.syspath_prepend(tmp_path)
    adapters.cache_clear()
    try:
        library = {"library": {"source": "twice", "name": "any"}}
        recipe = initium.load_recipe({"architecture": library, "seed": 1, "generator": "torch"})
        inventory = build_inventory(recipe.architecture)
        drawn = generator.run(resolve(recipe, inventory, None, {}, Limits()), "cpu")
        torch.manual_seed(1)
        real = importlib.import_module("twice").Twice()
    finally:
        adapters.cache_clear()
    bound = math.sqrt(6 / (32 + 2))
    assert inventory.tensors[0].default == Uniform(-bound, bound)
    assert all(torch.equal(drawn[name], tensor) for name, tensor in real.state_dict().items())


def test_a_preset_runs_as_the_rules_that_it_stands_for(client: initium.Client, tmp_path: Path) -> None:
    recipe = recipe_of("by_class_name") | {"init": {"preset": "dcgan"}}
    assert served(client, tmp_path / "out", recipe) == by_hand(by_class_name)


def test_capabilities_have_the_presets_to_copy(client: initium.Client) -> None:
    by_name = {preset.name: preset for preset in client.capabilities().presets}
    assert by_name["dcgan"].summary.startswith("DCGAN")
    recipe = recipe_of("by_class_name")
    copied = client.resolve(recipe | {"init": yaml.safe_load(by_name["dcgan"].text)})
    named = client.resolve(recipe | {"init": {"preset": "dcgan"}})
    assert copied.weights_key == named.weights_key
