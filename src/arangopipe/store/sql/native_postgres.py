"""Queries that users write in SQL, of PostgreSQL: one statement, in a transaction that can only read.

A query becomes that of a cursor, which the server takes for nothing but SELECT, VALUES, TABLE and WITH of
these: no COPY, no SET, no DO, no second statement. Functions can have effects nevertheless: what the server
calls volatile is refused, but for what is known to be harmless. Whoever asks should be a role that may read
and no more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg

from arangopipe.errors import ArangopipeError, InvalidInput, PermissionDenied
from arangopipe.store.abilities import Rows
from arangopipe.store.sql.line import Line
from arangopipe.store.sql.native import MOST_BYTES, slow, taken
from arangopipe.store.sql.session import ANSWER_SECONDS, READ

Work = Callable[[], AbstractContextManager[Line]]
"""What gives a connection of its own, in autocommit mode."""

TEXT = psycopg.postgres.types["text"].oid

HERE = "SELECT set_config('search_path', $1, true), set_config('cursor_tuple_fraction', '1.0', true)"

STEP = 20
"""Rows that are fetched at a time: so that the bytes of few are held."""

BOUNDED = f"""SELECT row_of_query.* FROM (
{{}}
) AS row_of_query WHERE CASE WHEN octet_length(row_of_query::text) > {MOST_BYTES}
THEN ('a row has ' || octet_length(row_of_query::text) || ' bytes, too many')::boolean ELSE true END
"""

_EFFECTS = re.compile(
    r"\b(txid_current|pg_current_xact_id|crosstab\w*|connectby|xpath_table"
    r"|(query|cursor|table|schema|database)_to_(xml|xmlschema|xml_and_xmlschema))\b",
    re.IGNORECASE,
)
"""Functions that are not called volatile, and yet have effects, or run a text that hides some."""

_VOLATILE = """
SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' AND proname = ANY($1) AND proname !~ $2 LIMIT 1
"""
_HARMLESS = (
    "^(random(_normal)?|gen_random_uuid|uuidv[47]|clock_timestamp|timeofday|array_(sample|shuffle)|bernoulli"
    "|system|pg_[a-z_]+_size|pg_is_in_recovery|pg_blocking_pids|pg_partition_(tree|ancestors)"
    "|pg_stat_get_[a-z_]+|pg_xact_commit_timestamp)$"
)
"""Volatile functions that only read."""

_NAMES = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_ESCAPED_NAME = re.compile(r"\bu&[\"']", re.IGNORECASE)

_SLOW = "57014"
_REFUSED = ("25006", "42501")


def ask(work: Work, schema: str, sql: str, parameters: Sequence[Any], limit: int, seconds: float) -> Rows:
    """Return what a query finds."""
    with _reading(work, schema, sql, seconds) as (connection, deadline):
        _run(connection, f"DECLARE asked NO SCROLL CURSOR FOR {BOUNDED.format(sql)}", parameters)
        first = _fetch(connection, deadline)
        names = tuple(column.name for column in first.description or ())
        found, more = taken(_all(connection, first, deadline), limit)
        return Rows(names, found, more)


def explain(work: Work, schema: str, sql: str, parameters: Sequence[Any], seconds: float) -> tuple[str, ...]:
    """Return how the server would answer a query."""
    with _reading(work, schema, sql, seconds) as (connection, _):
        # A plan of what writes would be told, and what cannot be asked has none.
        _run(connection, f"DECLARE asked NO SCROLL CURSOR FOR {sql}", parameters)
        found = _run(connection, f"EXPLAIN (FORMAT TEXT) {sql}", parameters).fetchall()
        return tuple(str(line) for (line,) in found)


def _check(connection: Line, sql: str) -> None:
    """Refuse what would have an effect although it is a part of a query that reads."""
    quoted = [name[1:-1].replace('""', '"') for name in _NAMES.findall(sql) if name[0] == '"']
    words = {word[:63] for word in (*quoted, *_NAMES.findall(sql.replace('"', " ").lower()))}
    volatile = connection.execute(_VOLATILE, (list(words), _HARMLESS)).fetchone()
    if found := volatile or _EFFECTS.search(sql):
        raise InvalidInput(f"the query may only read: {found[0]} is refused here")
    if _ESCAPED_NAME.search(sql):
        raise InvalidInput("texts with Unicode escapes (U&) are refused here: write them as they are")


@contextmanager
def _reading(work: Work, schema: str, sql: str, seconds: float) -> Iterator[tuple[Line, float]]:
    """Give a connection of its own in a transaction that only reads, and when its time is over."""
    deadline = time.monotonic() + seconds
    with work() as connection:
        connection.cursor_factory = psycopg.RawCursor
        # JSON as the store keeps it, not what psycopg makes of it.
        if texts := connection.adapters.get_loader(TEXT, psycopg.pq.Format.TEXT):
            for name in ("json", "jsonb"):
                connection.adapters.register_loader(name, texts)
        connection.patience = seconds + ANSWER_SECONDS
        connection.execute(READ)
        connection.execute(HERE, (schema,))
        _allow(connection, deadline)
        _check(connection, sql)
        try:
            yield connection, deadline
        except psycopg.Error as error:
            if (found := _meant(error, seconds)) is not None:
                raise found from error
            raise


def _allow(connection: Line, deadline: float) -> None:
    """Let the next statement take what time is left."""
    left = max(round((deadline - time.monotonic()) * 1_000), 1)
    connection.execute(f"SET LOCAL statement_timeout = {left}")


def _run(connection: Line, sql: str, parameters: Sequence[Any]) -> psycopg.Cursor[Any]:
    # Else psycopg would send a text without parameters as a script, in which others may follow.
    with connection.pipeline():
        return connection.execute(sql, tuple(parameters) or None)


def _fetch(connection: Line, deadline: float) -> psycopg.Cursor[Any]:
    _allow(connection, deadline)
    return connection.execute(f"FETCH {STEP} FROM asked")


def _all(connection: Line, first: psycopg.Cursor[Any], deadline: float) -> Iterator[Sequence[Any]]:
    rows = first.fetchall()
    while rows:
        yield from rows
        rows = _fetch(connection, deadline).fetchall() if len(rows) == STEP else []


def _meant(error: psycopg.Error, seconds: float) -> ArangopipeError | None:
    """Return what an error says of the query; None where it is of the server or the way to it."""
    state = error.sqlstate or ""
    said = " ".join(str(error).split())
    if state == _SLOW:
        return slow(seconds)
    if state == "42501":
        return PermissionDenied(f"this role may not read that: {said}")
    if state in _REFUSED or state.startswith("34"):
        return InvalidInput(f"the query may only read: {said}")
    if state[:2] in ("0A", "21", "22", "42", "54"):
        return InvalidInput(f"PostgreSQL says: {said}")
    if isinstance(error, psycopg.ProgrammingError) and not state:
        return InvalidInput(f"PostgreSQL cannot take this: {said}")
    return None
