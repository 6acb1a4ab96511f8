"""Reads by id, name, edge and time: rows of the tables into the values of `model.graph`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model import chain, documents, times
from arangopipe.model.graph import Change, Edge, Entry, Left, Node, Point, Revision
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, EdgeKind
from arangopipe.store.scope import Scope
from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.shown import WORDS, Shown
from arangopipe.store.sql.standing import Standing
from arangopipe.store.sql.terms import Terms
from arangopipe.store.sql.writing import change_of, read_change

NODE = "id, kind, key, coalesce(name, ''), coalesce(version, ''), project, revision, coalesce(document, '{}')"
EDGE = "source, kind, target, revision, document"

OWNED = "coalesce((SELECT document FROM node WHERE kind = ? AND key = each.value), '{}')"

MANY = 4

PART = 10_000
"""Edges that are read at a time."""

NodeRow = tuple[int, int, str, str, str, str, int, str]
EdgeRow = tuple[int, int, int, int, str | None]
EdgeKey = tuple[int, int, int]


make_node: Callable[[tuple[Any, ...]], Node] = partial(tuple.__new__, Node)
make_edge: Callable[[tuple[Any, ...]], Edge] = partial(tuple.__new__, Edge)
"""Make a value of all its fields, in half the time of ``Node(…)``."""


def states(
    table: str, columns: str, where: str, at: int | None, of_each: Callable[[str, str], str] | None = None
) -> str:
    """Return SQL for the rows of `node` or `edge` where a condition holds, now or at a change.

    `of_each` (that is `Dialect.of_each`) is given where the condition is on ``each``: where two columns of an
    index are to be among some values, SQLite finds each pair at once this way, and searches row by row the
    other way. The parameters are needed once now, and twice at a change.
    """
    rows = of_each or _rows
    if at is None:
        return f"SELECT {columns} FROM {rows(table, where)}"
    # Most rows are as old as that: without the sign SQLite reads a whole table by its index on numbers.
    sign = "" if of_each else "+"
    then = f"{where} AND {sign}revision <= {at:d}"
    return (
        f"SELECT {columns} FROM {rows(table, then)} UNION ALL "
        f"SELECT {columns} FROM {rows(f'{table}_past', f'{then} AND {sign}closed > {at:d}')}"
    )


def _rows(table: str, where: str) -> str:
    return f"{table} WHERE {where}"


class Reader(Standing):
    """Reads inside one open transaction, as of one change (None: now), what a scope shows (None: all)."""

    def __init__(self, cursor: Cursor, terms: Terms, at: int | None, scope: Scope | None = None) -> None:
        super().__init__(cursor, terms)
        self.at = at
        self.shown = None if scope is None else Shown(self, scope)
        self.brought: dict[str, tuple[str, str]] | None = None
        """What runs own, by their keys, which came with them; None where nothing is asked for later."""

    def select(self, table: str, columns: str, where: str, *params: Any) -> list[Any]:
        """Return the rows of `states`."""
        sql = states(table, columns, where, self.at)
        return list(self.rows(sql, params if self.at is None else params * 2))

    def rows(self, sql: str, params: Sequence[Any]) -> Iterator[Any]:
        """Yield rows by a cursor of their own, so that other reads may come between."""
        return iter(self.cursor.connection.execute(sql, params))

    def many(self, sql: str, params: Sequence[Any]) -> Iterator[Any]:
        """Yield all of very many rows, as they are asked for."""
        return rows_of(self.cursor, sql, params)

    def first(self, few: int, sql: str, params: Sequence[Any]) -> Iterator[Any]:
        """Yield perhaps very many rows, of which a few are likely to do, in an order without ties."""
        return rows_of(self.cursor, sql, params, few)

    def node(self, row: NodeRow) -> Node:
        """Return the node of a row of `NODE`."""
        return Node(self.terms.texts(self.cursor, row[1])[row[1]], *row[2:8])

    def nodes(self, rows: Sequence[NodeRow]) -> list[Node]:
        """Return the nodes of rows of `NODE`."""
        texts = self.texts(rows)
        return [make_node((texts[row[1]], *row[2:8])) for row in rows]

    def get(self, node_id: str, columns: str = NODE) -> NodeRow | None:
        """Return the row of an id, with all its columns or those of `WORDS`."""
        kind, key = split_id(node_id)
        term = self.term(kind)
        if term is None:
            return None
        rows = self._shown(self.select("node", columns, "kind = ? AND key = ?", term, key))
        return rows[0] if rows else None

    def _shown(self, rows: list[NodeRow]) -> list[NodeRow]:
        return rows if self.shown is None else self.shown.rows(rows)

    def get_many(self, node_ids: Sequence[str], columns: str = NODE) -> list[NodeRow | None]:
        """Return the row of each id, with one query for each kind among them (see `get`)."""
        if len(node_ids) < MANY:
            return [self.get(node_id, columns) for node_id in node_ids]
        ids = [split_id(node_id) for node_id in node_ids]
        found: dict[str, dict[str, NodeRow]] = {}
        for kind in dict.fromkeys([kind for kind, _ in ids]):
            keys = self.dialect.some([key for known, key in ids if known == kind])
            rows = self.select(
                "node", columns, f"kind = ? AND {self.dialect.among('key')}", self.term(kind), keys
            )
            found[kind] = {row[2]: row for row in self._shown(rows)}
        return [found[kind].get(key) for kind, key in ids]

    def owned(self, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return, by key of a run, the current texts of what it owns, one look-up each."""
        found = self.brought or {}
        if not found.keys() >= set(keys):
            terms = [self.term(kind) for kind in OWNED_BY_RUN]
            texts = ", ".join([OWNED] * len(terms))
            sql = f"SELECT each.value, {texts} FROM {self.dialect.each_text}"
            rows = self.cursor.execute(sql, (*terms, self.dialect.some(self.shown_keys(keys))))
            found = {key: (params, metrics) for key, params, metrics in rows}
        return {key: found.get(key, (documents.EMPTY, documents.EMPTY)) for key in keys}

    def shown_keys(self, keys: Sequence[str]) -> Sequence[str]:
        """Return the keys of runs but for those of hidden ones."""
        if self.shown is None:
            return keys
        return [row[2] for row in self.get_many([f"run/{key}" for key in keys]) if row is not None]

    def by_ids(self, ids: Iterable[int]) -> list[NodeRow]:
        """Return the rows of integer ids, each given once, now in their order: as the table has them."""
        return self._shown(self.of_ids(NODE, ids))

    def of_ids(self, columns: str, ids: Iterable[int]) -> list[Any]:
        """Return some columns of integer ids as `by_ids` does, also of what is not shown."""
        params = [self.dialect.some(sorted(ids))]
        sql = states("node", columns, "id = each", self.at, self.dialect.of_each)
        return list(self.rows(sql, params if self.at is None else params * 2))

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """Return the ids of nodes by their integers, also of what is not shown."""
        rows = self.of_ids("id, kind, key", ids)
        texts = self.texts(rows)
        return {id: f"{texts[kind]}/{key}" for id, kind, key in rows}

    def texts(self, rows: Iterable[Any]) -> Mapping[int, str]:
        """Return at least the kinds of rows, by their integers."""
        return self.terms.texts(self.cursor, *{row[1] for row in rows})

    def find(self, kind: str, name: str, project: str | None) -> list[NodeRow]:
        """Return the rows of that name, the newest first."""
        term = self.term(kind)
        test = self.dialect.named
        where, params = f"kind = ? AND {test}", [term, *[name] * test.count("?")]
        if project is not None:
            where, params = where + " AND project = ?", [*params, project]
        return sorted(self._shown(self.select("node", NODE, where, *params)), key=itemgetter(0), reverse=True)

    def called(self, kind: str, text: str) -> list[NodeRow]:
        """Return the row of that key or, where there is none, those of that name, the newest first."""
        _, key = split_id(f"{kind}/{text}")
        term, test = self.term(kind), self.dialect.named
        sql = " UNION ALL ".join(
            [states("node", NODE, f"kind = ? AND {where}", self.at) for where in ("key = ?", test)]
        )
        times = 1 if self.at is None else 2
        params = [*[term, key] * times, *[term, *[text] * test.count("?")] * times]
        rows = self._shown(self.cursor.execute(sql, params).fetchall())
        rows = [row for row in rows if row[2] == key] or rows
        return sorted(dict.fromkeys(rows), key=itemgetter(0), reverse=True)

    def _edges_of(self, rows: Sequence[EdgeRow], names: dict[int, str]) -> Iterator[tuple[EdgeKey, Edge]]:
        """Yield the edges of rows of `EDGE`, both ends of which are shown; `names` gets the ids of ends."""
        ends = {end for row in rows for end in (row[0], row[2])}
        names.update((self.shown or self).names(ends - names.keys()))
        texts = self.texts(rows)
        for source, kind, target, revision, document in rows:
            if source in names and target in names:
                fields = texts[kind], names[source], names[target], revision, document or documents.EMPTY
                yield (source, kind, target), make_edge(fields)

    def with_nodes(self, ids: Iterable[int]) -> list[tuple[NodeRow, Node]]:
        """Return the rows of integer ids, each with its node."""
        rows = self.by_ids(ids)
        return list(zip(rows, self.nodes(rows), strict=True))

    def touching(self, node_ids: Iterable[str], kinds: Sequence[str], limit: int) -> tuple[Edge, ...]:
        """Return the edges that touch any of these nodes."""
        rows = self.get_many(list(dict.fromkeys(node_ids)), WORDS)
        names = {row[0]: node_id for row, node_id in zip(rows, dict.fromkeys(node_ids), strict=True) if row}
        terms = self._terms_of(kinds)
        if kinds and not terms:
            return ()
        only = f" AND kind IN ({', '.join(map(str, terms))})" if kinds else ""
        params = [self.dialect.some(names)] * (1 if self.at is None else 2)
        found: dict[EdgeKey, Edge] = {}
        for end in ("source", "target"):
            sql = states("edge", EDGE, f"{end} = each{only}", self.at, self.dialect.of_each)
            edges = self.many(sql, params)
            while len(found) < limit and (part := list(islice(edges, min(limit, PART)))):
                found.update(self._edges_of(part, names))
        return tuple(found.values())[:limit]

    def degree(self, id: int, edge: EdgeKind, outward: bool, most: int) -> int:
        """Return how many edges of a kind lead from a node, or to it, to what is shown, up to `most`."""
        near, far, kind = ("source", "target", edge.target) if outward else ("target", "source", edge.source)
        term = self.term(edge.name)
        if term is None:
            return 0
        where, params = f"{near} = ? AND kind = ?", [id, term]
        if self.shown is not None:
            if kind is None or self.at is not None:
                # What is shown depends on the kind of each, or on its state at that moment.
                rows = iter(self.select("edge", EDGE, where, *params))
                count = 0
                while count < most and (part := list(islice(rows, PART))):
                    count += sum(1 for _ in self._edges_of(part, {}))
                return min(count, most)
            shown, values = self.shown.far(kind, far)
            where, params = f"{where} AND {shown}", [*params, *values]
        sql = states("edge", "1", where, self.at)
        sql = f"SELECT count(*) FROM ({sql} LIMIT {most:d}) AS counted"
        return int(self.cursor.execute(sql, params if self.at is None else params * 2).fetchone()[0])

    def _terms_of(self, kinds: Iterable[str]) -> list[int]:
        found = (self.term(kind) for kind in kinds)
        return [term for term in found if term is not None]

    def points(self, run: int, name: str | None) -> dict[str, list[Point]]:
        """Return the points of a run by metric, ordered by (step, time, arrival)."""
        where, params = "run = ?", [run]
        if name is not None:
            where, params = where + " AND name = ?", [run, self.name(f"={name}")]  # type: ignore[list-item]
        if self.at is None:
            where += " AND closed IS NULL"
        else:
            where += f" AND revision <= {self.at:d} AND (closed IS NULL OR closed > {self.at:d})"
        rows = self.cursor.execute(
            f"SELECT name, document FROM point WHERE {where} AND document IS NOT NULL ORDER BY revision",
            params,
        ).fetchall()
        texts = self.terms.texts(self.cursor, *{row[0] for row in rows})
        found: dict[str, list[Point]] = {}
        for term, text in rows:
            found.setdefault(texts[term][1:], []).extend(map(Point._make, json.loads(text)))
        for series in found.values():
            series.sort(key=itemgetter(1))  # by time, then by step: no pair is made of each point
            series.sort(key=itemgetter(0))
        return found


