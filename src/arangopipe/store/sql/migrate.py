"""Bringing a database to the schema of this version.

SQLAlchemy is loaded only to create a database, Alembic only to upgrade one: both take longer than to
open a store.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

from arangopipe.errors import SchemaMismatch, StoreError, StoreUnavailable
from arangopipe.model.ids import uuid7
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.sqlite import SQLite

SCHEMA = "0003"
"""The Alembic revision this code reads and writes."""

MIGRATIONS = Path(__file__).with_name("migrations")

UPGRADING = threading.Lock()
"""Alembic keeps what it works on in one place for all threads of a process."""


def ensure_schema(database: SQLite) -> None:
    """Create the tables of an empty database, upgrade an older one after a backup, refuse a newer one."""
    found = _schema(database)
    if found is not None and (not re.fullmatch(r"\d{4}", found) or found == "0000"):
        raise StoreError(
            f"{database.path} says that its schema is {found!r}, which never was: restore a backup"
        )
    if found is not None and found > SCHEMA:
        raise SchemaMismatch(
            f"{database.path} was written by a newer Arangopipe (schema {found}, this one knows {SCHEMA}): "
            "pip install -U arangopipe"
        )
    database.use_journal()
    if found is None:
        _create(database)
    elif found != SCHEMA and (backup := _backup(database, found)) is not None:
        _upgrade(database, backup)


def _schema(database: SQLite) -> str | None:
    """Return the schema a database was written with, None for an empty one."""
    database.check_format()
    with database.read() as cursor:
        tables = {row[0] for row in cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if "alembic_version" not in tables or "change" not in tables:
            raise StoreError(f"{database.path} is a database of another program; nothing was changed")
        row = cursor.execute("SELECT version_num FROM alembic_version").fetchone()
        if row is None:
            raise StoreError(f"{database.path} does not say which schema it has; restore a backup")
        return str(row[0])


def _create(database: SQLite) -> None:
    """Create the tables in one transaction, unless another process just has."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateIndex, CreateTable

    from arangopipe.store.sql.schema import metadata

    dialect = sqlite.dialect()

    def create(cursor: Cursor) -> None:
        if cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return
        for table in metadata.sorted_tables:
            cursor.execute(str(CreateTable(table).compile(dialect=dialect)))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                cursor.execute(str(CreateIndex(index).compile(dialect=dialect)))
        cursor.execute("CREATE TABLE alembic_version(version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        cursor.execute("INSERT INTO alembic_version VALUES (?)", (SCHEMA,))

    database.write(create)


def _backup(database: SQLite, schema: str) -> Path | None:
    """Copy an older database beside itself before it is upgraded; None where another just has upgraded it."""
    path = Path(database.path)
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise StoreUnavailable(
            f"{path} has schema {schema} and must be upgraded to {SCHEMA} to be read, but it or its folder "
            "cannot be written: check the permissions, or open a copy of it"
        )
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S")
    backup = path.with_name(f"{path.name}.schema-{schema}.{stamp}.backup")
    if shutil.disk_usage(path.parent).free < 2 * path.stat().st_size:
        raise StoreError(f"{path}: not enough room beside it for the backup that comes before an upgrade")
    # Two that upgrade within a second have one name for it: neither may write over what the other has.
    copy = backup.with_name(f"{backup.name}-{uuid7()}")
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            (copied,) = target.execute("SELECT version_num FROM alembic_version").fetchone()
        if copied != schema:
            copy.unlink()
            return None
        copy.replace(backup)
    except (sqlite3.Error, OSError) as error:
        copy.unlink(missing_ok=True)
        raise StoreError(
            f"{path} has schema {schema} and was not upgraded, for its backup {backup} failed: {error}"
        ) from error
    return backup


def _upgrade(database: SQLite, backup: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["engine"] = database.engine()
    try:
        with UPGRADING:
            command.upgrade(config, "head")
    except Exception as error:
        # Whatever a migration raises, the database is as it was, and its owner has to know.
        said = getattr(error, "orig", None) or error
        raise StoreError(
            f"{database.path} could not be upgraded to schema {SCHEMA}: {said}. It is as it was before; "
            f"a copy is in {backup}"
        ) from error
