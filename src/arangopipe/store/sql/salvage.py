"""What a damaged store file still holds, recorded anew in a store of its own.

1. A copy of the file is read page by page (`pages`); the shape of a row says of which table it is.
2. The rows go into a scratch database of the same tables, where they are made to fit together (`mending`).
3. The changes go into the new store (`replaying`): as they were up to the first that is not whole, that is,
   whose rows do not give the digest it was recorded with; from there on as new changes with their origin.

Nothing is guessed: what is recorded stood in the file. A node of which only the name is left has an empty
document.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Integer, LargeBinary, Table

from arangopipe.errors import InvalidInput, StoreError
from arangopipe.store.sql import meanings, schema
from arangopipe.store.sql.connections import Connection
from arangopipe.store.sql.mending import listed, mend
from arangopipe.store.sql.pages import Pages, Row
from arangopipe.store.sql.replaying import replay
from arangopipe.store.sql.store import SQLiteStore

Progress = Callable[[str, int, int | None], object]
"""Told what is being done, how far it is, and of how much."""

SECTOR = 4_096
SHOWN = 50
TABLES = (schema.term, schema.change, schema.node, schema.node_past, schema.edge_past, schema.point)
FIRST_COLUMNS = {"change": 9}
"""Columns of a table when it was first released; migrations add others at the end."""
HINTS = {
    "sqlite_autoindex_term_1": ("word", "text, id"),
    "node_key": ("hint", "kind, key, id"),
    "node_name": ("hint", "kind, name, project, version, id"),
}
"""What indexes tell of terms and nodes whose own row may be lost."""


@dataclass(frozen=True)
class Report:
    """What was read of a damaged file, and what was not.

    Of the `changes` in the new store the first `verbatim` ones are as they were, chain included. `recovered`
    counts the nodes by kind, the edges and the points that stand there; `broken` holds the numbers of the
    changes that are not whole; `lost` says in words what is missing.
    """

    file: str
    changes: int
    verbatim: int
    recovered: dict[str, int]
    broken: tuple[int, ...]
    lost: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether everything was read that the file held."""
        return not self.broken and not self.lost

    def __str__(self) -> str:
        counts = ", ".join(f"{what} {count:,}" for what, count in self.recovered.items() if count)
        lines = [
            f"{self.changes:,} changes, {self.verbatim:,} of them as they were",
            f"recovered: {counts or 'nothing'}",
            *([f"changes that are not whole: {listed(self.broken)}"] if self.broken else []),
            *(f"lost: {what}" for what in self.lost[:SHOWN]),
            *([f"and {len(self.lost) - SHOWN:,} more such lines"] if len(self.lost) > SHOWN else []),
        ]
        return "\n  ".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {
            "file": self.file,
            "whole": self.whole,
            "changes": self.changes,
            "verbatim": self.verbatim,
            "recovered": self.recovered,
            "broken": list(self.broken),
            "lost": list(self.lost),
        }


def salvage(damaged: Path, target: Path, progress: Progress | None = None) -> Report:
    """Record what a damaged file holds in a new store file, and return what was found and what was not.

    The damaged file is only read. Needs room beside `target` for two copies of it. Raises `InvalidInput`
    where `target` is there already, and `StoreError` where nothing of a store can be found.
    """
    if target.exists():
        raise InvalidInput(f"{target} is there already: name a file that is not")
    told = progress or (lambda *_: None)
    try:
        with tempfile.TemporaryDirectory(prefix=f"{target.name}.", dir=target.parent) as folder:
            return _salvage(damaged, target, Path(folder), told)
    except OSError as error:
        raise meanings.of_system(str(error.filename or damaged), error) from error
    except sqlite3.Error as error:
        raise meanings.of_sqlite(str(target), error) from error


def _salvage(damaged: Path, target: Path, folder: Path, told: Progress) -> Report:
    copy = folder / "copy"
    lost = [*_copied(damaged, copy), *_with_log(damaged, copy)]
    with closing(sqlite3.connect(folder / "scratch", isolation_level=None, factory=Connection)) as scratch:
        scratch.execute("PRAGMA synchronous=OFF")
        scratch.execute("BEGIN")
        lost += _carve(copy, scratch, told)
        lost += mend(scratch)
        made = folder / "store"
        with SQLiteStore(f"sqlite:///{quote(str(made))}?durability=relaxed") as store:
            replayed = replay(scratch, store, told)
            head = store.head()
        if head is None:
            raise StoreError(f"{damaged}: nothing of an Arangopipe store was found in it; restore a backup")
        with closing(sqlite3.connect(made)) as connection:
            recovered = _counts(connection)
    made.rename(target)
    return Report(
        str(damaged),
        head.number,
        replayed.verbatim,
        recovered,
        tuple(replayed.broken),
        (*lost, *replayed.lost),
    )


def _copied(damaged: Path, copy: Path) -> list[str]:
    """Copy a file; what the disk does not give is zeros in the copy."""
    unread = 0
    with damaged.open("rb", buffering=0) as source, copy.open("wb") as target:
        size = source.seek(0, 2)
        for at in range(0, size, SECTOR):
            wanted = min(SECTOR, size - at)
            try:
                source.seek(at)
                part = source.read(wanted) or b""
            except OSError:
                part = b""
                unread += 1
            target.write(part.ljust(wanted, b"\0"))
    return [f"blocks that the disk does not give: {unread:,}"] if unread else []


