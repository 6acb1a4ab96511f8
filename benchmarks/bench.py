"""Measure Arangopipe against hand-written SQL on the same tables, in one run.

Both sides take turns in one process, so that a noisy machine disturbs both; what is printed are medians
of several rounds and the median of their ratios. Both must give the same answers: a difference ends
the run with an error. No timing ever does.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import platform
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import raw
import workload
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import arangopipe
from arangopipe import audit

GROUPS = ("bulk", "lookup", "search", "log", "lineage", "start")
SIZES = (1_000, 10_000, 100_000)
BATCHES = (500, 1_000)
VERIFIED = 20_000
"""Up to so many runs the audit chain of the hand-written store is verified as well."""

P1, P2, P3, P5, P9 = 0.75, 0.7, 5.0, 2.0, 3.0
P3_GROWTH = 1.5
P4 = {"10": 2.5, "1k": 1.3, "10k": 1.3}


class Mismatch(Exception):
    """The two sides gave different answers."""


@dataclass
class Result:
    """One line of the table: medians, and the median of the ratios of the rounds."""

    group: str
    name: str
    size: int | None
    unit: str
    ours: float
    raw: float
    ratio: float
    target: float | None
    note: str = ""
    rounds: list[tuple[float, float]] = field(default_factory=list, repr=False)

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None where there is none."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.unit == "/s" else self.ratio <= self.target


def result(
    group: str,
    name: str,
    size: int | None,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    target: float | None,
    note: str = "",
) -> Result:
    """Return the line of some rounds (ours, raw)."""
    return Result(
        group,
        name,
        size,
        unit,
        statistics.median(one for one, _ in rounds),
        statistics.median(other for _, other in rounds),
        statistics.median(one / other for one, other in rounds),
        target,
        note,
        list(rounds),
    )


clock = time.perf_counter


def timed(work: Callable[[], object]) -> float:
    """Return how long one call takes, in seconds, after clearing away what is not its own."""
    gc.collect()
    start = clock()
    work()
    return clock() - start


def prewarm(path: Path) -> None:
    """Read a file once, so that timed reads find it in memory."""
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass


def checkpoint(path: Path) -> int:
    """Move everything from the log into the file and return its bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def same(what: str, ours: Any, other: Any) -> None:
    """Raise `Mismatch` unless both sides gave the same answer."""
    if ours != other:
        if isinstance(ours, set) and isinstance(other, set):
            ours, other = ours - other, other - ours
        raise Mismatch(f"{what}: ours {ours!r:.300} - raw {other!r:.300}")


