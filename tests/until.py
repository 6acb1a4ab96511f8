"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 120


def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; fail after two minutes."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "it has not come true"
        time.sleep(0.005)