def _with_log(damaged: Path, copy: Path) -> list[str]:
    """Bring the copy to what SQLite's log or journal beside the file says."""
    beside = [damaged.with_name(f"{damaged.name}-{part}") for part in ("wal", "journal")]
    found = [path for path in beside if path.is_file() and path.stat().st_size]
    for path in found:
        shutil.copyfile(path, copy.with_name(f"{copy.name}-{path.name.rpartition('-')[2]}"))
    if not found:
        return []
    aside = shutil.copyfile(copy, copy.with_name("aside"))
    try:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        aside.replace(copy)
        return [f"{found[0].name} beside it cannot be read ({error}): what was last written is in there"]
    return []


# --- rows ----------------------------------------------------------------------------------------


def _carve(copy: Path, scratch: sqlite3.Connection, told: Progress) -> list[str]:
    """Fill the scratch database with every row that can be read; return what cannot."""
    for table in (*TABLES, schema.edge):
        names = ", ".join(column.name for column in table.columns)
        scratch.execute(f"CREATE TABLE {table.name}({names})")
    scratch.execute("CREATE TABLE hint(kind, key, name, version, project, id)")
    scratch.execute("CREATE TABLE word(id, text)")
    if not copy.stat().st_size:
        return []
    with copy.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        pages = Pages(data)
        roots = _take_tables(pages, scratch, lambda *at: told("reading tables", *at))
        edges = Shape(schema.edge)
        for row in pages.index_rows(lambda *at: told("reading indexes", *at)):
            if not edges.take(row, scratch):
                _take_indexed_edge(row, scratch)
        for name, (hint, columns) in HINTS.items():
            insert = f"INSERT INTO {hint}({columns}) VALUES ({', '.join('?' * len(columns.split()))})"
            for row in pages.rows_of_index(roots.get(name, 0)):
                if len(row.values) == len(columns.split()):
                    scratch.execute(insert, row.values)
        lost = []
        if pages.missing:
            lost.append(f"pages that were cut off at the end of the file: {pages.missing:,}")
        if pages.unreadable:
            lost.append(f"pages that cannot be read: {pages.unreadable:,} of {pages.count:,}")
        if pages.lost_rows:
            lost.append(f"rows in other pages that cannot be read: {pages.lost_rows:,}")
        return lost


def _take_tables(
    pages: Pages, scratch: sqlite3.Connection, told: Callable[[int, int], object]
) -> dict[str, int]:
    """Keep the rows of tables; return the first page of each index."""
    shapes = [Shape(table) for table in TABLES]
    roots = {}
    for row in pages.table_rows(told):
        if not any(shape.take(row, scratch) for shape in shapes):
            match row.values:
                case ("index", str(name), str(), int(root), None | str()):
                    roots[name] = root
    return roots


class Shape:
    """The columns of a table, by which a row of it is known."""

    def __init__(self, table: Table) -> None:
        self._types = [_python_type(column.type) for column in table.columns]
        self._nullable = [bool(column.nullable) for column in table.columns]
        self._least = FIRST_COLUMNS.get(table.name, len(self._types))
        self._by_rowid = [column.name for column in table.primary_key] in (["id"], ["number"])
        self._insert = f"INSERT INTO {table.name} VALUES ({', '.join('?' * len(self._types))})"

    def take(self, row: Row, scratch: sqlite3.Connection) -> bool:
        """Keep a row if it is one of this table."""
        rowid, values = row
        if not self._least <= len(values) <= len(self._types):
            return False
        if self._by_rowid:
            if values[0] is not None:
                return False
            values = (rowid, *values[1:])
        for value, wanted, nullable in zip(values, self._types, self._nullable, strict=False):
            if type(value) is not wanted and not (nullable and value is None):
                return False
        missing = len(self._types) - len(values)
        scratch.execute(self._insert, values + (None,) * missing)
        return True


def _python_type(column: object) -> type:
    return int if isinstance(column, Integer) else bytes if isinstance(column, LargeBinary) else str


def _take_indexed_edge(row: Row, scratch: sqlite3.Connection) -> None:
    """Keep an edge as its index has it, without salt."""
    match row.values:
        case (int(target), int(kind), int(source), int(revision), None | str() as document):
            edge = (source, kind, target, revision, document, None)
            scratch.execute("INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?)", edge)


def _counts(made: sqlite3.Connection) -> dict[str, int]:
    """Return how much stands in a store: nodes by kind, edges, points."""
    kinds = "SELECT (SELECT text FROM term WHERE id = kind), count(*) FROM node GROUP BY kind ORDER BY 1"
    found = dict(made.execute(kinds).fetchall())
    found["edges"] = made.execute("SELECT count(*) FROM edge").fetchone()[0]
    points = "SELECT coalesce(sum(json_array_length(document)), 0) FROM point WHERE closed IS NULL"
    found["points"] = made.execute(points).fetchone()[0]
    return found
