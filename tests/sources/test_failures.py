"""What a library could not build is said in one line, at the key that it is about."""

from __future__ import annotations

from typing import Any

import pytest

from initium.errors import InitiumError, PreconditionError
from initium_server.sources import build_inventory
from initium_server.sources.failures import explain
from tests.sources.compare import library

CASES: list[tuple[str, str, str]] = [
    ("autoformer", ".prediction_length", "ValueError: The `prediction_length` config needs to be specified."),
    ("timm_backbone", ".backbone", "backbone is not set in the config"),
    ("esm", ".vocab_size", "found element of type NoneType at pos 0; EsmConfig has no value for vocab_size"),
    ("ministral", ".head_dim", "MinistralConfig has no value for head_dim"),
    ("chameleon", ".vocabulary_map", "ChameleonConfig has no value for vocabulary_map"),
    ("funnel", ".architectures", "FunnelConfig has no value for architectures"),
    ("diffusion_gemma", "", "DiffusionGemmaTextConfig has no value for num_experts"),
    ("dbrx", ".rope_theta", "'DbrxAttentionConfig' object has no attribute 'rope_theta'"),
    ("gemma4_assistant", "", "'validate_architecture': ValueError: hidden_size_per_layer_input must be 0, got 256"),
    ("voxtral_realtime_text", ".model_type", "lists a class for it, but does not have that class"),
    (
        "evolla",
        ".model_type",
        "no model of type 'evolla'; classes that have one: EvollaForProteinText2Text, EvollaModel",
    ),
    ("chmv2", ".model_type", "classes that have one: AutoModelForDepthEstimation"),
    ("dia_encoder", ".model_type", "no class takes it: it is a part of other configurations"),
]


def failure(model_type: str) -> InitiumError:
    with pytest.raises(InitiumError) as caught:
        build_inventory(library("transformers", "AutoModel", model_type=model_type))
    return caught.value


@pytest.mark.parametrize(("model_type", "field", "words"), CASES)
def test_the_key_and_the_words(model_type: str, field: str, words: str) -> None:
    error = failure(model_type)
    (violation,) = error.violations
    assert violation.field == f"architecture.library.config{field}"
    assert words in violation.message
    assert "\n" not in str(error)
    assert len(str(error)) < 800


def test_what_a_library_lacks_is_named() -> None:
    """natten builds for GPUs only, so no extra brings it."""
    error = failure("dinat")
    assert isinstance(error, PreconditionError)
    assert (error.reason, error.metadata) == ("LIBRARY_MISSING", {"library": "natten"})


def test_long_words_are_cut() -> None:
    assert len(str(explain(ValueError("x" * 9000), "it", "a"))) < 600


@pytest.mark.parametrize(
    ("error", "field", "words"),
    [
        (
            TypeError("f() got an unexpected keyword argument 'wdth'"),
            "a.wdth",
            "takes no argument 'wdth'; did you mean 'width'",
        ),
        (TypeError("f() missing 1 required positional argument: 'width'"), "a", "needs the argument 'width'"),
        (ValueError("width and depth differ"), "a", "ValueError: width and depth differ"),
        (ValueError("width_of is odd"), "a", "ValueError: width_of is odd"),
        (ValueError("`width` is odd"), "a.width", "ValueError: `width` is odd"),
        (KeyError(), "a", "could not be built: KeyError"),
    ],
)
def test_what_an_exception_is_about(error: Exception, field: str, words: str) -> None:
    (violation,) = explain(error, "it", "a", ["width", "depth"]).violations
    assert violation.field == field
    assert words in violation.message


def stopping(config: Any, how: str) -> InitiumError:
    size = config.size
    try:
        if how == "at a local name":
            return len(size)  # type: ignore[return-value]
        if how == "at a chain":
            return len(config.sub.size)  # type: ignore[return-value]
        other = size
        return len(other)  # type: ignore[return-value]
    except TypeError as error:
        return explain(error, "it", "a", ["size"])


@pytest.mark.parametrize(
    ("how", "key"), [("at a local name", "size"), ("at a chain", "sub.size"), ("earlier in the function", "size")]
)
def test_a_key_without_a_value_is_found(how: str, key: str) -> None:
    class Config:
        size = pad_token_id = None

    class Whole(Config):
        sub = Config()

    (violation,) = stopping(Whole(), how).violations
    assert f"Whole has no value for {key}" in violation.message


def test_a_wrong_type_is_refused_without_importing_every_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.auto.auto_factory import _LazyAutoMapping

    def everything(mapping: Any) -> Any:
        raise AssertionError("every configuration would be imported, which takes seconds")

    monkeypatch.setattr(_LazyAutoMapping, "keys", everything)
    monkeypatch.setattr(_LazyAutoMapping, "__iter__", everything)
    assert "AutoModelForDepthEstimation" in str(failure("chmv2"))
