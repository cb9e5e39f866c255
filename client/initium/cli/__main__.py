"""The command: `initium`, or `python -m initium.cli`."""

import contextlib
import os
import sys
from typing import NoReturn

from initium.cli import main


def run() -> NoReturn:
    """Ends with the command's exit code, at once: the interpreter takes a tenth of a second to free its modules."""
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
