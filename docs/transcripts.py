"""Write the output of commands into the pages that show it: ``python docs/transcripts.py [--check]``.

On a page with the line ``<!-- transcript -->``, each ``console`` block is run: a line with ``$`` is a
command, and what stands below it is replaced by what it prints. Each page starts with the same small
store, and clock, keys and salts are fixed, so that the same program writes the same page. What differs
between machines, such as the version of SQLite, or with every change, is set to one value (`SAME`, `STORES`).
"""

from __future__ import annotations

import difflib
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import patch

from click.testing import CliRunner

import arangopipe
from arangopipe.cli import main
from arangopipe.errors import StoreUnavailable
from arangopipe.model import times

DOCS = Path(__file__).parent
MARK = "<!-- transcript -->"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
WIDTH = 96

START = datetime(2026, 9, 1, 8, 0, tzinfo=timezone.utc)
BETWEEN = timedelta(minutes=5)
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=timezone.utc)

SAME = (
    (r"arangopipe \d\S+, Python [\d.]+\S*, SQLite [\d.]+", "arangopipe 1.0.0, Python 3.12.3, SQLite 3.46.1"),
    (r"(?<=extras       ).*", "analysis, demo; not installed: notebook"),
    (r"[\d.,]+ GiB free", "412.7 GiB free"),
    (r"file system \w+", "file system ext4"),
    (r"\b\d{3} KiB", "140 KiB"),
    (r"(?<=bundle, )[\d.]+ KiB", "9.2 KiB"),
    (r"(?<=bundle, )\d+ B", "510 B"),
    (r"imported by \S+\)", "imported by ann)"),
    (r"\b[0-9a-f]{64}\b", "5d41c0f3a7b2" + 52 * "e"),
    (r"(?<=head )[0-9a-f]{12}\b|\b[0-9a-f]{12}$", "5d41c0f3a7b2"),
)

# By what stores are known: the first that a page shows gets the first of these.
STORES = ("8966d21f5b38b605", "11ecf0b700d87405", "38eb8ea2b7953c7f", "a52c09e1d6f47b83")

RULES = """\
rules:
  - name: failed runs
    kind: run
    where: status = 'failed'
    older_than: 30d
  - name: all but the last runs of a model
    kind: run
    keep: 2
    each: model.name
"""


class Frozen:
    """A clock that stands, and random bytes that are always the same."""

    def __init__(self) -> None:
        self.now = START
        self._random = random.Random(1)
        self.stores: dict[str, str] = {}

    def __enter__(self) -> Frozen:
        self._patches = [
            patch.object(times, "now", lambda: self.now),
            patch.object(time, "time_ns", lambda: times.to_microseconds(self.now) * 1_000),
            patch.object(os, "urandom", self._random.randbytes),
        ]
        for each in self._patches:
            each.start()
        return self

    def go_on(self) -> None:
        """Let time pass, and begin new random bytes that do not hang on those before."""
        self.now += BETWEEN
        self._random.seed(str(self.now))

    def __exit__(self, *_: object) -> None:
        for each in self._patches:
            each.stop()


