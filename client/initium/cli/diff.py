"""`initium diff`: do two recipes, plans or checkpoints give the same model?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from initium.cli import common
from initium.cli.comparison import Pair, Side, plan_differences, tensor_differences
from initium.cli.fold import fold
from initium.cli.progress import progress
from initium.cli.table import fits, table, width, wrapped_table
from initium.client.client import Client
from initium.contract.wording import counted
from initium.disk.manifest import Manifest
from initium.disk.tensors import tensor_digests
from initium.errors import RequestError
from initium.v1.plan_pb2 import Plan
from initium.v1.recipe_pb2 import Recipe

_EXAMPLES = """\
  initium diff resnet50.yaml resnet50-new.yaml
  initium diff resnet50.plan.json resnet50/              # a plan against the checkpoint in a directory
  initium diff resnet50/ resnet50-again/                 # two checkpoints: their bytes, too"""

_HEADER = ("tensor", "what", "A", "B")


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "compare two recipes, plans or checkpoints, tensor by tensor; exit code 1 if they differ"
    parser = common.add_command(commands, "diff", summary, _EXAMPLES)
    for name in ("A", "B"):
        parser.add_argument(name.lower(), metavar=name, help="file of a recipe or plan, or directory of a checkpoint")
    parser.add_argument("--all", action="store_true", help="a row for every tensor, not one for equal ones of a stack")
    common.add_seed(parser)
    common.add_server(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints what differs; 1 if anything does."""
    if args.a == args.b == "-":
        raise RequestError("only one of the two can be stdin")
    one, other = _with_bytes(*_sides(args))
    facts, tensors = list(plan_differences(one, other)), list(tensor_differences(one, other))
    if args.json:
        common.print_json(_json(facts, tensors))
    else:
        print(*_lines(facts, tensors, args.all), _summary(one, other, facts, tensors), sep="\n")
    return 1 if facts or tensors else 0


def _sides(args: argparse.Namespace) -> tuple[Side, Side]:
    with ExitStack() as stack:
        client: Client | None = None

        def resolved(recipe: Recipe) -> Plan:
            nonlocal client
            client = client or stack.enter_context(common.open_client(args))
            return client.resolve(recipe)

        found = []
        for name in (args.a, args.b):
            if Path(name).is_dir():
                found.append(Side(Manifest.load(name).plan, Path(name)))
                continue
            source = common.read_source(name, seed=args.seed)
            found.append(Side(resolved(source) if isinstance(source, Recipe) else source))
    return found[0], found[1]


def _with_bytes(one: Side, other: Side) -> tuple[Side, Side]:
    """With digests of their tensors, if both are checkpoints."""
    if one.directory is None or other.directory is None:
        return one, other
    with progress(str(one.directory)) as report:
        one = replace(one, digests=tensor_digests(one.directory, one.plan, report))
    with progress(str(other.directory)) as report:
        return one, replace(other, digests=tensor_digests(other.directory, other.plan, report))


def _json(facts: Sequence[Pair], tensors: Sequence[tuple[str, Pair]]) -> dict[str, object]:
    return {
        "equal": not facts and not tensors,
        "plan": [{"what": what, "a": a, "b": b} for what, a, b in facts],
        "tensors": [{"name": name, "what": what, "a": a, "b": b} for name, (what, a, b) in tensors],
    }


def _lines(facts: Sequence[Pair], tensors: Sequence[tuple[str, Pair]], every: bool) -> Iterator[str]:
    """A table, if anything differs."""
    shown = tensors if every else [(row.name, row.key) for row in fold(tensors)]
    rows = [("", *pair) for pair in facts] + [(name, *pair) for name, pair in shown]
    columns = width()
    if not rows:
        return iter(())
    if columns is None or fits(_HEADER, rows, columns):
        return table(_HEADER, rows)
    return wrapped_table(_HEADER, rows, columns, 2, 3)


def _summary(one: Side, other: Side, facts: Sequence[Pair], tensors: Sequence[tuple[str, Pair]]) -> str:
    if not facts and not tensors:
        what = "fills and bytes" if one.digests else "fills"
        return f"equal: {counted(len(one.plan.tensors), 'tensor')}, by their {what}"
    both = {tensor.name for tensor in one.plan.tensors} & {tensor.name for tensor in other.plan.tensors}
    names = {name for name, _ in tensors}
    only_a, only_b = (sum(tensor.name not in both for tensor in side.plan.tensors) for side in (one, other))
    differ = f"{len(names & both):,} of {counted(len(both), 'common tensor')} differ"
    return f"{differ}; {only_a:,} only in A, {only_b:,} only in B"
