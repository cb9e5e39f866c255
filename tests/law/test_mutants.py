"""A test of the tests: whatever constant of the law is changed, a vector notices."""

from __future__ import annotations

import os
import subprocess
import sys


def test_every_constant_counts() -> None:
    """Promise 11 (stable): in a process of its own, since it runs the kernels without their compiler."""
    command = [sys.executable, "-m", "tests.law.mutants"]
    ran = subprocess.run(command, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout.split()[0]) > 70
