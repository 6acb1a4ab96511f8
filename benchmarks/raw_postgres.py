"""The limit on PostgreSQL: the rows of `raw`, by hand-written psycopg over the tables that Arangopipe made.

What can be sent together is: BEGIN, the lock of the writers, head and references in one round trip, all
rows and COMMIT in another, as prepared statements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import raw
import raw_reads

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


class Reader:
    """Reads by hand over the tables that Arangopipe made; each method is one answer, in one round trip."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.terms = raw.terms(driver)
        self.words = {id: text for text, id in self.terms.items()}

    def dataset(self, key: str) -> Any:
        """Return a dataset by its key."""
        node = f"SELECT {raw_reads.NODE} FROM node WHERE kind = ? AND key = ?"
        return self._driver.execute(node, (self.terms["datasets"], key)).fetchone()

    def run_by_name(self, name: str) -> list[Any]:
        """Return the newest run of a name with its parameters and metrics, in two round trips."""
        named = "SELECT key FROM node WHERE kind = ? AND left(name, 200) = ? ORDER BY id DESC LIMIT 1"
        (key,) = self._driver.execute(named, (self.terms["run"], name)).fetchone()
        owned = [self.terms[kind] for kind in ("run", "modelparams", "devperf")]
        parameters = [value for kind in owned for value in (kind, key)]
        return list(self._driver.execute(raw_reads.DOCUMENTS, parameters).fetchall())

    def downstream(self, key: str) -> list[Any]:
        """Return all that came of a dataset: id, kind, key, name, document."""
        forward, backward = (
            ", ".join(str(self.terms[name]) for name in names if name in self.terms)
            for names in (raw_reads.FORWARD, raw_reads.BACKWARD)
        )
        sql = (
            "WITH RECURSIVE d(id) AS (SELECT id FROM node WHERE kind = ? AND key = ? UNION SELECT e.id "
            "FROM d CROSS JOIN LATERAL ("
            f"SELECT source AS id FROM edge WHERE target = d.id AND kind IN ({backward}) UNION ALL "
            f"SELECT target FROM edge WHERE source = d.id AND kind IN ({forward})) e) "
            "SELECT n.id, n.kind, n.key, n.name, n.document FROM d JOIN node n ON n.id = d.id"
        )
        return list(self._driver.execute(sql, (self.terms["datasets"], key)).fetchall())

    def searches(self, depth: int, least: float, limit: int) -> dict[str, Callable[[], list[Any]]]:
        """Return the forms of a first page: runs of a depth whose accuracy is above one, the best first."""
        term = self.terms
        of_run = raw_reads.OF_RUN.format(params=term["modelparams"], metrics=term["devperf"])
        number = "text IS NULL AND boolean IS NULL"
        accurate = f"path = {term['run:metrics.acc']} AND number > ? AND {number}"
        deep = f"path = {term['run:params.depth']} AND number = ? AND {number}"
        order = "number DESC, text DESC, boolean DESC, node DESC"
        found = {
            "metric first": (
                f"SELECT * FROM value v WHERE {accurate} AND EXISTS "
                f"(SELECT 1 FROM value WHERE {deep} AND node = v.node OFFSET 0)",
                (least, depth),
            ),
            "param first": (
                f"SELECT v.* FROM (SELECT node FROM value WHERE {deep}) p CROSS JOIN LATERAL "
                f"(SELECT * FROM value WHERE {accurate} AND node = p.node) v",
                (depth, least),
            ),
        }

        def asked(sql: str, parameters: tuple[Any, ...]) -> Callable[[], list[Any]]:
            page = f"SELECT * FROM ({sql}) v ORDER BY {order} LIMIT {limit}"
            whole = (
                f"SELECT n.key, n.document, {of_run} FROM ({page}) v JOIN node n ON n.id = v.node "
                f"ORDER BY {order}"
            )
            return lambda: list(self._driver.execute(whole, parameters).fetchall())

        return {form: asked(*question) for form, question in found.items()}


def translated(sql: str) -> str:
    """Return a statement in PostgreSQL's words."""
    sql = sql.replace("INSERT OR FAIL", "INSERT").replace("?", "%s")
    return sql.replace(":last", "%(last)s")
