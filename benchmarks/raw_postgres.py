"""The limit on PostgreSQL: the rows of `raw`, by hand-written psycopg over the tables that Arangopipe made.

What can be sent together is: BEGIN, the lock of the writers, head and references in one round trip, all
rows and COMMIT in another, as prepared statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import raw

LOCK = "LOCK TABLE head IN EXCLUSIVE MODE"
PUT_VALUE = "INSERT INTO value(path, number, text, boolean, whole, node)"


class Driver:
    """A connection that takes what is written for SQLite."""

    def __init__(self, address: str) -> None:
        self.driver = psycopg.connect(address, autocommit=True)

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        """Run a statement, prepared."""
        return self.driver.execute(translated(sql), parameters, prepare=True)

    def close(self) -> None:
        """Close the connection."""
        self.driver.close()


class Writer(raw.Writer):
    """Writes runs by hand."""

    def __init__(self, address: str) -> None:
        self.connection: Any = self
        self._driver = Driver(address)
        self._waiting: list[tuple[str, Any]] = []

    def close(self) -> None:
        """Close the connection."""
        self._driver.close()

    def cursor(self) -> Writer:
        """Return what runs statements."""
        return self

    def log(self, change: raw.ChangeRow) -> None:
        """Write the runs of one change, one or many, in one transaction."""
        ends = [end for run in change.runs for edge in run.edges for end in (edge.source, edge.target)]
        self._refs = {end for end in ends if type(end) is not int}
        super().log(change)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run a statement, or keep it to be sent with those that follow."""
        if sql == raw.ID:
            return self._found[parameters]
        if sql == raw.HEAD:
            with self._driver.driver.pipeline():
                for before in ("BEGIN", LOCK):
                    self._driver.execute(before)
                head = self._driver.execute(sql)
                self._found = {ref: self._driver.execute(raw.ID, ref) for ref in self._refs}
            return head
        if sql == "COMMIT":
            with self._driver.driver.pipeline():
                for waiting in self._waiting:
                    self._driver.execute(*waiting)
                self._driver.execute(sql)
            self._waiting = []
        elif sql != "BEGIN IMMEDIATE":
            if sql.startswith(raw.PUT_VALUE):
                sql, parameters = _typed(parameters)
            self._waiting.append((sql, parameters))
        return None


def _typed(parameters: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the statement that puts searchable values into a column for each type."""
    found: list[Any] = []
    for path, value, node in zip(*[iter(parameters)] * 3, strict=True):
        number = float(value) if type(value) in (int, float) else None
        text = value if isinstance(value, str) else None
        whole = None if number is None else type(value) is int
        found += (path, number, text, None, whole, node)
    return raw.statement(PUT_VALUE, 6, len(parameters) // 3), found


def translated(sql: str) -> str:
    """Return a statement in PostgreSQL's words."""
    sql = sql.replace("INSERT OR FAIL", "INSERT").replace("?", "%s")
    return sql.replace(":last", "%(last)s")
