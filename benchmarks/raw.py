"""The limit of writing: the rows that Arangopipe writes, by hand-written SQL on the bare driver.

The tables are Arangopipe's own (a copy of a store that it made). What the raw side is *given*, ready
and untimed: documents as JSON text, the text of each row that is digested, searchable values as
(interned path, value), keys and batch ids. What it *does*, timed, for one run: BEGIN IMMEDIATE, one
select for the head of the chain and the highest id, three selects that turn the keys of dataset,
featureset and model into integers, random salts, a SHA-256 for each row, fifty rows a statement for
nodes, edges and values (which takes two thirds of the time of `executemany`), the link of the audit chain,
the change, COMMIT. In bulk the same once for all runs of a batch, each reference once, and the values in
the order of their tree.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from hashlib import sha256
from itertools import chain as chained
from operator import itemgetter
from pathlib import Path
from typing import Any

from arangopipe.model import chain

CACHE_KIB = 64 * 1024
LOG_PAGES = 4_000
SALT = 16

HEAD = "SELECT number, time, chain, (SELECT max(id) FROM node) FROM change ORDER BY number DESC LIMIT 1"
ID = "SELECT id FROM node WHERE kind = ? AND key = ?"
ROWS = 50
PUT_NODE = "INSERT OR FAIL INTO node(id, kind, key, name, version, project, revision, document, salt)"
PUT_EDGE = "INSERT OR FAIL INTO edge(source, kind, target, revision, document, salt)"
PUT_VALUE = "INSERT OR FAIL INTO value(path, value, node)"
PUT_CHANGE = (
    "INSERT INTO change(number, batch, time, actor, action, reason, salt, digest, chain) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

Ref = tuple[int, str]
"""A node by the integer of its kind and its key."""


@dataclass(frozen=True)
class NodeRow:
    """A node to write, with the text that is digested."""

    kind: int
    key: str
    name: str | None
    version: str | None
    project: str
    document: str
    text: bytes


@dataclass(frozen=True)
class EdgeRow:
    """An edge to write; ends are places among the run's own nodes, or references."""

    source: int | Ref
    kind: int
    target: int | Ref
    document: str | None
    text: bytes


@dataclass(frozen=True)
class RunRows:
    """All rows of one run but its change."""

    nodes: tuple[NodeRow, ...]
    edges: tuple[EdgeRow, ...]
    values: tuple[tuple[int, Any], ...]


@dataclass(frozen=True)
class ChangeRow:
    """A change and its runs."""

    batch: str
    actor: str
    action: str
    reason: str
    text: bytes
    runs: tuple[RunRows, ...]


