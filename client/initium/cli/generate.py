"""`initium generate`: the checkpoint."""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import Any

from initium.cli import common
from initium.cli.progress import Report, progress
from initium.contract.leaves import LEAF
from initium.contract.wording import human_bytes
from initium.disk.manifest import Manifest
from initium.disk.partial import SIDECAR
from initium.errors import RequestError

_EXAMPLES = """\
  initium generate resnet50.yaml -o resnet50/
  initium generate resnet50.plan.json -o resnet50/ --server trainer:7070
  initium generate llama_1b.yaml -o llama/ --device cuda --seed 7
  initium generate tuned.yaml -o tuned/ --store zoo=checkpoints/    # a rule with `stored: {from: zoo/resnet18}`"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "write the checkpoint of a recipe or plan to a directory"
    parser = common.add_command(commands, "generate", summary, _EXAMPLES)
    common.add_recipe(parser, "RECIPE_OR_PLAN")
    parser.add_argument(
        "-o", "--output", type=common.directory, metavar="DIR", help="required: a directory, absent or empty"
    )
    common.add_seed(parser)
    common.add_server(parser)
    parser.add_argument("--force", action="store_true", help="replace the checkpoint in DIR; foreign files stay")
    parser.add_argument(
        "--tensor-digests", action="store_true", help="have each tensor's digest too; printed by --json"
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generates, and prints what was made."""
    if args.output is None:
        again = shlex.join(["initium", *args.argv, "-o", _proposal(args.source)])
        raise RequestError(f"-o DIR is missing: where should the checkpoint be? For example: {again}")
    source = common.read_source(args.source, seed=args.seed)
    start, manifest = time.monotonic(), None
    try:
        with progress(args.output.name or "checkpoint") as report, common.open_client(args) as client:
            report = _reporting_resume(report)
            manifest = client.generate(
                source, args.output, force=args.force, progress=report, tensor_digests=args.tensor_digests
            )
    except KeyboardInterrupt as stop:
        common.say(f"stopped; {_what_stays(args.output, manifest)}")
        return common.stop_status(stop)
    _report(args, manifest, time.monotonic() - start)
    return 0


def _proposal(source: str) -> str:
    """A directory for the checkpoint of `source`: `resnet50/` for `recipes/resnet50.yaml`."""
    name = Path(source).name.lstrip("-.").split(".")[0]
    return f"{name}/" if name and name != source else "checkpoint/"


def _what_stays(output: Path, manifest: Manifest | None) -> str:
    if manifest is not None:
        return f"the checkpoint in {output} is complete"
    if not (output / SIDECAR).exists():
        return "nothing was written"
    return f"what has arrived stays in {output}: run the same command again to go on"


def _reporting_resume(report: Report) -> Report:
    """`report`, with a line if the first report is not of the first leaf: an earlier run was here."""
    first = True

    def reported(done: int, total: int) -> None:
        nonlocal first
        if first and done > LEAF:
            common.say(f"resuming: {human_bytes(done)} of {human_bytes(total)} are here already")
        first = False
        report(done, total)

    return reported


def _report(args: argparse.Namespace, manifest: Manifest, seconds: float) -> None:
    if args.json:
        common.print_json(_summary(args, manifest, seconds))
    else:
        common.say(f"{common.files_and_bytes(manifest.proto.files)} in {seconds:.1f} s: {args.output}")
        print(manifest.plan.plan_digest)


def _summary(args: argparse.Namespace, manifest: Manifest, seconds: float) -> dict[str, Any]:
    extra = {"seconds": round(seconds, 3), "tensor_digests": dict(manifest.tensor_digests)}
    return common.checkpoint_json(args.output, manifest) | extra
