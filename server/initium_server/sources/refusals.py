"""Arguments that would load weights, contact a hub, run foreign code or leave float32 on the CPU: refused by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from initium.errors import RecipeError, Violation

LOADS = "it loads or downloads, and a first checkpoint starts from nothing; leave it out"
RUNS = "it names code outside the library, and no foreign code runs here; leave it out"
PLACE = (
    "it names a place, such as a path, an address or a repository of a hub, and nothing is loaded here; leave it out"
)
PLACES = "models are built in float32 on the CPU; set the recipe's `dtype` for the checkpoint"

_EXACT = {
    "auto_map": RUNS,
    "trust_remote_code": RUNS,
    "custom_pipelines": RUNS,
    "quantization_config": LOADS,
    "cache_dir": LOADS,
    "hub_id": LOADS,
    "progress": LOADS,
    "use_pretrained_backbone": LOADS,
    "device": PLACES,
    "dtype": PLACES,
    "torch_dtype": PLACES,
    "attn_implementation": RUNS,
    "_attn_implementation": RUNS,
    "experts_implementation": RUNS,
    "_experts_implementation": RUNS,
    "use_kernels": RUNS,
}
_PREFIXES = {"pretrained": LOADS, "checkpoint_path": LOADS, "weights": LOADS, "hf_hub": LOADS}

_PLACE = re.compile(
    r"[:/\\]|^[.~]|\.(?:bin|ckpt|gguf|h5|json|msgpack|npz?|onnx|pkl|pth?|py|safetensors|ya?ml)$", re.IGNORECASE
)
"""Paths, addresses, and names with a scheme or an owner: no word that a constructor takes has any of these."""

_FREE_TEXT = {"id2label", "label2id", "title_sep", "doc_sep"}
"""Keys under which the libraries keep text for people."""


def _word(name: str) -> str:
    """A name however it is spelled."""
    return unicodedata.normalize("NFKC", name).strip().lower().replace("-", "_")


def reason_against(name: str, value: object = None) -> str:
    """Why an argument of this name is refused, whatever its value or with this one; empty if it is not."""
    name = _word(name)
    if name == "model_type" and isinstance(value, str) and _word(value) == "timm_wrapper":
        return (
            "it names a model of timm in a configuration of transformers; ask for `source: timm` and the model's name"
        )
    if name in _EXACT:
        return _EXACT[name]
    return next((reason for prefix, reason in _PREFIXES.items() if name.startswith(prefix)), "")


def refuse(arguments: Mapping[str, object], path: str) -> None:
    """Checks names and values, nested ones too. Errors: RecipeError with one violation each."""
    violations = list(_violations(arguments, path))
    if violations:
        raise RecipeError(violations=violations)


def _violations(value: object, path: str) -> Iterator[Violation]:
    if isinstance(value, str) and _PLACE.search(unicodedata.normalize("NFKC", value).strip()):
        yield Violation(path, f"{value!r} is refused: {PLACE}")
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _violations(item, f"{path}[{index}]")
    if isinstance(value, Mapping):
        yield from _of_mapping(value, path)


def _of_mapping(arguments: Mapping[str, object], path: str) -> Iterator[Violation]:
    for name, value in arguments.items():
        where = f"{path}.{name}"
        if reason := reason_against(name, value) or _against_backbone(name, arguments):
            yield Violation(where, f"refused: {reason}")
        elif name not in _FREE_TEXT:
            yield from _violations(value, where)


def _against_backbone(name: str, beside: Mapping[str, object]) -> str:
    """transformers asks a hub for a `backbone` by name where it may not be timm's, or comes with arguments."""
    own = beside.get("model_type") == "timm_backbone"
    asks = beside.get("use_timm_backbone") is False or beside.get("backbone_kwargs")
    if name != "backbone" or own or not beside[name] or not asks:
        return ""
    return "a hub is asked for it; give `backbone_config` with its `model_type` and arguments"
