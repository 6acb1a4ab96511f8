"""A store of a size, and its twin that is written by hand."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import raw
import workload

import arangopipe
from arangopipe import audit

VERIFIED = 20_000
"""Up to so many runs the audit chain of the twin is verified too."""

OPTIONS = {"project": workload.PROJECT, "actor": "bench"}

_clock = time.perf_counter


class Mismatch(Exception):
    """The two sides gave different answers."""


def count_processor_time() -> None:
    """From now on `timed` counts processor time, not time passed."""
    global _clock
    _clock = time.process_time


def timed(work: Callable[[], object]) -> float:
    """Return how long one call takes, in seconds, after clearing away what is not its own."""
    gc.collect()
    start = _clock()
    work()
    return _clock() - start


def same(what: str, ours: Any, other: Any) -> None:
    """Raise `Mismatch` unless both sides gave the same answer."""
    if ours != other:
        if isinstance(ours, set) and isinstance(other, set):
            ours, other = ours - other, other - ours
        raise Mismatch(f"{what}: ours {ours!r:.300} - raw {other!r:.300}")


def checkpoint(path: Path) -> int:
    """Move everything from the log into the file and return its bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


class Stores:
    """Both files, open, and what is in them."""

    def __init__(self, seed: Path, size: int, width: int, mark: str = "") -> None:
        self.size = size
        self.ours = seed.with_name(f"ours-{size}{mark}.db")
        self.raw = seed.with_name(f"raw-{size}{mark}.db")
        self._seed = seed
        self._width = width

    def __enter__(self) -> Stores:
        for path in (self.ours, self.raw):
            self._remove(path)
            shutil.copy(self._seed, path)
        self._stack = ExitStack()
        enter, close = self._stack.enter_context, self._stack.callback
        url = f"sqlite:///{self.ours}"
        self._pipes = {
            True: enter(arangopipe.connect(url, **OPTIONS)),
            False: enter(arangopipe.connect(f"{url}?durability=relaxed", **OPTIONS)),
        }
        self._writers = {durable: raw.Writer(self.raw, durable) for durable in (True, False)}
        for writer in self._writers.values():
            close(writer.close)
        # Without a project a bare name is sought among what is shared, as the hand-written side does.
        self.reading = enter(arangopipe.connect(url, actor=OPTIONS["actor"]))
        self.reader = raw.Reader(self.ours)
        close(self.reader.close)
        self._things = workload.things(self.reading, self._width)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def remove(self) -> None:
        """Delete both files."""
        for path in (self.ours, self.raw):
            self._remove(path)

    @staticmethod
    def _remove(path: Path) -> None:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()

    def fill(self, first: int, count: int, batch: int) -> tuple[float, float]:
        """Log runs in bulk on both sides and return both rates."""
        ours = other = 0.0
        for start, size in workload.chunks(first, count, batch):
            runs = workload.runs(start, size, self._things)
            before = raw.marks(self.reader.connection)
            ours += timed(lambda: self._pipes[True].log_runs(runs, batch_size=batch))  # noqa: B023
            other += self._write_by_hand(before, True)
        return count / ours, count / other

    def log(
        self, first: int, count: int, *, durable: bool, capture: bool, by_name: bool
    ) -> tuple[float, float]:
        """Log runs one by one on both sides and return both rates."""
        pipe = self._pipes[durable]
        runs = [workload.run(i, self._things, by_name) for i in range(first, first + count)]
        before = raw.marks(self.reader.connection)
        ours = timed(lambda: [pipe.log_run(**run, capture=capture) for run in runs])
        return count / ours, count / self._write_by_hand(before, durable)

    def _write_by_hand(self, before: tuple[int, int], durable: bool) -> float:
        """Write what our side has just written, and return how long that took."""
        changes = raw.harvest(self.reader.connection, before)
        writer = self._writers[durable]
        return timed(lambda: [writer.log(change) for change in changes])

    def settle(self) -> int:
        """Write the logs into both files, read ours once, and return its bytes."""
        checkpoint(self.raw)
        size = checkpoint(self.ours)
        with self.ours.open("rb") as file:
            while file.read(1 << 22):
                pass
        return size

    def compare(self) -> None:
        """Raise `Mismatch` unless both stores hold the same, and the twin verifies."""
        if found := raw.differences(self.ours, self.raw):
            raise Mismatch(f"stores of {self.size:,} runs: {'; '.join(found)}")
        if self.size <= VERIFIED:
            with arangopipe.connect(f"sqlite:///{self.raw}") as pipe:
                verified = audit.verify(pipe.store)
            if not verified.ok:
                raise Mismatch(f"the hand-written store of {self.size:,} runs: {verified}")
