"""`initium plan`: the dry run."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from initium.cli import common, words
from initium.cli.coverage import coverage, idle_rules
from initium.cli.explain import explanation, reach
from initium.cli.plan_table import plan_table
from initium.cli.table import width, wrapped
from initium.client.client import Client
from initium.contract.canonical import canonical_json
from initium.contract.globs import glob_to_regex, is_glob
from initium.contract.plans import sealed, total_bytes, total_elements, write_plan
from initium.contract.wording import counted, did_you_mean, human_bytes, joined
from initium.errors import RequestError, Unsupported
from initium.v1.plan_pb2 import Group, Plan, PlannedTensor
from initium.v1.recipe_pb2 import Recipe

_EXAMPLES = """\
  initium plan resnet50.yaml
  initium plan resnet50.yaml -o resnet50.plan.json     # the recipe's lock file
  initium plan resnet50.yaml --match "layer1.**" --all # some tensors, a row for each
  initium plan resnet50.yaml --explain fc.weight       # which rules were tried, and where its numbers come from
  initium plan resnet50.yaml --seed 7 --server trainer:7070"""


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
    parser.add_argument("--all", action="store_true", help="a row for every tensor, not one for equal ones of a stack")
    parser.add_argument(
        "--match",
        action="append",
        metavar="GLOB",
        help='only tensors whose name fits, e.g. "layer1.**"; may be repeated',
    )
    parser.add_argument(
        "--explain", metavar="TENSOR", help="say instead which rules were tried for a tensor, and derive its numbers"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the plan, and writes it with -o; `-o -` prints only what would be written."""
    if args.explain is not None:
        return _explain(args)
    if (args.all or args.match) and (args.json or args.output == Path("-")):
        raise RequestError("--all and --match are for the table; JSON has every tensor")
    source = common.read_source(args.source, seed=args.seed)
    with common.open_client(args) as client:
        plan = client.resolve(source)
        idle = _idle(client, plan, source) if isinstance(source, Recipe) and not args.json else []
    if args.output == Path("-"):
        print(canonical_json(sealed(plan)).decode())
        return 0
    if args.output is not None:
        write_plan(plan, args.output)
        common.say(f"wrote {args.output}")
    if args.json:
        common.print_json(common.to_numbers(plan))
    else:
        recipe = source if isinstance(source, Recipe) else None
        shown = plan_table(plan, _matching(plan, args.match), width(), args.all)
        print(*shown, *_totals(plan), "", *coverage(plan, recipe), *idle, sep="\n")
    return 0


def _idle(client: Client, plan: Plan, recipe: Recipe) -> list[str]:
    """Why rules decided nothing, if any did."""
    idle = idle_rules(plan, recipe)
    if not idle:
        return []
    try:
        return [reach(rule) for rule in client.explain(recipe, "").reaches if rule.path in idle]
    except Unsupported:  # by a server of an earlier release
        return [f"{path} decided nothing" for path in idle]


def _explain(args: argparse.Namespace) -> int:
    """Errors: RequestError for a tensor that the architecture does not have, and for flags that are the plan's."""
    if args.all or args.match or args.output is not None:
        raise RequestError("--explain is about one tensor; leave out --all, --match and -o")
    if not args.explain:
        raise RequestError("--explain needs the name of a tensor; `initium inventory` lists them")
    source = common.read_source(args.source, seed=args.seed, require_seed=False)
    if not isinstance(source, Recipe):
        raise RequestError("a plan has no rules to explain; use the recipe it was made from")
    with common.open_client(args) as client:
        response = client.explain(source, args.explain)
    if args.json:
        common.print_json(common.to_numbers(response))
    else:
        print(*explanation(response), sep="\n")
    return 0


def _matching(plan: Plan, globs: Sequence[str] | None) -> list[PlannedTensor]:
    """The tensors with a name that fits. Errors: RequestError for a glob that none fits."""
    if not globs:
        return list(plan.tensors)
    found: set[str] = set()
    for glob in globs:
        fits = re.compile(glob_to_regex(glob), re.DOTALL).fullmatch
        names = {tensor.name for tensor in plan.tensors if any(map(fits, (tensor.name, *tensor.aliases)))}
        if not names:
            hint = did_you_mean(glob, (tensor.name for tensor in plan.tensors)) if not is_glob(glob) else _WHOLE
            raise RequestError(joined(f"--match {glob!r} fits no tensor of this plan", hint))
        found |= names
    return [tensor for tensor in plan.tensors if tensor.name in found]


_WHOLE = "a glob fits a whole name: `*` is any text without a dot, `**` any text, `?` one character"


def _totals(plan: Plan) -> Iterator[str]:
    columns = width() or sys.maxsize
    for label, text in _facts(plan):
        first, *rest = wrapped(text, columns - _LABEL)
        yield f"{label:{_LABEL}}{first}".rstrip()
        yield from (" " * _LABEL + line for line in rest)


_LABEL = 11


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    size = total_bytes(plan)
    yield "", ""
    yield "tensors", f"{len(plan.tensors):,}"
    yield "elements", f"{total_elements(plan):,}"
    yield "bytes", f"{size:,} ({human_bytes(size)})"
    yield "files", f"{', '.join(file.name for file in plan.files[:6])}{_more(len(plan.files) - 6)}"
    yield "generator", f"{plan.generator}, seed {plan.seed}"
    yield "digest", plan.plan_digest
    yield from _loads(plan)
    if plan.HasField("groups"):
        yield "optimizer", plan.groups.optimizer
        yield from ((f"group {index}", _group_line(group)) for index, group in enumerate(plan.groups.groups))


def _loads(plan: Plan) -> Iterator[tuple[str, str]]:
    """What `stored` rules loaded, and what not, with the first names."""
    for report in plan.loads:
        yield "loaded", f"{counted(report.loaded, 'tensor')} from {getattr(report, 'from')} ({report.rule})"
        for what in ("missing", "mismatched", "fitted", "unused"):
            found = getattr(report, what)
            if found.total:
                yield what, f"{found.total:,}: {', '.join(found.names[:6])}{_more(found.total - 6)}"


def _group_line(group: Group) -> str:
    counts = f"{counted(len(group.tensors), 'tensor')}, {counted(group.elements, 'element')}"
    return f"{group.name}: {counts}; {words.options(group.options)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