class Bench:
    """One run: its folder, how thorough it is, what it has found."""

    def __init__(self, folder: Path, groups: Sequence[str], quick: bool, show: Progress) -> None:
        self.folder = folder
        self.groups = groups
        self.quick = quick
        self.width = 100 if quick else 1_000
        self.results: list[Result] = []
        self.bytes: dict[int, dict[str, Any]] = {}
        self._show = show
        self._task = show.add_task("…", total=None)
        self._random = random.Random(0)
        self._seed = folder / "seed.db"

    def run(self, sizes: Sequence[int]) -> None:
        """Measure everything that was asked for."""
        steps = [(f"{group} {size:,}", size, group) for size in (0, *sizes) for group in GROUPS]
        self._show.update(self._task, total=len(steps) + 1)
        self._say("things to refer to")
        workload.make_seed(self._seed, self.width)
        checkpoint(self._seed)
        if "log" in self.groups:
            with Stores(self, 0) as stores:
                self.log(stores)
        self._show.advance(self._task, len(GROUPS))
        for size in sizes:
            with Stores(self, size) as stores:
                self.size(stores)
        if "start" in self.groups:
            self.start()

    def size(self, stores: Stores) -> None:
        """Measure at one size."""
        self._step("bulk", stores, self.bulk)
        seed, whole = self._seed.stat().st_size, checkpoint(stores.ours)
        checkpoint(stores.raw)
        self.bytes[stores.size] = {
            "per_run": round((whole - seed) / stores.size),
            "tables": raw.tables(stores.ours),
        }
        prewarm(stores.ours)
        for name, work in (("lookup", self.lookup), ("search", self.search), ("log", self.log)):
            self._step(name, stores, work)
        self._say(f"compare {stores.size:,}")
        stores.compare()
        self._step("lineage", stores, self.lineage)
        self._show.advance(self._task)

    def _step(self, name: str, stores: Stores, work: Callable[[Stores], None]) -> None:
        self._say(f"{name} {stores.size:,}")
        if name in self.groups or name == "bulk":
            work(stores)
        self._show.advance(self._task)

    def _say(self, text: str) -> None:
        self._show.update(self._task, description=text)
        if not self._show.console.is_terminal:
            self._show.console.print(text)

    def add(self, found: Result) -> None:
        """Keep a line."""
        if found.group in self.groups:
            self.results.append(found)

    # Writing

    def bulk(self, stores: Stores) -> None:
        """Fill a store and its twin, batch by batch in turn."""
        repeats = 1 if stores.size > 2_000 else 2 if self.quick else 6
        rates: dict[int, list[tuple[float, float]]] = {}
        for repeat in range(repeats):
            with Stores(self, stores.size, f"-{repeat}") if repeat else ExitStack() as fresh:
                into = fresh if isinstance(fresh, Stores) else stores
                for turn, (first, count) in enumerate(workload.chunks(1, stores.size, 1_000)):
                    batch = BATCHES[(turn + repeat) % 2]
                    rates.setdefault(batch, []).append(into.fill(first, count, batch))
        for batch, rounds in sorted(rates.items()):
            self.add(result("bulk", f"log_runs, {batch} a batch", stores.size, "/s", rounds, P2))

    def log(self, stores: Stores) -> None:
        """Log run after run, each variant in turn with the hand-written one."""
        chunk, rounds = (25, 4) if self.quick else (50, 9)
        variants = [
            ("durable", True, False, False),
            ("durable, with capture", True, True, False),
            ("durable, references by name", True, False, True),
            ("relaxed", False, False, False),
            ("relaxed, with capture", False, True, False),
        ]
        first = 10_000_000
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in variants}
        for turn in range(rounds + 1):
            for name, durable, capture, by_name in variants:
                pair = stores.log(first, chunk, durable, capture, by_name)
                first += chunk
                if turn:
                    rates[name].append(pair)
        for name, *_ in variants:
            self.add(result("log", f"log_run, {name}", stores.size, "/s", rates[name], P1))
        if not stores.size:
            stores.compare()

    # Reading

    def duel(
        self,
        group: str,
        name: str,
        size: int,
        ours: Callable[[], Any],
        forms: dict[str, Callable[[], Any]],
        target: float,
        answers: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None = None,
    ) -> None:
        """Time a read of ours and its hand-written forms in turn; the best form counts.

        `answers` make both results comparable, where the caller has not compared them.
        """
        if answers is not None:
            got = answers[0](ours())
            for form, work in forms.items():
                same(f"{name} ({form}) at {size:,}", got, answers[1](work()))
        limit = 0.02 if self.quick else 0.1
        repeats = {
            form: max(1, min(1_000, int(limit / max(timed(work), 1e-7))))
            for form, work in (("", ours), *forms.items())
        }
        rounds: list[dict[str, float]] = []
        for turn in range(5 if self.quick else 9):
            sides = [("", ours), *forms.items()]
            times = {}
            for form, work in sides if turn % 2 else sides[::-1]:
                count = repeats[form]
                spent = timed(lambda work=work, count=count: [work() for _ in range(count)])
                times[form] = spent / count
            rounds.append(times)
        best = min(forms, key=lambda form: statistics.median(times[form] for times in rounds))
        pairs = [(times[""] * 1e3, times[best] * 1e3) for times in rounds]
        note = best if len(forms) > 1 else ""
        self.add(result(group, name, size, "ms", pairs, target, note))

    def lookup(self, stores: Stores) -> None:
        """Look up runs and datasets by id and by name."""
        pipe, reader, size = stores.reading, stores.reader, stores.size
        numbers = self._random.sample(range(1, size + 1), min(size, 1_000))
        names = [workload.run_name(i) for i in numbers]
        keys = [reader.run_by_name(name)[0][2] for name in names]
        datasets = [f"dataset_{self._random.randrange(self.width)}" for _ in range(1_000)]
        dataset_keys = [reader.by_name("datasets", name)[2] for name in datasets]
        cases: list[tuple[str, Callable[[str], Any], Callable[[str], Any], list[str]]] = [
            (
                "dataset by id",
                lambda key: pipe.lookup_dataset(f"datasets/{key}"),
                lambda key: reader.by_key("datasets", key),
                dataset_keys,
            ),
            (
                "dataset by name",
                pipe.lookup_dataset,
                lambda name: reader.by_name("datasets", name),
                datasets,
            ),
            (
                "run by id",
                lambda key: pipe.lookup_run(f"run/{key}"),
                reader.run_by_key,
                keys,
            ),
            ("run by name", pipe.lookup_run, reader.run_by_name, names),
        ]
        for name, ours, other, wanted in cases:
            for one in wanted[:50]:
                same(f"{name} {one}", _shown(ours(one)), _row_shown(other(one)))
            turns = [itertools.cycle(wanted), itertools.cycle(wanted)]
            self.duel(
                "lookup",
                name,
                size,
                lambda ours=ours, turn=turns[0]: ours(next(turn)),
                {"select": lambda other=other, turn=turns[1]: other(next(turn))},
                P3,
            )

    def search(self, stores: Stores) -> None:
        """Ask for first pages of 50."""
        pipe, reader, size = stores.reading, stores.reader, stores.size
        texts = {
            "param = and metric >, by metric": (
                "params.depth = 6 and metrics.acc > 0.5",
                "metrics.acc desc",
            ),
            "rare param and metric >, by metric": (
                "params.fold = 500 and metrics.acc > 0.1",
                "metrics.acc desc",
            ),
            "param =, newest first": ("params.depth = 6", None),
            "rare param =, newest first": ("params.fold = 500", None),
        }
        for name, forms in reader.searches().items():
            where, order = texts[name]
            self.duel(
                "search",
                name,
                size,
                lambda where=where, order=order: pipe.search("run", where, order_by=order, limit=50),
                {form: lambda sql=sql: reader.search(sql) for form, sql in forms.items()},
                P5,
                (
                    lambda page: [(r.key, r.node.text, r.params_text, r.metrics_text) for r in page],
                    lambda rows: rows[:50],
                ),
            )

    def lineage(self, stores: Stores) -> None:
        """Walk from datasets to all that came of them."""
        pipe, reader = stores.reading, stores.reader
        found = [(shape, workload.make_lineage(pipe, shape)) for shape in workload.SHAPES]
        checkpoint(stores.ours)
        prewarm(stores.ours)
        words = reader.words()
        for shape, dataset in found:
            start = reader.id_of("datasets", dataset.key)
            same(f"nodes of lineage {shape.label}", len(pipe.downstream(dataset)), shape.nodes)
            self.duel(
                "lineage",
                f"downstream, {shape.nodes:,} nodes",
                stores.size,
                lambda dataset=dataset: pipe.downstream(dataset),
                {
                    form: lambda sql=sql, start=start: reader.lineage(sql, start)
                    for form, sql in reader.lineages().items()
                },
                P4[shape.label],
                (
                    lambda graph: {(node.id, node.name, node.text) for node in graph},
                    lambda rows: {
                        (f"{words[kind]}/{key}", name or "", text) for _, kind, key, name, text in rows
                    },
                ),
            )

    # Starting

    def start(self) -> None:
        """Time fresh interpreters: empty, importing, connecting."""
        store = max(self.folder.glob("ours-*.db"), key=lambda p: p.stat().st_size, default=None)
        path = self.folder / "start.db"
        shutil.copy(store or self._seed, path)
        fresh = self.folder / "new.db"
        url, new_url = f"sqlite:///{path}", f"sqlite:///{fresh}"
        empty, imports = "pass", "import arangopipe"
        ours = f"import arangopipe; arangopipe.connect({url!r})"
        other = f"import sqlite3; sqlite3.connect({str(path)!r}).execute('SELECT * FROM change')"
        create = f"import arangopipe; arangopipe.connect({new_url!r})"
        cases = [
            ("import arangopipe / empty interpreter", imports, empty, P9),
            ("import and connect / the same, bare driver", ours, other, None),
            ("import, connect and create / bare driver", create, other, None),
        ]
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name, *_ in cases}
        for _ in range(4 if self.quick else 12):
            for name, one, two, _ in cases:
                for leftover in self.folder.glob("new.db*"):
                    leftover.unlink()
                pair = tuple(self._interpreter(code) * 1e3 for code in (one, two))
                rounds[name].append(pair)  # type: ignore[arg-type]
        for name, _, _, target in cases:
            self.add(result("start", name, None, "ms", rounds[name][1:], target))
        self._show.advance(self._task)

    def _interpreter(self, code: str) -> float:
        """Return how long a fresh interpreter takes; it finds compiled modules, as an installed one does."""
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(self.folder / "pycache")}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return time.perf_counter() - start


