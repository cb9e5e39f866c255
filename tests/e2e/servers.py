"""Real servers in processes of their own, and the command as a user runs it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "client" / "examples"
GOLDEN = Path(__file__).parent / "vectors" / "examples.txt"
QUIET = os.environ | {"PYTHONWARNINGS": "default"}


def golden(example: str) -> dict[str, str]:
    """The digest of every file of an example."""
    lines = [line.split() for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return {file: digest for name, file, digest in lines if name == example}


class ServerProcess:
    """`initium serve` in a process; `address` is where it listens.

    A server that is not `warm` starts in a tenth of the time and loads libraries when they are needed.
    """

    def __init__(
        self,
        listen: str = "127.0.0.1:0",
        threads: int = 2,
        warm: bool = True,
        environment: Mapping[str, str] = QUIET,
        stores: Mapping[str, Path] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "initium_server", "serve", "--listen", listen, "--threads", str(threads)]
        command += ["--grace", "1"] if warm else ["--exit-with-parent"]
        command += [word for name, path in (stores or {}).items() for word in ("--store", f"{name}={path}")]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"listening on (\S+)", line)
        if not found:
            self.process.kill()
            raise AssertionError(f"the server did not start: {line!r}")
        self.address = found[1]

    def kill(self) -> None:
        """As a machine that loses power."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> int:
        """Stops it and gives its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        with self.process:
            return self.process.wait(30)

    def resident(self) -> int:
        """Bytes of resident memory."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) * 1024  # type: ignore[index] # always there on Linux


@contextmanager
def serving(warm: bool = True, stores: Mapping[str, Path] | None = None) -> Iterator[ServerProcess]:
    """A server for the length of a block."""
    server = ServerProcess(warm=warm, stores=stores)
    try:
        yield server
    finally:
        server.close()


def initium_command(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Runs the `initium` command."""
    done = subprocess.run(
        [sys.executable, "-m", "initium.cli", *map(str, arguments)], capture_output=True, text=True, env=QUIET
    )
    if check and done.returncode:
        raise AssertionError(f"initium {arguments} gave {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done
