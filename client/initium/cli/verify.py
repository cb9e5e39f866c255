"""`initium verify`: is the checkpoint what it should be?"""

from __future__ import annotations

import argparse

from initium.cli import common
from initium.cli.progress import progress
from initium.contract import stores
from initium.contract.generators import TORCH
from initium.disk.manifest import Manifest
from initium.disk.verification import redraw, verify
from initium.errors import ManifestError, RequestError
from initium.v1.plan_pb2 import Plan

_EXAMPLES = """\
  initium verify resnet50/
  initium verify resnet50/ --redraw                      # names the first element that differs
  initium verify resnet50/ --redraw --server trainer:7070
  initium verify tuned/ --redraw --store zoo=checkpoints/"""


def register(commands: common.Commands) -> None:
    """Adds the command."""
    summary = "check a checkpoint against its manifest, or against its plan drawn again"
    parser = common.add_command(commands, "verify", summary, _EXAMPLES)
    parser.add_argument("directory", type=common.directory, metavar="DIR", help="directory that `generate` wrote")
    parser.add_argument("--redraw", action="store_true", help="draw everything again and compare every byte")
    parser.add_argument("--server", metavar="ADDR", help="host:port or unix:/path; absent: this process draws")
    parser.add_argument("--device", metavar="D", help="what draws here: cpu (default), auto, cuda, cuda:N")
    parser.add_argument(
        "--threads", type=common.positive, metavar="N", help="threads that draw here; default: all cores"
    )
    stores.add_flag(parser, ", to draw them again here")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verifies; 1 if something differs."""
    if not args.redraw and (args.server or args.device or args.threads or args.store):
        raise RequestError("--server, --device, --threads and --store need --redraw; without it only the disk is read")
    _report(args, _verify(args))
    return 0


def _verify(args: argparse.Namespace) -> Manifest:
    with progress(args.directory.name or "checkpoint") as report:
        if not args.redraw:
            return verify(args.directory, report)
        plan = Manifest.load(args.directory).plan
        if args.server is None and plan.generator != TORCH:
            device = args.device or "cpu"
            return redraw(args.directory, None, report, device=device, threads=args.threads, stores=args.store)
        if args.server is None and args.threads is None:
            # The bytes of generator `torch` depend on how many threads drew.
            args.threads = _threads(plan)
        with common.open_client(args) as client:
            return redraw(args.directory, client, report)


def _threads(plan: Plan) -> int | None:
    """How many threads a plan of generator `torch` was made for. Errors: ManifestError."""
    text = plan.environment.get("threads", "")
    if not text:
        return None
    if not text.isdecimal() or not int(text):
        raise ManifestError(f"plan.environment: threads is {text!r}; it is a whole number from 1")
    return int(text)


def _report(args: argparse.Namespace, manifest: Manifest) -> None:
    if args.json:
        common.print_json(common.checkpoint_json(args.directory, manifest))
        return
    against = "its plan, drawn again" if args.redraw else "its manifest"
    common.say(f"{args.directory}: {common.files_and_bytes(manifest.proto.files)}: equal to {against}")
