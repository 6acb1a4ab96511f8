"""Matches in the order of what stands at a path of their neighbour: its values come in order, each with what
lies one edge from it, so that a page takes no look at all that matches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from math import isqrt
from operator import itemgetter
from typing import Any

from arangopipe.model import attributes
from arangopipe.model.expressions import Expression, OrderKey, sort_key
from arangopipe.store.records import OWN_WORDS, Record, hop_of
from arangopipe.store.sql.compile import Condition, joined
from arangopipe.store.sql.loading import chunks
from arangopipe.store.sql.selection import FIRST_ROWS, N_NODE, ROW_COST, Selection

FIRST_VALUES = 16
LAST_VALUES = 1_024
"""So many values are looked at together, at first and at most."""

LISTED = 10_000
"""So many edges are listed rather than looked for behind each match."""

Start = tuple[Any, int] | None
"""The value (None: missing) and the integer id after which to go on; None: from the start."""

Group = tuple[Any, list[int]]
"""A value, and the integers of the neighbours that have it."""


@dataclass(frozen=True)
class _Way:
    """The edges to neighbours (their kind, the near and the far end), and where these have the value."""

    steps: Sequence[tuple[int, str, str]]
    kind: str
    word: str
    path: int | None


class ByNeighbour(Selection):
    """Searches that can be in the order of a neighbour's value."""

    def _way(self, key: OrderKey) -> _Way | None:
        """Return the way to the values of an order; None where they must be read off each match."""
        path = key.path
        if self.reader.at is not None or self.marked or not hop_of(self.vocabulary, self.kind, path):
            return None
        hops, rest = self.vocabulary.hops(self.kind)[path.segments[0]], path.segments[1:]
        kind = hops[0][2]
        if any(far != kind for _, _, far in hops) or self.compiler.marked(kind):
            return None
        word = rest[0] if len(rest) == 1 and rest[0] in OWN_WORDS else ""
        if word:
            term = None if word in ("name", "key") else 0
        elif rest[0] in ("params", "metrics") or not attributes.is_indexed(kind, rest):
            term = 0
        else:
            known, element = self.path_terms(kind, rest)
            # Of an array each element is a value of its own.
            term = 0 if known is None or element is not None else known
        if term == 0:
            return None
        ends = [("source", "target") if forward else ("target", "source") for _, forward, _ in hops]
        terms = [self.reader.term(edge.name) for edge, _, _ in hops]
        steps = [(term, *pair) for term, pair in zip(terms, ends, strict=True) if term is not None]
        return _Way(steps, kind, word, term) if steps else None

    def _by_neighbour(self, way: _Way, key: OrderKey, start: Start, limit: int) -> Iterator[Record] | None:
        """Yield matches in order, those without one value last; None where so few match that all are read."""
        parts = [self._singly.condition(item) for item in self._items]
        rare, many = isqrt(limit * self.size() // ROW_COST), max(isqrt(limit * self.size()), LISTED)
        for part in parts:
            count = None if part.span else self._count(part, rare)
            if count is not None and count <= rare:
                return None
        decided = [part.exact and not part.span for part in parts]
        condition = joined(" AND ", [part for part, known in zip(parts, decided, strict=True) if known])
        undecided = [item for item, known in zip(self._items, decided, strict=True) if not known]
        missing = self._without(way, key, condition, undecided, start)
        if start is not None and start[0] is None:
            return missing
        valued = self._with(way, key, condition, undecided, start, many)
        return chain(valued, missing)

    def _with(
        self,
        way: _Way,
        key: OrderKey,
        condition: Condition,
        undecided: Sequence[Expression],
        start: Start,
        many: int,
    ) -> Iterator[Record]:
        """Yield the matches that have one value."""
        groups = self._groups(way, key, start)
        size = 1 if start is not None else FIRST_VALUES
        while batch := list(islice(groups, size)):
            size = min(max(2 * size, FIRST_VALUES), LAST_VALUES)
            for few in [batch] if self._fits(way, batch, many) else ([group] for group in batch):
                if len(few) > 1 or self._fits(way, few, many):
                    rows = self._rows_of(way, key, few, condition)
                else:
                    rows = self._rows_by_id(key, condition, self._linked(way, few[0][1]), None)
                for _, record in self._records(rows, [key.path], undecided):
                    if not sort_key(record.read(key.path))[0]:
                        yield record

    def _groups(self, way: _Way, key: OrderKey, start: Start) -> Iterator[Group]:
        """Yield the values of neighbours in order, from the one at which to go on."""
        rows = self._words(way, key, start) if way.path is None else self._values_of(way, key, start)
        for value, group in groupby(rows, itemgetter(0)):
            ids = [id for _, id in group]
            if self.reader.shown is not None:
                ids = list(self.reader.shown.names(ids))
            yield value, ids

    def _words(self, way: _Way, key: OrderKey, start: Start) -> Iterator[tuple[Any, int]]:
        direction, follows = ("DESC", "<=") if key.descending else ("ASC", ">=")
        column = f"n.{way.word}"
        sql = f"SELECT {column}, n.id FROM node n WHERE n.kind = ? AND {column} IS NOT NULL"
        params: list[Any] = [self.reader.term(way.kind)]
        if start is not None:
            sql, params = f"{sql} AND {column} {follows} ?", [*params, start[0]]
        return self.reader.first(FIRST_VALUES, f"{sql} ORDER BY {column} {direction}, n.id", params)

    def _values_of(self, way: _Way, key: OrderKey, start: Start) -> Iterator[tuple[Any, int]]:
        dialect = self._dialect
        direction, follows = ("DESC", "<=") if key.descending else ("ASC", ">=")
        order = ", ".join(f"{column} {direction}" for column in dialect.value_order)
        types = list(enumerate(dialect.value_types if start is not None else (("true", ""),)))
        last = None if start is None else dialect.type_of(start[0])
        for place, (of_type, column) in reversed(types) if key.descending else types:
            if last is not None and (place > last if key.descending else place < last):
                continue
            where, params = f"v.path = ? AND {of_type}", [way.path]
            if start is not None and place == last:
                where, params = f"{where} AND {column} {follows} ?", [*params, dialect.bound(start[0])]
            sql = f"SELECT v.node, {dialect.value} FROM value v WHERE {where} ORDER BY {order}"
            for id, *cells in self.reader.first(FIRST_VALUES, sql, params):
                yield dialect.read_value(cells), id

    def _edges(self, way: _Way, groups: Sequence[Group]) -> tuple[str, list[Any]]:
        """Return SQL for the edges (near, far) that lead to neighbours."""
        some = self._dialect.some([id for _, ids in groups for id in ids])
        parts = [
            f"SELECT {near} AS near, {far} AS far FROM edge "
            f"WHERE {self._dialect.among(far)} AND kind = {term:d}"
            for term, near, far in way.steps
        ]
        return " UNION ALL ".join(parts), [some] * len(parts)

    def _fits(self, way: _Way, groups: Sequence[Group], many: int) -> bool:
        """Whether so few edges lead to neighbours that all are read."""
        sql, params = self._edges(way, groups)
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({sql}) AS edges LIMIT {many + 1}) AS counted"
        return bool(self.reader.cursor.execute(sql, params).fetchone()[0] <= many)

    def _rows_of(
        self, way: _Way, key: OrderKey, groups: Sequence[Group], condition: Condition
    ) -> Iterator[Any]:
        """Yield the rows that lie one edge from some neighbours, in the order of these."""
        places = {id: place for place, (_, ids) in enumerate(groups) for id in ids}
        near = {(places[far], id) for id, far in self.reader.rows(*self._edges(way, groups))}
        sign = -1 if key.descending else 1
        ids = dict.fromkeys(id for _, id in sorted(near, key=lambda each: (each[0], sign * each[1])))
        for part in chunks(ids):
            yield from self._rows_among(part, condition)

    def _rows_among(self, ids: Sequence[int], condition: Condition) -> Iterator[Any]:
        of_kind, params = self._of_kind(self._dialect.unindexed("n.kind"))
        among = self._dialect.among("n.id")
        sql = f"SELECT {N_NODE} FROM node n WHERE {of_kind} AND ({condition.sql}) AND {among}"
        rows = self.reader.rows(sql, [*params, *condition.params, self._dialect.some(ids)])
        found: Mapping[int, Any] = {row[0]: row for row in rows}
        return (found[id] for id in ids if id in found)

    def _linked(self, way: _Way, ids: Iterable[int]) -> Condition:
        """Return the condition that an edge leads to one of some neighbours."""
        some, among = self._dialect.some(ids), self._dialect.among
        tests = [
            self._dialect.exists(
                f"SELECT 1 FROM edge WHERE {near} = n.id AND kind = {term:d} AND {among(far)}"
            )
            for term, near, far in way.steps
        ]
        return Condition(" OR ".join(tests), [some] * len(tests))

    def _rows_by_id(
        self, key: OrderKey, condition: Condition, more: Condition, after: int | None
    ) -> Iterator[Any]:
        """Yield rows as they were created, as they are asked for."""
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        # Every third node is a run: those that are next are near, without a look at all runs.
        of_kind, params = self._of_kind(self._dialect.unindexed("n.kind") if self.kind == "run" else "n.kind")
        sql = f"SELECT {N_NODE} FROM node n WHERE {of_kind} AND ({condition.sql}) AND ({more.sql})"
        params = [*params, *condition.params, *more.params]
        if after is not None:
            sql, params = f"{sql} AND n.id {follows} ?", [*params, after]
        return self.reader.first(FIRST_ROWS, f"{sql} ORDER BY n.id {direction}", params)

    def _without(
        self,
        way: _Way,
        key: OrderKey,
        condition: Condition,
        undecided: Sequence[Expression],
        start: Start,
    ) -> Iterator[Record]:
        """Yield the matches that do not have one value, as they were created."""
        after = start[1] if start is not None and start[0] is None else None
        rows = self._rows_by_id(key, condition, self._may_lack(way), after)
        for _, record in self._records(rows, [key.path], undecided):
            if sort_key(record.read(key.path))[0]:
                yield record

    def _may_lack(self, way: _Way) -> Condition:
        """Return a condition that spares most of what has one value from being read."""
        if len(way.steps) > 1 or self.reader.shown is not None:
            return Condition("true")
        ((term, near, far),) = way.steps
        edges = f"FROM edge WHERE {near} = n.id AND kind = {term:d}"
        lacks = f"(SELECT count(*) {edges}) <> 1"
        if way.path is None:
            return Condition(lacks)
        valued = f"SELECT node FROM value WHERE path = {way.path:d}"
        return Condition(f"({lacks} OR EXISTS (SELECT 1 {edges} AND {self._dialect.lacks(far, valued)}))")
