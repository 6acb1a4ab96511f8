"""Queries that users write in SQL, of SQLite: on a connection that can do nothing but read.

The file is opened read-only, `query_only` is set, and an authorizer lets nothing pass but reading: no second
file, no setting, no extension. A query that takes too long, or brings too much, is cut off.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from arangopipe.errors import InvalidInput
from arangopipe.store.abilities import LONGEST_QUERY, Rows
from arangopipe.store.sql import meanings

MOST_BYTES = 8 * 2**20
"""How much text a query brings at most."""

WAIT_SECONDS = 5.0
_STEPS = 1_000

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
_ABOUT_TABLES = frozenset({"table_info", "table_xinfo", "index_list", "index_info", "index_xinfo"})
_REFUSED = frozenset({"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"})
_LIMITS = {"LENGTH": MOST_BYTES, "SQL_LENGTH": LONGEST_QUERY, "LIKE_PATTERN_LENGTH": 1_000, "ATTACHED": 0}

# What is said of the file, not of the query.
_OF_THE_FILE = ("locked", "malformed", "not a database", "disk", "unable to open", "readonly")


def ask(path: str, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Rows:
    """Return what a query finds in a file."""
    names, found, more = _run(path, sql, parameters, limit, seconds)
    return Rows(names, found, more)


def explain(path: str, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
    """Return how SQLite would answer a query, each step below the one that it is a part of."""
    names, found, _ = _run(path, f"EXPLAIN QUERY PLAN {sql}", parameters, 10_000, seconds)
    if names != ("id", "parent", "notused", "detail") or not found:
        raise InvalidInput("only a query that reads has a plan: SELECT, VALUES or WITH")
    depths = {0: -1}
    lines = []
    for step, parent, _, text in found:
        depths[step] = depths.get(parent, -1) + 1
        lines.append("  " * depths[step] + str(text))
    return tuple(lines)


def _run(
    path: str, sql: str, parameters: Sequence[Any], limit: int, seconds: float
) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...], bool]:
    deadline = time.monotonic() + seconds
    address = f"file:{quote(path)}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        _bind(connection, deadline)
        try:
            cursor = connection.execute(sql, tuple(parameters))
            if cursor.description is None:
                raise InvalidInput("the statement gives no rows: ask with SELECT, VALUES or WITH")
            names = tuple(str(column[0]) for column in cursor.description)
            return names, *taken(cursor, limit)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _meant(path, error, seconds) from error


def _bind(connection: sqlite3.Connection, deadline: float) -> None:
    """Take from a connection everything but reading, within bounds."""
    connection.execute(f"PRAGMA busy_timeout={WAIT_SECONDS * 1_000:.0f}")
    connection.execute("PRAGMA query_only=1")
    connection.execute("PRAGMA trusted_schema=0")
    if hasattr(connection, "setlimit"):  # since Python 3.11
        for name, most in _LIMITS.items():
            connection.setlimit(getattr(sqlite3, f"SQLITE_LIMIT_{name}"), most)
    connection.text_factory = lambda text: text.decode(errors="replace")
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    connection.set_authorizer(_judge)


def _judge(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Say whether SQLite may do what a query asks for."""
    allowed = (
        action in _READING
        or (action == sqlite3.SQLITE_FUNCTION and (second or "").lower() not in _REFUSED)
        or (action == sqlite3.SQLITE_PRAGMA and (first or "").lower() in _ABOUT_TABLES)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _meant(path: str, error: sqlite3.Error | sqlite3.Warning, seconds: float) -> Exception:
    said = str(error)
    if "interrupted" in said:
        return slow(seconds)
    if any(word in said for word in ("not authorized", "authorization denied", "prohibited")):
        return InvalidInput(f"the query may only read: {said}")
    if any(word in said for word in _OF_THE_FILE):
        return meanings.of_sqlite(path, error)
    return InvalidInput(f"SQLite says: {said}")


# --- shared by all engines -----------------------------------------------------------------------


def slow(seconds: float) -> InvalidInput:
    """Return what is said of a query that took too long."""
    return InvalidInput(
        f"the query took longer than {seconds:g} s and was stopped: narrow it, or give it a longer timeout"
    )


def taken(rows: Iterable[Sequence[Any]], limit: int) -> tuple[tuple[tuple[Any, ...], ...], bool]:
    """Return the rows that may be brought, and whether there would have been more."""
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        if len(found) == limit:
            return tuple(found), True
        values = tuple(map(plain, row))
        size += sum(len(value) for value in values if isinstance(value, str))
        if size > MOST_BYTES and found:
            return tuple(found), True
        found.append(values)
    return tuple(found), False


def plain(value: Any) -> Any:
    """Return a value as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | memoryview():
            return "\\x" + bytes(value).hex()
        case Decimal():
            return plain(int(value) if value.is_finite() and value == value.to_integral() else float(value))
        case datetime() | date() | clock():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case list() | tuple():
            return "{" + ",".join(str(plain(each)) for each in value) + "}"
    return str(value)