def connect(path: Path, durable: bool = True) -> sqlite3.Connection:
    """Return a connection with the settings that Arangopipe uses."""
    connection = sqlite3.connect(path, timeout=120, isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.execute(f"PRAGMA cache_size={-CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
    return connection


def terms(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the interned texts of a store."""
    return {text: id for id, text in connection.execute("SELECT id, text FROM term")}


# Rows to write


def marks(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the highest node and change of a store."""
    return tuple(
        connection.execute("SELECT (SELECT max(id) FROM node), (SELECT max(number) FROM change)").fetchone()
    )


def harvest(connection: sqlite3.Connection, after: tuple[int, int]) -> list[ChangeRow]:
    """Return the rows of all runs that were logged after `marks`, ready to be written by hand."""
    last_id, last_change = after
    known = terms(connection)
    words = {id: text for text, id in known.items()}
    rows = connection.execute(
        "SELECT id, kind, key, name, version, project, document, revision FROM node WHERE id > ? ORDER BY id",
        (last_id,),
    ).fetchall()
    names = {row[0]: (row[1], row[2]) for row in rows}
    run_of = {(words[row[1]], row[2]): row for row in rows if words[row[1]] == "run"}
    members: dict[str, list[Any]] = {key: [] for _, key in run_of}
    for row in rows:
        members[row[2]].append(row)
    edges = _edges(connection, last_id, names, words)
    changes = connection.execute(
        "SELECT number, batch, actor, action, reason FROM change WHERE number > ? ORDER BY number",
        (last_change,),
    ).fetchall()
    found: dict[int, list[RunRows]] = {number: [] for number, *_ in changes}
    for (_, key), run in run_of.items():
        nodes = members[key]
        places = {row[0]: place for place, row in enumerate(nodes)}
        found[run[7]].append(
            RunRows(
                tuple(_node_row(row, words) for row in nodes),
                tuple(_edge_row(edge, places, names, words) for edge in edges[run[0]]),
                tuple(_values(nodes, words, known)),
            )
        )
    return [
        ChangeRow(batch, actor, action, reason, note, tuple(found[number]))
        for number, batch, actor, action, reason in changes
        for note in [chain.note_text(batch, action, reason).encode()]
    ]


def _edges(
    connection: sqlite3.Connection,
    last_id: int,
    names: dict[int, Ref],
    words: dict[int, str],
) -> dict[int, list[Any]]:
    """Return the edges of new runs by run; learn the names of what they refer to."""
    rows = connection.execute(
        "SELECT source, kind, target, document FROM edge WHERE source > :last UNION "
        "SELECT source, kind, target, document FROM edge WHERE target > :last",
        {"last": last_id},
    ).fetchall()
    found: dict[int, list[Any]] = {}
    for row in rows:
        for end in (row[0], row[2]):
            if end not in names:
                names[end] = connection.execute("SELECT kind, key FROM node WHERE id = ?", (end,)).fetchone()
        run = row[0] if words[names[row[0]][0]] == "run" else row[2]
        found.setdefault(run, []).append(row)
    return found


def _node_row(row: Any, words: dict[int, str]) -> NodeRow:
    _, kind, key, name, version, project, document, _ = row
    text = chain.node_text(words[kind], key, name or "", version or "", project, document)
    return NodeRow(kind, key, name, version, project, document, text.encode())


def _edge_row(row: Any, places: dict[int, int], names: dict[int, Ref], words: dict[int, str]) -> EdgeRow:
    source, kind, target, document = row
    ends = [f"{words[names[end][0]]}/{names[end][1]}" for end in (source, target)]
    text = chain.edge_text(words[kind], *ends, document or "{}")
    return EdgeRow(
        places.get(source, names[source]),
        kind,
        places.get(target, names[target]),
        document,
        text.encode(),
    )


def _values(nodes: Sequence[Any], words: dict[int, str], known: dict[str, int]) -> Any:
    """Yield the searchable values of a run; those of these runs are all plain and at the top."""
    for row in nodes:
        prefix = {"modelparams": "params.", "devperf": "metrics."}.get(words[row[1]], "")
        for name, value in json.loads(row[6]).items():
            if isinstance(value, (int, float, str)):
                yield known[f"run:{prefix}{name}"], value


class Writer:
    """Writes runs by hand."""

    def __init__(self, path: Path, durable: bool = True) -> None:
        self.connection = connect(path, durable)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def log(self, change: ChangeRow) -> None:
        """Write the runs of one change, one or many, in one transaction."""
        cursor = self.connection.cursor()
        execute = cursor.execute
        execute("BEGIN IMMEDIATE")
        number, moment, link, next_id = execute(HEAD).fetchone()
        number += 1
        rows = sum(len(run.nodes) + len(run.edges) for run in change.runs) + 1
        pool = os.urandom(SALT * rows)
        salts = [pool[i : i + SALT] for i in range(0, len(pool), SALT)]
        note = salts.pop()
        digests = [sha256(note + change.text).digest()]
        nodes: list[Any] = []
        edges: list[Any] = []
        values: list[Any] = []
        ids: dict[Ref, int] = {}
        for run in change.runs:
            first = run_id = next_id + 1
            next_id += len(run.nodes)
            for id, node in enumerate(run.nodes, first):
                salt = salts.pop()
                digests.append(sha256(salt + node.text).digest())
                nodes.append(
                    (id, node.kind, node.key, node.name, node.version, node.project, number,
                     node.document, salt)
                )  # fmt: skip
            for edge in run.edges:
                salt = salts.pop()
                digests.append(sha256(salt + edge.text).digest())
                ends = []
                for end in (edge.source, edge.target):
                    if type(end) is int:
                        ends.append(first + end)
                        continue
                    if end not in ids:
                        (ids[end],) = execute(ID, end).fetchone()
                    ends.append(ids[end])
                edges.append((ends[0], edge.kind, ends[1], number, edge.document, salt))
            values += [(path, value, run_id) for path, value in run.values]
        values.sort(key=itemgetter(0))
        put(cursor, PUT_NODE, nodes)
        put(cursor, PUT_EDGE, edges)
        put(cursor, PUT_VALUE, values)
        digests.sort()
        digest = sha256(b"".join(digests)).digest()
        now = max(time.time_ns() // 1000, moment)
        stamp = datetime.fromtimestamp(now // 1_000_000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        said = json.dumps(
            [number, f"{stamp}.{now % 1_000_000:06d}Z", change.actor, digest.hex()],
            ensure_ascii=False,
            separators=(",", ":"),
        )
        link = sha256(link + said.encode()).digest()
        execute(
            PUT_CHANGE,
            (number, change.batch, now, change.actor, change.action, change.reason, note, digest,
             link),
        )  # fmt: skip
        execute("COMMIT")


def put(cursor: sqlite3.Cursor, into: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, fifty a statement."""
    for start in range(0, len(rows), ROWS):
        part = rows[start : start + ROWS]
        cursor.execute(statement(into, len(part[0]), len(part)), list(chained.from_iterable(part)))


@lru_cache
def statement(into: str, columns: int, rows: int) -> str:
    """Return the statement for so many rows."""
    places = f"({', '.join('?' * columns)})"
    return f"{into} VALUES {', '.join([places] * rows)}"


def tables(path: Path) -> dict[str, int]:
    """Return the bytes of each table and index, where SQLite was built to say so, else nothing."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()


def counts(path: Path) -> dict[str, int]:
    """Return the number of rows of each table."""
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COMPARED
        }


COMPARED = {
    "term": ("id", 100_000, "id, text"),
    "node": ("id", 100_000, "id, kind, key, name, version, project, revision, document, length(salt)"),
    "edge": ("source", 100_000, "source, kind, target, revision, document, length(salt)"),
    "value": ("path", 1, "path, value, node"),
    "change": (
        "number",
        100_000,
        "number, batch, actor, action, reason, length(salt), length(digest), length(chain)",
    ),
}
"""By table: the key by which it is compared in slices, how wide they are, and what is compared."""


def differences(ours: Path, raw: Path) -> list[str]:
    """Return in which tables two stores differ, but for what is random or the time of the day."""
    found = []
    with closing(sqlite3.connect(ours)) as connection:
        connection.execute("ATTACH ? AS other", (str(raw),))
        for table, (key, step, columns) in COMPARED.items():
            sides = [
                f"SELECT {columns} FROM {schema}.{table} WHERE {key} BETWEEN :low AND :high"
                for schema in ("main", "other")
            ]
            (last,) = connection.execute(
                f"SELECT max((SELECT max({key}) FROM main.{table}), (SELECT max({key}) FROM other.{table}))"
            ).fetchone()
            for low in range(0, last + 1, step):
                for one, other in (sides, sides[::-1]):
                    (count,) = connection.execute(
                        f"SELECT count(*) FROM ({one} EXCEPT {other})", {"low": low, "high": low + step - 1}
                    ).fetchone()
                    if count:
                        found.append(f"{table}: {count} rows of one are not in the other, from {key} {low}")
    return found
