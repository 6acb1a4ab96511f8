"""P8: runs that clients send over HTTP, one or a hundred a request."""

from __future__ import annotations

import json
import pickle
import sqlite3
import statistics
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import http_limit
import http_load
import raw
import recording
import workload
from clock import timed
from context import Bench, Effort
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW_SERVER
from result import Result
from stores import OPTIONS, Mismatch, Stores, same

import arangopipe
import served
from arangopipe import audit
from arangopipe.model.graph import Batch, Change
from arangopipe.model.wire import batch_dict
from arangopipe.store.sql import SQLiteStore

LIMIT_RATE, PEER_RATE = 0.6, 40.0
HUNDRED = 100
REQUESTS = {1: 100, 8: 200, 64: 384}
"""Requests of one run each, by the number of clients; of a hundred runs it is a sixth, at least one each."""
PEER_CLIENTS, PEER_RUNS = (1, 8), 24
OUR_CLIENT = "log_run by a client, 1 run a request"


class Recorder(SQLiteStore):
    """Keeps the batches that were written."""

    batches: list[Batch]

    def write(self, batch: Batch, patience: float | None = None) -> Change:
        """Write a batch, and keep it."""
        self.batches.append(batch)
        return super().write(batch, patience)


class Bodies:
    """Prepares the requests of both sides, untimed, on a store of its own."""

    def __init__(self, bench: Bench, stores: Stores) -> None:
        self._folder = bench.folder
        self._store = Recorder(f"sqlite:///{stores.ours}?durability=relaxed")
        self._pipe = arangopipe.ArangoPipe(self._store, **OPTIONS)
        self._things = recording.things(self._pipe, bench.effort.width)
        self._path = stores.ours
        self._first = 40_000_000

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def make(self, requests: int, each: int) -> tuple[Path, Path]:
        """Return the files with so many requests for each side, of the same runs."""
        self._store.batches = []
        with closing(sqlite3.connect(self._path)) as connection:
            before = raw.marks(connection)
            for first, count in workload.chunks(self._first, requests * each, each):
                runs = workload.runs(first, count, self._things)
                if each == 1:
                    self._pipe.log_run(**runs[0], capture=False)
                else:
                    self._pipe.log_runs(runs, batch_size=count)
            changes = raw.harvest(connection, before)
        self._first += requests * each
        bodies = [json.dumps(batch_dict(batch), separators=(",", ":")) for batch in self._store.batches]
        sides = {
            "ours": [http_load.request("/api/v1/batches", body.encode()) for body in bodies],
            "limit": [http_load.request("/changes", http_limit.packed(change)) for change in changes],
        }
        paths = [self._folder / f"requests.{side}" for side in sides]
        for path, requests_of in zip(paths, sides.values(), strict=True):
            if len(requests_of) != requests:
                raise Mismatch(f"{len(requests_of)} requests were prepared, not {requests}")
            path.write_bytes(pickle.dumps(requests_of))
        return paths[0], paths[1]


def http(bench: Bench) -> None:
    """Measure the server against the limit, then against a peer's."""
    for each in (1, HUNDRED):
        _against_limit(bench, each)
    _against_peer(bench)


def _name(each: int, clients: int) -> str:
    what = "1 run" if each == 1 else f"{each} runs"
    return f"{what} a request, {clients} client{'s' * (clients > 1)}"


def _against_limit(bench: Bench, each: int) -> None:
    """Let the same clients send the same runs to our server and to the hand-written one."""
    found: dict[int, list[tuple[float, float]]] = {clients: [] for clients in bench.effort.clients}
    took: dict[int, tuple[list[float], list[float]]] = {clients: ([], []) for clients in found}
    width = bench.effort.width
    with Stores(bench.folder, 0, width, f"-{each}-prepared") as prepared, ExitStack() as stack:
        bodies = Bodies(bench, prepared)
        stack.callback(bodies.close)
        with Stores(bench.folder, 0, width, f"-{each}-http") as stores:
            with ExitStack() as running:
                start, log = running.enter_context, bench.folder / "http.log"
                sides = (
                    start(served.ours(f"sqlite:///{stores.ours}", log)),
                    start(served.limit(stores.raw, log)),
                )
                load = start(Coprocess([sys.executable, HERE / "http_load.py"], log))
                # The first round warms up.
                for turn in range(bench.effort.exchanges + 1):
                    for clients in found:
                        bench.tell(_name(each, clients))
                        files = bodies.make(_requests(bench, clients, each) if turn else clients, each)
                        answers = [
                            _sent(load, file, server.port, clients)
                            for file, server in zip(files, sides, strict=True)
                        ]
                        if turn:
                            rates = [each * len(answer["took"]) / answer["seconds"] for answer in answers]
                            found[clients].append((rates[0], rates[1]))
                            for kept, answer in zip(took[clients], answers, strict=True):
                                kept += answer["took"]
            same(f"rows after {each} a request", raw.counts(stores.ours), raw.counts(stores.raw))
            for path in (stores.ours, stores.raw):
                with arangopipe.connect(f"sqlite:///{path}") as pipe:
                    if not (verified := audit.verify(pipe.store)).ok:
                        raise Mismatch(f"{path.name}: {verified}")
        stores.remove()
    prepared.remove()
    for clients, rounds in found.items():
        ours, hand = map(_waits, took[clients])
        note = f"0 failed; waits {ours}, by hand {hand}"
        bench.add(Result("http", _name(each, clients), None, "/s", rounds, LIMIT_RATE, note))


