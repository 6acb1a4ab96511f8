"""Measure Arangopipe against hand-written SQL on the same tables, in one run.

Both sides take turns in one process, so that a noisy machine disturbs both, and so do the stores of
all sizes. What is printed are medians of the rounds. Both sides must give the same answers: a difference
ends the run with an error. No timing ever does.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import raw
import workload
from report import ORDER, Result, growth, machine, show
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from stores import Mismatch, Stores, checkpoint, count_processor_time, same, timed

SIZES = (1_000, 10_000, 100_000)
BATCHES = (500, 1_000)

P1, P2, P3, P5, P9 = 0.75, 0.7, 5.0, 2.0, 3.0
P4 = {"10": 2.5, "1k": 1.3, "10k": 1.3}

LOGGING: dict[str, dict[str, bool]] = {
    "durable": {"durable": True, "capture": False, "by_name": False},
    "durable, with capture": {"durable": True, "capture": True, "by_name": False},
    "durable, references by name": {"durable": True, "capture": False, "by_name": True},
    "relaxed": {"durable": False, "capture": False, "by_name": False},
    "relaxed, with capture": {"durable": False, "capture": True, "by_name": False},
}

SEARCHES = {
    "param = and metric >, by metric": ("params.depth = 6 and metrics.acc > 0.5", "metrics.acc desc"),
    "rare param and metric >, by metric": (
        "params.fold = 500 and metrics.acc > 0.1",
        "metrics.acc desc",
    ),
    "param =, newest first": ("params.depth = 6", None),
    "rare param =, newest first": ("params.fold = 500", None),
}


@dataclass(frozen=True)
class Read:
    """One question to the stores of one size: ours, and the hand-written forms of it."""

    size: int
    ours: Callable[[], Any]
    forms: dict[str, Callable[[], Any]]


@dataclass(frozen=True)
class Effort:
    """How thorough a run is."""

    width: int = 1_000
    repeats: int = 6
    chunk: int = 50
    rounds: int = 9
    seconds: float = 0.05
    starts: int = 12


QUICK = Effort(width=100, repeats=2, chunk=25, rounds=5, seconds=0.02, starts=4)


class Bench:
    """One run: its folder, how thorough it is, what it has found."""

    def __init__(self, folder: Path, groups: Sequence[str], effort: Effort, progress: Progress) -> None:
        self.results: list[Result] = []
        self.bytes: dict[int, dict[str, Any]] = {}
        self.memory: dict[str, float] = {}
        self._folder = folder
        self._groups = groups
        self._effort = effort
        self._progress = progress
        self._task = progress.add_task("…", total=None)
        self._random = random.Random(0)
        self._seed = folder / "seed.db"

    def run(self, sizes: Sequence[int]) -> None:
        """Measure everything that was asked for."""
        self._progress.update(self._task, total=len(sizes) + 8)
        self._say("things to refer to")
        for leftover in self._folder.glob("seed.db*"):
            leftover.unlink()
        workload.make_seed(self._seed, self._effort.width)
        checkpoint(self._seed)
        with ExitStack() as stack:
            empty, *filled = [
                stack.enter_context(Stores(self._seed, size, self._effort.width)) for size in (0, *sizes)
            ]
            for stores in filled:
                self._say(f"bulk {stores.size:,}")
                self.bulk(stores)
            for name, work in (("lookup", self.lookup), ("search", self.search)):
                self._say(name)
                if name in self._groups:
                    work(filled)
            self._say("log")
            if "log" in self._groups:
                self.log([empty, *filled])
            self._say("compare what was written")
            for stores in (empty, *filled):
                stores.compare()
            self._say("lineage")
            if "lineage" in self._groups:
                self.lineage(filled)
        self._say("start")
        if "start" in self._groups:
            self.start(filled[-1].ours)

    def _say(self, text: str) -> None:
        self._progress.update(self._task, description=text, advance=1)
        if not self._progress.console.is_terminal:
            self._progress.console.print(text)

    def _add(self, found: Result) -> None:
        if found.group in self._groups:
            self.results.append(found)

    # Writing

    def bulk(self, stores: Stores) -> None:
        """Fill a store and its twin, batch by batch in turn; small ones several times."""
        rates: dict[int, list[tuple[float, float]]] = {batch: [] for batch in BATCHES}

        def fill(into: Stores, shift: int) -> None:
            for turn, (first, count) in enumerate(workload.chunks(1, stores.size, 1_000)):
                batch = BATCHES[(turn + shift) % len(BATCHES)]
                rates[batch].append(into.fill(first, count, batch))

        fill(stores, 0)
        for repeat in range(1, max(2, self._effort.repeats * 1_000 // stores.size)):
            with Stores(self._seed, stores.size, self._effort.width, f"-{repeat}") as again:
                fill(again, repeat)
            again.remove()
        for batch, rounds in rates.items():
            self._add(Result("bulk", f"log_runs, {batch} a batch", stores.size, "/s", rounds, P2))
        grown = stores.settle() - self._seed.stat().st_size
        self.bytes[stores.size] = {
            "per_run": round(grown / stores.size),
            "tables": raw.tables(stores.ours),
        }

    def log(self, several: Sequence[Stores]) -> None:
        """Log run after run, each variant in turn with the hand-written one, in each store."""
        rates: dict[tuple[str, int], list[tuple[float, float]]] = {
            (name, stores.size): [] for name in LOGGING for stores in several
        }
        first, chunk = 10_000_000, self._effort.chunk
        # The first round warms up.
        for turn in range(self._effort.rounds + 1):
            for (name, variant), stores in itertools.product(LOGGING.items(), several):
                pair = stores.log(first, chunk, **variant)
                first += chunk
                if turn:
                    rates[name, stores.size].append(pair)
        for (name, size), rounds in rates.items():
            self._add(Result("log", f"log_run, {name}", size, "/s", rounds, P1))

    # Reading

    def _duel(self, group: str, name: str, target: float, reads: Sequence[Read]) -> None:
        """Time ours and its hand-written forms in turn, at each size; the best form counts."""
        works: dict[tuple[int, str | None], Callable[[], Any]] = {}
        for read in reads:
            works[read.size, None] = read.ours
            works.update({(read.size, form): work for form, work in read.forms.items()})
        repeats = {
            key: max(1, min(1_000, int(self._effort.seconds / max(timed(work), 1e-7))))
            for key, work in works.items()
        }
        rounds: list[dict[tuple[int, str | None], float]] = []
        for turn in range(self._effort.rounds):
            spent = {}
            for key, work in list(works.items())[:: 1 if turn % 2 else -1]:
                count = repeats[key]
                spent[key] = timed(lambda: [work() for _ in range(count)]) / count * 1e3  # noqa: B023
            rounds.append(spent)
        for read in reads:
            medians = {
                form: statistics.median(spent[read.size, form] for spent in rounds) for form in read.forms
            }
            best = min(medians, key=lambda form: medians[form])
            pairs = [(spent[read.size, None], spent[read.size, best]) for spent in rounds]
            note = best if len(medians) > 1 else ""
            self._add(Result(group, name, read.size, "ms", pairs, target, note))

    def lookup(self, several: Sequence[Stores]) -> None:
        """Look up datasets and runs by id and by name."""
        reads: dict[str, list[Read]] = {}
        for stores in several:
            pipe, reader = stores.reading, stores.reader
            numbers = self._random.sample(range(1, stores.size + 1), 1_000)
            names = [workload.run_name(i) for i in numbers]
            datasets = [f"dataset_{i % self._effort.width}" for i in numbers]
            run_ids = [f"run/{reader.run_by_name(name)[0][2]}" for name in names]
            dataset_ids = [f"datasets/{reader.by_name('datasets', name)[2]}" for name in datasets]
            sides: dict[str, tuple[Callable[[str], Any], Callable[[str], Any], list[str]]] = {
                "dataset by id": (pipe.lookup_dataset, reader.by_id, dataset_ids),
                "dataset by name": (
                    pipe.lookup_dataset,
                    lambda name, reader=reader: reader.by_name("datasets", name),
                    datasets,
                ),
                "run by id": (pipe.lookup_run, reader.run_by_id, run_ids),
                "run by name": (pipe.lookup_run, reader.run_by_name, names),
            }
            for name, (ours, other, wanted) in sides.items():
                for one in wanted[:50]:
                    same(f"{name} {one}", _entity(ours(one)), _rows(other(one)))
                ours_next, raw_next = itertools.cycle(wanted), itertools.cycle(wanted)
                read = Read(
                    stores.size,
                    lambda ours=ours, turn=ours_next: ours(next(turn)),
                    {"select": lambda other=other, turn=raw_next: other(next(turn))},
                )
                reads.setdefault(name, []).append(read)
        for name, several_reads in reads.items():
            self._duel("lookup", name, P3, several_reads)

    def search(self, several: Sequence[Stores]) -> None:
        """Ask for first pages of 50."""
        for name, (where, order) in SEARCHES.items():
            reads = []
            for stores in several:
                pipe, reader = stores.reading, stores.reader
                read = Read(
                    stores.size,
                    lambda pipe=pipe, where=where, order=order: pipe.search(
                        "run", where, order_by=order, limit=50
                    ),
                    {
                        form: lambda reader=reader, sql=sql: reader.search(sql)
                        for form, sql in reader.searches()[name].items()
                    },
                )
                page = [(run.key, run.node.text, run.params_text, run.metrics_text) for run in read.ours()]
                for form, work in read.forms.items():
                    same(f"{name} ({form}) at {stores.size:,}", page, work()[:50])
                reads.append(read)
            self._duel("search", name, P5, reads)

    def lineage(self, several: Sequence[Stores]) -> None:
        """Walk from datasets to all that came of them."""
        datasets = {
            (stores.size, shape): workload.make_lineage(stores.reading, shape)
            for stores in several
            for shape in workload.SHAPES
        }
        for stores in several:
            stores.settle()
        for shape in workload.SHAPES:
            reads = []
            for stores in several:
                reader, dataset = stores.reader, datasets[stores.size, shape]
                start = reader.id_of("datasets", dataset.key)
                read = Read(
                    stores.size,
                    lambda pipe=stores.reading, dataset=dataset: pipe.downstream(dataset),
                    {
                        form: lambda reader=reader, sql=sql, start=start: reader.lineage(sql, start)
                        for form, sql in reader.lineages().items()
                    },
                )
                words = reader.words()
                nodes = {(node.id, node.name, node.text) for node in read.ours()}
                same("nodes of a lineage", len(nodes), shape.nodes)
                for form, work in read.forms.items():
                    rows = {(f"{words[kind]}/{key}", name or "", text) for _, kind, key, name, text in work()}
                    same(f"lineage of {shape.nodes:,} nodes ({form})", nodes, rows)
                reads.append(read)
            self._duel("lineage", f"downstream, {shape.nodes:,} nodes", P4[shape.label], reads)

    # Starting

    def start(self, store: Path) -> None:
        """Time fresh interpreters: empty, importing, connecting to the largest store, creating one."""
        fresh = self._folder / "new.db"
        empty, imports = "pass", "import arangopipe"
        connect = f"import arangopipe; arangopipe.connect('sqlite:///{store}')"
        driver = f"import sqlite3; sqlite3.connect({str(store)!r}).execute('SELECT * FROM change')"
        create = f"import arangopipe; arangopipe.connect('sqlite:///{fresh}')"
        cases = [
            ("import / empty interpreter", imports, empty, P9),
            ("import and connect / bare driver", connect, driver, None),
            ("import and create a store / bare driver", create, driver, None),
        ]
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in cases}
        for turn in range(self._effort.starts + 1):
            for name, one, other, _ in cases:
                for leftover in self._folder.glob("new.db*"):
                    leftover.unlink()
                pair = (self._interpreter(one)[0] * 1e3, self._interpreter(other)[0] * 1e3)
                if turn:
                    rounds[name].append(pair)
        for name, _, _, target in cases:
            self._add(Result("start", name, None, "ms", rounds[name], target))
        status = Path("/proc/self/status")
        for name, code in (("empty", empty), ("import", imports), ("connect", connect)):
            if status.exists():
                _, said = self._interpreter(f"{code}\nprint(open({str(status)!r}).read())")
                peak = next(line for line in said.splitlines() if line.startswith("VmHWM"))
                self.memory[name] = round(int(peak.split()[1]) / 1024, 1)

    def _interpreter(self, code: str) -> tuple[float, str]:
        """Return how long a fresh interpreter takes, and what it prints.

        It finds compiled modules, as an installed package has them.
        """
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(self._folder / "pycache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, env=environment, stdout=subprocess.PIPE, text=True
        )
        return time.perf_counter() - start, done.stdout


def _entity(entity: Any) -> list[Any]:
    node = entity.node
    shown = [node.key, node.name, node.version, node.project, node.revision, node.text]
    return shown + [getattr(entity, n) for n in ("params_text", "metrics_text") if hasattr(entity, n)]


def _rows(rows: Any) -> list[Any]:
    first, *owned = rows if isinstance(rows, list) else [rows]
    _, _, key, name, version, project, revision, text = first
    return [key, name or "", version or "", project, revision, text, *(row[7] for row in owned)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: 1,000 runs, few rounds")
    parser.add_argument("--only", metavar="GROUPS", help=f"some of {','.join(ORDER)}")
    parser.add_argument("--sizes", metavar="N,N", help="runs in the stores, in thousands: 1000,10000,100000")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="count processor time, not time passed: for a busy machine; waiting for the disk is free then",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to a file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="build the stores there and keep them")
    given = parser.parse_args()
    given.groups = given.only.split(",") if given.only else list(ORDER)
    if unknown := sorted(set(given.groups) - set(ORDER)):
        parser.error(f"no group is called {', '.join(unknown)}: {', '.join(ORDER)}")
    default = SIZES[:1] if given.quick else SIZES
    given.sizes = sorted({int(size) for size in given.sizes.split(",")}) if given.sizes else default
    if any(size < 1_000 or size % 1_000 for size in given.sizes):
        parser.error("--sizes takes thousands of runs")
    return given


def main() -> int:
    """Run from the command line."""
    given = _arguments()
    for name in ("ARANGOPIPE_URL", "ARANGOPIPE_DISABLED", "ARANGOPIPE_CAPTURE"):
        os.environ.pop(name, None)
    if given.cpu:
        count_processor_time()
    console, errors = Console(), Console(stderr=True)
    with ExitStack() as stack:
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            folder = given.keep.resolve()
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arangopipe-bench-")))
        about = machine(folder)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        progress = stack.enter_context(Progress(*columns, console=errors, transient=True))
        effort = QUICK if given.quick else Effort()
        bench = Bench(folder, given.groups, effort, progress)
        try:
            bench.run(given.sizes)
        except Mismatch as error:
            errors.print(f"the answers differ: {error}", style="red", markup=False)
            return 1
        finally:
            progress.stop()
            shutil.rmtree(folder / "pycache", ignore_errors=True)
    notes = [f"bytes a run at {size:,}: {found['per_run']:,}" for size, found in bench.bytes.items()]
    if bench.memory:
        notes.append(f"peak memory in MiB: {', '.join(f'{k} {v}' for k, v in bench.memory.items())}")
    clock = "processor time" if given.cpu else "time passed"
    notes.append(f"{', '.join(f'{name} {value}' for name, value in about.items())}; {clock}")
    show(bench.results, notes, console if console.is_terminal else Console(width=140))
    if given.json:
        found = {
            "machine": {**about, "clock": clock},
            "results": [asdict(line) for line in bench.results],
            "growth": {name: values for (_, name), values in growth(bench.results).items()},
            "bytes": bench.bytes,
            "memory_mib": bench.memory,
        }
        given.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
