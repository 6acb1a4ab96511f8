"""Checking what the store derives, and removing bytes for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from sqlite3 import Cursor

from arangopipe.errors import NotFound
from arangopipe.model import chain
from arangopipe.model.graph import Batch, Change
from arangopipe.model.ids import split_id, uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.records import Summary, summarise
from arangopipe.store.sql.prepare import prepare
from arangopipe.store.sql.reading import Reader
from arangopipe.store.sql.terms import NewTerms
from arangopipe.store.sql.values import run_values, value_rows, values_of
from arangopipe.store.sql.writing import Writer

EXPECTED = "CREATE TEMP TABLE expected(path, value, node, PRIMARY KEY(path, value, node)) WITHOUT ROWID"
DOCUMENTS = "SELECT id, (SELECT text FROM term WHERE id = kind), key, document FROM node"
ERASE_NODE = (
    "UPDATE node_past SET name = NULL, version = NULL, document = NULL, salt = NULL, digest = ? "
    "WHERE rowid = ?"
)
ERASE_POINTS = "UPDATE point SET document = NULL, salt = NULL, digest = ? WHERE rowid = ?"


def check(reader: Reader) -> Iterator[str]:
    """Yield, in words, each disagreement: of SQLite's own structures, then of the derived rows."""
    for (found,) in reader.rows("PRAGMA integrity_check", ()):
        if found != "ok":
            yield f"the file is damaged: {found}"
    series = _series(reader)
    yield from _check_series(reader, series)
    yield from _check_values(reader, series)
    yield from _check_ends(reader)


def _series(reader: Reader) -> dict[int, dict[str, Summary]]:
    """Return the summary of every run's points, computed from the points."""
    found: dict[int, dict[str, Summary]] = {}
    for (run,) in reader.cursor.execute("SELECT DISTINCT run FROM point WHERE closed IS NULL").fetchall():
        points = reader.points(run, None)
        found[run] = {name: summarise(series) for name, series in points.items()}
    return found


def _check_series(reader: Reader, expected: dict[int, dict[str, Summary]]) -> Iterator[str]:
    kept: dict[int, dict[str, Summary]] = {}
    for run, name, *rest in reader.rows(
        "SELECT run, name, count, step, time, last, low, high FROM series", ()
    ):
        text = reader.terms.texts(reader.cursor, name)[name]
        kept.setdefault(run, {})[text[1:]] = Summary(*rest)
    for run in expected.keys() | kept.keys():
        for name in expected.get(run, {}).keys() | kept.get(run, {}).keys():
            if expected.get(run, {}).get(name) != kept.get(run, {}).get(name):
                yield f"{_name(reader, run)}: the summary of the points of {name!r} is wrong"


def _check_values(reader: Reader, series: dict[int, dict[str, Summary]]) -> Iterator[str]:
    """Compare the value index with the documents, by way of a temporary table of what should be there."""
    cursor = reader.cursor

    def term(text: str) -> int:
        # A path that was never interned has no rows: -1 stands for it and is reported as missing.
        return reader.terms.id(cursor, text) or -1

    cursor.execute(EXPECTED)
    try:
        insert = "INSERT OR IGNORE INTO temp.expected VALUES (?, ?, ?)"
        for id, kind, key, document in reader.rows(DOCUMENTS, ()):
            try:
                if kind == "devperf":
                    continue
                owner = _run(reader, key) if kind in OWNED_BY_RUN else id
                cursor.executemany(insert, value_rows(term, kind, owner, values_of(kind, document)))
                if kind == "run":
                    metrics = reader.get(f"devperf/{key}")
                    found = run_values(metrics and metrics[7], series.get(id, {}))
                    cursor.executemany(insert, value_rows(term, "devperf", id, found))
            except ValueError as error:
                yield f"{kind}/{key}: the document cannot be read ({error})"
        for side, other, words in (
            ("temp.expected", "main.value", "is missing from the value index"),
            ("main.value", "temp.expected", "stands in the value index and in no document"),
        ):
            different = f"SELECT * FROM {side} EXCEPT SELECT * FROM {other}"
            for path, value, node in cursor.execute(different).fetchall():
                yield f"{_name(reader, node)}: {_path(reader, path)} = {value!r} {words}"
    finally:
        cursor.execute("DROP TABLE temp.expected")


def _run(reader: Reader, key: str) -> int:
    row = reader.get(f"run/{key}")
    return -1 if row is None else row[0]


def _path(reader: Reader, term: int) -> str:
    row = reader.cursor.execute("SELECT text FROM term WHERE id = ?", (term,)).fetchone()
    return f"term {term}" if row is None else str(row[0]).partition(":")[2]


def _name(reader: Reader, id: int) -> str:
    row = reader.cursor.execute(
        "SELECT (SELECT text FROM term WHERE id = kind), key FROM node WHERE id = ?", (id,)
    ).fetchone()
    return f"node {id} (not there)" if row is None else f"{row[0]}/{row[1]}"


def _check_ends(reader: Reader) -> Iterator[str]:
    for end in ("source", "target"):
        sql = f"SELECT DISTINCT {end} FROM edge WHERE {end} NOT IN (SELECT id FROM node)"
        for (id,) in reader.rows(sql, ()):
            yield f"an edge ends at node {id}, which is not there"


def erase(cursor: Cursor, terms: NewTerms, ids: Sequence[str], actor: str, reason: str) -> Change:
    """Close what is current of these nodes, then remove the text and salt of all their revisions."""
    cursor.execute("PRAGMA secure_delete = ON")
    batch = Batch(uuid7(), actor=actor, action="erase", reason=reason)
    looking = Writer(cursor, terms, prepare(batch), careful=True)
    current = tuple(node_id for node_id in ids if looking.stored(node_id) is not None)
    change = Writer(cursor, terms, prepare(replace(batch, closes=current)), careful=True).run(always=True)
    for node_id in ids:
        kind, key = split_id(node_id)
        if not _erase_node(cursor, terms, node_id):
            raise NotFound(f"{node_id} was never there: nothing was erased")
        for owned in OWNED_BY_RUN if kind == "run" else ():
            _erase_node(cursor, terms, f"{owned}/{key}")
    return change  # type: ignore[return-value]


def _erase_node(cursor: Cursor, terms: NewTerms, node_id: str) -> int:
    kind, key = split_id(node_id)
    rows = cursor.execute(
        "SELECT rowid, id, coalesce(name, ''), coalesce(version, ''), project, document, salt, digest "
        "FROM node_past WHERE kind = ? AND key = ?",
        (terms.id(kind), key),
    ).fetchall()
    for row, id, name, version, project, document, salt, digest in rows:
        if digest is None:
            digest = chain.row_digest(salt, chain.node_text(kind, key, name, version, project, document))
            cursor.execute(ERASE_NODE, (digest, row))
        if kind == "run":
            _erase_points(cursor, terms, node_id, id)
    return len(rows)


def _erase_points(cursor: Cursor, terms: NewTerms, run: str, id: int) -> None:
    rows = cursor.execute(
        "SELECT rowid, name, document, salt FROM point WHERE run = ? AND digest IS NULL", (id,)
    )
    for row, name, document, salt in rows.fetchall():
        digest = chain.row_digest(salt, chain.points_text(run, terms.text(name)[1:], document))
        cursor.execute(ERASE_POINTS, (digest, row))
