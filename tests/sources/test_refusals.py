"""Nothing in a recipe leads a library to a place: refused by meaning, before the library sees it (promise 5)."""

from __future__ import annotations

from typing import Any

import pytest

from initium.errors import RecipeError
from initium_server.sources.refusals import refuse

PLACES = [
    *(
        "hf-hub:timm/resnet50",
        "HF-HUB:timm/resnet50",
        "hf_hub:x",
        "Hf_Hub:x",
        " hf-hub:x",
        "hf\t-hub:x",
        "hf-hub\uff1ax",
    ),
    *(
        "local-dir:model",
        "LOCAL-DIR:model",
        "file://model",
        "FILE:model",
        "https://host/model",
        "s3://bucket",
        "c:model",
    ),
    *("facebook/opt-125m", "timm/resnet50.a1_in1k", "/etc/passwd", "..", "./model", "../model", "~", "~root", "a\\b"),
    *("\uff0fetc\uff0fpasswd", "model.safetensors", "weights.PTH", "config.json", "pytorch_model.bin ", "code.py"),
]
NESTINGS: list[tuple[str, Any]] = [
    ("backbone", lambda value: {"backbone": value}),
    ("_name_or_path", lambda value: {"_name_or_path": value}),
    ("vision_config.architecture", lambda value: {"vision_config": {"architecture": value}}),
    ("layers[1][0].name", lambda value: {"layers": [1, [{"name": value}]]}),
]


def fields(arguments: dict[str, Any]) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        refuse(arguments, "config")
    return [violation.field for violation in caught.value.violations]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("field", "nested"), NESTINGS)
def test_a_place_is_refused_wherever_it_stands(place: str, field: str, nested: Any) -> None:
    expected = f"config.{field}" if "[" not in field else "config.layers[1][0].name"
    assert fields(nested(place)) == [expected]


@pytest.mark.parametrize("name", ["timm_wrapper", "TIMM_WRAPPER", "timm-wrapper", " Timm_Wrapper "])
def test_a_wrapped_model_of_timm_is_refused(name: str) -> None:
    assert fields({"model_type": name}) == ["config.model_type"]
    assert fields({"text_config": {}, "vision_config": {"model_type": name}}) == ["config.vision_config.model_type"]


@pytest.mark.parametrize(
    "name",
    ["pretrained", "Pretrained", "PRETRAINED_CFG", "checkpoint-path", "weights", "hf-hub-id", "Trust_Remote_Code"],
)
def test_names_are_refused_in_any_spelling(name: str) -> None:
    assert fields({"model_args": {name: True}}) == [f"config.model_args.{name}"]


@pytest.mark.parametrize("beside", [{"use_timm_backbone": False}, {"backbone_kwargs": {"out_indices": [1]}}])
def test_a_backbone_that_a_hub_is_asked_for_is_refused(beside: dict[str, Any]) -> None:
    assert fields({"model_type": "detr", "backbone": "resnet18", **beside}) == ["config.backbone"]
    assert fields({"model_type": "x", "sub": {"backbone": "resnet18", **beside}}) == ["config.sub.backbone"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"hidden_act": "gelu_new", "layer_types": ["full_attention", "sliding_attention"]},
        {"id2label": {"0": "cat/dog", "1": "N/A", "2": "see: below"}, "title_sep": " / ", "doc_sep": " // "},
        {"model_type": "timm_backbone", "backbone": "resnet18", "out_indices": [1]},
        {"model_type": "detr", "backbone": "resnet18", "use_timm_backbone": True},
        {"model_type": "audio-spectrogram-transformer", "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        {"position_embedding_type": "relative_key_query", "problem_type": "single_label_classification"},
    ],
)
def test_words_are_not_places(arguments: dict[str, Any]) -> None:
    refuse(arguments, "config")
