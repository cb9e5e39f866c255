"""`python -m initium_server serve`: flags to a running server."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from initium.contract import stores
from initium.contract.wording import did_you_mean, joined
from initium.errors import InitiumError
from initium.plan.limits import Limits

if TYPE_CHECKING:
    from initium_server.rpc.settings import Settings
    from initium_server.workers import Zygote

EPILOG = """examples:
  initium serve
  initium serve --listen 0.0.0.0:7070 --threads 16
  initium serve --listen unix:/run/initium.sock
  initium serve --store zoo=/data/checkpoints     # rules may load `from: zoo/resnet18`
  initium serve --status

Commands without --server, and initium.local() in Python, share a local server: the first
one starts it, and it ends when ten minutes have passed without a call. --status shows it,
--stop ends it. In the environment, INITIUM_LOCAL=off gives each its own. One for a GPU
(--device) never stays.
"""


def parser() -> argparse.ArgumentParser:
    """The flags of `serve`."""
    main = argparse.ArgumentParser(prog="initium", description="The Initium server.")
    commands = main.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve", help="serve first checkpoints", epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    serve.set_defaults(own=serve)
    flag = serve.add_argument
    count: dict[str, Any] = {"type": _positive, "metavar": "N"}
    gib = count | {"metavar": "GIB"}
    flag("--listen", default="127.0.0.1:7070", metavar="ADDR", help="host:port or unix:/path (default %(default)s)")
    flag("--device", default="auto", help="auto (every GPU, else cpu), cpu, or torch devices, e.g. cuda:0,cuda:1")
    flag("--backend", default="auto", help="what draws: auto, numba (CPU), torch or triton (GPUs; not yet run on one)")
    flag("--threads", **count, help="threads that draw (default: all cores)")
    flag("--grace", type=float, default=30.0, metavar="S", help="seconds for running streams at shutdown (30)")
    flag("--build-workers", **count, default=2, help="architectures that are built at once (default %(default)s)")
    flag("--build-memory", **gib, default=8, help="memory that building one may take (default %(default)s GiB)")
    flag("--torch-memory", **gib, help="memory of one run of generator torch (default: three quarters of all)")
    flag(
        "--whole-elements",
        **count,
        default=Limits().whole_elements,
        help="elements of a tensor that is made whole, such as an orthogonal one (default %(default)s)",
    )
    flag("--whole-memory", **gib, default=1, help="memory that keeps such tensors (default %(default)s GiB)")
    stores.add_flag(serve, "; all callers can read the tensors in it")
    flag("--status", action="store_true", help="show this user's local servers, which commands without --server start")
    flag("--stop", action="store_true", help="end them")
    flag(
        "--idle",
        type=float,
        metavar="S",
        help="be a local server: start at once, load libraries when needed, stop after S seconds without a call",
    )
    flag(
        "--exit-with-parent",
        action="store_true",
        help="be a local server of one client: as --idle, but stop when standard input closes",
    )
    return main


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT. Returns the exit status: 2 for what it cannot start with."""
    args, rest = parser().parse_known_args(argv)
    if rest:
        flags = re.findall("--[a-z-]+", args.own.format_usage())
        args.own.error(joined(f"there is no argument {rest[0]!r}", did_you_mean(rest[0], flags)))
    if args.status or args.stop:
        return _local_servers(args.stop)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        return _serve(args, stopping)
    except (OSError, InitiumError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _local_servers(stop: bool) -> int:
    """Shows, or ends, the servers that stay for this user."""
    from initium.client import staying

    servers = staying.running()
    for server in servers:
        print(server if not stop else f"stopped process {server.process}")
        if stop:
            staying.stop(server)
    if not servers:
        print("no local server is running; a command without --server starts one")
    return 0


def _serve(args: argparse.Namespace, stopping: threading.Event) -> int:
    from initium_server.sources.libraries import adapters

    adapters()  # Sources that have one name are refused before anything starts.
    local = _is_local(args)
    zygote = _forked_zygote() if local else None
    from initium.malloc import keep_freed_memory
    from initium_server.rpc.server import Server

    if args.exit_with_parent:
        threading.Thread(target=_watch_parent, args=(stopping,), daemon=True).start()
    keep_freed_memory()
    settings = _settings(args)
    server = Server(settings, zygote)
    server.start()
    print(f"listening on {server.address} ({settings.threads} threads)", flush=True)
    if local:
        os.dup2(2, 1)  # Whoever reads standard output waits for its end.
    while not stopping.wait(args.idle and args.idle / 20):
        if server.idle_seconds() >= args.idle:
            break
    # A local server's client is already gone; a moment lets the connection close in order.
    server.stop(0.5 if local else args.grace)
    return 0


def _forked_zygote() -> Zygote:
    """Before gRPC is loaded, since that starts threads."""
    from initium_server.workers import Zygote, preload

    preload.load(preload.first(everything=False))
    return Zygote(preload=False, forked=True)


def _is_local(args: argparse.Namespace) -> bool:
    return args.exit_with_parent or args.idle is not None


def _settings(args: argparse.Namespace) -> Settings:
    from initium_law.backends.devices import choose_device
    from initium_server.rpc.settings import Settings

    if args.whole_memory << 30 < 8 * args.whole_elements:
        raise OSError(
            f"--whole-memory {args.whole_memory} does not hold a tensor of --whole-elements {args.whole_elements} "
            f"(8 bytes each); give it {-(-args.whole_elements // (1 << 27))} GiB"
        )
    settings = Settings(
        listen=args.listen,
        # A local server starts for one command: it does not wait for GPUs unless asked to.
        device="cpu" if _is_local(args) and args.device == "auto" else choose_device(args.device),
        backend=args.backend,
        threads=args.threads or len(os.sched_getaffinity(0)),
        build_workers=args.build_workers,
        warm=not _is_local(args),
        whole_bytes=args.whole_memory << 30,
        stores=args.store,
        limits=Limits(whole_elements=args.whole_elements),
    )
    torch_bytes = args.torch_memory << 30 if args.torch_memory else settings.torch.bytes
    return replace(
        settings,
        build=replace(settings.build, bytes=args.build_memory << 30),
        torch=replace(settings.torch, bytes=torch_bytes),
    )


def _watch_parent(stopping: threading.Event) -> None:
    """Ends the server when the process that started it goes away, however it ends."""
    while os.read(0, 4096):
        pass
    stopping.set()


if __name__ == "__main__":
    status = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)  # All has ended in order. The interpreter would take longer to end than it took all the rest.
