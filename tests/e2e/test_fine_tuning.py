"""A new head on the weights of another checkpoint: backbone loaded, head drawn, stem frozen; as a user does it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

import initium
from initium import PreconditionError
from initium.cli import main
from tests.e2e.servers import EXAMPLES, ServerProcess, initium_command

RECIPE = EXAMPLES / "fine_tune.yaml"
MIB = 1 << 20


@pytest.fixture(scope="module")
def source(zoo: Path) -> Path:
    """A store with a ResNet-18 whose buffers are no defaults."""
    model = torchvision.models.resnet18()
    for buffer in model.buffers():
        buffer.copy_(torch.rand(buffer.shape) + 1 if buffer.is_floating_point() else torch.tensor(77))
    save_file(model.state_dict(), zoo / "resnet18.safetensors")
    return zoo


def test_a_backbone_under_a_new_head(source: Path, tcp_server: ServerProcess, tmp_path: Path) -> None:
    """Promises 2 and 5: a checkpoint that PyTorch loads strictly, drawn again by whoever has the store."""
    out = tmp_path / "out"
    with initium.connect(tcp_server.address) as client:
        manifest = client.generate(RECIPE, out)
        initium.redraw(out, client)
    shown = initium_command("plan", RECIPE, "--server", tcp_server.address).stdout
    assert "loaded     120 tensors from zoo/resnet18.safetensors (init.rules[1])" in shown
    assert "unused     2: fc.bias, fc.weight" in shown
    report = manifest.plan.loads[0]
    assert (report.rule, report.loaded, list(report.unused.names)) == ("init.rules[1]", 120, ["fc.bias", "fc.weight"])
    _check_weights(source, out)
    _check_groups(manifest)
    initium_command("verify", out, "--redraw", "--store", f"zoo={source}")
    with pytest.raises(PreconditionError, match="there is no store 'zoo' here"):
        initium.redraw(out)
    _check_ranges(source, out, manifest)


def _check_weights(source: Path, out: Path) -> None:
    made, given = load_file(out / "model.safetensors"), load_file(source / "resnet18.safetensors")
    torchvision.models.resnet18(num_classes=10).load_state_dict(made, strict=True)
    assert made.keys() == given.keys()
    for name, tensor in made.items():
        if name.startswith("fc."):
            assert tensor.shape[0] == 10
            assert not torch.equal(tensor, given[name][:10])
        else:
            assert torch.equal(tensor, given[name]), name


def _check_groups(manifest: initium.Manifest) -> None:
    model = torchvision.models.resnet18(num_classes=10)
    for stem in (model.conv1, model.bn1):
        stem.requires_grad_(False)
    groups = manifest.param_groups(model.named_parameters())
    assert {len(group["params"]): round(group["lr"], 6) for group in groups} == {2: 0.1, 57: 0.01}


def _check_ranges(source: Path, out: Path, manifest: initium.Manifest) -> None:
    """The bytes at odd places, by whoever holds the plan and the store."""
    whole = (out / "model.safetensors").read_bytes()
    checkpoint = initium.open_plan(manifest.plan, stores={"zoo": source})
    for offset in range(7, len(whole), 9 * MIB + 1):
        assert checkpoint.read("model.safetensors", offset, 70_001) == whole[offset : offset + 70_001]


def test_wrong_flags_are_named(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flags, text in (
        (["--store", "zoo"], "'zoo' is not NAME=DIR"),
        (["--store", f"../zoo={source}"], "store name '../zoo' is not"),
        (["--store", f"zoo={source}/gone"], "gone is no directory"),
        (["--store", f"zoo={source}", "--store", f"zoo={tmp_path}"], "store zoo is given twice"),
        (["--store", f"zoo={source}", "--server", "localhost:1"], "--store are for a local server"),
    ):
        assert main(["plan", str(RECIPE), *flags]) == 2
        assert text in capsys.readouterr().err
    assert main(["verify", str(source), "--store", f"zoo={source}"]) == 2
    assert "need --redraw" in capsys.readouterr().err
