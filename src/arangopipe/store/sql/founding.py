"""Creating the schema of a PostgreSQL store, and bringing it to this version's.

Whoever only reads or writes needs no right to do either: an open store of this version asks one table which
schema it has. Several programs that start at once take turns at an advisory lock.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from arangopipe.errors import PermissionDenied, SchemaMismatch, StoreError, Unsupported
from arangopipe.store.sql.migrate import MIGRATIONS, SCHEMA, UPGRADING

if TYPE_CHECKING:
    from arangopipe.store.sql.postgres import Postgres

OLDEST = 15
TABLES = """
SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'f')
"""
SEARCH = "SELECT pg_catalog.set_config('search_path', %s, true)"
HOLD = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('arangopipe ' || %s, 0))"


def ensure_schema(database: Postgres) -> None:
    """Create the tables where there are none, upgrade older ones, refuse newer ones."""
    with database.lent() as connection:
        found = find_schema(database, connection)
    if found is None:
        with database.work() as connection:
            _create(database, connection)
    elif found != SCHEMA:
        _upgrade(database, found)


def find_schema(database: Postgres, connection: psycopg.Connection[Any]) -> str | None:
    """Return the schema that the tables have, None where there are none."""
    tables = {row[0] for row in psycopg.Cursor(connection).execute(TABLES, (database.schema,))}
    if not tables:
        return None
    where = f"{database.url}, schema {database.schema}"
    if not {"alembic_version", "change"} <= tables:
        raise StoreError(f"{where}, holds tables of another program: say ?schema=NAME; nothing was changed")
    try:
        row = connection.execute(f"SELECT version_num FROM {database.quoted}.alembic_version").fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise PermissionDenied(
            f"{where}: {user} may not read it. Its owner can say: GRANT USAGE ON SCHEMA {database.quoted} TO "
            f'"{user}"; GRANT SELECT ON ALL TABLES IN SCHEMA {database.quoted} TO "{user}"'
        ) from error
    found = None if row is None else str(row[0])
    if found is None or not re.fullmatch(r"\d{4}", found) or found == "0000":
        raise StoreError(f"{where}: it says that its schema is {found!r}, which never was: restore a backup")
    if found > SCHEMA:
        raise SchemaMismatch(
            f"{where}, was written by a newer Arangopipe (schema {found}, this one knows {SCHEMA}): "
            "pip install -U arangopipe"
        )
    return found


def _create(database: Postgres, connection: psycopg.Connection[Any]) -> None:
    version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
    if version < OLDEST * 10_000:
        raise Unsupported(
            f"{database.url}: PostgreSQL {OLDEST} or newer is needed, this is {version // 10_000}"
        )
    if encoding != "UTF8":
        raise Unsupported(f"{database.url}: the encoding of the database is {encoding}; create one in UTF8")
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateIndex, CreateTable

    from arangopipe.store.sql.schema_postgres import metadata

    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    with connection.transaction():
        connection.execute(HOLD, (database.schema,))
        connection.execute(SEARCH, (database.quoted,))
        if find_schema(database, connection) is not None:
            return
        try:
            there = connection.execute("SELECT pg_catalog.to_regnamespace(%s)", (database.quoted,)).fetchone()
            if there is None or there[0] is None:
                connection.execute(f"CREATE SCHEMA {database.quoted}".encode())
            for table in metadata.sorted_tables:
                connection.execute(str(CreateTable(table).compile(dialect=dialect)).encode())
                for index in sorted(table.indexes, key=lambda index: str(index.name)):
                    connection.execute(str(CreateIndex(index).compile(dialect=dialect)).encode())
        except psycopg.errors.InsufficientPrivilege as error:
            raise _may_not_create(database, connection.info.user) from error
        connection.execute("CREATE TABLE alembic_version(version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES (%s)", (SCHEMA,))


def _may_not_create(database: Postgres, user: str) -> PermissionDenied:
    return PermissionDenied(
        f"{database.url}: there is no store in schema {database.schema} yet, and {user} may not create one. "
        f"An owner of the database can say: CREATE SCHEMA IF NOT EXISTS {database.quoted} AUTHORIZATION "
        f'"{user}". Or connect once as who may, and grant the rights to use it'
    )


def _upgrade(database: Postgres, found: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(MIGRATIONS)).replace("%", "%%"))
    config.attributes["engine"] = database.engine()
    config.attributes["hold"] = ((HOLD, (database.schema,)), (SEARCH, (database.quoted,)))
    try:
        with UPGRADING:
            command.upgrade(config, "head")
    except Exception as error:
        # Whatever a migration raises, the database is as it was, and its owner has to know.
        said = getattr(error, "orig", None) or error
        kind = PermissionDenied if isinstance(said, psycopg.errors.InsufficientPrivilege) else StoreError
        raise kind(
            f"{database.url} could not be upgraded from schema {found} to {SCHEMA}: {said}. It is as it was "
            "before; the owner of its tables can upgrade it, by 'arangopipe upgrade'"
        ) from error
