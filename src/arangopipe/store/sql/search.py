"""Searches: a plan in SQL, and documents where the value index cannot say.

No single plan is safe: at a million runs, walking a metric's index in order and starting from a rare
parameter differ by over a thousand times either way. A probe that counts how rare each condition is decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import chain, islice
from math import isqrt
from typing import Any

from arangopipe.model.expressions import (
    And,
    Compare,
    Expression,
    OrderKey,
    Path,
    paths,
    predicate,
    sort_key,
)
from arangopipe.model.graph import Node, Page
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store import cursors
from arangopipe.store.records import OWN_WORDS, Record, hop_of, needs
from arangopipe.store.sql.compile import Compiler, Condition, conjuncts, indexable, indexed_paths, joined
from arangopipe.store.sql.dialect import python_value
from arangopipe.store.sql.loading import chunks, records
from arangopipe.store.sql.reading import Reader, make_node
from arangopipe.store.sql.shown import Shows

WIDE = 50_000
"""A range that takes in more nodes than this is left to the documents."""

ROW_COST, RECORD_COST = 10, 60
"""What it takes to fetch and sort a rare node, and to read its documents too; trying one in order is 1."""

LISTED = 20
"""A range that takes in so many times what the rare part does is left to the documents."""

N_NODE = (
    "n.id, n.kind, n.key, coalesce(n.name, ''), coalesce(n.version, ''), n.project, n.revision, "
    "coalesce(n.document, '{}')"
)
AT_PATH = "SELECT node FROM value WHERE path = ?"
MISSING = sort_key([])

HAS_WORD = {
    "name": ("n.name IS NOT NULL", "n.name IS NULL"),
    "project": ("n.project <> ''", "n.project = ''"),
}
"""Of own words with an index: tests whether a node has one, and whether it has none."""

FIRST_ROWS = 104
"""So many rows are fetched at first where documents decide which of them are taken."""

Found = tuple[Any, Node, int]
"""What a match is sorted by (a list of `sort_key`s, or one value as its column keeps it), the node, its
integer id."""

First = Callable[[str, Sequence[Any]], Iterator[tuple[Any, Node]]]
"""Yields the rows of a statement in its order, with their nodes."""

After = list[Any] | None
"""Where the last page ended: sort values, integer id, key and name; None: nowhere yet."""


def _sort_values(found: Any) -> list[Any]:
    """Return the sort keys of what was found."""
    return found if isinstance(found, list) else [sort_key([python_value(found)])]


class Search:
    """One search on nodes of one kind, in the state that the reader is set to."""

    def __init__(
        self,
        reader: Reader,
        vocabulary: Vocabulary,
        kind: str,
        where: Expression | None,
        order: Sequence[OrderKey] = (),
    ) -> None:
        self.reader = reader
        self._dialect = reader.dialect
        self.vocabulary = vocabulary
        self.kind = kind
        self.where = where
        self._items = conjuncts(where)
        self._order = tuple(order)
        self._term = reader.term(kind)
        self.compiler = Compiler(reader, vocabulary, kind)
        self._singly = Compiler(reader, vocabulary, kind, singly=True)
        self.marked = self.compiler.marked(kind)
        self._by_name = vocabulary.nodes[kind].identity == "name"
        self.of_kind = self._of_kind("n.kind")

    def _of_kind(self, column: str) -> Shows:
        """Return the condition that a node ``n`` is of the kind, and shown."""
        if self.reader.shown is None:
            return f"{column} = ?", [self._term]
        shown, params = self.reader.shown.condition(self.kind, "n")
        return f"{column} = ? AND {shown}", [self._term, *params]

    def page(self, limit: int, cursor: str | None) -> Page:
        """Return one page."""
        after = cursors.decode(self._mark(), cursor) if cursor is not None else None
        found = list(islice(self._found(after, limit + 1), limit + 1))
        nodes = tuple([node for _, node, _ in found[:limit]])
        if len(found) <= limit:
            return Page(nodes, None)
        values, node, id = found[limit - 1]
        return Page(nodes, cursors.encode(self._mark(), [_sort_values(values), id, node.key, node.name]))

    def _mark(self) -> str:
        scope = None if self.reader.shown is None else self.reader.shown.scope
        return cursors.query_mark(self.kind, self.where, self._order, self.reader.at, scope)

    def matching(self, read: Iterable[Path] = ()) -> Iterator[Record]:
        """Yield the record of every match, in no order, with what `read` needs."""
        if self._term is None:
            return iter(())
        if self.reader.at is not None:
            rows = self.reader.many(*self._then(self.reader.at, self.size()))
            return self._matching(self._shown(rows), read)
        condition = self.condition()
        rows = self.reader.many(*self._select(condition))
        return self._matching(rows, read, () if condition.exact else self._items)

    def _shown(self, rows: Iterator[Any]) -> Iterator[Any]:
        shown = self.reader.shown
        return rows if shown is None else (row for part in chunks(rows) for row in shown.rows(part))

    def count(self) -> int:
        """Return how many nodes match."""
        condition = self.condition()
        if self._term is None or self.reader.at is not None or not condition.exact:
            return sum(1 for _ in self.matching())
        sql, params = self._counting() or self._counting_rows(condition)
        return int(self.reader.cursor.execute(sql, params).fetchone()[0])

    def _counting_rows(self, condition: Condition) -> tuple[str, list[Any]]:
        of_kind, params = self.of_kind
        return f"SELECT count(*) FROM node n WHERE {of_kind} AND ({condition.sql})", [
            *params,
            *condition.params,
        ]

    def _counting(self) -> tuple[str, list[Any]] | None:
        """Return SQL that counts in the value index alone, None where rows must be looked at."""
        parts = [self.compiler.condition(item) for item in self._items]
        if self.reader.shown or not parts or not all(part.exact and part.once for part in parts):
            return None
        # A list is made of each but the first, which is likely the longest.
        first, *others = sorted(parts, key=lambda part: not part.span)
        tests = [f"node IN ({part.members})" for part in others]
        return (
            f"SELECT count(*) FROM ({first.members}) AS member WHERE {' AND '.join(tests) or 'true'}",
            [value for part in (first, *others) for value in part.member_params],
        )

    def ids(self) -> Iterator[tuple[int, str]] | None:
        """Yield (integer id, id) of every match; None where it cannot be said without documents."""
        condition = self.condition()
        if self.reader.at is not None or not condition.exact or self._term is None:
            return None
        of_kind, params = self.of_kind
        sql = f"SELECT n.id, n.key FROM node n WHERE {of_kind} AND ({condition.sql})"
        rows = self.reader.rows(sql, [*params, *condition.params])
        return ((id, f"{self.kind}/{key}") for id, key in rows)

    def path_terms(self, kind: str, segments: Sequence[str]) -> tuple[int | None, int | None]:
        """Return the interned path into nodes of a kind, and that of its array elements."""
        path, element = indexed_paths(kind, tuple(segments))
        return self.reader.term(path), self.reader.term(element)

    def of_ids(self, ids: Iterable[int], read: Iterable[Path]) -> Iterator[Record]:
        """Yield the records of some integer ids, with what `read` needs."""
        return self._matching(self.reader.by_ids(ids), read, [])

    def size(self) -> int:
        """Return about how many nodes of the kind there are, and seldom fewer."""
        nodes = self.reader.state()[0]
        return nodes // (1 + len(OWNED_BY_RUN)) if self.kind == "run" else nodes

    def condition(self) -> Condition:
        """Return the condition that the filter puts on current rows ``n``."""
        return self._whole([self.compiler.condition(item) for item in conjuncts(self.where)])

    def _found(self, after: After, limit: int) -> Iterator[Found]:
        """Yield the matches that follow a page, in order; about `limit` of them will be taken."""
        if self._term is None:
            return iter(())
        if self.reader.at is None and not self._order:
            return self._by_default(after, limit)
        if self.reader.at is not None and not self._order and not self._by_name:
            return self._by_key_then(self.reader.at, after, limit)
        if self.reader.at is None and len(self._order) == 1 and self._is_indexed(self._order[0].path):
            return self._by_value(self._order[0], after, limit)
        if self.reader.at is None and len(self._order) == 1 and self._order[0].path.text in HAS_WORD:
            return self._by_word(self._order[0], after, limit)
        return self._sorted(self.matching(key.path for key in self._order), after)

    def _is_indexed(self, path: Path) -> bool:
        own_word = len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own
        return not own_word and not hop_of(self.vocabulary, self.kind, path) and indexable(self.kind, path)

    # Sorted here

    def _sorted(self, matching: Iterable[Record], after: After) -> Iterator[Found]:
        found: list[Found] = [
            (cursors.sort_values(self._order, record.read), record.node, record.sequence)
            for record in matching
        ]
        found.sort(key=self._place)
        start = None if after is None else self._position(*after)
        return (item for item in found if start is None or self._place(item) > start)

    def _place(self, found: Found) -> cursors.Position:
        values, node, id = found
        return self._position(_sort_values(values), id, node.key, node.name)

    def _position(self, values: Sequence[Any], id: int, key: str, name: str) -> cursors.Position:
        if self._order:
            return cursors.position(self._order, values, id)
        return (name, -id) if self._by_name else (cursors.Reversed(key),)

    # In the order of names or keys

    def _by_default(self, after: After, limit: int) -> Iterator[Found]:
        condition, driver, undecided = self._plan(self._items, limit, ROW_COST)
        params: list[Any] = []
        sql = order = ""
        if self._by_name:
            order = self._dialect.by_name
            if after is not None:
                _, id, _, name = after
                test = self._dialect.after_name
                sql, params = f" AND {test}", [*[name] * (test.count("?") - 1), id]
        else:
            order = "n.key DESC"
            if after is not None:
                sql, params = " AND n.key < ?", [after[2]]
        rows = self._first(limit, undecided, *self._select(condition, driver, sql, params, order))
        return (([], node, row[0]) for row, node in rows)

    # In the order of names or projects that were asked for

    def _by_word(self, key: OrderKey, after: After, limit: int) -> Iterator[Found]:
        """Yield what has the word in its order, then what has none, by creation."""
        condition, driver, undecided = self._plan(self._items, limit, ROW_COST)
        if driver is not None:
            rare = self.reader.rows(*self._select(condition, driver))
            return self._sorted(self._matching(rare, [key.path], undecided), after)
        return self._worded(key, condition, undecided, after, limit)

    def _worded(
        self, key: OrderKey, condition: Condition, undecided: Sequence[Expression], after: After, limit: int
    ) -> Iterator[Found]:
        word = key.path.text
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        missing = after is not None and bool(after[0][0][0])
        for test, has in zip(HAS_WORD[word], (True, False), strict=True):
            if missing and has:
                continue
            place = f"n.{word} {direction}, n.id {direction}" if has else f"n.id {direction}"
            more, params = f" AND {test}", []
            if after is not None and has != missing:
                more += f" AND (n.{word}, n.id) {follows} (?, ?)" if has else f" AND n.id {follows} ?"
                params = [after[0][0][-1], after[1]] if has else [after[1]]
            sql = self._select(condition, None, more, params, place)
            for row, node in self._first(limit, undecided, *sql):
                yield [sort_key([getattr(node, word)]) if has else MISSING], node, row[0]

    # As of a change

    def _by_key_then(self, at: int, after: After, limit: int) -> Iterator[Found]:
        """Yield what matched at a change, the newest first, as it is asked for."""
        before = ("", []) if after is None else (" AND n.key < ?", [after[2]])
        sql, params = self._then(at, limit, *before)
        rows = self._shown(self.reader.first(max(limit, FIRST_ROWS), f"{sql} ORDER BY 3 DESC", params))
        return (([], node, row[0]) for row, node in self._passing(rows, self._items))

    def _then(self, at: int, limit: int, more: str = "", params: Sequence[Any] = ()) -> tuple[str, list[Any]]:
        """Return the SQL of all states at a change that may match, and its parameters.

        Of what has not changed since, the index knows what its own document says.
        """
        own = [item for item in self._items if all(map(self._is_own, paths(item)))]
        condition, driver, _ = self._plan(own, limit, ROW_COST)
        start, started = "", []
        if driver is not None:
            start = f" AND {self._dialect.starting('n.id', str(driver.members))}"
            started = driver.member_params
        kind = "n.kind" if driver is None else self._dialect.unindexed("n.kind")
        # Most rows are as old as that: without the sign SQLite would read a table by its index on numbers.
        return (
            f"SELECT {N_NODE} FROM node n WHERE {kind} = ? AND ({condition.sql}){start} "
            f"AND +n.revision <= {at:d}{more} UNION ALL SELECT {N_NODE} FROM node_past n "
            f"WHERE n.kind = ? AND +n.revision <= {at:d} AND +n.closed > {at:d}{more}",
            [self._term, *condition.params, *started, *params, self._term, *params],
        )

    def _is_own(self, path: Path) -> bool:
        """Whether a node's own row says what stands at a path."""
        of_run = self.kind == "run" and path.segments[0] in ("params", "metrics")
        return not of_run and not hop_of(self.vocabulary, self.kind, path)

    # In the order of a searchable value

    def _by_value(self, key: OrderKey, after: After, limit: int) -> Iterator[Found]:
        """Yield what has one scalar at the path in its order, then what has none."""
        inside, others = self._split(key.path)
        condition, driver, undecided = self._plan(others, limit, RECORD_COST)
        if driver is not None:
            rare = self.reader.rows(*self._select(condition, driver))
            return self._sorted(self._matching(rare, [key.path], [*inside, *undecided]), after)
        path, element = self.path_terms(self.kind, key.path.segments)
        first = partial(self._first, limit, undecided)
        found = self._valued(key, path, element, inside, condition, after, first)
        if not inside:
            # Missing values sort last: they are not looked for where the page is full without them.
            found = chain(found, self._valueless(key, path, element, condition, after, first))
        if not self.marked:
            return found
        marked = self._sorted(self._matching(self.reader.by_ids(self.marked), [key.path]), after)
        return merge(found, marked, key=self._place)

    def _split(self, path: Path) -> tuple[list[Compare], list[Expression]]:
        """Split the filter into comparisons on the ordering path itself and the rest."""
        items = conjuncts(self.where)
        if self.path_terms(self.kind, path.segments)[1] is not None:
            return [], list(items)
        inside = [item for item in items if isinstance(item, Compare) and item.path == path]
        return inside, [item for item in items if item not in inside]

    def _valued(
        self,
        key: OrderKey,
        path: int | None,
        element: int | None,
        inside: Sequence[Compare],
        condition: Condition,
        after: After,
        first: First,
    ) -> Iterator[Found]:
        """Yield what has one scalar at the ordering path, by way of the value index."""
        if after is not None and after[0][0][0]:
            return
        dialect = self._dialect
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        more = ""
        more_params: list[Any] = []
        for comparison in inside:
            test, values, _ = dialect.value_test(comparison)
            more, more_params = f"{more} AND {test}", [*more_params, *values]
        rest, rest_params = self._rest(condition, element)
        # The same number, but known before the row of the node is fetched.
        rest = rest.replace("n.id", "v.node")
        order = ", ".join(f"{column} {direction}" for column in dialect.value_order)
        # A first page comes of one statement; what follows a value, of one for each type.
        types = list(enumerate(dialect.value_types if after is not None else (("true", ""),)))
        last = None if after is None else dialect.type_of(after[0][0][-1])
        for place, (of_type, column) in reversed(types) if key.descending else types:
            if last is not None and (place > last if key.descending else place < last):
                continue
            test = f"v.path = ? AND {of_type}"
            params: list[Any] = [path]
            if after is not None and place == last:
                test = f"{test} AND ({column}, v.node) {follows} (?, ?)"
                params += [dialect.bound(after[0][0][-1]), after[1]]
            found = dialect.of_value(f"{test}{more}", order)
            sql = f"SELECT {N_NODE}, {dialect.value} FROM {found} AND {rest} ORDER BY {order}"
            for row, node in first(sql, [*params, *more_params, *rest_params]):
                yield dialect.read_value(row[8:]), node, row[0]

    def _valueless(
        self,
        key: OrderKey,
        path: int | None,
        element: int | None,
        condition: Condition,
        after: After,
        first: First,
    ) -> Iterator[Found]:
        """Yield what has no single scalar at the ordering path, by creation."""
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        rest, params = self._rest(condition, None)
        # Every third node is a run: those that are next are near, without a look at all runs.
        of_kind = self._dialect.unindexed("n.kind") if self.kind == "run" else "n.kind"
        sql, params = f"SELECT {N_NODE} FROM node n WHERE {of_kind} = ? AND {rest}", [self._term, *params]
        sql += f" AND ({self._dialect.lacks('n.id', AT_PATH)}"
        params.append(path)
        if element is not None:
            sql, params = (
                f"{sql} OR n.id IN ({AT_PATH})",
                [*params, element],
            )
        sql += ")"
        if after is not None and after[0][0][0]:
            sql, params = f"{sql} AND n.id {follows} ?", [*params, after[1]]
        for row, node in first(f"{sql} ORDER BY n.id {direction}", params):
            yield [MISSING], node, row[0]

    def _rest(self, condition: Condition, element: int | None) -> tuple[str, list[Any]]:
        sql, params = f"({condition.sql})", condition.params
        if self.reader.shown is not None:
            shown, values = self.reader.shown.condition(self.kind, "n")
            sql, params = f"{sql} AND {shown}", [*params, *values]
        if element is not None:
            sql, params = (
                f"{sql} AND {self._dialect.lacks('n.id', AT_PATH)}",
                [*params, element],
            )
        if self.marked:
            sql = f"{sql} AND NOT {self._dialect.among('n.id')}"
            params = [*params, self._dialect.some(self.marked)]
        return sql, params

    # Plans

    def _whole(self, parts: Sequence[Condition]) -> Condition:
        """Return a conjunction that also lets through nodes that the index does not hold completely."""
        condition = joined(" AND ", parts)
        if not self.marked or not parts:
            return condition
        sql = f"({condition.sql}) OR {self._dialect.among('n.id')}"
        return Condition(sql, [*condition.params, self._dialect.some(self.marked)], exact=False)

    def _plan(
        self, items: Sequence[Expression], limit: int, cost: int
    ) -> tuple[Condition, Condition | None, Sequence[Expression]]:
        """Return the condition of a conjunction, the rare part to start from if there is one, and what is
        left to the documents.

        Starting from k nodes takes k * cost; finding `limit` of them among n in order takes limit * n / k. A
        range that takes in very much is left to the documents: listing it would cost more.
        """
        compiler = self.compiler if self.marked else self._singly
        parts = [compiler.condition(item) for item in items]
        if self.marked or not parts:
            return self._whole(parts), None, self._items if self.marked else ()
        rare = isqrt(limit * self.size() // cost)
        counts: dict[int, int | None] = {}
        driver, least, listed = None, rare + 1, WIDE
        # Ranges come last: what was found rare before says how far they need be counted.
        for place in sorted(range(len(parts)), key=lambda place: parts[place].span):
            part = parts[place]
            bound = rare if not part.span else max(rare, WIDE) if driver is None else listed
            count = counts[place] = self._count(part, bound)
            if count is not None and count < least:
                driver, least = part, count
                listed = min(WIDE, LISTED * least)
        kept, undecided = [], []
        for place, (item, part) in enumerate(zip(items, parts, strict=True)):
            count = counts[place]
            if part is driver:
                if not part.exact:
                    undecided.append(item)
                continue
            if part.span and count is not None and count > listed:
                undecided.append(item)
                continue
            kept.append(part)
            if not part.exact:
                undecided.append(item)
        return joined(" AND ", kept), driver, undecided

    def _count(self, part: Condition, bound: int) -> int | None:
        """Return how many nodes meet a condition, counted to just beyond a bound; None: unknown."""
        if part.members is None:
            return None
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({part.members}) AS member LIMIT {bound + 1}) AS counted"
        count: int = self.reader.cursor.execute(sql, part.member_params).fetchone()[0]
        return count

    # Rows

    def _select(
        self,
        condition: Condition,
        driver: Condition | None = None,
        more: str = "",
        more_params: Sequence[Any] = (),
        order: str = "",
    ) -> tuple[str, list[Any]]:
        """Return the SQL of rows of `N_NODE`, and its parameters."""
        # The driver is a better start than the index on kinds.
        of_kind, params = self._of_kind(self._dialect.unindexed("n.kind")) if driver else self.of_kind
        sql = f"SELECT {N_NODE} FROM node n WHERE {of_kind} AND ({condition.sql})"
        params = [*params, *condition.params]
        if driver is not None:
            start = self._dialect.starting("n.id", str(driver.members))
            sql, params = f"{sql} AND {start}", [*params, *driver.member_params]
        sql = f"{sql}{more} ORDER BY {order}" if order else f"{sql}{more}"
        return sql, [*params, *more_params]

    def _first(
        self, limit: int, undecided: Sequence[Expression], sql: str, params: Sequence[Any]
    ) -> Iterator[tuple[Any, Node]]:
        """Yield rows in the order of a statement, about `limit` of which will be taken, with their nodes."""
        few = max(limit, FIRST_ROWS) if undecided else limit
        return self._passing(self.reader.first(few, sql, params), undecided)

    def _passing(self, rows: Iterator[Any], undecided: Sequence[Expression]) -> Iterator[tuple[Any, Node]]:
        """Yield rows that a condition let through and what it left undecided does too, with their nodes."""
        if undecided:
            for row, record in self._records(rows, [], undecided):
                yield row, record.node
            return
        kind = self.kind
        for row in rows:
            yield row, make_node((kind, *row[2:8]))

    def _matching(
        self, rows: Iterable[Any], read: Iterable[Path], undecided: Sequence[Expression] | None = None
    ) -> Iterator[Record]:
        """Yield the records of rows that meet what is undecided (None: the whole filter)."""
        for _, record in self._records(rows, read, self._items if undecided is None else undecided):
            yield record

    def _records(
        self, rows: Iterable[Any], read: Iterable[Path], undecided: Sequence[Expression]
    ) -> Iterator[tuple[Any, Record]]:
        wanted = [*read, *(path for item in undecided for path in paths(item))]
        holds = predicate(And(tuple(undecided)))
        found = records(
            self.reader, self.vocabulary, self.kind, rows, needs(self.vocabulary, self.kind, wanted)
        )
        for row, record in found:
            if holds(record.read):
                yield row, record
