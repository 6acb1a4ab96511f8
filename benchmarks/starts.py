"""P9: fresh interpreters that import, connect and create a store, and the memory they take."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from context import Bench
from environments import MLFLOW
from result import LIMIT, Result

IMPORT, IMPORT_OF_PEER = 3.0, 5.0

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
    memory: dict[str, tuple[str | Path, str]] = {
        "an empty interpreter": (sys.executable, "pass"),
        "import arangopipe": (sys.executable, imports),
        "arangopipe, connected": (sys.executable, list(connects.values())[-1]),
    }
    if python := bench.python(MLFLOW):
        peer = "import mlflow"
        cases.append(Case("import", imports, peer, IMPORT_OF_PEER, python, MLFLOW.name))
        memory[peer] = (python, peer)
    _take_turns(bench, cases, fresh)
    if _STATUS.exists():
        for name, (python, code) in memory.items():
            said = _interpreter(bench.folder, python, f"{code}\nprint(open({str(_STATUS)!r}).read())")[1]
            peak = next(line for line in said.splitlines() if line.startswith("VmHWM"))
            bench.found.memory_mib[name] = round(int(peak.split()[1]) / 1024, 1)


def _take_turns(bench: Bench, cases: list[Case], fresh: Path) -> None:
    rounds: dict[Case, list[tuple[float, float]]] = {case: [] for case in cases}
    # The first round compiles modules and reads files.
    for turn in range(bench.effort.starts + 1):
        for case in cases:
            for leftover in fresh.parent.glob(f"{fresh.name}*"):
                leftover.unlink()
            ours, _ = _interpreter(bench.folder, sys.executable, case.ours)
            theirs, _ = _interpreter(bench.folder, case.python, case.theirs)
            if turn:
                rounds[case].append((ours * 1e3, theirs * 1e3))
    for case, found in rounds.items():
        bench.add(Result("start", case.name, None, "ms", found, case.target, case.note, case.against))


def _interpreter(folder: Path, python: str | Path, code: str) -> tuple[float, str]:
    """Return how long a fresh interpreter takes, and what it prints.

    It finds compiled modules, as an installed package has them.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [str(python), "-c", code], check=True, env=environment, stdout=subprocess.PIPE, text=True
    )
    return time.perf_counter() - start, done.stdout
