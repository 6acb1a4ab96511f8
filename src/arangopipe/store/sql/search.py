"""Searches: the pages of what matches, in the order that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from heapq import merge
from itertools import chain, islice, starmap
from typing import Any

from arangopipe.model.expressions import Compare, Expression, OrderKey, Path, sort_key
from arangopipe.model.graph import Node, Page
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store import cursors
from arangopipe.store.records import OWN_WORDS, Record, hop_of
from arangopipe.store.sql.compile import Condition, conjuncts, indexable
from arangopipe.store.sql.dialect import python_value
from arangopipe.store.sql.neighbours import ByNeighbour
from arangopipe.store.sql.reading import Reader
from arangopipe.store.sql.selection import FIRST_ROWS, N_NODE, ROW_COST, Plan, Query

RECORD_COST = 60
"""What it takes to fetch and sort a rare node with its documents; trying one in order is 1."""

NODE_WIDTH = 8
OWNED = slice(NODE_WIDTH, NODE_WIDTH + len(OWNED_BY_RUN))
OF_RUN = "coalesce((SELECT document FROM node owned WHERE owned.kind = {} AND owned.key = n.key), '{{}}')"

AT_PATH = "SELECT node FROM value WHERE path = ?"
MISSING = sort_key([])

HAS_WORD = {
    "name": ("n.name IS NOT NULL", "n.name IS NULL"),
    "project": ("n.project <> ''", "n.project = ''"),
}
"""Of own words with an index: tests whether a node has one, and whether it has none."""

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


class Search(ByNeighbour):
    """One search: the matches of a filter in an order, by pages."""

    def __init__(
        self,
        reader: Reader,
        vocabulary: Vocabulary,
        kind: str,
        where: Expression | None,
        order: Sequence[OrderKey] = (),
    ) -> None:
        super().__init__(reader, vocabulary, kind, where)
        self._order = tuple(order)
        self._values = self._dialect.value.count(",") + 1
        self._brings = kind == "run" and reader.brought is not None and reader.at is None
        self._width = OWNED.stop if self._brings else OWNED.start

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

    def _found(self, after: After, limit: int) -> Iterator[Found]:
        """Yield the matches that follow a page, in order; about `limit` of them will be taken."""
        if self._term is None:
            self.reader.settle()
            return iter(())
        if self.reader.at is None and not self._order:
            return self._by_default(after, limit)
        if self.reader.at is not None and not self._order and not self._by_name:
            return self._by_key_then(self.reader.at, after, limit)
        if self.reader.at is None and len(self._order) == 1 and self._is_indexed(self._order[0].path):
            return self._by_value(self._order[0], after, limit)
        if self.reader.at is None and len(self._order) == 1 and self._order[0].path.text in HAS_WORD:
            return self._by_word(self._order[0], after, limit)
        self.reader.settle()
        if len(self._order) == 1 and (way := self._way(self._order[0])) is not None:
            start = None if after is None else (None if after[0][0][0] else after[0][0][-1], after[1])
            ordered = self._by_neighbour(way, self._order[0], start, limit)
            if ordered is not None:
                return self._following(map(self._found_of, ordered), after)
        return self._sorted(self.matching(key.path for key in self._order), after)

    def _columns(self, plan: Plan) -> str:
        """Return what is selected of a node: what documents decide on, or all that is wanted of a run."""
        if plan.undecided or not self._brings:
            return N_NODE
        return ", ".join(
            [N_NODE, *(OF_RUN.format(self.reader.term(kind) or "NULL") for kind in OWNED_BY_RUN)]
        )

    def _passing(self, rows: Iterable[Any], undecided: Sequence[Expression]) -> Iterator[tuple[Any, Node]]:
        return super()._passing(rows if undecided else self._bringing(rows), undecided)

    def _bringing(self, rows: Iterable[Any]) -> Iterator[Any]:
        """Yield rows of `_columns`, keeping what runs own for whoever asks next."""
        brought = self.reader.brought if self._brings else None
        for row in rows:
            if brought is not None:
                brought[row[2]] = row[OWNED]
            yield row

    def _is_indexed(self, path: Path) -> bool:
        own_word = len(path.segments) == 1 and path.segments[0] in OWN_WORDS and not path.own
        return not own_word and not hop_of(self.vocabulary, self.kind, path) and indexable(self.kind, path)

    # Sorted here

    def _sorted(self, matching: Iterable[Record], after: After) -> Iterator[Found]:
        return self._following(sorted(map(self._found_of, matching), key=self._place), after)

    def _found_of(self, record: Record) -> Found:
        return cursors.sort_values(self._order, record.read), record.node, record.sequence

    def _following(self, found: Iterable[Found], after: After) -> Iterator[Found]:
        """Yield of what is in order that which follows a page."""
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
        plan = self._plan(self._items, limit, ROW_COST, choosing=True)
        params: list[Any] = []
        sql, order = "", self._dialect.by_name if self._by_name else "n.key DESC"
        if after is not None and self._by_name:
            _, id, _, name = after
            test = self._dialect.after_name
            sql, params = f" AND {test}", [*[name] * (test.count("?") - 1), id]
        elif after is not None:
            sql, params = " AND n.key < ?", [after[2]]
        select = partial(
            self._select, plan.condition, more=sql, more_params=params, columns=self._columns(plan)
        )
        if plan.choices is None:
            found = self._first(limit, plan.undecided, *select(self._start(plan), order=order))
        else:
            first = partial(select, order=f"{order} LIMIT {limit}")
            rows, _ = self._choose(plan, self._width, first(), first)
            found = self._passing(rows, ())
        return (([], node, row[0]) for row, node in found)

    def _by_key_then(self, at: int, after: After, limit: int) -> Iterator[Found]:
        """Yield what matched at a change, the newest first, as it is asked for."""
        before = ("", []) if after is None else (" AND n.key < ?", [after[2]])
        sql, params = self._then(at, limit, *before)
        rows = self._shown(self.reader.first(max(limit, FIRST_ROWS), f"{sql} ORDER BY 3 DESC", params))
        return (([], node, row[0]) for row, node in self._passing(rows, self._items))

    # In the order of names or projects that were asked for

    def _by_word(self, key: OrderKey, after: After, limit: int) -> Iterator[Found]:
        """Yield what has the word in its order, then what has none, by creation."""
        plan = self._plan(self._items, limit, ROW_COST)
        if start := self._start(plan):
            rare = self.reader.rows(*self._select(plan.condition, start))
            return self._sorted(self._matching(rare, [key.path], plan.undecided), after)
        return self._worded(key, plan, after, limit)

    def _worded(self, key: OrderKey, plan: Plan, after: After, limit: int) -> Iterator[Found]:
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
            sql = self._select(plan.condition, None, more, params, place, self._columns(plan))
            for row, node in self._first(limit, plan.undecided, *sql):
                yield [sort_key([getattr(node, word)]) if has else MISSING], node, row[0]

    # In the order of a searchable value

    def _by_value(self, key: OrderKey, after: After, limit: int) -> Iterator[Found]:
        """Yield what has one scalar at the path in its order, then what has none."""
        inside, others = self._split(key.path)
        plan = self._plan(others, limit, RECORD_COST, choosing=True)
        path, element = self.path_terms(self.kind, key.path.segments)
        valued = self._valued(key, path, element, inside, plan, after)
        begun, few = self._begun(plan, valued, limit)
        if few:
            return self._sorted(self._matching(begun, [key.path], [*inside, *plan.undecided]), after)
        first = partial(self._first, limit, plan.undecided)
        rows = chain(self._passing(begun, ()), chain.from_iterable(starmap(first, valued)))
        values: Iterator[Found] = (
            (self._dialect.read_value(row[-self._values :]), node, row[0]) for row, node in rows
        )
        if not inside:
            # Missing values sort last: they are not looked for where the page is full without them.
            values = chain(values, self._valueless(key, path, element, plan, after, first))
        if not self.marked:
            return values
        marked = self._sorted(self._matching(self.reader.by_ids(self.marked), [key.path]), after)
        return merge(values, marked, key=self._place)

    def _begun(self, plan: Plan, valued: Iterator[Query], limit: int) -> tuple[Iterable[Any], bool]:
        """Return rows that are there already, and whether these are the few that may match, in no order."""
        columns = self._columns(plan) + ", NULL" * self._values
        rare = partial(self._select, plan.condition, columns=columns)
        if start := self._start(plan):
            rows = self.reader.rows(*rare(start))
            return rows if plan.undecided else self._bringing(rows), True
        if plan.choices is None or (ordered := next(valued, None)) is None:
            return (), False
        first = f"{ordered[0]} LIMIT {limit}", ordered[1]
        found, few = self._choose(plan, self._width + self._values, first, rare)
        return self._bringing(found), few

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
        plan: Plan,
        after: After,
    ) -> Iterator[Query]:
        """Yield statements for what has one scalar at the ordering path, by way of the value index."""
        if after is not None and after[0][0][0]:
            return
        dialect = self._dialect
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        more = ""
        more_params: list[Any] = []
        for comparison in inside:
            test, values, _ = dialect.value_test(comparison)
            more, more_params = f"{more} AND {test}", [*more_params, *values]
        rest, rest_params = self._rest(plan.condition, element)
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
            sql = f"SELECT {self._columns(plan)}, {dialect.value} FROM {found} AND {rest} ORDER BY {order}"
            yield sql, [*params, *more_params, *rest_params]

    def _valueless(
        self,
        key: OrderKey,
        path: int | None,
        element: int | None,
        plan: Plan,
        after: After,
        first: First,
    ) -> Iterator[Found]:
        """Yield what has no single scalar at the ordering path, by creation."""
        direction, follows = ("DESC", "<") if key.descending else ("ASC", ">")
        rest, params = self._rest(plan.condition, None)
        # Every third node is a run: those that are next are near, without a look at all runs.
        of_kind = self._dialect.unindexed("n.kind") if self.kind == "run" else "n.kind"
        sql = f"SELECT {self._columns(plan)} FROM node n WHERE {of_kind} = ? AND {rest}"
        params = [self._term, *params]
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
