"""Verifying the audit chain in the background: one at a time, with its progress, for all who look."""

from __future__ import annotations

import threading
from typing import Any

from arangopipe import audit
from arangopipe.errors import ArangopipeError
from arangopipe.model import times
from arangopipe.store.base import Store, check_whole


class Verifier:
    """The last verification of one application, and the one that runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._progress: tuple[int, int | None] = (0, None)
        self._last: dict[str, Any] | None = None

    def start(self, store: Store, who: str) -> None:
        """Begin to verify, unless that goes on already; raises `PermissionDenied` for a part of a store."""
        check_whole(store, "verify the audit chain")
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._progress = (0, None)
                self._thread = threading.Thread(target=self._run, args=(store, who), daemon=True)
                self._thread.start()

    def _run(self, store: Store, who: str) -> None:
        begun = times.to_text(times.now())
        try:
            found = {**audit.verify(store, self._tell).to_dict(), "failed": ""}
        except ArangopipeError as error:
            found = {"ok": False, "changes": 0, "head": None, "problems": [], "failed": str(error)}
        self._last = {**found, "begun": begun, "ended": times.to_text(times.now()), "by": who}

    def _tell(self, done: int, total: int | None) -> None:
        self._progress = (done, total)

    def wait(self, seconds: float) -> None:
        """Wait for the one that runs, for so long at most."""
        if self._thread is not None:
            self._thread.join(seconds)

    def state(self) -> dict[str, Any]:
        """Return the last outcome (None: none yet), and how far the one is that runs (None: none does)."""
        running = self._thread is not None and self._thread.is_alive()
        done, total = self._progress
        return {"last": self._last, "running": {"done": done, "total": total} if running else None}
