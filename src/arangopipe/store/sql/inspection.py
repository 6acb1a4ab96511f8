"""How a SQLite store is kept, seen from outside: nothing is opened for writing, created or upgraded."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from arangopipe.errors import StoreError, StoreUnavailable
from arangopipe.store.abilities import Condition, Inspection, Size, TableSize
from arangopipe.store.sql import meanings, migrate
from arangopipe.store.sql.locks import FileLock
from arangopipe.store.sql.sqlite import file_of, file_system, is_shared

ROOM = 1 << 30
"""With less than this free on its disk, a store is in danger."""
LONG_LOG = 1 << 30

_BYTES = """
SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_master USING (name) WHERE aggregate = 1 GROUP BY tbl_name
"""


class FileInspection(Inspection):
    """What can be told of the file of an address."""

    def __init__(self, url: str) -> None:
        self.path = Path(file_of(url))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=10.0)

    def schema(self) -> tuple[str | None, str]:
        """Return the schema the store has, None where it has none yet, and the one this version writes."""
        if not self.path.exists() or not self.path.stat().st_size:
            return None, migrate.SCHEMA
        try:
            with closing(self._connect()) as connection:
                row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.Error as error:
            raise meanings.of_sqlite(str(self.path), error) from error
        return None if row is None else str(row[0]), migrate.SCHEMA

    def size(self, tables: bool = False) -> Size:
        """Return how large the store is; with `tables`, each table with its indexes."""
        files = [self.path, *(Path(f"{self.path}{end}") for end in ("-wal", "-shm"))]
        total = sum(file.stat().st_size for file in files if file.exists())
        try:
            with closing(self._connect()) as connection:
                (points,) = connection.execute("SELECT coalesce(sum(count), 0) FROM series").fetchone()
                return Size(total, points, self._tables(connection) if tables else ())
        except sqlite3.Error as error:
            raise meanings.of_sqlite(str(self.path), error) from error

    @staticmethod
    def _tables(connection: sqlite3.Connection) -> tuple[TableSize, ...]:
        try:
            sizes = dict(connection.execute(_BYTES).fetchall())
        except sqlite3.OperationalError:  # built without dbstat
            sizes = {}
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
        ).fetchall()
        counts = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in rows
        }
        return tuple(TableSize(name, count, sizes.get(name)) for name, count in counts.items())

    def backups(self) -> tuple[Path, ...]:
        """Return the copies that upgrades left beside the file, the oldest first."""
        found = self.path.parent.glob(f"{self.path.name}.schema-*.backup")
        return tuple(sorted(found, key=lambda path: path.stat().st_mtime))

    def conditions(self) -> Iterator[Condition]:
        """Yield what is well and what is not with the file and the disk it is on."""
        yield self._access()
        if not self.path.is_file():
            return
        yield self._schema()
        yield self._journal()
        yield self._writers()
        yield self._disk()

    def _access(self) -> Condition:
        if not self.path.is_file():
            what = "is a folder, not a file" if self.path.is_dir() else "is not there"
            return Condition("file", "fail", f"{self.path} {what}", "name the file of a store")
        for path in (self.path, self.path.parent):
            if not os.access(path, os.R_OK | os.W_OK):
                return Condition(
                    "file",
                    "fail",
                    f"{path} cannot be read and written",
                    "mend its permissions (chmod, chown)",
                )
        return Condition("file", "ok", f"{self.path} can be read and written")

    def _schema(self) -> Condition:
        try:
            found, known = self.schema()
        except StoreUnavailable as error:
            return Condition("schema", "fail", str(error))
        except StoreError as error:
            return Condition("schema", "fail", str(error), "restore a backup")
        if found == known:
            return Condition("schema", "ok", f"{found}, which this version writes")
        if found is not None and found > known:
            said = f"{found} is newer than {known}, which this version writes"
            return Condition("schema", "fail", said, "pip install -U arangopipe")
        return Condition("schema", "warn", f"{found} is older than {known}", "arangopipe upgrade")

    def _journal(self) -> Condition:
        system = file_system(self.path) or "unknown"
        try:
            with closing(self._connect()) as connection:
                (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        except sqlite3.Error as error:
            return Condition("journal", "fail", str(meanings.of_sqlite(str(self.path), error)))
        said = f"mode {mode} on file system {system}"
        if mode == "wal" and is_shared(system):
            return Condition(
                "journal",
                "fail",
                f"{said}, which several machines share",
                "say ?journal=delete, or use a server",
            )
        log = Path(f"{self.path}-wal")
        length = log.stat().st_size if log.exists() else 0
        if length > LONG_LOG:
            grown = f"{said}; its log has grown to {length >> 20:,} MiB"
            return Condition("journal", "warn", grown, "end a reader that has been at it for long")
        return Condition("journal", "ok", said)

    def _writers(self) -> Condition:
        if not Path(f"{self.path}-lock").exists():
            return Condition("writers", "ok", "none has queued since the file was moved here")
        try:
            with FileLock(str(self.path)).within(0.0):
                return Condition("writers", "ok", "none holds the queue")
        except StoreUnavailable:
            said = "one writes right now"
            return Condition(
                "writers", "ok", said, "look again: if it stays so, a process hangs while it writes"
            )

    def _disk(self) -> Condition:
        free = shutil.disk_usage(self.path.parent).free
        size = self.path.stat().st_size if self.path.exists() else 0
        said = f"{free / (1 << 30):,.1f} GiB free"
        if free < ROOM // 10:
            return Condition("disk", "fail", said, "make room: writing is about to fail")
        if free < ROOM or free < 2 * size:
            return Condition(
                "disk", "warn", f"{said}; an upgrade and an erasure need twice the file", "make room"
            )
        return Condition("disk", "ok", said)
