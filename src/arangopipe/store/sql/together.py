"""Threads that write at the same time share one transaction.

Each batch stays a change of its own, all or nothing, and is acknowledged after the COMMIT. Whoever finds
nobody writing leads: it waits for the right to write, and takes along what others have queued until then.
When it has ended, it answers them and lets the first of those who came meanwhile lead.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from arangopipe.errors import StoreUnavailable
from arangopipe.model.graph import Change
from arangopipe.store.sql.database import Clash
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.prepare import Prepared
from arangopipe.store.sql.terms import NewTerms
from arangopipe.store.sql.writing import Writer

T = TypeVar("T")

BATCHES = 64
"""Batches of one transaction: other processes wait for it."""

ROWS = 1_000
"""Nodes and edges of one transaction, if it holds more than one batch."""


class Transact(Protocol):
    """What does work in one transaction: a store's own `_write`."""

    def __call__(self, work: Callable[[Cursor, NewTerms], T], patience: float | None = None) -> T:
        """Return what the work returned, once it is committed."""


class Turn:
    """One batch that waits to be written, and what became of it."""

    __slots__ = ("change", "done", "error", "gate", "gone", "leads", "patience", "prepared", "size")

    def __init__(self, prepared: Prepared, patience: float | None) -> None:
        self.prepared = prepared
        self.patience = patience
        self.size = len(prepared.nodes) + len(prepared.edges)
        self.gate = threading.Lock()
        self.leads = self.gone = self.done = False
        self.change: Change | None = None
        self.error: Exception | None = None


class Together:
    """The writing threads of one store; who waits gives up after `patience` seconds, or after its own."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._waiting: deque[Turn] = deque()
        self._led = False

    def write(self, transact: Transact, prepared: Prepared, patience: float | None) -> Change | None:
        """Write a batch, perhaps with those of other threads; None where there was nothing to change."""
        if self._process != os.getpid():
            self._forget()  # those who led or waited are threads of the parent
        turn = Turn(prepared, patience)
        with self._lock:
            turn.leads, self._led = not self._led, True
            if not turn.leads:
                turn.gate.acquire()
                self._waiting.append(turn)
        if not turn.leads:
            self._wait(turn)
        if not turn.done:
            turns = [turn]
            try:
                _lead(transact, turns, self._take)
            finally:
                self._end(turns[1:])
        if turn.error is not None:
            raise turn.error
        return turn.change

    def _wait(self, turn: Turn) -> None:
        """Wait until the batch is written, or until it is its turn to lead."""
        patience = self._patience if turn.patience is None else turn.patience
        try:
            if turn.gate.acquire(timeout=patience):
                return
            with self._lock:
                if turn in self._waiting:
                    raise StoreUnavailable(
                        f"other threads of this program have been writing for over {patience:.0f} s: "
                        "another program may keep the store locked"
                    )
            turn.gate.acquire()  # someone has just taken it along
        except BaseException:
            with self._lock:
                turn.gone = True
                if turn in self._waiting:
                    self._waiting.remove(turn)
            if turn.leads:
                self._end([])
            raise

    def _take(self, turns: list[Turn]) -> None:
        """Add those who wait to the turns of a transaction."""
        rows = sum(turn.size for turn in turns)
        with self._lock:
            while self._waiting and len(turns) < BATCHES and rows + self._waiting[0].size <= ROWS:
                turns.append(self._waiting.popleft())
                rows += turns[-1].size

    def _end(self, taken: list[Turn]) -> None:
        """Answer those who were taken along, and let the next lead."""
        with self._lock:
            # Where an interrupt came between, they are written anew.
            self._waiting.extendleft(turn for turn in reversed(taken) if not (turn.done or turn.gone))
            self._led = bool(self._waiting)
            ready = [turn for turn in taken if turn.done]
            if self._led:
                ready.append(self._waiting.popleft())
                ready[-1].leads = True
        for turn in ready:
            turn.gate.release()


def _lead(transact: Transact, turns: list[Turn], take: Callable[[list[Turn]], None]) -> None:
    """Write the first turn, with those that wait by the time that it may write."""

    def work(cursor: Cursor, terms: NewTerms) -> list[Change | None]:
        take(turns)
        return [Writer(cursor, terms, turn.prepared, careful=False).run() for turn in turns]

    try:
        changes = transact(work, turns[0].patience)
    except Exception as error:
        if len(turns) == 1 and not isinstance(error, Clash):
            raise
        # One of them is at fault and nothing is written: each is on its own.
        for turn in turns:
            _alone(transact, turn)
    else:
        for turn, change in zip(turns, changes, strict=True):
            turn.change, turn.done = change, True


def _alone(transact: Transact, turn: Turn) -> None:
    def work(cursor: Cursor, terms: NewTerms) -> Change | None:
        return Writer(cursor, terms, turn.prepared, careful=True).run()

    try:
        turn.change = transact(work, turn.patience)
    except Exception as error:
        turn.error = error
    turn.done = True
