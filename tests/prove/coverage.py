"""`python -m tests.prove.coverage [--source timm] [--every N]`: every model of the libraries, captured and built.

Each model has a process and a time limit of its own. `out/prove/coverage.jsonl` has a line for each, which is not done
again: what was captured, whether every byte is that of real construction on torch's own generator, and how often timm's
truncated normal went beyond 10 sigma. `out/prove/coverage.md` sums them up. Models that do not build with their
defaults are listed with the library's reason, models beyond the memory's bound by their size.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from initium_law.grammar import KINDS, Fill, Pointwise, TruncNormal, inner_fills

OUT = Path("out/prove")
MOST_ELEMENTS = 1_300_000_000
"""Elements of the largest model that is built: it takes 5 GB, and its draws as much."""
LIMIT = 900.0
"""Seconds for one model."""
SIGMAS = 10.0

EVERY_WORD = frozenset(
    [
        *("constant", "uniform", "normal", "trunc_normal", "literal", "parts", "norm_of", "orthogonal"),
        *("broadcast", "add", "multiply", "divide", "clamp", "exp", "log", "expm1", "cos", "sine"),
    ]
)
"""Kinds of fills and pointwise functions that models of the libraries have."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def words_of(fill: Fill) -> set[str]:
    """The kinds of fills and the pointwise functions in a fill."""
    word = fill.op if isinstance(fill, Pointwise) else _NAMES[type(fill)]
    return {word}.union(*map(words_of, inner_fills(fill)))


Job = tuple[str, str, str]


def names(source: str) -> Iterator[Job]:
    """Source, name and model type of every model of a library that builds without arguments."""
    if source in ("timm", "torchvision"):
        from initium_server.sources.library import models

        yield from ((source, name, "") for name in models(source)[0])
        return
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    yield from ((source, "AutoModel", kind) for kind in CONFIG_MAPPING)
    for head in sorted(name for name in dir(modeling_auto) if name.startswith("AutoModelFor")):
        mapping = getattr(getattr(modeling_auto, head), "_model_mapping", None)
        yield from ((source, head, kind) for kind in getattr(mapping, "_model_mapping", ()))


def measure(source: str, name: str, kind: str, most: int) -> dict[str, Any]:
    """Captures a model and, if it has at most so many elements, builds it and compares every byte."""
    import torch

    from initium.errors import InitiumError
    from initium_server.sources import build_model
    from tests.capture.oracle import differences
    from tests.sources.compare import captured_inventory, library

    declared = library(source, name, **({"model_type": kind} if kind else {}))
    start = time.monotonic()
    try:
        inventory, captured = captured_inventory(declared)
    except InitiumError as error:
        return {"unbuilt": str(error)[:500]}
    fills = {tensor.name: tensor.default for tensor in inventory.tensors if tensor.default is not None}
    missing = {tensor.name: tensor.default_error for tensor in inventory.tensors if tensor.default is None}
    elements = sum(math.prod(tensor.shape) for tensor in inventory.tensors)
    row: dict[str, Any] = {
        "tensors": len(inventory.tensors),
        "elements": elements,
        "missing": missing,
        "words": sorted(set().union(*map(words_of, fills.values()))),
        "capture_seconds": round(time.monotonic() - start, 2),
    }
    if elements > most:
        return {**row, "skipped": f"{elements:,} elements"}
    torch.manual_seed(1)
    model = build_model(declared)
    row["beyond"], row["truncated"] = beyond(fills, model.state_dict())
    row["different"] = differences(captured, fills, inventory.literals, model, 1)
    return row


def beyond(fills: dict[str, Fill], real: dict[str, Any]) -> tuple[int, int]:
    """Elements beyond SIGMAS standard deviations in truncated normals whose bounds are further out, and of how many."""
    far = count = 0
    for name, fill in fills.items():
        if isinstance(fill, TruncNormal) and max(fill.mean - fill.a, fill.b - fill.mean) > SIGMAS * fill.std > 0:
            values = real[name].detach()
            far += int(((values - fill.mean).abs() > SIGMAS * fill.std).sum())
            count += values.numel()
    return far, count


def _child(job: Job, most: int, pipe: Any) -> None:
    try:
        pipe.send(measure(*job, most))
    except BaseException as error:  # Whatever happens is this model's result.
        pipe.send({"failed": f"{type(error).__name__}: {error}"[:500]})


def in_a_process(job: Job, most: int = MOST_ELEMENTS) -> dict[str, Any]:
    """What `measure` gives, or how its process ended."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(job, most, theirs))
    start = time.monotonic()
    process.start()
    theirs.close()
    try:
        row = ours.recv() if ours.poll(LIMIT) else {"failed": f"took more than {LIMIT:.0f} s"}
    except EOFError:
        row = {"failed": "its process was killed"}
    process.kill()
    process.join()
    return {**row, "seconds": round(time.monotonic() - start, 1)}


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| models | built | tensors | captured | compared | equal | beyond 10 sigma | of |", "|---|" + "---|" * 7]
    for source in sorted({row["model"][0] for row in rows}):
        ours = [row for row in rows if row["model"][0] == source]
        built = [row for row in ours if "tensors" in row]
        compared = [row for row in built if "different" in row]
        tensors, missing = sum(row["tensors"] for row in built), sum(len(row["missing"]) for row in built)
        equal = sum(not row["different"] for row in compared)
        far, of = (sum(row[key] for row in compared) for key in ("beyond", "truncated"))
        numbers = (len(built), tensors, tensors - missing, len(compared), equal, far, of)
        lines.append(f"| {source}: {len(ours)} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    lines += ["", "What is not whole, or was not compared:", ""]
    for row in rows:
        new = sorted(set(row.get("words", ())) - EVERY_WORD)
        told = {key: row[key] for key in ("unbuilt", "failed", "skipped", "missing", "different") if row.get(key)}
        if told or new:
            lines.append(f"- {' '.join(filter(None, row['model']))}: {told}{f', new: {new}' if new else ''}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Works off the models that are not done yet."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove.coverage", description=__doc__)
    parser.add_argument("--source", action="append", choices=["torchvision", "timm", "transformers"])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth model")
    parser.add_argument("--elements", type=int, default=MOST_ELEMENTS, metavar="N", help="of the largest that is built")
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "coverage.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {tuple(row["model"]) for row in rows}
    for source in args.source or ["torchvision", "timm", "transformers"]:
        for job in list(names(source))[:: args.every]:
            if job not in done:
                rows.append({"model": job, **in_a_process(job, args.elements)})
                with path.open("a") as out:
                    out.write(json.dumps(rows[-1]) + "\n")
                print(*job, rows[-1]["seconds"], file=sys.stderr, flush=True)
    (OUT / "coverage.md").write_text(_table(rows))
    print(_table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
