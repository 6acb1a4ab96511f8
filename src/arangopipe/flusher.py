"""One thread that writes what open runs have logged, so that training never waits for a store.

It starts with the first run and ends after the last. A forked child begins without it and without
runs: they belong to the process that started them.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol

SECONDS = 5.0
POINTS = 1_000


class Flushable(Protocol):
    """Something that gathers what must be written from time to time."""

    def flush_quietly(self) -> None:
        """Write what has gathered; keep it where that fails."""

    def leave_to_parent(self) -> None:
        """Never write again: this is a copy in a forked child."""


_lock = threading.Lock()
_wake = threading.Event()
_open: dict[int, Flushable] = {}
_thread: threading.Thread | None = None


def watch(run: Flushable) -> None:
    """Flush a run every five seconds and whenever `wake` is called, until `forget`."""
    global _thread
    with _lock:
        _open[id(run)] = run
        if _thread is None:
            _thread = threading.Thread(target=_loop, name="arangopipe-flusher", daemon=True)
            _thread.start()


def forget(run: Flushable) -> None:
    """Stop flushing a run."""
    with _lock:
        _open.pop(id(run), None)


def watched() -> list[Flushable]:
    """Return the runs that are open, the one started last first."""
    with _lock:
        return list(_open.values())[::-1]


def wake() -> None:
    """Flush soon."""
    if not _wake.is_set():
        _wake.set()


def _loop() -> None:
    global _thread
    while True:
        _wake.wait(SECONDS)
        _wake.clear()
        for run in watched():
            run.flush_quietly()
        with _lock:
            if not _open:
                _thread = None
                return


def _begin_anew() -> None:
    global _lock, _wake, _thread
    # Any of these may have been held or set by a thread that the child does not have.
    _lock, _wake, _thread = threading.Lock(), threading.Event(), None
    runs = list(_open.values())
    _open.clear()
    for run in runs:
        run.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
