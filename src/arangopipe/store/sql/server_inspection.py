"""How a PostgreSQL store is kept, seen from outside: nothing is written, created or upgraded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from arangopipe.errors import ArangopipeError
from arangopipe.store.abilities import Condition, Inspection, Size, TableSize
from arangopipe.store.sql import founding, migrate
from arangopipe.store.sql.postgres import Postgres

SIZES = """
SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
RIGHTS = """
SELECT has_schema_privilege(%(schema)s, 'USAGE'), bool_and(has_table_privilege(c.oid, 'SELECT')),
       bool_and(has_table_privilege(c.oid, 'INSERT'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p') AND c.relname NOT IN ('head', 'alembic_version')
"""
CONNECTIONS = """
SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
       current_setting('max_connections')::integer
"""
OLD = "SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::integer FROM pg_stat_activity"
LONG_SECONDS = 3_600
"""A transaction older than this keeps the server from cleaning up what is dead."""


class ServerInspection(Inspection):
    """What can be told of the schema of an address, and of its server."""

    def __init__(self, url: str) -> None:
        self._database = Postgres(url)

    def schema(self) -> tuple[str | None, str]:
        """Return the schema the store has, None where it has none yet, and the one this version writes."""
        with self._database.work() as connection:
            return founding.find_schema(self._database, connection), migrate.SCHEMA

    def size(self, tables: bool = False) -> Size:
        """Return how large the store is; with `tables`, each table with its indexes."""
        database = self._database
        with database.work() as connection:
            sizes = dict(connection.execute(SIZES, (database.schema,)).fetchall())
            points = _one(connection, f"SELECT coalesce(sum(count), 0)::bigint FROM {database.quoted}.series")
            found = []
            for name, size in sizes.items() if tables else ():
                count = _one(connection, f'SELECT count(*) FROM {database.quoted}."{name}"')
                found.append(TableSize(name, count, size))
            return Size(sum(sizes.values()), points, tuple(found))

    def backups(self) -> tuple[Path, ...]:
        """Return nothing: backups of a server are its administrator's."""
        return ()

    def conditions(self) -> Iterator[Condition]:
        """Yield what is well and what is not with the server and the schema on it."""
        try:
            with self._database.work() as connection:
                found = [self._server(connection), self._schema(connection), self._rights(connection)]
                found += [_durability(connection), _connections(connection), _cleaning(connection)]
        except ArangopipeError as error:
            found = [Condition("server", "fail", str(error), "see that it runs, and the address")]
        yield from found

    def _server(self, connection: psycopg.Connection[Any]) -> Condition:
        said = f"PostgreSQL {_one(connection, 'SHOW server_version')} at {connection.info.host}"
        if _one(connection, "SELECT pg_is_in_recovery()"):
            advice = "say ?target_session_attrs=read-write with all hosts in the address"
            return Condition("server", "warn", f"{said}, a replica, which only reads", advice)
        return Condition("server", "ok", said)

    def _schema(self, connection: psycopg.Connection[Any]) -> Condition:
        try:
            found = founding.find_schema(self._database, connection)
        except ArangopipeError as error:
            return Condition("schema", "fail", str(error))
        if found is None:
            return Condition("schema", "warn", "there is no store yet", "connect once as who may create it")
        if found != migrate.SCHEMA:
            said = f"{found} is older than {migrate.SCHEMA}"
            return Condition("schema", "warn", said, "connect once as the owner of the tables")
        return Condition("schema", "ok", f"{found}, which this version writes")

    def _rights(self, connection: psycopg.Connection[Any]) -> Condition:
        try:
            row = connection.execute(RIGHTS, {"schema": self._database.schema}).fetchone()
        except psycopg.errors.InvalidSchemaName:
            return Condition("rights", "ok", "no store, no rights")
        usage, reads, writes = row or (False, False, False)
        user = connection.info.user
        if not (usage and reads):
            return Condition("rights", "fail", f"{user} may not read every table", "GRANT USAGE, SELECT")
        return Condition("rights", "ok", f"{user} may read{' and write' if writes else ', not write'}")


def _one(connection: psycopg.Connection[Any], sql: str) -> Any:
    row = connection.execute(sql.encode()).fetchone()
    return None if row is None else row[0]


def _durability(connection: psycopg.Connection[Any]) -> Condition:
    off = [
        name
        for name in ("fsync", "full_page_writes", "synchronous_commit")
        if _one(connection, f"SHOW {name}") == "off"
    ]
    if off:
        said = f"{', '.join(off)} off: what was acknowledged may be lost with the power"
        return Condition("durability", "warn", said, "switch it on in postgresql.conf")
    return Condition("durability", "ok", "what is acknowledged survives a loss of power")


def _connections(connection: psycopg.Connection[Any]) -> Condition:
    used, most = connection.execute(CONNECTIONS).fetchone() or (0, 1)
    said = f"{used} of {most} connections of the server are in use"
    if used > 0.9 * most:
        return Condition("connections", "warn", said, "raise max_connections, or close other programs")
    return Condition("connections", "ok", said)


def _cleaning(connection: psycopg.Connection[Any]) -> Condition:
    seconds = _one(connection, OLD)
    said = f"the oldest transaction is {seconds:,} s old"
    if seconds > LONG_SECONDS:
        return Condition("cleaning", "warn", f"{said}: nothing dead since then is cleaned up", "end it")
    return Condition("cleaning", "ok", said)
