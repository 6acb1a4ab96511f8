"""A store of a size, and its twin that is written by hand."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import raw
import raw_reads
import recording
import workload
from clock import timed

import arangopipe
from arangopipe import audit

PART = 1_000
"""Runs that are loaded by one side before the other has its turn."""

BATCHES = (500, 1_000)
"""Runs of a transaction, in turn."""

VERIFIED = 20_000
"""Up to so many runs the audit chain of the twin is verified too."""

OPTIONS = {"project": workload.PROJECT, "actor": "bench"}


class Mismatch(Exception):
    """The two sides gave different answers."""


@dataclass(frozen=True)
class Loaded:
    """A part of a load: how many runs there are then, both rates, and the memory of this process."""

    runs: int
    batch: int
    ours: float
    raw: float
    mib: float


def same(what: str, ours: Any, other: Any) -> None:
    """Raise `Mismatch` unless both sides gave the same answer."""
    if ours != other:
        if isinstance(ours, set) and isinstance(other, set):
            ours, other = ours - other, other - ours
        raise Mismatch(f"{what}: ours {ours!r:.300} - the other {other!r:.300}")


def checkpoint(path: Path) -> int:
    """Move everything from the log into the file and return its bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.stat().st_size


def make_seed(folder: Path, width: int) -> Path:
    """Make the store that all others begin as, if it is not there, and return its path."""
    path = folder / "seed.db"
    if not path.exists():
        unfinished = folder / "unfinished.db"
        remove(unfinished)
        recording.make_seed(unfinished, width)
        checkpoint(unfinished)
        unfinished.rename(path)
        remove(unfinished)
    return path


def remove(path: Path) -> None:
    """Delete a store with all that SQLite and we keep beside it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()


class Stores:
    """Both files, open, and what is in them; they begin as copies of the seed, unless they are there."""

    def __init__(self, folder: Path, size: int, width: int, mark: str = "") -> None:
        self.size = size
        self.ours = folder / f"ours-{size}{mark}.db"
        self.raw = folder / f"raw-{size}{mark}.db"
        self._journal = folder / f"load-{size}{mark}.jsonl"
        self._seed = make_seed(folder, width)
        self._width = width

    def __enter__(self) -> Stores:
        if not (self.ours.exists() and self.raw.exists()):
            self.remove()
            for path in (self.ours, self.raw):
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
        self.reader = raw_reads.Reader(self.ours)
        close(self.reader.close)
        self._things = recording.things(self.reading, self._width)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def remove(self) -> None:
        """Delete both files."""
        for path in (self.ours, self.raw, self._journal):
            remove(path)

    def load(self, turn: int = 0) -> Iterator[Loaded]:
        """Fill both sides in turn, going on where an earlier load ended; yield its parts too.

        The sizes of batches alternate, from that of a turn on.
        """
        lines = self._journal.read_text().splitlines(keepends=True) if self._journal.exists() else []
        # The last line is torn if the load was killed just then.
        lines = [line for line in lines if line.endswith("\n")]
        self._journal.write_text("".join(lines))
        yield from (Loaded(**json.loads(line)) for line in lines)
        done = self._catch_up()
        with self._journal.open("a") as journal:
            for first, count in workload.chunks(done + 1, self.size - done, PART):
                batch = BATCHES[turn % len(BATCHES)]
                part = Loaded(first + count - 1, batch, *self.fill(first, count, batch), _resident_mib())
                journal.write(json.dumps(asdict(part)) + "\n")
                journal.flush()
                yield part
                turn += 1

    def _catch_up(self) -> int:
        """Write to the twin what it lacks, if a load was killed, and return how many runs were loaded."""
        with closing(raw.connect(self.raw)) as twin:
            before = raw.marks(twin)
        for change in raw.harvest(self.reader.connection, before):
            self._writers[True].log(change)
        return self.reader.count("run") - recording.SEED_RUNS

    def fill(self, first: int, count: int, batch: int) -> tuple[float, float]:
        """Log runs in bulk on both sides and return both rates."""
        spent = other = 0.0
        for start, size in workload.chunks(first, count, batch):
            before = raw.marks(self.reader.connection)
            spent += self.fill_ours(start, size)
            other += self._write_by_hand(before, True)
        return count / spent, count / other

    def fill_ours(self, first: int, count: int) -> float:
        """Log runs in one batch on our side only and return how long that took."""
        runs = workload.runs(first, count, self._things)
        return timed(lambda: self._pipes[True].log_runs(runs, batch_size=count))

    def log(
        self, first: int, count: int, *, durable: bool, capture: bool, by_name: bool
    ) -> tuple[float, float]:
        """Log runs one by one on both sides and return both rates."""
        before = raw.marks(self.reader.connection)
        spent = self.log_ours(first, count, durable=durable, capture=capture, by_name=by_name)
        return count / spent, count / self._write_by_hand(before, durable)

    def log_ours(
        self, first: int, count: int, *, durable: bool = True, capture: bool = False, by_name: bool = False
    ) -> float:
        """Log runs one by one on our side only and return how long that took."""
        pipe = self._pipes[durable]
        runs = [workload.run(i, self._things, by_name) for i in range(first, first + count)]
        return timed(lambda: [pipe.log_run(**run, capture=capture) for run in runs])

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


def _resident_mib() -> float:
    """Return the memory of this process in MiB, 0 where the system does not say."""
    found = Path("/proc/self/statm")
    if not found.exists():
        return 0.0
    return round(int(found.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
