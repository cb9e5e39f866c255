"""`python -m tests.prove [sweep] [renderings] [cells] [correlation] [record]`: the proofs, one after another.

Every model of the libraries has a command of its own: `python -m tests.prove.coverage`.

What is finished stands in `out/prove/*.json` and is not done again: delete it after a change of the code. `record`
prints it as RECORD.md has it. With `--only TEXT` a sweep does what has TEXT in its name, e.g. `--only triton`, with
`--skip TEXT` what has not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import samples, sweep
from .maps import BACKENDS, CASES, INTERPRETED
from .renderings import RENDERINGS, swept_rendering

OUT = Path("out/prove")


def _jobs(workers: int) -> Mapping[str, Mapping[str, Callable[[], Any]]]:
    """Part -> name of a piece of work -> what does it."""
    sweeps = {
        f"{case} by {backend}": lambda case=case, backend=backend: asdict(sweep.sweep(case, backend, workers))
        for backend in BACKENDS
        for case in (INTERPRETED if backend == "triton" else CASES)
    }
    renderings = {dtype: lambda dtype=dtype: swept_rendering(dtype, workers) for dtype in RENDERINGS}
    return {"sweep": sweeps, "renderings": renderings, "cells": samples.CELLS, "correlation": samples.CORRELATIONS}


def main() -> int:
    """Works off the parts that are named, all by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=__doc__)
    parser.add_argument("parts", nargs="*", help="sweep, renderings, cells, correlation, record; default: all")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--skip", default="\0", metavar="TEXT")
    args = parser.parse_args()
    jobs = _jobs(args.workers)
    OUT.mkdir(parents=True, exist_ok=True)
    for part in args.parts or [*jobs, "record"]:
        if part == "record":
            print("\n".join(_record()))
            continue
        for name, job in jobs[part].items():
            if args.only in name and args.skip not in name:
                _once(part, name, job)
    return 0


def _path(part: str, name: str) -> Path:
    return OUT / f"{part} {name}.json"


def _once(part: str, name: str, job: Callable[[], Any]) -> None:
    """Does a piece of work unless its result is here; a result is written whole or not at all."""
    path = _path(part, name)
    if path.exists():
        return
    print(f"{part}: {name}", file=sys.stderr, flush=True)
    start = time.monotonic()
    made = job()
    text = json.dumps({"swept": made, "seconds": time.monotonic() - start}, indent=1)
    partial = path.with_suffix(".partial")
    partial.write_text(text + "\n")
    partial.rename(path)


def _record() -> list[str]:
    results = {
        part: {p.stem.removeprefix(f"{part} "): json.loads(p.read_text()) for p in sorted(OUT.glob(f"{part} *.json"))}
        for part in ("sweep", "renderings", "cells", "correlation")
    }
    lines = [f"Machine: {_processor()}, Python {platform.python_version()}.", ""]
    for part, made in results.items():
        seconds = sum(result["seconds"] for result in made.values())
        lines += [f"### {part} ({seconds / 60:.0f} minutes)", ""]
        if part == "sweep":
            lines += [*sweep.record(made), ""]
        else:
            lines += [f"- {name}: {result['swept']}" for name, result in made.items()] + [""]
    return lines


def _processor() -> str:
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in info.splitlines() if line.startswith("model name")), "unknown")
    flags = [flag for flag in ("avx2", "avx512f", "fma") if f" {flag}" in info]
    return f"{model}, {len(os.sched_getaffinity(0))} threads, {' '.join(flags)}"


if __name__ == "__main__":
    sys.exit(main())
