"""P7: many processes write to one store; nothing may fail, and nothing may be half-written."""

from __future__ import annotations

import pickle
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import raw
from context import Bench
from coprocess import Coprocess, Failed
from environments import HERE, MLFLOW, started
from result import Result
from stores import Mismatch, Stores

import arangopipe
from arangopipe import audit

LIMIT_RATE, PEER_RATE = 0.6, 30.0
ROUNDS = 3
PEER_PART = 6
"""A peer writes one of so many runs: it takes longer."""

ROWS = {"node": 3, "edge": 5, "value": 20, "change": 1}
"""Rows of a run."""


def writers(bench: Bench) -> None:
    """Measure some numbers of processes."""
    peer = _peer(bench, bench.effort.processes[0])
    for processes in bench.effort.processes:
        bench.tell(f"{processes} writing processes")
        name = f"{processes} processes"
        rounds, note = _against_raw(bench, processes)
        bench.add(Result("writers", name, None, "/s", rounds, LIMIT_RATE, note))
        if peer and processes == bench.effort.processes[0]:
            rate, said = peer
            pairs = [(statistics.median(ours for ours, _ in rounds), rate)]
            bench.add(Result("writers", name, None, "/s", pairs, PEER_RATE, said, MLFLOW.name))


def _against_raw(bench: Bench, processes: int) -> tuple[list[tuple[float, float]], str]:
    """Return the rates of each round, and the longest waits."""
    each = bench.effort.writes // processes
    total = each * processes
    rounds, worst = [], [0.0, 0.0]
    with Stores(bench.folder, 0, bench.effort.width, f"-{processes}-writers") as stores:
        before = {path: raw.counts(path) for path in (stores.ours, stores.raw)}
        with ExitStack() as stack:
            ours, hand = (
                [
                    stack.enter_context(
                        Coprocess([sys.executable, HERE / "writer.py", side], bench.folder / "writers.log")
                    )
                    for _ in range(processes)
                ]
                for side in ("ours", "raw")
            )
            for workers, path in ((ours, stores.ours), (hand, stores.raw)):
                _all(workers, "open", [{"path": str(path), "width": bench.effort.width}] * processes)
            for turn in range(ROUNDS):
                marks = raw.marks(stores.reader.connection)
                first = 1 + turn * total
                asked = [{"first": first + i * each, "count": each} for i in range(processes)]
                seconds, answers = _all(ours, "log", asked)
                _none_failed(f"{processes} processes", answers)
                _give(bench.folder, hand, raw.harvest(stores.reader.connection, marks))
                by_hand, by_hand_answers = _all(hand, "log", asked)
                _none_failed(f"{processes} processes, by hand", by_hand_answers)
                rounds.append((total / seconds, total / by_hand))
                for side, said in enumerate((answers, by_hand_answers)):
                    worst[side] = max([worst[side], *(answer["worst"] for answer in said)])
        for path, then in before.items():
            _is_whole(path, then, total * ROUNDS)
    stores.remove()
    return rounds, f"longest wait {worst[0] * 1e3:,.0f} ms, raw {worst[1] * 1e3:,.0f} ms"


def _give(folder: Path, workers: Sequence[Coprocess], changes: Sequence[raw.ChangeRow]) -> None:
    """Deal the rows of our side out to those who write them by hand."""
    for place, worker in enumerate(workers):
        path = folder / "rows.pickle"
        path.write_bytes(pickle.dumps(changes[place :: len(workers)]))
        worker.ask("give", path=str(path))


def _all(
    workers: Sequence[Coprocess], work: str, asked: Sequence[dict[str, Any]]
) -> tuple[float, list[dict[str, Any]]]:
    """Let all work at the same time; return the time until the last has ended, and all answers."""
    start = time.perf_counter()
    for worker, question in zip(workers, asked, strict=True):
        worker.tell(work, **question)
    answers = [worker.hear() for worker in workers]
    return time.perf_counter() - start, answers


def _none_failed(what: str, answers: Sequence[dict[str, Any]]) -> None:
    if said := [answer["said"] for answer in answers if answer["failed"]]:
        raise Mismatch(f"{what}: {sum(answer['failed'] for answer in answers)} runs failed: {said[0]}")


def _is_whole(path: Path, before: dict[str, int], runs: int) -> None:
    """Raise `Mismatch` unless a store has all rows of so many runs more, and verifies."""
    found = {table: count - before[table] for table, count in raw.counts(path).items() if table in ROWS}
    if found != (wanted := {table: rows * runs for table, rows in ROWS.items()}):
        raise Mismatch(f"{path.name} has {found}, not {wanted}")
    with arangopipe.connect(f"sqlite:///{path}") as pipe:
        if not (verified := audit.verify(pipe.store)).ok:
            raise Mismatch(f"{path.name}: {verified}")


def _peer(bench: Bench, processes: int) -> tuple[float, str] | None:
    """Return the rate of MLflow, and what became of its runs."""
    each = max(2, bench.effort.writes // processes // PEER_PART)
    path = str(bench.folder / "peer-writers.db")
    with ExitStack() as stack:
        workers = []
        for _ in range(processes):
            sides, missing = started((MLFLOW,), bench.folder, stack)
            if missing:
                bench.found.notes += missing
                return None
            workers += sides.values()
        asked = [{"first": 1 + i * each, "count": each} for i in range(processes)]
        try:
            workers[0].ask("open", path=path, width=bench.effort.width)
            _all(workers, "attach", [{"path": path, "width": bench.effort.width}] * processes)
            seconds, answers = _all(workers, "log", asked)
            found = workers[0].ask("whole")
        except Failed as error:
            bench.found.notes.append(f"{MLFLOW.name} is left out of the writers: {error}")
            return None
    failed = sum(answer["failed"] for answer in answers)
    total = processes * each
    return (total - failed) / seconds, f"{failed} of {total} failed, {found['half_written']} half-written"
