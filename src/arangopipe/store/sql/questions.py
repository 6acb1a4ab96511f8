"""Counts and columns: what questions over many nodes are made of.

A column is read whole: from the value index, from the table of nodes, or, where a path leads to a
neighbour, by way of the edges. Documents are read only for what none of these can say, and where a
filter leaves so few nodes that their documents are less to read than a whole column.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any

from arangopipe.model import attributes
from arangopipe.model.documents import EMPTY
from arangopipe.model.expressions import Expression, Path, paths, predicate
from arangopipe.store.records import OWN_WORDS, Record, hop_of, scalar, tally, tally_counts
from arangopipe.store.sql import links as linking
from arangopipe.store.sql.compile import COLUMNS, indexable
from arangopipe.store.sql.dialect import python_value
from arangopipe.store.sql.selection import Selection
from arangopipe.store.sql.shown import JUDGED

CHUNK = 10_000

PAGE = 100_000
"""So many nodes come as one row of two texts, which takes a third less time than a row for each."""

FEW = 16
"""Reading the documents of one node in so many takes as long as reading a column of all."""

FEW_TEXTS = 1_000

Column = Mapping[int, Any]
"""Values by integer id; what has not exactly one scalar at the path is not there, or None."""


Page = tuple[Sequence[int], list[str], list[str]]
"""Integer ids, ids, and documents where these are wanted."""


def count(selection: Selection, by: Path | None) -> dict[Any, int]:
    """Return how many nodes match, by the value at a path if there is one."""
    if (found := _of_projects(selection, by)) is not None:
        return found
    if by is None:
        return {None: selection.count()}
    if (
        selection.where is None
        and selection.reader.at is None
        and (found := _counted(selection, by)) is not None
    ):
        return found
    matches = _Matches(selection, [by])
    if matches.records is not None:
        return tally(scalar(record.read(by)) for record in matches.records)
    (column,) = matches.columns
    return tally(column.get(id) for ids, *_ in matches.pages for id in ids)


def _of_projects(selection: Selection, by: Path | None) -> dict[Any, int] | None:
    """Count project by project, None where anything else is asked for; so an index alone answers."""
    asked = [*([] if by is None else [by]), *(paths(selection.where) if selection.where else ())]
    shown, of_project = selection.reader.shown, selection.kind not in JUDGED
    if not (asked or (shown and of_project)) or not all(_is_project(selection, path) for path in asked):
        return None
    if selection.reader.at is not None or (shown is not None and not of_project):
        return None
    if (term := selection.reader.term(selection.kind)) is None:
        return {None: 0} if by is None else {}
    sql = "SELECT project, count(*) FROM node WHERE kind = ? AND project <> '' GROUP BY project"
    found: dict[str | None, int] = dict(selection.reader.rows(sql, [term]))
    whole = selection.reader.cursor.execute("SELECT count(*) FROM node WHERE kind = ?", [term]).fetchone()[0]
    rest = whole - sum(found.values())
    if shown is not None:
        found = {name: number for name, number in found.items() if shown.scope.owns(name or "")}
    if rest:
        found[None] = rest
    if selection.where is not None:
        found = {name: number for name, number in found.items() if _holds(selection.where, name)}
    return {None: sum(found.values())} if by is None else dict(found)


def _holds(where: Expression, project: str | None) -> bool:
    return predicate(where)(lambda _: [project] if project else [])


def _is_project(selection: Selection, path: Path) -> bool:
    return (
        path.segments == ("project",)
        and not path.own
        and not hop_of(selection.vocabulary, selection.kind, path)
    )


def columns(
    selection: Selection, paths: Mapping[str, Path], links: Sequence[str], documents: bool
) -> Iterator[dict[str, list[Any]]]:
    """Yield equal-length columns of what matches (see `Store.columns`)."""
    matches = _Matches(selection, list(paths.values()))
    others = {
        name: (linking.column(selection.reader, selection.vocabulary, selection.kind, name, matches.few), ())
        for name in links
    }
    if matches.records is not None:
        while records := list(islice(matches.records, CHUNK)):
            chunk: dict[str, list[Any]] = {"id": [record.node.id for record in records]}
            for name, path in paths.items():
                chunk[name] = [scalar(record.read(path)) for record in records]
            chunk |= _cells([record.sequence for record in records], others)
            if documents:
                chunk["document"] = [record.node.text for record in records]
            yield chunk
        return
    read = {name: (column, None) for name, column in zip(paths, matches.columns, strict=True)}
    for ids, node_ids, texts in _with_documents(selection) if documents else matches.pages:
        chunk = {"id": node_ids, **_cells(ids, read), **_cells(ids, others)}
        yield {**chunk, "document": texts} if documents else chunk


def _cells(ids: Sequence[int], columns: Mapping[str, tuple[Column, Any]]) -> dict[str, list[Any]]:
    """Return the cells of some nodes; beside each column stands what there is where it has nothing."""
    return {name: list(map(column.get, ids, repeat(none))) for name, (column, none) in columns.items()}


class _Matches:
    """What a search found: either its records, or pages of integer ids and ids, and a column for each path.

    `few` are the integer ids where a filter left few.
    """

    def __init__(self, selection: Selection, paths: Sequence[Path]) -> None:
        self.records: Iterator[Record] | None = None
        self.pages: Iterator[Page] = iter(())
        self.columns: list[Column] = []
        self.few: list[int] | None = None
        ids = selection.ids()
        if ids is None:
            self.records = selection.matching(paths)
            return
        if selection.where is not None or selection.reader.shown is not None:
            few = selection.size() // FEW
            first = [id for id, _ in islice(ids, few + 1)]
            if len(first) <= few:
                self.few = first
                self.records = selection.of_ids(self.few, paths)
                return
        self.pages = _pages(selection)
        columns = [_column(selection, path) for path in paths]
        if any(column is None for column in columns):
            self.records = selection.matching(paths)
        else:
            self.columns = [column for column in columns if column is not None]


def _with_documents(selection: Selection) -> Iterator[Page]:
    """Yield what `_pages` do, with the documents, in no order."""
    condition, (of_kind, params) = selection.condition(), selection.of_kind
    sql = f"SELECT n.id, n.key, n.document FROM node n WHERE {of_kind} AND ({condition.sql})"
    rows = selection.reader.many(sql, [*params, *condition.params])
    while chunk := list(islice(rows, CHUNK)):
        ids, keys, texts = zip(*chunk, strict=True)
        yield ids, [f"{selection.kind}/{key}" for key in keys], [text or EMPTY for text in texts]


def _pages(selection: Selection) -> Iterator[Page]:
    """Yield the integer ids and the ids of matches in the order of keys; the index must be able to say."""
    condition, start = selection.condition(), f"{selection.kind}/"
    of_kind, first = selection.of_kind
    listed, quoted = selection.reader.dialect.listed("id"), selection.reader.dialect.quoted("?", "key")
    sql = (
        f"SELECT {listed}, {quoted} FROM (SELECT n.id, n.key FROM node n "
        f"WHERE {of_kind} AND ({condition.sql}) AND n.key > ? ORDER BY n.key LIMIT {PAGE}) AS page"
    )
    last = ""
    while True:
        params = [start, *first, *condition.params, last]
        ((ids, texts),) = selection.reader.rows(sql, params)
        if ids is None:
            return
        node_ids = json.loads(texts)
        yield json.loads(f"[{ids}]"), node_ids, []
        last = max(node_ids).removeprefix(start)


def _column(selection: Selection, path: Path) -> Column | None:
    """Return the column of a path for all nodes of the kind, None where only documents can say."""
    if hop_of(selection.vocabulary, selection.kind, path):
        return _hop_column(selection, path)
    own_word = len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own
    if selection.marked or not (own_word or indexable(selection.kind, path)):
        return None
    return _plain_column(selection, selection.kind, path.segments, own_word)


def _plain_column(selection: Selection, kind: str, segments: Sequence[str], own_word: bool) -> Column:
    """Return the column of a path into the nodes of a kind themselves."""
    reader = selection.reader
    if own_word:
        column = COLUMNS[segments[0]]
        return dict(reader.rows(f"SELECT id, {column} FROM node WHERE kind = ?", [reader.term(kind)]))
    term, element = selection.path_terms(kind, segments)
    *numbers, texts, (test, column) = reader.dialect.values
    found: dict[int, Any] = {}
    for of_type, number in numbers:
        found.update(reader.rows(f"SELECT node, {number} FROM value WHERE path = ? AND {of_type}", [term]))
    found.update(_texts(selection, term, *texts))
    booleans = f"SELECT node, {column} FROM value WHERE path = ? AND {test}"
    found.update((id, python_value(value)) for id, value in reader.rows(booleans, [term]))
    if element is not None:
        for (id,) in reader.rows("SELECT DISTINCT node FROM value WHERE path = ?", [element]):
            found.pop(id, None)
    return found


def _texts(selection: Selection, term: int | None, test: str, column: str) -> Column:
    """Return the texts of a column: of a few different ones, all nodes of each as one row."""
    reader, texts = selection.reader, f"FROM value WHERE path = ? AND {test}"
    sql = f"SELECT count(*) FROM (SELECT DISTINCT {column} {texts} LIMIT {FEW_TEXTS + 1}) AS different"
    ((different,),) = reader.rows(sql, [term])
    if different > FEW_TEXTS:
        return dict(reader.rows(f"SELECT node, {column} {texts}", [term]))
    found: dict[int, Any] = {}
    grouped = f"SELECT {column}, {reader.dialect.listed('node')} {texts} GROUP BY {column}"
    for text, ids in reader.rows(grouped, [term]):
        found.update(dict.fromkeys(json.loads(f"[{ids}]"), text))
    return found


def _hop_column(selection: Selection, path: Path) -> Column | None:
    """Return the column of a path that leads to neighbours: of one each, or read from documents."""
    reader, rest = selection.reader, path.segments[1:]
    found: dict[int, Any] = {}
    several: set[int] = set()
    for edge, forward, kind in selection.vocabulary.hops(selection.kind)[path.segments[0]]:
        own_word = len(rest) == 1 and rest[0] in OWN_WORDS
        indexed = attributes.is_indexed(kind, rest) and rest[0] not in ("params", "metrics")
        if not (own_word or indexed) or selection.compiler.marked(kind):
            return None
        far = _plain_column(selection, kind, rest, own_word)
        near_end, far_end = ("source", "target") if forward else ("target", "source")
        sql = (
            f"SELECT e.{near_end}, n.id FROM node n {reader.dialect.join} edge e "
            f"ON e.{far_end} = n.id AND e.kind = ? WHERE n.kind = ?"
        )
        params = [reader.term(edge.name), reader.term(kind)]
        if reader.shown is not None:
            shown, values = reader.shown.condition(kind, "n")
            sql, params = f"{sql} AND {shown}", [*params, *values]
        for id, neighbour in reader.rows(sql, params):
            if id in found:
                several.add(id)
            found[id] = far.get(neighbour)
    for record in selection.of_ids(several, [path]) if several else ():
        found[record.sequence] = scalar(record.read(path))
    return found


def _counted(selection: Selection, path: Path) -> dict[Any, int] | None:
    """Count all nodes of the kind by an indexed value in one statement, None where that cannot be."""
    own_word = len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own
    if selection.marked or own_word or hop_of(selection.vocabulary, selection.kind, path):
        return None
    term, element = selection.path_terms(selection.kind, path.segments)
    if element is not None or not indexable(selection.kind, path):
        return None
    dialect = selection.reader.dialect
    where, params = "path = ?", [term]
    if selection.reader.shown is not None:
        shown, values = selection.reader.shown.whole(selection.kind, "v.node")
        where, params = f"{where} AND {shown}", [*params, *values]
    sql = f"SELECT count(*), {dialect.value} FROM value v WHERE {where} GROUP BY {dialect.value}"
    found: dict[tuple[bool, Any], int] = {}
    for number, *cells in selection.reader.rows(sql, params):
        value = dialect.read_value(cells)
        key = (isinstance(value, bytes), python_value(value))
        found[key] = found.get(key, 0) + number
    missing = count(selection, None)[None] - sum(found.values())
    return tally_counts({**found, (False, None): missing} if missing else found)