def rows_of(cursor: Cursor, sql: str, params: Sequence[Any], few: int = 0) -> Iterator[Any]:
    """Yield rows by a cursor of their own, as they are asked for; `few`: so many are likely to do."""
    return iter(cursor.connection.stream(sql, params, few))


def resolve(cursor: Cursor, as_of: int | datetime | None) -> int | None:
    """Return the change number that `as_of` means, None for now."""
    if as_of is None:
        return None
    if isinstance(as_of, datetime):
        if as_of.tzinfo is None:
            raise InvalidInput(f"as_of {as_of} has no time zone")
        row = cursor.execute(
            "SELECT coalesce(max(number), 0) FROM change WHERE time <= ?",
            (times.to_microseconds(as_of),),
        ).fetchone()
        return int(row[0])
    if isinstance(as_of, bool) or not isinstance(as_of, int) or as_of < 0:
        raise InvalidInput(f"as_of is a change number or a time, not {as_of!r}")
    return as_of


def revisions(reader: Reader, node_id: str) -> tuple[Revision, ...]:
    """Return every state a node had, the oldest first."""
    kind, key = split_id(node_id)
    term = reader.term(kind)
    rows = reader.cursor.execute(
        f"SELECT {NODE}, closed FROM node_past WHERE kind = ? AND key = ? "
        f"UNION ALL SELECT {NODE}, NULL FROM node WHERE kind = ? AND key = ?",
        (term, key, term, key),
    ).fetchall()
    rows.sort(key=lambda row: (row[8] is None, row[6]))
    found = []
    for *row, closed in rows:
        change = read_change(reader.cursor, row[6])
        ended = None if closed is None else read_change(reader.cursor, closed)
        found.append(Revision(reader.node(row), change, ended))
    return tuple(found)