def _shown(entity: Any) -> list[Any]:
    node = entity.node
    shown = [node.key, node.name, node.version, node.project, node.revision, node.text]
    return shown + [getattr(entity, n) for n in ("params_text", "metrics_text") if hasattr(entity, n)]


def _row_shown(rows: Any) -> list[Any]:
    first, *owned = rows if isinstance(rows, list) else [rows]
    _, _, key, name, version, project, revision, text = first
    return [key, name or "", version or "", project, revision, text, *(row[7] for row in owned)]


class Stores:
    """A store and its hand-written twin."""

    def __init__(self, bench: Bench, size: int, mark: str = "") -> None:
        self.size = size
        self.bench = bench
        self.ours = bench.folder / f"ours-{size}{mark}.db"
        self.raw = bench.folder / f"raw-{size}{mark}.db"
        for path in (self.ours, self.raw):
            shutil.copy(bench.folder / "seed.db", path)
        self._keep = not mark

    def __enter__(self) -> Stores:
        self._stack = ExitStack()
        enter, close = self._stack.enter_context, self._stack.callback
        url = f"sqlite:///{self.ours}"
        options = {"project": workload.PROJECT, "actor": "bench"}
        self._pipes = {
            True: enter(arangopipe.connect(url, **options)),
            False: enter(arangopipe.connect(f"{url}?durability=relaxed", **options)),
        }
        self._writers = {durable: raw.Writer(self.raw, durable) for durable in (True, False)}
        for writer in self._writers.values():
            close(writer.close)
        # A bare name is then sought among what is shared first, as the hand-written side does.
        self.reading = enter(arangopipe.connect(url, actor="bench"))
        self.reader = raw.Reader(self.ours)
        close(self.reader.close)
        self._things = workload.things(self.reading, self.bench.width)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if not self._keep:
            for path in (self.ours, self.raw):
                for file in path.parent.glob(f"{path.name}*"):
                    file.unlink()

    def fill(self, first: int, count: int, batch: int) -> tuple[float, float]:
        """Log runs in bulk on both sides and return both rates."""
        spent = [0.0, 0.0]
        for start, size in workload.chunks(first, count, batch):
            runs = workload.runs(start, size, self._things)
            before = raw.marks(self.reader.connection)
            pipe, writer = self._pipes[True], self._writers[True]
            spent[0] += timed(lambda: pipe.log_runs(runs, batch_size=batch))  # noqa: B023
            changes = raw.harvest(self.reader.connection, before)
            spent[1] += timed(lambda: [writer.log(change) for change in changes])  # noqa: B023
        return count / spent[0], count / spent[1]

    def log(self, first: int, count: int, durable: bool, capture: bool, by_name: bool) -> tuple[float, float]:
        """Log runs one by one on both sides and return both rates."""
        pipe, writer = self._pipes[durable], self._writers[durable]
        runs = [workload.run(i, self._things, by_name) for i in range(first, first + count)]
        before = raw.marks(self.reader.connection)
        ours = timed(lambda: [pipe.log_run(**run, capture=capture) for run in runs])
        changes = raw.harvest(self.reader.connection, before)
        other = timed(lambda: [writer.log(change) for change in changes])
        return count / ours, count / other

    def compare(self) -> None:
        """Raise `Mismatch` unless both stores hold the same, and the twin verifies."""
        if found := raw.differences(self.ours, self.raw):
            raise Mismatch(f"stores of {self.size:,} runs: {'; '.join(found)}")
        if self.size <= VERIFIED:
            with arangopipe.connect(f"sqlite:///{self.raw}") as pipe:
                verified = audit.verify(pipe.store)
            if not verified.ok:
                raise Mismatch(f"the hand-written store of {self.size:,} runs: {verified}")


