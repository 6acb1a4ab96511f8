"""The queue of writers: an advisory lock among processes and threads."""

from __future__ import annotations

import os
import random
import threading
import time
from contextlib import suppress
from pathlib import Path

from arangopipe.errors import StoreUnavailable

try:
    import fcntl
except ImportError:  # Windows: SQLite's own locks still keep writers apart
    fcntl = None  # type: ignore[assignment]

POLL_SECONDS = 0.002


class FileLock:
    """The right to write to a database file, taken on the file ``…-lock`` beside it."""

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = f"{database}-lock"
        self._threads = threading.Lock()
        self._descriptor: int | None = None

    def within(self, seconds: float) -> Turn:
        """Return the right to write, to be entered; raises `StoreUnavailable` where others keep it longer."""
        return Turn(self, seconds)

    def take(self, patience: float) -> None:
        """Wait for the right to write."""
        deadline = time.monotonic() + patience
        if not self._threads.acquire(timeout=patience):
            raise self._hangs(patience)
        try:
            if fcntl is not None and not self._locked(deadline):
                raise self._hangs(patience)
        except BaseException:
            self._threads.release()
            raise

    def _locked(self, deadline: float) -> bool:
        if self._descriptor is None:
            self._descriptor = self._opened()
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(random.uniform(POLL_SECONDS / 4, POLL_SECONDS))

    def _opened(self) -> int:
        database = Path(self._database)
        mode = database.stat().st_mode & 0o666 if database.exists() else 0o666
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        except PermissionError:
            # Who may not write the lock file of another user can still wait for it.
            return os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(PermissionError):  # it is another user's, who has seen to it
            os.fchmod(descriptor, mode)
        return descriptor

    def _hangs(self, patience: float) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self._database}: another program has held the queue of writers for over "
            f"{patience:.0f} s; look for one that hangs (it has {self._path} open)"
        )

    def leave(self) -> None:
        """Give the right to write to whoever waits."""
        if fcntl is not None and self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Turn:
    """The right to write, for as long as it is held."""

    __slots__ = ("_lock", "_patience")

    def __init__(self, lock: FileLock, patience: float) -> None:
        self._lock, self._patience = lock, patience

    def __enter__(self) -> None:
        self._lock.take(self._patience)

    def __exit__(self, *_: object) -> None:
        self._lock.leave()
