"""P11: what it costs a training loop to log each step, while its store or server is well or in trouble."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from context import Bench
from coprocess import HERE, Coprocess, Failed
from environments import MLFLOW
from relay import Relay
from result import Result, Training

import served

CALL = 50.0
CALLS, CALLS_OF_PEER = 500, 20
"""Calls of a round: fewer than fill a buffer."""

Trouble = Callable[[Path, float], AbstractContextManager[None]]
Condition = Callable[[], AbstractContextManager[None]]

OVER_HTTP = "Arangopipe, a server"
OURS, SYNCHRONOUS, ASYNCHRONOUS = "Arangopipe", MLFLOW.name, f"{MLFLOW.name}, asynchronous"

MOST = {ASYNCHRONOUS: 500}
"""At the end of a run it writes what is left, which takes it minutes after some thousand steps."""


@dataclass(frozen=True)
class Side:
    """A process that trains, and the store that it logs to."""

    process: Coprocess
    path: Path
    asked: Mapping[str, Any]
    address: str = ""

    @property
    def url(self) -> str:
        """The address of its store."""
        return self.address or f"sqlite:///{self.path}"

    def start(self) -> str:
        """Start a run and return its id."""
        return str(self.process.ask("start", url=self.url, **self.asked)["run"])


def training(bench: Bench) -> None:
    """Measure the calls, then train while the store is in each condition."""
    with ExitStack() as stack:
        sides = _sides(bench, stack)
        _calls(bench, sides)
        for condition, trouble in CONDITIONS.items():
            for name, side in list(sides.items()):
                bench.tell(f"{name} trains, the store is {condition}")
                try:
                    bench.found.trainings.append(_train(name, side, condition, trouble, bench.effort.hold))
                except Failed as error:
                    if name == OURS:
                        raise
                    bench.leave_out(name, error)
                    del sides[name]
        _served(bench, sides[OURS])


def _served(bench: Bench, side: Side) -> None:
    """Train against a server behind a relay, which is well, dead, hanging and slow in turn."""
    path = bench.folder / "training-served.db"
    with served.ours(f"sqlite:///{path}", bench.folder / "served.log") as server, Relay(server.port) as relay:
        remote = Side(side.process, path, side.asked, f"http://127.0.0.1:{relay.port}")
        for condition in (relay.well, relay.dead, relay.hanging, relay.slow):
            bench.tell(f"{OVER_HTTP} trains, the server is {condition.__name__}")

            found = _train(
                OVER_HTTP, remote, condition.__name__, partial(_under, condition), bench.effort.hold
            )
            bench.found.trainings.append(found)


def _under(condition: Condition, path: Path, seconds: float) -> AbstractContextManager[None]:
    return condition()


def _sides(bench: Bench, stack: ExitStack) -> dict[str, Side]:
    wanted: dict[str, tuple[str, str | Path, dict[str, Any]]] = {OURS: ("arangopipe", sys.executable, {})}
    if python := bench.python(MLFLOW):
        wanted[SYNCHRONOUS] = ("mlflow", python, {})
        wanted[ASYNCHRONOUS] = ("mlflow", python, {"asynchronous": True})
    sides = {}
    for name, (package, python, asked) in wanted.items():
        folder = bench.folder / f"training-{package}"
        folder.mkdir(exist_ok=True)
        command = [python, HERE / "trainer.py", package]
        process = stack.enter_context(Coprocess(command, bench.folder / "trainers.log"))
        sides[name] = Side(process, folder / "store.db", asked)
    return sides


def _calls(bench: Bench, sides: Mapping[str, Side]) -> None:
    """Time calls in tight loops, in turn."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
    for side in sides.values():
        side.start()
    for turn in range(bench.effort.rounds + 1):
        for name, side in sides.items():
            found = side.process.ask("calls", count=CALLS if name == OURS else CALLS_OF_PEER)
            if turn:
                rounds[name].append(found)
    for side in sides.values():
        side.process.ask("end")
    name = "log_metric, one call"
    ours = [found["seconds"] * 1e6 for found in rounds[OURS]]
    empty = [found["empty"] * 1e6 for found in rounds[OURS]]
    pairs = list(zip(ours, empty, strict=True))
    bench.add(Result("training", name, None, "µs", pairs, CALL, "an empty call"))
    for peer in list(sides)[1:]:
        pairs = [(call, found["seconds"] * 1e6) for call, found in zip(ours, rounds[peer], strict=True)]
        bench.add(Result("training", name, None, "µs", pairs, None, against=peer))


def _train(name: str, side: Side, condition: str, trouble: Trouble, seconds: float) -> Training:
    """Train while the store is in trouble, end the run, and count what was recorded once that is over."""
    run = side.start()
    with trouble(side.path, seconds):
        found = side.process.ask("train", seconds=seconds, most=MOST.get(name, sys.maxsize))
        ended = side.process.ask("end")
    points = side.process.ask("recorded", url=side.url, run=run)["points"]
    return Training(
        side=name,
        store=condition,
        steps=found["steps"],
        mean_us=found["mean"] * 1e6,
        worst_ms=found["worst"] * 1e3,
        end_ms=ended["seconds"] * 1e3,
        points=points,
        raised=found["said"] or ended["said"],
    )


@contextmanager
def _healthy(path: Path, seconds: float) -> Iterator[None]:
    yield


@contextmanager
def _locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold the lock for two thirds of the training."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        timer = threading.Timer(seconds * 2 / 3, connection.rollback)
        timer.start()
        yield
        timer.join()


@contextmanager
def _gone(path: Path, seconds: float) -> Iterator[None]:
    """Move the folder away, and back once the run has ended."""
    away = path.parent.with_name(f"{path.parent.name}-away")
    path.parent.rename(away)
    try:
        yield
    finally:
        if path.parent.exists():
            shutil.rmtree(path.parent)
        away.rename(path.parent)


CONDITIONS: dict[str, Trouble] = {
    "well": _healthy,
    "locked": _locked,
    "gone": _gone,
}
