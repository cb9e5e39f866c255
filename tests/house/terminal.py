"""`python -m tests.house.terminal`: runs the commands of the README's picture, and draws it as `.github/terminal.svg`.

A plain SVG, without fonts or scripts from elsewhere.
"""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / ".github" / "terminal.svg"
COMMANDS = (
    "initium plan mlp.yaml | head -9",
    "initium generate mlp.yaml -o out/mlp",
    "initium verify --redraw out/mlp",
)
WIDE = os.environ | {"COLUMNS": "84"}
WIDTH, LINE, MARGIN = 8.4, 19, 16


def session(server: str = "") -> list[tuple[str, bool]]:
    """The lines of the session, each with whether it is a command; seconds are rounded, since they differ.

    `server`: the address of one, which spares the commands a local one.
    """
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "mlp.yaml").write_bytes((ROOT / "client" / "examples" / "mlp.yaml").read_bytes())
        for command in COMMANDS:
            words = command.removeprefix("initium ")
            if server and "verify" not in words:
                words = words.replace("mlp.yaml", f"mlp.yaml --server {server}")
            shell = f"{shlex.quote(sys.executable)} -m initium.cli {words}"
            done = subprocess.run(
                ["bash", "-c", shell], cwd=directory, capture_output=True, text=True, check=True, env=WIDE
            )
            lines += [(command, True), *((line, False) for line in (done.stderr + done.stdout).splitlines())]
    return [(re.sub(r"in \d+\.\d s", "in 2 s", line), is_command) for line, is_command in lines]


def draw(lines: list[tuple[str, bool]]) -> str:
    """The session as a picture."""
    width = MARGIN * 2 + WIDTH * (2 + max(len(line) for line, _ in lines))
    height = MARGIN * 2 + LINE * len(lines) + 24
    rows = []
    for number, (line, is_command) in enumerate(lines):
        y = MARGIN + 24 + LINE * (number + 0.75)
        prompt = '<tspan class="prompt">$ </tspan>' if is_command else ""
        style = "command" if is_command else "output"
        rows.append(f'<text x="{MARGIN}" y="{y:.0f}" class="{style}">{prompt}{html.escape(line)}</text>')
    dots = "".join(
        f'<circle cx="{MARGIN + 8 + 20 * i}" cy="20" r="6" fill="{colour}"/>'
        for i, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">\n'
        "<title>A terminal session: a plan, a checkpoint, and its verification</title>\n"
        "<style>text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}"
        ".output{fill:#d0d7de}.command{fill:#fff;font-weight:600}.prompt{fill:#3fb950}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#161b22"/>\n{dots}\n' + "\n".join(rows) + "\n</svg>\n"
    )


def main() -> None:
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(session()))


if __name__ == "__main__":
    main()
