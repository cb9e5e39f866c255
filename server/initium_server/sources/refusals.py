"""Arguments that would load weights, contact a hub, run foreign code or leave float32 on the CPU: refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from initium.errors import RecipeError, Violation

LOADS = "it loads or downloads, and a first checkpoint starts from nothing; leave it out"
RUNS = "it names code outside the library, and no foreign code runs here; leave it out"
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
_LOCATIONS = ("hf-hub:", "hf_hub:", "local-dir:", "http://", "https://", "file://")


def reason_against(name: str) -> str:
    """Why an argument of this name is refused; empty if it is not."""
    if name in _EXACT:
        return _EXACT[name]
    return next((reason for prefix, reason in _PREFIXES.items() if name.startswith(prefix)), "")


def refuse(arguments: Mapping[str, object], path: str) -> None:
    """Checks names and values, nested ones too. Errors: RecipeError with one violation each."""
    violations = list(_violations(arguments, path))
    if violations:
        raise RecipeError(violations=violations)


def _violations(value: object, path: str) -> list[Violation]:
    if isinstance(value, str) and value.startswith(_LOCATIONS):
        return [Violation(path, f"{value!r} is refused: {LOADS}")]
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in _violations(item, f"{path}[{index}]")]
    if not isinstance(value, Mapping):
        return []
    found = []
    for name, item in value.items():
        if reason := reason_against(name):
            found.append(Violation(f"{path}.{name}", f"refused: {reason}"))
        else:
            found += _violations(item, f"{path}.{name}")
    return found