def head(cursor: Cursor, at: int | None) -> Change | None:
    """Return the last change up to a number."""
    bound = "" if at is None else f"WHERE number <= {at:d}"
    row = cursor.execute(f"SELECT max(number) FROM change {bound}").fetchone()
    return None if row[0] is None else read_change(cursor, row[0])


CHANGES = (
    "SELECT number, time, actor, action, reason, batch, digest, chain, origin, salt FROM change "
    "WHERE number > ? ORDER BY number LIMIT ?"
)


def changes(cursor: Cursor, after: int, limit: int) -> list[Change]:
    """Return the next changes after a number, without their rows."""
    return [change_of(row[:-1]) for row in cursor.execute(CHANGES, (after, limit))]


def changes_with_entries(cursor: Cursor, after: int, limit: int) -> Iterator[Change]:
    """Yield the next changes after a number, each with the rows it wrote, closed and erased."""
    grouped = groupby(_entries(cursor, after, after + limit), key=itemgetter(0))
    number, group = next(grouped, (None, iter(())))
    for *row, salt in rows_of(cursor, CHANGES, (after, limit)):
        change = change_of(tuple(row))
        note = chain.note_text(change.batch, change.action, change.reason, change.origin)
        found = [Entry(False, note, salt)]
        if number == change.number:
            found += [entry for _, _, entry in group]
            number, group = next(grouped, (None, iter(())))
        yield change._replace(entries=tuple(found))


