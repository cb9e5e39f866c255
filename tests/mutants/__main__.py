"""`python -m tests.mutants [PART ...] [--every N] [--jobs N]`: plants bugs in some parts, and prints what survives.

Writes `out/mutants/PART.txt` with every survivor. A record of a whole run stands in RECORD.md.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from .mutate import mutants
from .run import preload, survives

ROOT = Path(__file__).parents[2]
OUT = ROOT / "out" / "mutants"
WANTED = 85
"""Per cent of the mutants of each part that its own tests must notice."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "contract": ("initium.contract", "tests/contract"),
    "plan": ("initium.plan", "tests/plan"),
    "disk": ("initium.disk", "tests/disk"),
    "client": ("initium.client", "tests/client"),
    "planning": ("initium_server.planning", "tests/planning"),
    "capture": ("initium_server.capture", "tests/capture"),
    "rpc": ("initium_server.rpc", "tests/rpc"),
}
"""A part's package, and its own tests."""


class Case(NamedTuple):
    """A mutant by its place among all mutants of its module."""

    part: str
    module: str
    index: int
    line: int
    change: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.change}"


def files(package: str) -> Iterator[tuple[str, Path]]:
    """The modules of a package that do something."""
    root = next(ROOT / top / package.replace(".", "/") for top in ("client", "server") if _exists(top, package))
    for file in sorted(root.rglob("*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        yield ".".join([package, *(part for part in parts if part != "__init__")]), file


def _exists(top: str, package: str) -> bool:
    return (ROOT / top / package.replace(".", "/")).is_dir()


def cases(part: str, every: int, seconds: float) -> Iterator[Case]:
    """The mutants of a part, or one in `every`, always the same ones."""
    for module, file in files(PARTS[part][0]):
        for index, mutant in enumerate(mutants(file.read_text())):
            case = Case(part, module, index, mutant.line, mutant.change, seconds)
            if zlib.crc32(str(case).encode()) % every == 0:
                yield case


def survivor(case: Case) -> bool:
    """Whether the tests of its part pass with the mutant."""
    package, *tests = PARTS[case.part]
    file = dict(files(package))[case.module]
    mutant = next(m for i, m in enumerate(mutants(file.read_text())) if i == case.index)
    try:
        code = compile(mutant.plant(), file, "exec")
    except SyntaxError:
        return False
    return survives(case.module, file, code, tests, case.seconds)


def baseline(part: str) -> float:
    """Seconds that the tests of a part take without a bug. They must pass, or nothing is shown.

    As many run at once as there are jobs, as with mutants.
    """
    start = time.monotonic()
    package, *tests = PARTS[part]
    if not survives(package, ROOT, None, tests, 600):
        sys.exit(f"the tests of {part} do not pass as they are: pytest {' '.join(tests)}")
    return time.monotonic() - start


def report(part: str, tried: list[Case], survived: list[Case]) -> str:
    """A line a module, as RECORD.md has them."""
    counts, left = Counter(case.module for case in tried), Counter(case.module for case in survived)
    lines = [_row(name, count, left[name]) for name, count in counts.items()]
    return "\n".join([*lines, _row(f"**{part}**", len(tried), len(survived))])


def _row(name: str, count: int, left: int) -> str:
    return f"| {name} | {count} | {count - left} | {100 * (count - left) / max(count, 1):.0f} % |"


def main() -> int:
    """Returns 1 if a part notices less than WANTED per cent."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all without")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="one mutant in N, always the same ones")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose module contains this")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    args = parser.parse_args()
    os.chdir(ROOT)
    OUT.mkdir(parents=True, exist_ok=True)
    failed = False
    with ProcessPoolExecutor(args.jobs, initializer=preload) as pool:
        for part in args.parts or PARTS:
            seconds = 10 + 5 * max(pool.map(baseline, [part] * args.jobs))
            tried = [case for case in cases(part, args.every, seconds) if args.only in case.module]
            survived = []
            for done, (case, alive) in enumerate(zip(tried, pool.map(survivor, tried), strict=True), 1):
                if alive:
                    survived.append(case)
                    print(f"{part} {done}/{len(tried)} survived: {case}", flush=True)
                elif sys.stderr.isatty():
                    print(f"{part} {done}/{len(tried)}", end="\r", file=sys.stderr, flush=True)
            (OUT / f"{part}.txt").write_text("".join(f"{case}\n" for case in survived))
            print(report(part, tried, survived), flush=True)
            failed |= len(survived) * 100 > len(tried) * (100 - WANTED)
    return int(failed)


if __name__ == "__main__":
    importlib.invalidate_caches()
    sys.exit(main())
