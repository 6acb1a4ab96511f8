"""P9: fresh interpreters that import, connect and create a store, and the memory they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from context import Bench
from coprocess import Failed
from environments import MLFLOW
from result import LIMIT, Result

IMPORT, IMPORT_OF_PEER = 3.0, 5.0
STARTS_OF_PEER = 4

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Case:
    """Two programs that take turns."""

    name: str
    ours: str
    theirs: str
    target: float | None
    python: str | Path = sys.executable
    against: str = LIMIT
    note: str = ""


def start(bench: Bench, stores: dict[int, Path]) -> None:
    """Time fresh interpreters; `stores` are those to connect to, by size."""
    fresh = bench.folder / "new.db"
    imports, create = "import arangopipe", f"import arangopipe; arangopipe.connect('sqlite:///{fresh}')"
    driver = "import sqlite3; sqlite3.connect({!r}).execute('SELECT * FROM sqlite_master')"
    connects = {
        size: f"import arangopipe; arangopipe.connect('sqlite:///{path}')" for size, path in stores.items()
    }
    cases = [Case("import", imports, "pass", IMPORT, note="an empty interpreter")]
    cases += [
        Case(f"connect, {size:,} runs", code, driver.format(str(stores[size])), None, note="bare driver")
        for size, code in connects.items()
    ]
    cases.append(Case("create a store", create, driver.format(str(fresh)), None, note="bare driver"))
    if python := bench.python(MLFLOW):
        path = bench.folder / "peer-start.db"
        connect = f"import mlflow; mlflow.MlflowClient('sqlite:///{path}').get_experiment('0')"
        size, code = max(connects.items())
        try:
            _interpreter(bench.folder, python, connect)
        except Failed as error:
            bench.leave_out(MLFLOW.name, error)
        else:
            cases += [
                Case("import", imports, "import mlflow", IMPORT_OF_PEER, python, MLFLOW.name),
                Case(f"connect, {size:,} runs", code, connect, None, python, MLFLOW.name, "empty store"),
            ]
    _take_turns(bench, cases, fresh)
    if _STATUS.exists():
        for case in cases:
            peaks = (
                _peak_mib(bench.folder, sys.executable, case.ours),
                _peak_mib(bench.folder, case.python, case.theirs),
            )
            target = case.target if case.against != LIMIT else None
            name = f"peak memory, {case.name}"
            bench.add(Result("start", name, None, "MiB", [peaks], target, case.note, case.against))


def _take_turns(bench: Bench, cases: Sequence[Case], fresh: Path) -> None:
    rounds: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
    # The first round compiles modules and reads files.
    for turn in range(bench.effort.starts + 1):
        for case in cases:
            if case.against != LIMIT and turn > STARTS_OF_PEER:
                continue
            for leftover in fresh.parent.glob(f"{fresh.name}*"):
                leftover.unlink()
            ours, _ = _interpreter(bench.folder, sys.executable, case.ours)
            theirs, _ = _interpreter(bench.folder, case.python, case.theirs)
            if turn:
                rounds[case].append((ours * 1e3, theirs * 1e3))
    for case, found in rounds.items():
        bench.add(Result("start", case.name, None, "ms", found, case.target, case.note, case.against))


def _peak_mib(folder: Path, python: str | Path, code: str) -> float:
    """Return the most memory that a fresh interpreter took."""
    _, said = _interpreter(folder, python, f"{code}\nprint(open({str(_STATUS)!r}).read())")
    peak = next(line for line in said.splitlines() if line.startswith("VmHWM"))
    return round(int(peak.split()[1]) / 1024, 1)


def _interpreter(folder: Path, python: str | Path, code: str) -> tuple[float, str]:
    """Return how long a fresh interpreter takes, and what it prints.

    It finds compiled modules, as an installed package has them.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run([str(python), "-c", code], env=environment, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode:
        raise Failed(done.stderr.strip().splitlines()[-1])
    return taken, done.stdout