# What it says


def machine(folder: Path) -> dict[str, Any]:
    """Return what the figures depend on."""
    path = folder / "fsync"
    spent = []
    with path.open("wb") as file:
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            spent.append(time.perf_counter() - start)
    path.unlink()
    lines: Iterable[str] = ()
    if (info := Path("/proc/cpuinfo")).exists():
        lines = info.read_text().splitlines()
    cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")
    return {
        "cpu": cpu or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fsync_ms": round(statistics.median(spent) * 1e3, 3),
        "arangopipe": arangopipe.__version__,
    }


def figure(value: float, unit: str) -> str:
    """Return a figure with its unit, three digits of it."""
    if unit == "/s":
        return f"{value:,.0f}/s"
    return f"{value:.3f} ms" if value < 10 else f"{value:,.1f} ms"


def bound(found: Result) -> str:
    """Return a target as text."""
    if found.target is None:
        return ""
    return f">= {found.target:g}" if found.unit == "/s" else f"<= {found.target:g}"


def report(bench: Bench, about: dict[str, Any], console: Console) -> None:
    """Print what was found."""
    table = Table(
        title="Arangopipe against hand-written SQL on the same tables",
        caption="ratio: of rates (/s) more is better, of times (ms) less is better; see benchmarks/README.md",
    )
    for name, where in (
        ("workload", "left"),
        ("runs in store", "right"),
        ("ours", "right"),
        ("raw", "right"),
        ("ours / raw", "right"),
        ("target", "right"),
        ("", "left"),
        ("best raw form", "left"),
    ):
        table.add_column(name, justify=where, no_wrap=True)  # type: ignore[arg-type]
    order = {group: place for place, group in enumerate(("log", *GROUPS))}
    names = list(dict.fromkeys(found.name for found in bench.results))
    lines = sorted(
        bench.results,
        key=lambda found: (order[found.group], names.index(found.name), found.size or 0),
    )
    for before, found in zip([None, *lines], lines, strict=False):
        if before is not None and before.name != found.name:
            table.add_section()
        mark = {None: "", True: "[green]✓[/]", False: "[red]✗[/]"}[found.reached]
        table.add_row(
            found.name if before is None or before.name != found.name else "",
            "" if found.size is None else f"{found.size:,}",
            figure(found.ours, found.unit),
            figure(found.raw, found.unit),
            f"{found.ratio:.2f}",
            bound(found),
            mark,
            found.note,
        )
    console.print(table)
    for line in growth(bench.results):
        console.print(line)
    for size, found in bench.bytes.items():
        console.print(f"bytes a run at {size:,}: {found['per_run']:,}")
    console.print(
        f"{about['cpu']}, {about['cores']} cores (load {about['load']:.1f}), Python {about['python']}, "
        f"SQLite {about['sqlite']}, fsync {about['fsync_ms']} ms, arangopipe {about['arangopipe']}"
    )


