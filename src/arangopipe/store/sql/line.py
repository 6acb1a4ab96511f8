"""A connection of psycopg that gives up a server which has fallen silent."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")


class Line(psycopg.Connection[Any]):
    """A connection that is closed when the server is silent for longer than `patience` seconds."""

    patience = math.inf

    def wait(self, gen: Generator[Any, Any, T], *rest: Any, **more: Any) -> T:
        """Wait for what was asked for; raises `OperationalError` once patience has ended."""
        return super().wait(self._bounded(gen), *rest, **more)

    def given_up(self) -> psycopg.OperationalError:
        """Close the connection, since the rest of a pipeline would be waited for as long again."""
        self.pgconn.finish()
        return psycopg.OperationalError(f"it has not answered for {self.patience:g} s")

    def _bounded(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        end = time.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > end:
                    raise self.given_up()
                wanted = gen.send(ready)
        except StopIteration as done:
            found: T = done.value
            return found
