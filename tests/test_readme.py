"""The README's first screen is a program: what it prints is what stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}|[0-9a-f]{8}-[0-9a-f-]{27}")


def blocks() -> list[tuple[str, str]]:
    return re.findall(r"```(\w+)\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return "\n".join(line.rstrip() for line in MOMENT.sub("…", done.stdout).strip().splitlines())


def test_the_first_program_prints_what_the_readme_says(tmp_path: Path) -> None:
    (_, program), (_, printed), (_, shown) = blocks()[1:4]
    assert (
        run(sys.executable, "-W", "error", "-c", program, folder=tmp_path) == MOMENT.sub("…", printed).strip()
    )
    command, tree = shown.split("\n", 1)
    assert command.split()[:2] == ["$", "arangopipe"]
    arangopipe = str(Path(sys.executable).with_name("arangopipe"))
    assert run(arangopipe, *command.split()[2:], folder=tmp_path) == MOMENT.sub("…", tree).strip()


def test_the_first_program_is_short() -> None:
    statements = [line for line in blocks()[1][1].splitlines() if line and line[0] != " "]
    assert len(statements) <= 11
