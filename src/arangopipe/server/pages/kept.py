"""Answers that take long and may be a minute old: kept for who asked, until the store has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from arangopipe.model import times
from arangopipe.server.pages.asking import Ask
from arangopipe.store.base import last_number

FRESH = 60.0
"""So many seconds an answer may be given although the store has changed since."""

_MOST = 1_000


class Kept:
    """The answers of one application."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[int, float, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def get(self, ask: Ask, what: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return an answer, made anew where the one that is kept is too old; `counted` says when."""
        number = last_number(ask.store, ask.moment)
        who = ask.principal
        limit = who.token if who.limited else ""
        key = (what, ask.as_of, who.user, who.admin, tuple(sorted(who.roles.items())), limit)
        # One at a time: who asks for the same meanwhile gets the same.
        with self._lock:
            known = self._answers.get(key)
            now = time.monotonic()
            if known is None or (known[0] != number and now - known[1] > FRESH):
                if len(self._answers) >= _MOST:
                    self._answers.clear()
                known = number, now, {**make(), "counted": times.to_text(times.now())}
                self._answers[key] = known
        return known[2]