def _requests(bench: Bench, clients: int, each: int) -> int:
    """Return how many requests clients send in a round, fewer where a run is to be quick."""
    share = bench.effort.writes / Effort().writes / (1 if each == 1 else 6)
    return max(clients, round(REQUESTS[clients] * share))


def _sent(load: Coprocess, file: Path, port: int, clients: int) -> dict[str, Any]:
    load.ask("give", path=str(file))
    answer = load.ask("run", port=port, clients=clients)
    if answer["failed"]:
        raise Mismatch(f"{answer['failed']} requests failed: {answer['errors']}")
    return answer


def _waits(seconds: Sequence[float]) -> str:
    ordered = sorted(seconds)
    middle, late = statistics.median(ordered), ordered[int(len(ordered) * 0.99)]
    return f"p50 {middle * 1e3:.3g} ms, p99 {late * 1e3:.3g} ms"


def _against_peer(bench: Bench) -> None:
    """Measure our own client, and the peer's server, which bare clients and its own client talk to."""
    log, width, chunk = bench.folder / "http.log", bench.effort.width, bench.effort.chunk
    own: list[tuple[float, float]] = []
    peers: dict[str, list[tuple[float, float]]] = {}
    with (
        Stores(bench.folder, 0, width, "-prepared") as prepared,
        Stores(bench.folder, 0, width, "-client") as stores,
        closing(Bodies(bench, prepared)) as bodies,
        ExitStack() as stack,
    ):
        server = stack.enter_context(served.ours(f"sqlite:///{stores.ours}", log))
        pipe = stack.enter_context(arangopipe.connect(f"http://127.0.0.1:{server.port}", **OPTIONS))
        load = stack.enter_context(Coprocess([sys.executable, HERE / "http_load.py"], log))
        peer = _peer(bench, stack)
        things = recording.things(pipe, width)
        for turn in range(bench.effort.exchanges):
            bench.tell("our client" if peer is None else "our client, and the peer's server")
            first = 50_000_000 + turn * chunk
            runs = workload.runs(first, chunk, things)
            rate = chunk / timed(lambda runs=runs: [pipe.log_run(**run, capture=False) for run in runs])
            own.append((rate, chunk / stores.log_ours(first + 10_000_000, chunk)))
            if peer is None:
                continue
            try:
                found = peer.ask("client", first=first, count=PEER_RUNS // 4)
                peers.setdefault(OUR_CLIENT, []).append((rate, PEER_RUNS / 4 / found["seconds"]))
                for clients in PEER_CLIENTS:
                    sent = _sent(load, bodies.make(REQUESTS[clients], 1)[0], server.port, clients)
                    found = peer.ask("rest", first=first, count=PEER_RUNS, clients=clients)
                    pair = (REQUESTS[clients] / sent["seconds"], PEER_RUNS / found["seconds"])
                    peers.setdefault(_name(1, clients), []).append(pair)
            except Failed as error:
                bench.leave_out(MLFLOW_SERVER.name, error)
                peer = None
        note = "" if peer is None else "{failed} of {runs} failed, {half_written} half-written".format(
            **peer.ask("whole")
        )  # fmt: skip
    for kept in (prepared, stores):
        kept.remove()
    bench.add(Result("http", OUR_CLIENT, None, "/s", own, None, "the same calls on a file, without a server"))
    for name, pairs in peers.items():
        target, said = (None, "its own client") if name == OUR_CLIENT else (PEER_RATE, note)
        bench.add(Result("http", name, None, "/s", pairs, target, said, MLFLOW_SERVER.name))
    bench.found.notes.append(
        "MLflow's own client against our server is not measured: there is no plug-in yet"
    )


def _peer(bench: Bench, stack: ExitStack) -> Coprocess | None:
    """Start the peer's server and what talks to it."""
    if (python := bench.python(MLFLOW_SERVER)) is None:
        return None
    side = stack.enter_context(Coprocess([python, HERE / MLFLOW_SERVER.script], bench.folder / "peers.log"))
    try:
        side.ask("open", path=str(bench.folder / "peer-server.db"), width=bench.effort.width)
    except Failed as error:
        bench.leave_out(MLFLOW_SERVER.name, error)
        return None
    return side