# The id of a node, current or not, whose integer is {0}.
NAME = (
    "coalesce((SELECT (SELECT text FROM term WHERE id = kind) || '/' || key FROM node WHERE id = {0}), "
    "(SELECT (SELECT text FROM term WHERE id = kind) || '/' || key FROM node_past WHERE id = {0} LIMIT 1))"
)
KIND = "(SELECT text FROM term WHERE id = kind)"
_NODE_ENTRY = f"{KIND}, key, coalesce(name, ''), coalesce(version, ''), project, document"
_EDGE_ENTRY = f"{KIND}, {NAME.format('source')}, {NAME.format('target')}, coalesce(document, '{{}}')"
_METRIC = "(SELECT substr(text, 2) FROM term WHERE id = name)"
_POINT_ENTRY = f"{NAME.format('run')}, {_METRIC}, document"
_WRITTEN, _ENDED = ("revision",), ("revision", "closed")
_LAST = "9223372036854775807"
_ENTRIES: tuple[tuple[str, str, str, Sequence[str], Callable[..., str]], ...] = (
    ("node", _NODE_ENTRY, "id", _WRITTEN, chain.node_text),
    ("node_past", _NODE_ENTRY, "id", _ENDED, chain.node_text),
    ("edge", _EDGE_ENTRY, _LAST, _WRITTEN, chain.edge_text),
    ("edge_past", _EDGE_ENTRY, _LAST, _ENDED, chain.edge_text),
    ("point", _POINT_ENTRY, _LAST, _ENDED, chain.points_text),
)
# Of the tables whose rows can be erased: what is left of one (`graph.Left`), and its digest.
_LEFT = {
    "node_past": (f"'node', {KIND} || '/' || key, project", "revision, closed, erased, digest"),
    "point": (f"'points', {NAME.format('run')}, {_METRIC}", "revision, closed, erased, digest"),
}