def fill(clock: Frozen) -> None:
    """Record a small project over twelve weeks: twelve runs, two deployments in turn, one to come."""
    with arangopipe.connect(actor="ann", capture=False) as pipe:
        pipe.admin.register_project("diabetes", description="progression after a year")
        data = pipe.register_dataset(
            "diabetes", source="scikit-learn", summary={"rows": 442, "column_count": 11}
        )
        columns = {"bmi": "float64", "age": "float64"}
        base = pipe.register_featureset("base", dataset=data, columns=columns)
        more = pipe.register_featureset("base+s5", dataset=data, columns={**columns, "s5": "float64"})
        models = [
            pipe.register_model(name, project="diabetes", task="progression", technique=name)
            for name in ("ridge", "forest")
        ]
        for number in range(12):
            clock.now = begun = START + timedelta(days=6 * number)
            failed = number == 5
            pipe.log_run(
                key=f"run-{number + 1:02}",
                model=models[number % 2],
                dataset=data,
                featureset=(base, more)[number // 2 % 2],
                params={"alpha": (number + 1) / 2} if number % 2 == 0 else {"trees": 100 * (number + 1)},
                metrics={}
                if failed
                else {"rmse": round(60.5 - number * 0.45 + number % 4, 2), "r2": 0.4 + number / 100},
                status="failed" if failed else "finished",
                error="MemoryError: 12 GiB were not to be had" if failed else None,
                tag="sweep",
                start=begun - timedelta(minutes=7),
                end=begun,
            )
        clock.now = START + timedelta(days=70)
        for key, run, moment in (("serve-1", "run-04", 30), ("serve-2", "run-11", 63)):
            pipe.admin.register_deployment(
                "prod",
                run=f"run/{run}",
                key=key,
                active_from=START + timedelta(days=moment),
                reason="weekly choice",
            )
            period = (START + timedelta(days=moment), START + timedelta(days=moment + 7))
            rmse = {"serve-1": 61.9, "serve-2": 58.2}[key]
            pipe.log_serving_perf(f"deployment/{key}", {"rmse": rmse}, period=period, population="all")
        pipe.admin.register_deployment(
            "next", run="run/run-12", key="serve-3", schedule=NOW + timedelta(days=9), reason="for December"
        )
        clock.now += timedelta(days=3)
        pipe.annotate(data, owner="ann", reason="asked by audit")
    clock.now = NOW
    clock.go_on()
    with arangopipe.connect("sqlite:///team.db", actor="ann", capture=False) as pipe:
        pipe.admin.register_project("diabetes")
    pipe = arangopipe.connect("sqlite:///lab.db", actor="ann", capture=False)
    pipe.admin.register_project("diabetes")
    gone = StoreUnavailable("lab.db: the disk could not be written")
    # The store is away until the pipe is closed, which tries once more.
    with patch.object(pipe.store, "write", side_effect=gone), warnings.catch_warnings(), pipe:
        warnings.simplefilter("ignore")
        pipe.log_run(name="overnight", project="diabetes", metrics={"rmse": 57.7})


def damage(path: Path) -> None:
    """Overwrite some bytes of a run's document, wherever they stand in a store's file."""
    path.write_bytes(path.read_bytes().replace(b"MemoryError", bytes(11)))


def transcript(page: str) -> str:
    """Return the text of a page with the output of its commands as it is now."""
    with tempfile.TemporaryDirectory() as folder, Frozen() as clock:
        os.chdir(folder)
        os.environ["HOME"] = folder
        try:
            Path("rules.yaml").write_text(RULES)
            fill(clock)
            damage(Path(shutil.copy("arangopipe.db", "runs.db")))
            return BLOCK.sub(lambda block: f"```console\n{_run(block[1], folder, clock)}```", page)
        finally:
            os.chdir(DOCS)


def _run(block: str, folder: str, clock: Frozen) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    shown = []
    for command in commands:
        clock.go_on()
        program, *arguments = shlex.split(command[2:])
        if program == "arangopipe":
            result = CliRunner().invoke(main, arguments, prog_name="arangopipe")
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                raise result.exception
            output = result.output
        else:
            output = subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout
        for pattern, same in SAME:
            output = re.sub(pattern, same, output, flags=re.MULTILINE)
        for known in re.findall(r"\bstore ([0-9a-f]{16})\b", output):
            output = output.replace(
                known, clock.stores.setdefault(known, STORES[len(clock.stores) % len(STORES)])
            )
        lines = [line.rstrip() for line in output.replace(os.path.realpath(folder), "/srv/ml").splitlines()]
        shown += [command, *lines]
    return "".join(f"{line}\n" for line in shown)


def pages() -> list[Path]:
    """Return the pages that show output."""
    return [path for path in sorted(DOCS.rglob("*.md")) if MARK in path.read_text("utf-8")]


def run(check: bool) -> int:
    """Bring the pages up to date, or say which are not; return the exit code."""
    for name in [name for name in os.environ if name.startswith("ARANGOPIPE_")]:
        del os.environ[name]
    os.environ.update(TZ="UTC", COLUMNS=str(WIDTH), LOGNAME="ann", NO_COLOR="1")
    time.tzset()
    stale = 0
    for path in pages():
        text = path.read_text("utf-8")
        found = transcript(text)
        if found != text:
            stale += 1
            print(f"{path.name} {'shows other output: make docs-output' if check else 'is rewritten'}")
            if check:
                print(
                    *difflib.unified_diff(text.splitlines(), found.splitlines(), lineterm="", n=1), sep="\n"
                )
            else:
                path.write_text(found, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(run("--check" in sys.argv[1:]))
