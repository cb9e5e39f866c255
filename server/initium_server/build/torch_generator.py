"""Generator `torch`: the recipe run as real PyTorch, as a user's own script would.

The reference script: `torch.manual_seed(seed)`; build in float32; `model.apply(f)`, where f takes the module's own
parameters in registration order and the first matching rule; then cast. Bytes equal that script's in the same
environment.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from initium.v1 import init_pb2, plan_pb2
from initium_server.build import build_inventory, build_model
from initium_server.core.inventory import InventoryTensor, Owner
from initium_server.core.layout import WeightFile
from initium_server.core.plan import layout_of
from initium_server.core.rules import LIBRARY_DEFAULT, Rule, compile_rules
from initium_server.errors import InitiumError

DTYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}


def fingerprint(device: str, threads: int) -> dict[str, str]:
    """What the bytes depend on beside the recipe."""
    model = torch.cuda.get_device_name(device) if device.startswith("cuda") else platform.machine()
    return {
        "torch": torch.__version__,
        "device": device.partition(":")[0],
        "device_model": model,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(threads),
    }


def write_checkpoint(plan: plan_pb2.Plan, directory: Path, device: str, threads: int) -> None:
    """Runs `plan` and writes its weight files.

    Raises InitiumError(ENVIRONMENT_MISMATCH) when the plan was made in another environment.
    """
    _check_environment(plan, fingerprint(device, threads))
    torch.set_num_threads(threads)
    tensors = run(plan, device)
    for file in layout_of(plan):
        if isinstance(file, WeightFile):
            _write(file, tensors, directory)


def _check_environment(plan: plan_pb2.Plan, here: dict[str, str]) -> None:
    different = [key for key in here if plan.environment.get(key, "") != here[key]]
    if different:
        sides = "; ".join(f"{key}: plan {plan.environment.get(key, '')!r}, server {here[key]!r}" for key in different)
        raise InitiumError(
            "ENVIRONMENT_MISMATCH",
            f"generator `torch` gives these bytes only in the plan's own environment ({sides}); "
            "resolve the recipe on this server, or use generator stream-v1",
        )


def run(plan: plan_pb2.Plan, device: str) -> dict[str, torch.Tensor]:
    """The finished tensors by name, on the CPU, cast to the plan's dtypes."""
    recipe = plan.recipe
    known = {t.name: t for t in build_inventory(recipe.architecture).tensors}
    rules = compile_rules(recipe.init.rules)
    torch.manual_seed(plan.seed)
    with torch.device(device):
        model = build_model(recipe.architecture)
    names = {module: name for name, module in model.named_modules()}
    by_alias = {owner.name: (tensor, owner) for tensor in known.values() for owner in tensor.owners}
    with torch.no_grad():
        model.apply(lambda module: _initialize(module, names[module], by_alias, rules))
    state = model.state_dict()
    return {t.name: state[t.name].detach().to(DTYPES.get(t.dtype)).cpu().contiguous() for t in plan.tensors}


def _initialize(
    module: torch.nn.Module, name: str, known: dict[str, tuple[InventoryTensor, Owner]], rules: Sequence[Rule]
) -> None:
    """Applies the first matching rule to each of the module's own parameters, then to its buffers."""
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    for leaf, value in own:
        entry = known.get(f"{name}.{leaf}" if name else leaf)
        rule = next((rule for rule in rules if entry and rule.hits(*entry)), None)
        if rule and rule.initializer != LIBRARY_DEFAULT:
            call(rule.message, value)


def call(rule: init_pb2.InitRule, tensor: torch.Tensor) -> None:
    """torch.nn.init's own function of the rule's initializer, with the arguments that the rule gives."""
    name = rule.WhichOneof("initializer")
    given: dict[str, Any] = {field.name: value for field, value in getattr(rule, name).ListFields()}
    getattr(torch.nn.init, f"{name}_")(tensor, **given)


def _write(file: WeightFile, tensors: dict[str, torch.Tensor], directory: Path) -> None:
    with (directory / file.name).open("wb") as out:
        out.write(file.header)
        for placed in file.tensors:
            out.write(tensors[placed.spec.name].view(-1).view(torch.uint8).numpy().data)
