"""P13: the same work in a file, in PostgreSQL by socket and by TCP, and over HTTP, side by side."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import raw
import raw_postgres
import recording
import workload
from clock import timed
from context import Bench
from result import Result
from stores import OPTIONS, make_seed, same

import arangopipe
import served

LIMIT_RATE = 0.5
FILE, SOCKET, TCP, HTTP = "SQLite file", "PostgreSQL, socket", "PostgreSQL, TCP", "HTTP to a file"
VERSION = 18
FIRST = 60_000_000
DEPTH, LEAST, PAGE = 6, 0.5, 50
SETTINGS = {"shared_buffers": "128MB", "max_wal_size": "1GB"}

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))


def stores(bench: Bench) -> None:
    """Measure the places against each other, and PostgreSQL against hand-written psycopg."""
    import servers

    try:
        servers.programs(VERSION)
    except servers.NoServer as error:
        bench.leave_out("PostgreSQL", error)
        return
    with ExitStack() as stack:
        server = stack.enter_context(servers.Server(VERSION, durable=True, settings=SETTINGS))
        database = stack.enter_context(server.database())
        twin = stack.enter_context(server.database())
        urls = {
            FILE: f"sqlite:///{bench.folder / 'place.db'}",
            SOCKET: server.url(database, socket=True),
            TCP: server.url(database),
        }
        shutil.copy(make_seed(bench.folder, bench.effort.width), bench.folder / "place.db")
        shutil.copy(make_seed(bench.folder, bench.effort.width), bench.folder / "place-http.db")
        log = bench.folder / "http.log"
        http = stack.enter_context(served.ours(f"sqlite:///{bench.folder / 'place-http.db'}", log))
        urls[HTTP] = f"http://127.0.0.1:{http.port}"
        for name in (database, twin):
            bench.tell("seed PostgreSQL")
            recording.make_seed(server.url(name, socket=True), bench.effort.width)
        version = server.sql("SHOW server_version")[0][0].split()[0]
        pipes = {
            place: stack.enter_context(arangopipe.connect(url, **OPTIONS)) for place, url in urls.items()
        }
        hand = raw_postgres.Writer(_libpq(server.url(twin, socket=True)))
        stack.callback(hand.close)
        reader = raw_postgres.Driver(_libpq(server.url(database, socket=True)))
        stack.callback(reader.close)
        contest = Places(bench, pipes, hand, reader)
        contest.write()
        contest.load()
        server.sql("ANALYZE", database)
        contest.read()
        bench.found.notes.append(f"PostgreSQL {version}, fsync and synchronous_commit on")


def _libpq(url: str) -> str:
    """Return an address for the driver, which sees the tables without naming their schema."""
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}options=-csearch_path%3Darangopipe"


class Places:
    """The places by name, the hand-written writer of PostgreSQL on a twin, and a bare connection to ours."""

    def __init__(
        self,
        bench: Bench,
        pipes: dict[str, Any],
        hand: raw_postgres.Writer,
        reader: raw_postgres.Driver,
    ) -> None:
        self._bench = bench
        self._pipes = pipes
        self._hand = hand
        self._reader = reader
        width = bench.effort.width
        self._things = {place: recording.things(pipe, width) for place, pipe in pipes.items()}
        self._first = FIRST
        self._loaded, self._bulk = 2 * width, width // 2

    def write(self) -> None:
        """Log runs one by one and in bulk."""
        chunk = self._bench.effort.chunk
        for name, count, bulk in (
            ("log_run", chunk, False),
            (f"log_runs, {self._bulk} a batch", self._bulk, True),
        ):
            rounds: dict[str, list[tuple[float, float]]] = {}
            # The first round warms up.
            for turn in range(self._rounds + 1):
                self._bench.tell(f"{name}, in each place")
                rates = {}
                for place, pipe in self._pipes.items():
                    before = raw.marks(self._reader)
                    runs = workload.runs(self._first, count, self._things[place])
                    rates[place] = count / timed(_logging(pipe, runs, bulk))
                    self._first += count
                    if place in (SOCKET, TCP):
                        changes = raw.harvest(self._reader, before)
                        seconds = timed(lambda changes=changes: [self._hand.log(each) for each in changes])
                        if place == SOCKET:
                            by_hand = count / seconds
                if turn:
                    self._keep(rounds, rates, by_hand)
            self._report(name, "/s", rounds)
        counts = [
            [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in raw.COMPARED]
            for connection in (self._reader, self._hand._driver)
        ]
        same("rows in PostgreSQL", *counts)

    def load(self) -> None:
        """Log what is to be read in each place."""
        for place in (FILE, SOCKET, HTTP):
            self._pipes[place].log_runs(workload.runs(1, self._loaded, self._things[place]), batch_size=1_000)

    def read(self) -> None:
        """Look up, walk and search."""
        hand = raw_postgres.Reader(self._reader)
        numbers = self._bench.random.sample(range(1, self._loaded + 1), 100)
        runs = [workload.run_name(i) for i in numbers]
        ids = [dataset.id for dataset in self._things[SOCKET].datasets]
        self._compare("dataset by id", lambda pipe, id: pipe.lookup_dataset(id), hand.dataset, ids)
        self._compare("run by name", lambda pipe, name: pipe.lookup_run(name), hand.run_by_name, runs)
        self._compare(
            "downstream of a dataset", lambda pipe, id: pipe.downstream(id), hand.downstream, ids[1:2]
        )
        forms = hand.searches(DEPTH, LEAST, PAGE + 1)
        pages = {form: [row[0] for row in ask()[:PAGE]] for form, ask in forms.items()}
        for form in forms:
            same(
                f"a page of a search ({form})",
                [run.key for run in _search(self._pipes[SOCKET], "")],
                pages[form],
            )
        best = min(forms.values(), key=lambda ask: min(timed(ask) for _ in range(5)))
        self._compare("first page of a search", _search, lambda _: best(), [""])

    def _compare(
        self, name: str, ask: Callable[[Any, str], Any], by_hand: Callable[[str], Any], wanted: list[str]
    ) -> None:
        """Let each place answer in turn, and what is written by hand."""
        self._bench.tell(f"{name}, in each place")
        work: dict[str, Callable[[], Any]] = {
            place: _each(lambda item, pipe=pipe: ask(pipe, item), wanted)
            for place, pipe in self._pipes.items()
        }
        work[""] = _each(by_hand, [item.removeprefix("datasets/") for item in wanted])
        for each in work.values():
            each()  # plans and pages are there from now on
        repeats = {
            place: max(3, min(300, int(self._bench.effort.seconds / max(timed(ask), 1e-7))))
            for place, ask in work.items()
        }
        rounds: dict[str, list[tuple[float, float]]] = {}
        for _ in range(self._rounds):
            took = {
                place: timed(lambda ask=ask, place=place: [ask() for _ in range(repeats[place])])
                / repeats[place]
                * 1e3
                for place, ask in work.items()
            }
            self._keep(rounds, took, took[""])
        self._report(name, "ms", rounds)

    @property
    def _rounds(self) -> int:
        return min(5, self._bench.effort.rounds)

    def _keep(
        self, rounds: dict[str, list[tuple[float, float]]], found: dict[str, float], by_hand: float
    ) -> None:
        for place in (SOCKET, TCP, HTTP):
            rounds.setdefault(place, []).append((found[place], found[FILE]))
        rounds.setdefault("", []).append((found[SOCKET], by_hand))

    def _report(self, name: str, unit: str, rounds: dict[str, list[tuple[float, float]]]) -> None:
        for place, pairs in rounds.items():
            if place:
                title = f"{name}: {place}"
                self._bench.add(Result("stores", title, None, unit, pairs, None, against=FILE))
            else:
                target = LIMIT_RATE if unit == "/s" else 1 / LIMIT_RATE
                title = f"{name}: {SOCKET}"
                self._bench.add(Result("stores", title, None, unit, pairs, target, "psycopg by hand"))


def _logging(pipe: Any, runs: list[dict[str, Any]], bulk: bool) -> Callable[[], Any]:
    if bulk:
        return lambda: pipe.log_runs(runs, batch_size=len(runs))
    return lambda: [pipe.log_run(**run, capture=False) for run in runs]


def _search(pipe: Any, _: str) -> Any:
    where = f"params.depth = {DEPTH} and metrics.acc > {LEAST}"
    return pipe.search("run", where, order_by="metrics.acc desc", limit=PAGE)


def _each(ask: Callable[[str], Any], wanted: list[str]) -> Callable[[], Any]:
    """Return what asks for one after the other, round and round."""
    turn = itertools.cycle(wanted)
    return lambda: ask(next(turn))
