"""The way of batches into a store that may be away: in order, at once or by way of the spool.

Each store has one outbox in a process. A thread of it writes what open runs have logged, so that training
waits for a store no longer than `PATIENCE`. Once a batch had to be spooled, all later ones go there too,
until the thread has replayed the spool; so what is recorded keeps its order. A forked child begins with an
empty outbox: runs and spool belong to the process that began them.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from arangopipe.errors import StoreError, StoreUnavailable
from arangopipe.keeper import ArangopipeWarning, warn
from arangopipe.model.graph import Batch
from arangopipe.spool.files import files
from arangopipe.spool.own import OwnSpool
from arangopipe.spool.replay import Known, Replay, record
from arangopipe.store.base import Store
from arangopipe.store.offline import OfflineStore

SECONDS = 5.0
"""Between two flushes of what runs have logged."""
POINTS = 1_000
"""Points that make a flush come sooner."""
PATIENCE = 10.0
"""Seconds that start, flush and end of a run wait for the store, and `connect` for a replay."""
LONGEST_PAUSE = 60.0
"""Seconds after which a store that failed is tried again at the latest."""

_AWAY = "; what is recorded waits in the spool until the store is back (see 'arangopipe spool list')"
_REFUSED = "; it is kept in the spool (see 'arangopipe spool list')"
_FULL = "the spool is full: points of metrics are dropped (see ARANGOPIPE_SPOOL_MB)"
_NOTHING = Batch("")


class Flushable(Protocol):
    """An open run: something that gathers what must be written from time to time."""

    def hand_over(self) -> None:
        """Submit what has gathered, without waiting."""

    def leave_to_parent(self) -> None:
        """Never write again: this is a copy in a forked child."""


@dataclass(eq=False)
class Job:
    """A batch on its way; it is `done` once it is recorded, kept in the spool, or has an `error`.

    `strict`: any error is given back instead of spooling the batch; of the `first` batch of a run what the
    store refuses is. `attended`: someone waits, and will be told. `said` maps topics to what there is to
    tell.
    """

    batch: Batch
    known: Known = field(default_factory=dict)
    strict: bool = False
    attended: bool = False
    first: bool = False
    queued: bool = False
    said: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def recorded(self) -> bool:
        """Whether it is recorded, or will be."""
        return self.done.is_set() and self.error is None

    def gives_back(self, error: Exception) -> bool:
        """Whether an error goes to whoever waits."""
        return self.strict or (self.first and not isinstance(error, StoreError))


class Outbox:
    """What waits for one store, and the thread that writes it there."""

    def __init__(self, store: Store) -> None:
        self._store = weakref.ref(store)
        self._url = store.url
        self._offline = "ARANGOPIPE_OFFLINE is set" if isinstance(store, OfflineStore) else ""
        self.spools = not store.url.startswith("memory:")
        self._runs: dict[int, Flushable] = {}
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._replaying = threading.Lock()
        self._wake = threading.Event()
        self._flush = False
        self._thread: threading.Thread | None = None
        self._jobs: deque[Job] = deque()
        self._current: Job | None = None
        self._stuck = False
        self._own = OwnSpool(self._url)
        self._away = self._offline
        self._try_at = 0.0
        self._failures = 0
        self._behind: Job | None = None
        self._said: set[str] = set()

    def obstacle(self, batch: Batch) -> str:
        """Return why a batch may not be written at once, "" where it may."""
        return self._away or self._own.hindrance(batch)

    def keep(self, batch: Batch, why: str) -> None:
        """Spool a batch that cannot be written now; raises `StoreUnavailable` where that fails too."""
        job = Job(batch, attended=True)
        with self._lock:
            self._keep(job, why)
        if job.error is not None:
            raise job.error
        self._say(job)
        if not self._offline:
            self._start()

    # --- batches of runs -------------------------------------------------------------------------

    def submit(self, job: Job) -> None:
        """Queue a batch behind those before it; while the store hangs or is not wanted, spool it."""
        job.error, job.queued = None, True
        job.done.clear()
        with self._lock:
            if self._offline or (self._stuck and not job.strict):
                self._keep(job, self._away or self._silent())
                return
            self._jobs.append(job)
        self._start()

    def wait(self, job: Job) -> None:
        """Wait until a job is done; where the store does not answer, spool what is not strict."""
        if not job.done.wait(None if job.strict else PATIENCE):
            with self._lock:
                self._give_up()
        self._say(job)

    def _give_up(self) -> None:
        """Spool all that waits. What is being written, too: recorded by both ways, it is there once."""
        self._stuck = True
        waiting = [self._current] if self._current is not None else []
        waiting += self._jobs
        self._jobs = deque(job for job in self._jobs if job.strict)
        for job in waiting:
            if not (job.strict or job.done.is_set()):
                self._keep(job, self._silent())

    def _silent(self) -> str:
        return f"{self._url} has not answered for {PATIENCE:.0f} s"

    def _keep(self, job: Job, why: str, refused: bool = False) -> None:
        """Spool the batch of a job, and let go of who waits for it. The lock is held."""
        refused = refused or bool(self._own.hindrance(job.batch))
        if self.spools:
            self._spool(job, why, refused)
        else:
            job.said["lost"] = f"{why}; what was to be recorded is lost: a store in memory has no spool"
        job.done.set()

    def _spool(self, job: Job, why: str, refused: bool) -> None:
        try:
            entry = self._own.append(job.batch, why, refused)
        except StoreUnavailable as error:
            job.error = error
            return
        if refused:
            job.said["refused"] = why + _REFUSED
        else:
            self._away = self._away or why
            job.said["away"] = why + _AWAY
        if self._offline:
            job.said.clear()
        if entry.dropped:
            job.said["full"] = _FULL

    def _say(self, job: Job) -> None:
        """Warn of each topic once, until the spool is empty again."""
        for topic, message in job.said.items():
            if topic not in self._said:
                self._said.add(topic)
                warn(message)

    # --- the thread ------------------------------------------------------------------------------

    def watch(self, run: Flushable) -> None:
        """Flush a run every five seconds and whenever `wake` is called, until `forget`."""
        with self._lock:
            self._runs[id(run)] = run
        self._start(wake=False)

    def forget(self, run: Flushable) -> None:
        """Stop flushing a run."""
        with self._lock:
            self._runs.pop(id(run), None)

    def wake(self) -> None:
        """Flush soon."""
        if not self._flush:
            self._flush = True
            self._wake.set()

    def catch_up(self) -> None:
        """Replay what waits since earlier; after `PATIENCE` that goes on in the background."""
        if self._offline or not self.spools or not files(self._url, refused=False):
            return
        job = self._behind = Job(_NOTHING, attended=True)
        self._start()
        if job.done.wait(PATIENCE):
            self._say(job)

    def _start(self, wake: bool = True) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name="arangopipe-outbox", daemon=True)
                self._thread.start()
            if wake:
                self._wake.set()

    def _loop(self) -> None:
        flushed = time.monotonic()
        while self._goes_on():
            self._wake.wait(self._nap())
            self._wake.clear()
            if self._flush or time.monotonic() >= flushed + SECONDS:
                self._flush, flushed = False, time.monotonic()
                for run in self._watched():
                    run.hand_over()
            if (store := self._store()) is not None:
                self._deliver(store)
            # While it naps, this thread keeps no store alive that nobody else uses.
            del store

    def _goes_on(self) -> bool:
        with self._lock:
            wanted = self._runs or self._jobs or self._wake.is_set() or self._waits()
            if not wanted or self._store() is None:
                self._thread = None
            return self._thread is not None

    def _waits(self) -> bool:
        """Whether the spool is to be replayed."""
        return bool(self._away or self._behind) and not self._offline

    def _nap(self) -> float:
        pause = self._try_at - time.monotonic() if self._waits() else SECONDS
        return min(max(pause, 0.0), SECONDS)

    def _deliver(self, store: Store) -> None:
        if self._waits() and time.monotonic() >= self._try_at:
            with self._replaying:
                self._replay(store)
            self._stuck = False
        while (job := self._next()) is not None:
            self._write(store, job)

    def _watched(self) -> list[Flushable]:
        with self._lock:
            return list(self._runs.values())[::-1]

    def _next(self) -> Job | None:
        with self._lock:
            self._current = self._jobs.popleft() if self._jobs else None
            return self._current

    def _write(self, store: Store, job: Job) -> None:
        began = time.monotonic()
        why, error = self.obstacle(job.batch), None
        try:
            if why:
                raise StoreUnavailable(why)
            record(store, job.batch, job.known)
        except Exception as raised:  # whatever it is, it must not reach the training
            error = raised
        with self._lock:
            self._current, self._stuck = None, False
            if isinstance(error, StoreError) and not why:
                self._pause(began)
            if job.done.is_set():
                self._wake.set()  # it was given up and is in the spool, which may now be replayed
            elif error is None:
                job.done.set()
            elif job.gives_back(error):
                job.error = error
                job.done.set()
            else:
                self._keep(job, str(error), refused=not isinstance(error, StoreError))
        self._say_unattended(job)

    def _replay(self, store: Store) -> None:
        """Replay the spool of this store: what this process put there, and what others left."""
        began = time.monotonic()
        replay = Replay(store, blocked=self._own.blocked)
        done = False
        while not done:
            own = self._own.file
            for file in dict.fromkeys([*files(self._url, refused=False), *([own] if own else [])]):
                if not replay.file(file, self._finishing() if file == own else None):
                    break
            with self._lock:
                self._leave_what_is_gone()
                done = replay.failure is not None or self._own.file is None
                if replay.failure is not None:
                    self._pause(began)
                elif done:
                    self._away, self._failures = self._offline, 0
                    self._said.clear()
        self._end_catching_up(replay)

    def _end_catching_up(self, replay: Replay) -> None:
        """Tell what was refused to whoever waits for this replay."""
        job, self._behind = self._behind or Job(_NOTHING), None
        if replay.reasons:
            count = f"{len(replay.reasons)} batches in the spool could not be recorded"
            job.said["refused"] = f"{count}: {replay.reasons[0]}{_REFUSED}"
        job.done.set()
        self._say_unattended(job)

    @contextmanager
    def _finishing(self) -> Iterator[None]:
        """Keep others from appending while the own file is removed, once it is worked off."""
        with self._lock:
            yield
            self._leave_what_is_gone()

    def _leave_what_is_gone(self) -> None:
        if self._own.is_worked_off():
            self._away = self._offline

    def _pause(self, began: float) -> None:
        """Leave a store that failed alone: ten times as long as that took, and longer each time."""
        now = time.monotonic()
        self._failures = min(self._failures + 1, 10)
        self._try_at = now + min(max(10 * (now - began), 0.05 * 2**self._failures), LONGEST_PAUSE)

    def _say_unattended(self, job: Job) -> None:
        if not job.attended:
            try:
                self._say(job)
            except ArangopipeWarning:
                return  # warnings are errors here: there is nobody in this thread to raise it to

    def close(self) -> None:
        """Leave what waits to whoever connects next, once a replay that goes on has ended."""
        ended = self._replaying.acquire(timeout=PATIENCE)
        with self._lock:
            self._own.close()
            self._away = self._offline
        if ended:
            self._replaying.release()

    def begin_anew(self) -> None:
        """Be the empty outbox of a forked child."""
        runs = list(self._runs.values())
        self._runs.clear()
        self._own.close()
        self._begin()
        for run in runs:
            run.leave_to_parent()


_outboxes: weakref.WeakKeyDictionary[Store, Outbox] = weakref.WeakKeyDictionary()


def outbox_of(store: Store) -> Outbox:
    """Return the outbox of a store."""
    found = _outboxes.get(store)
    if found is None:
        found = _outboxes.setdefault(store, Outbox(store))
    return found


def watched() -> list[Flushable]:
    """Return the runs that are open in any store, of each the one started last first."""
    return [run for outbox in list(_outboxes.values()) for run in outbox._watched()]


def _begin_anew() -> None:
    for outbox in list(_outboxes.values()):
        outbox.begin_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
