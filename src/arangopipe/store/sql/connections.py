"""The open connections to one SQLite file, each lent to one user at a time.

SQLite must not be carried over a fork: a child would believe that it holds its parent's locks. So a
fork waits for what other threads have borrowed and finds no connection open.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from arangopipe.errors import StoreUnavailable

SPARE = 5
"""Connections that are kept open while nobody uses them."""

FORK_SECONDS = 5.0

_carried_over: dict[str, object] = {}


class Connection(sqlite3.Connection):
    """A connection that knows how long it waits for other programs."""

    patience = 0.0

    def wait_up_to(self, seconds: float) -> None:
        """Wait no longer than that for whoever keeps the file locked."""
        if self.patience != seconds:
            self.execute(f"PRAGMA busy_timeout={seconds * 1_000:.0f}")
            self.patience = seconds

    def wait_at_least(self, seconds: float) -> None:
        """Wait as long as that; who writes and reads in turn need not say so each time."""
        if self.patience < seconds:
            self.wait_up_to(seconds)

    def stream(self, sql: str, parameters: Sequence[Any], few: int) -> Iterator[Any]:
        """Yield rows as they are asked for, as SQLite always does."""
        return self.execute(sql, parameters)


class Loan:
    """One connection, for as long as it is borrowed."""

    __slots__ = ("_connection", "_lender")

    def __init__(self, lender: Connections) -> None:
        self._lender = lender

    def __enter__(self) -> Connection:
        self._connection = connection = self._lender.take(self)
        return connection

    def __exit__(self, *_: object) -> None:
        self._lender.give_back(self, self._connection)


class Connections:
    """Connections that `connect` opens to the file at `path`, as many as are in use at once."""

    def __init__(self, path: str, connect: Callable[[], Connection]) -> None:
        self._path = path
        self._connect = connect
        self._free: list[Connection] = []
        self._lent: dict[Loan, int] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._forking = False
        self._closed = False

    def take(self, loan: Loan) -> Connection:
        """Return a connection for a loan; raises `StoreUnavailable` once closed."""
        thread = threading.get_ident()
        with self._lock:
            if self._forking:
                # Who is inside already may go on, so that a fork need not wait for it forever.
                self._changed.wait_for(lambda: not self._forking or thread in self._lent.values())
            if self._closed:
                raise StoreUnavailable(f"the store in {self._path} is closed: connect again")
            if self._path in _carried_over:
                raise StoreUnavailable(
                    f"{self._path} cannot be used here: this process was forked in the middle of reading it. "
                    "Read to the end, or close the generator, before you fork"
                )
            self._lent[loan] = thread
            if self._free:
                return self._free.pop()
        try:
            return self._connect()
        except BaseException:
            with self._lock:
                self._returned(loan)
            raise

    def give_back(self, loan: Loan, connection: Connection) -> None:
        """Take a connection back, to keep it or to close it."""
        with self._lock:
            if loan not in self._lent:  # it is a parent's
                return
            if self._forking or self._closed or len(self._free) >= SPARE:
                connection.close()
            else:
                self._free.append(connection)
            self._returned(loan)

    def _returned(self, loan: Loan) -> None:
        self._lent.pop(loan, None)
        if self._forking:
            self._changed.notify_all()

    def close(self) -> None:
        """Close every connection: those in use when they are given back."""
        with self._lock:
            self._closed = True
            self._close_free()

    def _close_free(self) -> None:
        while self._free:
            self._free.pop().close()

    def before_fork(self) -> None:
        """Wait for what other threads have borrowed, and close the connections that are free."""
        thread = threading.get_ident()
        with self._lock:
            self._forking = True
            self._changed.wait_for(lambda: not set(self._lent.values()) - {thread}, FORK_SECONDS)
            self._close_free()

    def after_fork(self, child: bool) -> None:
        """Go on, as the parent or as its child."""
        if child:
            if self._lent:
                # This very thread is in a transaction. To close its connection could end the parent's,
                # and SQLite would take any other for one that holds the parent's locks.
                _carried_over[self._path] = list(self._lent)
            self._lent = {}
            self._lock = threading.RLock()
            self._changed = threading.Condition(self._lock)
        with self._lock:
            self._forking = False
            self._changed.notify_all()
