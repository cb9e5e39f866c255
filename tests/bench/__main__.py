"""`python -m tests.bench [law] [transport] [jobs] [plans]`: all sections, or the named ones."""

from __future__ import annotations

import sys

from tests.bench import jobs, law, plans, transport
from tests.bench.report import Report

SECTIONS = {"law": law.run, "transport": transport.run, "jobs": jobs.run, "plans": plans.run}


def main(names: list[str]) -> int:
    """Runs the sections. Returns 1 where a target is missed, 2 for an unknown name."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        print(f"unknown sections {unknown}; known are {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    report = Report()
    for name in names or SECTIONS:
        SECTIONS[name](report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