def growth(results: Sequence[Result]) -> list[str]:
    """Return how much more each kind of work costs on the largest store than on the smallest."""
    by_name: dict[tuple[str, str], list[Result]] = {}
    for found in results:
        if found.size:
            by_name.setdefault((found.group, found.name), []).append(found)
    lines = []
    for (group, name), found in by_name.items():
        small, large = found[0], found[-1]
        if small is large:
            continue
        ours, other = (
            (b / a if small.unit == "ms" else a / b)
            for a, b in ((small.ours, large.ours), (small.raw, large.raw))
        )
        goal = f" (target <= {P3_GROWTH})" if group == "lookup" else ""
        lines.append(f"cost at {large.size:,} / at {small.size:,}: {ours:.2f} (raw {other:.2f}) {name}{goal}")
    return lines


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute: 1,000 runs, few rounds")
    parser.add_argument("--only", metavar="GROUPS", help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--sizes", metavar="N,N", help="runs in the stores; 1000,10000,100000")
    parser.add_argument(
        "--cpu",
        action="store_true",
        help="count processor time, not time passed: for a busy machine; waiting for the disk is free then",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round to a file")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="build the stores there and keep them")
    given = parser.parse_args()
    if given.cpu:
        global clock
        clock = time.process_time
    groups = given.only.split(",") if given.only else list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        parser.error(f"no group is called {', '.join(sorted(unknown))}: {', '.join(GROUPS)}")
    sizes = [int(size) for size in given.sizes.split(",")] if given.sizes else list(SIZES)
    if given.quick and not given.sizes:
        sizes = [1_000]
    for name in ("ARANGOPIPE_URL", "ARANGOPIPE_DISABLED", "ARANGOPIPE_CAPTURE"):
        os.environ.pop(name, None)
    notes = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with ExitStack() as stack:
        if given.keep:
            given.keep.mkdir(parents=True, exist_ok=True)
            folder = given.keep.resolve()
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="arangopipe-bench-")))
        about = machine(folder)
        show = stack.enter_context(Progress(*columns, console=notes, transient=True))
        bench = Bench(folder, groups, given.quick, show)
        try:
            bench.run(sorted(sizes))
        except Mismatch as error:
            notes.print(f"[red]the answers differ:[/] {error}")
            return 1
        finally:
            show.stop()
        console = Console()
        report(bench, about, console if console.is_terminal else Console(width=140))
    if given.json:
        found = {
            "machine": about,
            "results": [{**asdict(line), "reached": line.reached} for line in bench.results],
            "bytes": bench.bytes,
        }
        given.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
