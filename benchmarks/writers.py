"""P7: many processes write to one store; nothing may fail, and nothing may be half-written."""

from __future__ import annotations

import pickle
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import raw
from context import Bench
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW
from result import Result
from stores import Mismatch, Stores, same

import arangopipe
from arangopipe import audit

LIMIT_RATE, PEER_RATE = 0.6, 30.0
ROUNDS = 3
PEER_PART = 6
"""A peer writes one of so many runs: it takes longer."""


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
                changes = raw.harvest(stores.reader.connection, marks)
                _are_whole(changes, total)
                _give(bench.folder, hand, changes)
                by_hand, by_hand_answers = _all(hand, "log", asked)
                _none_failed(f"{processes} processes, by hand", by_hand_answers)
                rounds.append((total / seconds, total / by_hand))
                for side, said in enumerate((answers, by_hand_answers)):
                    worst[side] = max([worst[side], *(answer["worst"] for answer in said)])
        same(f"rows after {processes} processes", raw.counts(stores.ours), raw.counts(stores.raw))
        for path in (stores.ours, stores.raw):
            with arangopipe.connect(f"sqlite:///{path}") as pipe:
                if not (verified := audit.verify(pipe.store)).ok:
                    raise Mismatch(f"{path.name}: {verified}")
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


def _are_whole(changes: Sequence[raw.ChangeRow], total: int) -> None:
    """Raise `Mismatch` unless so many runs came, each in one change and with as many rows as all others."""
    rows = Counter(
        (len(run.nodes), len(run.edges), len(run.values)) for change in changes for run in change.runs
    )
    if len(changes) != total or list(rows.values()) != [total]:
        raise Mismatch(f"{len(changes)} changes, and runs by their nodes, edges and values: {dict(rows)}")


def _peer(bench: Bench, processes: int) -> tuple[float, str] | None:
    """Return the rate of MLflow, and what became of its runs."""
    each = max(2, bench.effort.writes // processes // PEER_PART)
    path = str(bench.folder / "peer-writers.db")
    python = bench.python(MLFLOW)
    if python is None:
        return None
    with ExitStack() as stack:
        command = [python, HERE / MLFLOW.script]
        log = bench.folder / "peers.log"
        workers = [stack.enter_context(Coprocess(command, log)) for _ in range(processes)]
        asked = [{"first": 1 + i * each, "count": each} for i in range(processes)]
        try:
            workers[0].ask("open", path=path, width=bench.effort.width)
            _all(workers, "attach", [{"path": path, "width": bench.effort.width}] * processes)
            seconds, answers = _all(workers, "log", asked)
            found = workers[0].ask("whole")
        except Failed as error:
            bench.leave_out(MLFLOW.name, error)
            return None
    failed = sum(answer["failed"] for answer in answers)
    total = processes * each
    return (total - failed) / seconds, f"{failed} of {total} failed, {found['half_written']} half-written"
