"""The open connections to one server, each lent to one user at a time; a fork leaves them to the parent."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from arangopipe.errors import StoreUnavailable


class Connection(Protocol):
    """What is asked of a connection."""

    def close(self) -> None:
        """Close it."""

    def is_usable(self) -> bool:
        """Whether it may be kept for whoever is next, who asks whether it `is_ready`."""

    def is_ready(self) -> bool:
        """Whether it is open and idle, as far as can be told without asking the server."""


C = TypeVar("C", bound=Connection)

_parents: list[object] = []
"""Connections of the process this one was forked from: to drop them could tell the server to end them."""


class Pool(Generic[C]):
    """Connections that `connect` opens, up to `most` at once; as many are kept as were in use at once."""

    def __init__(self, where: str, connect: Callable[[float], C], most: int) -> None:
        self._where = where
        self._connect = connect
        self._most = most
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._free: list[C] = []
        self._lent: set[C] = set()
        self._opening = 0

    @contextmanager
    def lent(self, patience: float) -> Iterator[C]:
        """Lend a connection that nobody uses, waiting up to `patience` seconds for one."""
        connection = self._take(patience)
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _take(self, patience: float) -> C:
        deadline = time.monotonic() + patience
        if self._process != os.getpid():
            _parents.extend([self._free, self._lent])
            self._start()
        with self._changed:
            while True:
                if self._closed:
                    raise StoreUnavailable(f"the store in {self._where} is closed: connect again")
                while self._free:
                    connection = self._free.pop()
                    if connection.is_ready():
                        self._lent.add(connection)
                        return connection
                    connection.close()
                if len(self._lent) + self._opening < self._most:
                    self._opening += 1
                    break
                if not self._changed.wait(deadline - time.monotonic()):
                    raise StoreUnavailable(
                        f"{self._where}: all {self._most} connections of this process have been in use for "
                        f"{patience:g} s; close what reads, or say ?connections={2 * self._most}"
                    )
        try:
            connection = self._connect(max(deadline - time.monotonic(), 1.0))
        finally:
            with self._changed:
                self._opening -= 1
                self._changed.notify()
        with self._changed:
            self._lent.add(connection)
        return connection

    def _give_back(self, connection: C) -> None:
        if self._process != os.getpid():
            return
        with self._changed:
            self._lent.discard(connection)
            if self._closed or not connection.is_usable():
                connection.close()
            else:
                self._free.append(connection)
            self._changed.notify()

    def close(self) -> None:
        """Close every connection: those in use when they are given back."""
        if self._process != os.getpid():
            self._closed = True
            return
        with self._changed:
            self._closed = True
            while self._free:
                self._free.pop().close()
            self._changed.notify_all()
