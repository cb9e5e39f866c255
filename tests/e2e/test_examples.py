"""The examples, end to end: same bytes everywhere, loaded strictly into their own libraries."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

import initium
from initium import Manifest
from tests.e2e.conftest import NAMES
from tests.e2e.servers import EXAMPLES, ServerProcess, golden, initium_command


@pytest.mark.parametrize("name", NAMES)
def test_golden_digests_from_a_server_and_drawn_here_by_one_thread(name: str, generated: dict[str, Path]) -> None:
    """Promise 1, on every machine: two threads over TCP, and one thread without a server."""
    files = Manifest.load(generated[name]).proto.files
    assert {file.name: file.digest for file in files} == golden(name)
    initium_command("verify", "--redraw", generated[name], "--threads", "1")


CLASSIC = sorted(f"classic/{path.name}" for path in (EXAMPLES / "classic").iterdir())


@pytest.mark.parametrize("name", CLASSIC)
def test_golden_digests_of_the_classic_recipes(name: str, tcp_server: ServerProcess, tmp_path: Path) -> None:
    with initium.connect(tcp_server.address) as client:
        manifest = client.generate(EXAMPLES / name, tmp_path / "out")
    assert {file.name: file.digest for file in manifest.proto.files} == golden(name)


@pytest.mark.parametrize("name", ["mlp.yaml", "bare_tensors.json"])
def test_an_embedded_server_gives_the_same_files(name: str, generated: dict[str, Path], tmp_path: Path) -> None:
    initium_command("generate", EXAMPLES / name, "-o", tmp_path / "out", "--threads", "1")
    here, there = (Manifest.load(path).proto.files for path in (generated[name], tmp_path / "out"))
    assert list(here) == list(there)


@pytest.mark.parametrize("name", NAMES)
def test_random_ranges_equal_the_whole_file(name: str, generated: dict[str, Path], tcp_server: ServerProcess) -> None:
    """Promise 2."""
    plan = Manifest.load(generated[name]).plan

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def ranges(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(list(plan.files)))
        offset = data.draw(st.integers(0, file.size))
        length = data.draw(st.integers(0, 3 << 20))
        with (generated[name] / file.name).open("rb") as stream:
            stream.seek(offset)
            expected = stream.read(length)
        assert client.read(plan, file.name, offset, length) == expected

    with initium.connect(tcp_server.address) as client:
        client.resolve(plan)
        ranges()


def test_resnet50_loads_strictly_and_its_groups_build_the_optimizer(generated: dict[str, Path]) -> None:
    import torchvision

    directory = generated["resnet50.yaml"]
    model = torchvision.models.resnet50()
    model.load_state_dict(load_file(directory / "model.safetensors"), strict=True)
    manifest = Manifest.load(directory)
    optimizer = torch.optim.SGD(manifest.param_groups(model.named_parameters()))
    groups = {group["name"]: group for group in optimizer.param_groups}
    decay = {name: group["weight_decay"] for name, group in groups.items()}
    assert decay == {"base": 0.0005, "head": 0.005, "norm_and_prelu": 0.0}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(model.parameters()))
    assert groups["head"]["param_names"] == ["fc.weight", "fc.bias"]
    assert model.conv1.weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_vit_loads_strictly(generated: dict[str, Path]) -> None:
    import timm

    model = timm.create_model("vit_base_patch16_224")
    model.load_state_dict(load_file(generated["vit_b16.yaml"] / "model.safetensors"), strict=True)
    torch.optim.AdamW(Manifest.load(generated["vit_b16.yaml"]).param_groups(model.named_parameters()))


@pytest.mark.parametrize("name", ["gpt2.yaml", "llama_1b.yaml"])
def test_transformers_load_strictly_from_the_directory(name: str, generated: dict[str, Path]) -> None:
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(generated[name], output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    manifest = Manifest.load(generated[name])
    torch.optim.AdamW(manifest.param_groups(model.named_parameters()))
    tensors = {tensor.name: tensor for tensor in manifest.plan.tensors}
    assert tensors["model.embed_tokens.weight" if "llama" in name else "transformer.wte.weight"].aliases
    if "llama" in name:
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
        index = json.loads((generated[name] / "model.safetensors.index.json").read_text())
        assert index["metadata"]["total_size"] == sum(tensor.size for tensor in manifest.plan.tensors)


def test_verify_and_redraw(generated: dict[str, Path], tcp_server: ServerProcess, tmp_path: Path) -> None:
    initium_command("verify", generated["mlp.yaml"])
    initium_command("verify", "--redraw", generated["gpt2.yaml"], "--server", tcp_server.address)
    shutil.copytree(generated["mlp.yaml"], tmp_path / "out")
    file = tmp_path / "out" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    for flags in ([], ["--redraw"]):
        done = initium_command("verify", tmp_path / "out", *flags, check=False)
        assert done.returncode == 1
        assert "model.safetensors" in done.stderr


def test_a_plan_in_place_of_the_recipe_gives_the_same_bytes(
    generated: dict[str, Path], tcp_server: ServerProcess, tmp_path: Path
) -> None:
    """Promise 1: the plan alone says the bytes."""
    initium_command("plan", EXAMPLES / "resnet50.yaml", "-o", tmp_path / "plan.json", "--server", tcp_server.address)
    initium_command("generate", tmp_path / "plan.json", "-o", tmp_path / "out", "--server", tcp_server.address)
    same = [Manifest.load(path).proto.files[0].digest for path in (generated["resnet50.yaml"], tmp_path / "out")]
    assert same[0] == same[1]
