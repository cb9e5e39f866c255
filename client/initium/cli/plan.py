"""`initium plan`: the dry run."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from initium.cli import common, words
from initium.cli.table import table
from initium.contract.canonical import canonical_json
from initium.contract.plans import sealed, total_bytes, total_elements, write_plan
from initium.contract.wording import counted, human_bytes
from initium.v1.plan_pb2 import TENSOR_KIND_BUFFER, Group, Plan, PlannedTensor

_EXAMPLES = """\
  initium plan resnet50.yaml
  initium plan resnet50.yaml -o resnet50.plan.json     # the recipe's lock file
  initium plan resnet50.yaml --seed 7 --server trainer:7070"""

_HEADER = ("tensor", "shape", "dtype", "rule", "fill", "group")


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "show what a recipe would make, without making it: every tensor's rule, numbers and group"
    parser = common.add_command(commands, "plan", summary, _EXAMPLES)
    common.add_recipe(parser, "RECIPE_OR_PLAN")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write the plan; `generate` takes it; - for stdout"
    )
    common.add_seed(parser)
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the plan, and writes it with -o; `-o -` prints only what would be written."""
    source = common.read_source(args.source, seed=args.seed)
    with common.open_client(args) as client:
        plan = client.resolve(source)
    if args.output == Path("-"):
        print(canonical_json(sealed(plan)).decode())
        return 0
    if args.output is not None:
        write_plan(plan, args.output)
        common.say(f"wrote {args.output}")
    if args.json:
        common.print_json(common.to_numbers(plan))
    else:
        print(*table(_HEADER, [_row(plan, tensor) for tensor in plan.tensors]), *_totals(plan), sep="\n")
    return 0


def _row(plan: Plan, tensor: PlannedTensor) -> tuple[str, ...]:
    names = " = ".join([tensor.name, *tensor.aliases])
    fill = words.fill(tensor.fill) if tensor.HasField("fill") else ""
    return names, words.shape(tensor.shape), tensor.dtype, _rule(tensor), fill, _group(plan, tensor)


def _rule(tensor: PlannedTensor) -> str:
    rule = " ".join(filter(None, (tensor.rule, tensor.rule_name))) or "library default"
    return f"{rule}: {tensor.initializer}" if tensor.initializer else rule


def _group(plan: Plan, tensor: PlannedTensor) -> str:
    if tensor.HasField("group"):
        return f"{tensor.group} {plan.groups.groups[tensor.group].name}"
    return "frozen" if tensor.kind != TENSOR_KIND_BUFFER and not tensor.trainable else ""


def _totals(plan: Plan) -> Iterator[str]:
    size = total_bytes(plan)
    yield ""
    yield f"tensors    {len(plan.tensors):,}"
    yield f"elements   {total_elements(plan):,}"
    yield f"bytes      {size:,} ({human_bytes(size)})"
    yield f"files      {', '.join(file.name for file in plan.files[:6])}{_more(len(plan.files) - 6)}"
    yield f"generator  {plan.generator}, seed {plan.seed}"
    yield f"digest     {plan.plan_digest}"
    yield from _loads(plan)
    if plan.HasField("groups"):
        yield f"optimizer  {plan.groups.optimizer}"
        yield from (f"group {index}    {_group_line(group)}" for index, group in enumerate(plan.groups.groups))


def _loads(plan: Plan) -> Iterator[str]:
    """What `stored` rules loaded, and what not: a line each, with the first names."""
    for report in plan.loads:
        yield f"loaded     {counted(report.loaded, 'tensor')} from {getattr(report, 'from')} ({report.rule})"
        for what in ("missing", "mismatched", "fitted", "unused"):
            found = getattr(report, what)
            if found.total:
                yield f"  {what:<10} {found.total:,}: {', '.join(found.names[:6])}{_more(found.total - 6)}"


def _group_line(group: Group) -> str:
    counts = f"{counted(len(group.tensors), 'tensor')}, {counted(group.elements, 'element')}"
    return f"{group.name}: {counts}; {words.options(group.options)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
