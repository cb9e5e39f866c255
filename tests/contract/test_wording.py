"""Words for people: counts, sizes, near-misses."""

from __future__ import annotations

import pytest

from initium.contract.wording import counted, did_you_mean, human_bytes, joined, nearest, suggestion
from initium_law.dtypes import DTYPES, FLOATS


@pytest.mark.parametrize(("number", "text"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")])
def test_counted(number: int, text: str) -> None:
    assert counted(number, "file") == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 << 29, "1.5 GiB"),
        (1 << 40, "1.0 TiB"),
        (1 << 60, "1048576.0 TiB"),
    ],
)
def test_human_bytes(count: int, text: str) -> None:
    assert human_bytes(count) == text


@pytest.mark.parametrize("name", FLOATS)
def test_the_names_that_torch_has_for_dtypes_lead_to_those_of_recipes(name: str) -> None:
    assert nearest(DTYPES[name].torch, FLOATS) == [name]
    assert nearest(name.lower(), FLOATS) == [name]


OPTIMIZERS = ["Adadelta", "Adam", "AdamW", "SGD", "RMSprop"]


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("sgd", OPTIMIZERS, "SGD"),
        ("adamw", OPTIMIZERS, "AdamW"),
        ("Linaer", ["Linear", "Bilinear"], "Linear"),
        ("bfloat", ["F32", "BF16"], "BF16"),
        ("float", ["F32", "BF16"], "F32"),
        ("he_normal", ["kaiming_normal", "kaiming_uniform", "normal"], "kaiming_normal"),
        ("glorot_unifrom", ["xavier_uniform", "uniform"], "xavier_uniform"),
        ("truncated_normal", ["normal", "trunc_normal"], "trunc_normal"),
        ("kaiming", ["kaiming_normal", "kaiming_uniform"], "kaiming_normal"),
        ("GPT2LMHead", ["GPT2Model", "GPT2LMHeadModel"], "GPT2LMHeadModel"),
        ("learning_rate", ["lr", "momentum"], "lr"),
        ("not", ["any_of", "none_of"], "none_of"),
        ("name", ["path", "name"], "name"),
        ("float", ["I32"], None),
        ("zzz", OPTIMIZERS, None),
        ("", OPTIMIZERS, None),
    ],
)
def test_nearest(word: str, known: list[str], found: str | None) -> None:
    assert nearest(word, known) == ([] if found is None else [found])
    assert did_you_mean(word, known) == ("" if found is None else f"did you mean {found}?")


def test_suggestions_name_the_close_or_what_there_is() -> None:
    assert suggestion("sgd", OPTIMIZERS) == f"did you mean 'SGD'? accepted: {', '.join(OPTIMIZERS)}"
    assert suggestion("zzz", OPTIMIZERS, "optimizers") == f"optimizers: {', '.join(OPTIMIZERS)}"
    assert suggestion("zzz", []) == "accepted: none"
    many = [f"word{i}" for i in range(50)]
    assert suggestion("zzz", many) == f"accepted: {', '.join(many[:40])}, and 10 more"
    assert suggestion("vit_base", ["gcvit_base", "vit_base_patch16"]).startswith("did you mean 'vit_base_patch16' or")
    assert joined("a", "", "b?", "c", "d") == "a; b? c; d"
    assert suggestion("word4", many) == "did you mean 'word4'?"
