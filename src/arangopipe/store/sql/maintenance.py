"""Checking what the store derives, and removing bytes for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model import chain, documents
from arangopipe.model.graph import Batch, Change
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.records import Summary, summarise
from arangopipe.store.sql.dialect import Cursor, Row
from arangopipe.store.sql.prepare import prepare
from arangopipe.store.sql.reading import Reader
from arangopipe.store.sql.terms import NewTerms
from arangopipe.store.sql.values import Found, run_values, value_rows, values_of
from arangopipe.store.sql.writing import Writer

_OWN = (
    "(SELECT document FROM node o WHERE o.kind = (SELECT id FROM term WHERE text = '{}') AND o.key = n.key)"
)
# What is owned by a run is looked up for other kinds too, which have none: a key is in few kinds.
DOCUMENTS = (
    "SELECT n.id, (SELECT text FROM term WHERE id = n.kind), n.key, n.document, "
    f"{', '.join(_OWN.format(kind) for kind in OWNED_BY_RUN)} FROM node n ORDER BY n.id"
)
ERASE_NODE = (
    "UPDATE node_past SET name = NULL, version = NULL, document = NULL, salt = NULL, digest = ?, erased = ? "
    "WHERE "
)
ERASE_POINTS = "UPDATE point SET document = NULL, salt = NULL, digest = ?, erased = ?, name = ? WHERE "

_COLUMNS = "id, kind, key, revision"
ALL_NODES = f"(SELECT {_COLUMNS} FROM node UNION ALL SELECT {_COLUMNS} FROM node_past) AS each"
NUMBERED = (
    *((table, "revision") for table in ("node", "node_past", "edge", "edge_past", "point")),
    *((table, "closed") for table in ("node_past", "edge_past", "point")),
    *((table, "erased") for table in ("node_past", "point")),
)
WHOLE = "(document IS NULL) = (digest IS NOT NULL) AND (salt IS NULL) = (digest IS NOT NULL)"
INTEGERS: tuple[tuple[str, str], ...] = (
    *(
        (
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} NOT IN (SELECT number FROM change)",
            f"a row of {table} says {column} = {{0}}, a change that is not there",
        )
        for table, column in NUMBERED
    ),
    *(
        (
            f"SELECT DISTINCT {end} FROM {table} WHERE {end} NOT IN (SELECT id FROM {nodes})",
            f"a row of {table} ends at node {{0}}, which is not there",
        )
        for table, nodes in (("edge", "node"), ("edge_past", ALL_NODES))
        for end in ("source", "target")
    ),
    (
        f"SELECT DISTINCT run FROM point WHERE run NOT IN (SELECT id FROM {ALL_NODES})",
        "points belong to node {0}, which is not there",
    ),
    (
        f"SELECT id FROM {ALL_NODES} GROUP BY id HAVING count(DISTINCT kind || '/' || key) > 1",
        "two things share the integer {0}",
    ),
    (
        f"SELECT min(id), max(id), count(DISTINCT id) FROM {ALL_NODES} "
        "HAVING min(id) <> 1 OR max(id) <> count(DISTINCT id)",
        "nodes are numbered from {0} to {1}, and there are {2}",
    ),
    (
        f"SELECT id FROM (SELECT id, min(revision) AS first, lag(min(revision)) OVER (ORDER BY id) AS before "
        f"FROM {ALL_NODES} GROUP BY id) AS first WHERE before > first",
        "node {0} is numbered out of the order of creation",
    ),
    (
        f"SELECT id, revision FROM node_past WHERE NOT ({WHOLE} AND (erased IS NULL) = (digest IS NULL) "
        "AND (digest IS NULL OR name IS NULL AND version IS NULL))",
        "revision {1} of node {0} is neither whole nor erased",
    ),
    (
        f"SELECT run, revision FROM point WHERE NOT ({WHOLE} AND (erased IS NULL) = (digest IS NULL))",
        "points of node {0} at change {1} are neither whole nor erased",
    ),
)


def check(reader: Reader) -> Iterator[str]:
    """Yield, in words, each disagreement: of the engine's own structures, then of the derived rows."""
    yield from reader.dialect.damage(reader.cursor)
    series = _series(reader)
    yield from _check_series(reader, series)
    yield from _check_values(reader, series)
    for sql, words in INTEGERS:
        for found in reader.rows(sql, ()):
            yield words.format(*found)


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
    """Compare the value index with the documents, both in the order of the nodes they belong to."""
    columns, order = reader.dialect.value, f"v.node, v.path, {', '.join(reader.dialect.value_order)}"
    rows = reader.many(f"SELECT v.node, v.path, {columns} FROM value v ORDER BY {order}", ())
    kept = groupby(rows, key=itemgetter(0))
    owner, group = next(kept, (None, iter(())))
    for id, kind, key, document, params, metrics in reader.many(DOCUMENTS, ()):
        while owner is not None and owner < id:
            yield from _differences(reader, owner, set(), group)
            owner, group = next(kept, (None, iter(())))
        wanted: set[Row] = set()
        if kind in OWNED_BY_RUN:
            try:
                documents.load(document)
            except ValueError as error:
                yield f"{kind}/{key}: the document cannot be read ({error})"
        else:
            try:
                found = [values_of(kind, document)]
                if kind == "run":
                    found += [values_of("modelparams", params)] if params is not None else []
                    found.append(run_values(metrics, series.get(id, {})))
                wanted = {row for values in found for row in _rows(reader, id, values)}
            except ValueError as error:
                yield f"{kind}/{key}: the document cannot be read ({error})"
                continue
        if owner == id:
            yield from _differences(reader, id, wanted, group)
            owner, group = next(kept, (None, iter(())))
        else:
            yield from _differences(reader, id, wanted, iter(()))
    while owner is not None:
        yield from _differences(reader, owner, set(), group)
        owner, group = next(kept, (None, iter(())))