def _entries(cursor: Cursor, after: int, upto: int) -> Iterator[tuple[int, int, Entry]]:
    """Yield (change number, place, row written, closed or erased) in the order of changes.

    Within a change nodes come first, as they were created.
    """

    def rows(table: str, columns: str, place: str, at: str, where: str) -> Iterator[Any]:
        sql = f"SELECT {at}, {place}, {columns} FROM {table} WHERE {at} > ? AND {at} <= ? AND {where} "
        return rows_of(cursor, f"{sql} ORDER BY 1, 2", (after, upto))

    def whole(table: str, columns: str, place: str, at: str, text: Callable[..., str]) -> Iterator[Any]:
        where = "digest IS NULL" if table in _LEFT else "true"
        for number, id, salt, *row in rows(table, f"salt, {columns}", place, at, where):
            yield number, id, Entry(at == "closed", text(*row), salt)

    def erased(table: str, place: str, at: str) -> Iterator[Any]:
        for number, id, *life, digest in rows(
            table, ", ".join(_LEFT[table]), place, at, "digest IS NOT NULL"
        ):
            left = Left(*life)
            entry = Entry(at == "closed", None, None, digest, left)
            if at == "erased":
                text = chain.erased_text(left.what, left.id, left.project, digest)
                entry = Entry(False, text, chain.OPEN_SALT)
            yield number, id, entry

    streams: list[Iterator[tuple[int, int, Entry]]] = []
    for table, columns, place, numbers, text in _ENTRIES:
        streams += [whole(table, columns, place, at, text) for at in numbers]
        if table in _LEFT:
            streams += [erased(table, place, at) for at in (*numbers, "erased")]
    return merge(*streams, key=itemgetter(0, 1))
