"""Generator `torch`: the recipe run as real PyTorch, as a user's own script would.

The reference script: `torch.manual_seed(seed)`; build in float32; `model.apply(f)`, where f takes the module's own
parameters in registration order and the first matching rule; then what is a copy of another tensor; then cast. Bytes
equal that script's in the same environment.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from initium.errors import PlanError, PreconditionError, invalid
from initium.plan.layout import WeightFile, layout_of
from initium.v1 import init_pb2, plan_pb2
from initium_law.dtypes import DTYPES
from initium_server.planning import computed
from initium_server.planning.assign import model_of
from initium_server.planning.bases import base_shapes
from initium_server.planning.initializers import LIBRARY_DEFAULT, layers, nested
from initium_server.planning.rules import Rule, compile_rules, first
from initium_server.planning.target import Target
from initium_server.sources import build_base, build_inventory, build_model

_TORCH = {name: getattr(torch, dtype.torch) for name, dtype in DTYPES.items()}


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
    """Runs a plan that was resolved in this environment, and writes its weight files and their index."""
    torch.set_num_threads(threads)
    tensors = run(plan, device)
    for file in layout_of(plan):
        if isinstance(file, WeightFile):
            _write(file, tensors, directory)
        else:
            (directory / file.name).write_bytes(file.content)


def check_resolved_here(plan: plan_pb2.Plan, own: plan_pb2.Plan) -> None:
    """Whether `plan` is `own`, what its recipe resolves to in this process.

    Errors: PreconditionError with both sides of the environment, PlanError where the plan itself was changed.
    """
    keys = sorted({*plan.environment, *own.environment})
    sides = [(key, plan.environment.get(key, "none"), own.environment.get(key, "none")) for key in keys]
    different = "; ".join(f"{key}: plan {there}, server {here}" for key, there, here in sides if there != here)
    if different:
        raise PreconditionError(
            f"generator `torch` gives these bytes only in the plan's own environment ({different}); "
            "serve with the same versions, device and --threads, or resolve the recipe anew",
            "ENVIRONMENT_MISMATCH",
        )
    if plan.plan_digest != own.plan_digest:
        raise invalid("recipe", "the plan is not what its recipe resolves to; resolve the recipe again", PlanError)


def run(plan: plan_pb2.Plan, device: str) -> dict[str, torch.Tensor]:
    """The finished tensors by name, on the CPU, cast to the plan's dtypes."""
    recipe = plan.recipe
    inventory, rules = build_inventory(recipe.architecture), compile_rules(recipe.init)
    shapes = base_shapes(recipe.init, inventory, build_base(recipe.init))
    planned = model_of(inventory, rules, dict(inventory.literals), shapes)
    torch.manual_seed(plan.seed)
    with torch.device(device):
        model = build_model(recipe.architecture)
    names = {module: name for name, module in model.named_modules()}
    known = {owner.name: Target.of(t, owner, planned) for t in inventory.tensors for owner in t.owners}
    with torch.no_grad():
        model.apply(lambda module: _initialize(module, names[module], known, rules))
        state = model.state_dict()
        _copy(known, rules, state)
    return {t.name: state[t.name].detach().to(_TORCH[t.dtype]).cpu().contiguous() for t in plan.tensors}


def _initialize(module: torch.nn.Module, name: str, known: Mapping[str, Target], rules: Sequence[Rule]) -> None:
    """Applies the first matching rule to each of the module's own parameters, then to its buffers."""
    own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    for leaf, value in own:
        target = known.get(f"{name}.{leaf}" if name else leaf)
        rule = _rule_for(target, rules) if target else None
        if rule and target:
            call(rule.message, target, value)


def _copy(known: Mapping[str, Target], rules: Sequence[Rule], state: Mapping[str, torch.Tensor]) -> None:
    """Gives each tensor whose rule is `copy` the values of the other, which may be a copy itself."""
    deciding = {name: _rule_for(target, rules) for name, target in known.items()}
    copies = {name: rule.message.copy.tensor for name, rule in deciding.items() if rule and rule.initializer == "copy"}
    for name, source in copies.items():
        while source in copies:
            source = copies[source]
        state[name].copy_(state[source])


def _rule_for(target: Target, rules: Sequence[Rule]) -> Rule | None:
    """The first rule that matches under this name; none where `ties: first` has another name's rule decide."""
    tensor = target.tensor
    firsts = [first(rules, tensor, owner) for owner in tensor.owners]
    fills = [
        rule and rule.resolve(Target.of(tensor, owner, target.model)).fill
        for rule, owner in zip(firsts, tensor.owners, strict=True)
    ]
    at = tensor.owners.index(target.owner)
    return firsts[at] if fills[at] == next(filter(None, fills), None) else None


def call(rule: init_pb2.InitRule, target: Target, tensor: torch.Tensor) -> None:
    """torch.nn.init's own function of the rule's initializer, with the arguments that the rule gives or computes.

    `target` is what planning knows of `tensor`, a parameter or a view of one.
    """
    name = rule.WhichOneof("initializer") or ""
    args, _ = computed.arguments(rule, target)
    if name in _OWN:
        _OWN[name](args, target, tensor)
    elif name not in (LIBRARY_DEFAULT, "copy"):
        given: dict[str, Any] = {field.name: value for field, value in args.ListFields() if field.name != "fans"}
        getattr(torch.nn.init, f"{name}_")(tensor, **given)


def _split(args: Any, target: Target, tensor: torch.Tensor) -> None:
    for cut in nested.slices(args, target):
        view = tensor.narrow(cut.axis, cut.start, cut.stop - cut.start)
        call(cut.rule, cut.target, view.squeeze(cut.axis) if cut.squeezed else view)


def _pieces(args: Any, target: Target, tensor: torch.Tensor) -> None:
    call(args.base, target, tensor)
    for piece, start, stop, part in nested.boxes(args, target):
        call(piece.init, part, tensor[tuple(map(slice, start, stop))])


def _padded(args: Any, target: Target, tensor: torch.Tensor) -> None:
    call(args.of, target, tensor)
    tensor[layers.padding_row(args, target)].zero_()


def _values(args: Any, target: Target, tensor: torch.Tensor) -> None:
    tensor.copy_(torch.tensor(list(args.values), dtype=torch.float64).view(tensor.shape))


_OWN = {"split": _split, "pieces": _pieces, "padded": _padded, "values": _values}
"""What is a line of a script, though torch.nn.init has no function for it."""


def _write(file: WeightFile, tensors: dict[str, torch.Tensor], directory: Path) -> None:
    with (directory / file.name).open("wb") as out:
        out.write(file.header)
        for placed in file.tensors:
            out.write(tensors[placed.spec.name].view(-1).view(torch.uint8).numpy().data)