def _rows(reader: Reader, owner: int, found: Found) -> list[Row]:
    def name(text: str) -> int:
        # A path that was never interned has no rows: -1 stands for it and is reported as missing.
        return reader.name(text) or -1

    return value_rows(reader.dialect, name, reader.names_known().paths, owner, found)


def _differences(reader: Reader, node: int, wanted: set[Row], group: Iterator[Any]) -> Iterator[str]:
    kept = {(path, reader.dialect.read_value(cells), node) for _, path, *cells in group}
    for rows, words in (
        (wanted - kept, "is missing from the value index"),
        (kept - wanted, "stands in the value index and in no document"),
    ):
        for path, value, _ in sorted(rows, key=itemgetter(0)):
            yield f"{_name(reader, node)}: {_path(reader, path)} = {value!r} {words}"


def _path(reader: Reader, term: int) -> str:
    row = reader.cursor.execute("SELECT text FROM term WHERE id = ?", (term,)).fetchone()
    return f"term {term}" if row is None else str(row[0]).partition(":")[2]


def _name(reader: Reader, id: int) -> str:
    row = reader.cursor.execute(
        "SELECT (SELECT text FROM term WHERE id = kind), key FROM node WHERE id = ?", (id,)
    ).fetchone()
    return f"node {id} (not there)" if row is None else f"{row[0]}/{row[1]}"


def erase(cursor: Cursor, terms: NewTerms, ids: Sequence[str], batch: Batch) -> Change:
    """Close what is current of these nodes, then remove the text and salt of all their revisions.

    So go the names of attributes that nothing else has.
    """
    if not ids:
        raise InvalidInput("erase needs the ids of what is to be erased")
    looking = Writer(cursor, terms, prepare(batch), careful=True)
    current = tuple(node_id for node_id in ids if looking.stored(node_id) is not None)
    writer = Writer(cursor, terms, prepare(replace(batch, closes=current)), careful=True)

    def after_closing(number: int) -> list[bytes]:
        erased = []
        metrics: set[int] = set()
        for node_id in ids:
            kind, key = split_id(node_id)
            found = _erase_node(cursor, terms, node_id, number, metrics)
            if not found:
                raise NotFound(f"{node_id} was never there: nothing was erased")
            erased += found
            for owned in OWNED_BY_RUN if kind == "run" else ():
                erased += _erase_node(cursor, terms, f"{owned}/{key}", number, metrics)
        terms.forget(metrics)
        return [chain.row_digest(chain.OPEN_SALT, text) for text in erased if text]

    return writer.run(after_closing)  # type: ignore[return-value]


def _erase_node(cursor: Cursor, terms: NewTerms, node_id: str, number: int, metrics: set[int]) -> list[str]:
    """Return the texts of what is left of a node's rows ("" for one that was erased before).

    Adds to `metrics` the names of those whose points went.
    """
    kind, key = split_id(node_id)
    dialect = terms.dialect
    rows = cursor.execute(
        f"SELECT {dialect.row}, id, coalesce(name, ''), coalesce(version, ''), project, document, salt, "
        "digest FROM node_past WHERE kind = ? AND key = ?",
        (terms.id(kind), key),
    ).fetchall()
    left = []
    for row, id, name, version, project, document, salt, digest in rows:
        if digest is None:
            digest = chain.row_digest(salt, chain.node_text(kind, key, name, version, project, document))
            cursor.execute(ERASE_NODE + dialect.this_row, (digest, number, row))
            left.append(chain.erased_text("node", node_id, project, digest))
        else:
            left.append("")
        if kind == "run":
            left += _erase_points(cursor, terms, node_id, id, number, metrics)
    return left


def _erase_points(
    cursor: Cursor, terms: NewTerms, run: str, id: int, number: int, metrics: set[int]
) -> list[str]:
    left = []
    dialect = terms.dialect
    rows = cursor.execute(
        f"SELECT {dialect.row}, name, document, salt FROM point WHERE run = ? AND digest IS NULL", (id,)
    )
    for row, term, document, salt in rows.fetchall():
        digest = chain.row_digest(salt, chain.points_text(run, terms.text(term)[1:], document))
        cursor.execute(ERASE_POINTS + dialect.this_row, (digest, number, terms.name("="), row))
        metrics.add(term)
        left.append(chain.erased_text("points", run, "", digest))
    return left
