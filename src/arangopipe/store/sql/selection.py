"""What matches a filter: a plan in SQL, and documents where the value index cannot say.

No single plan is safe: at a million runs, walking a metric's index in order and starting from a rare
parameter differ by over a thousand times either way. A probe that counts how rare each condition is decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isqrt
from typing import Any, NamedTuple

from arangopipe.model.expressions import And, Expression, Path, paths, predicate
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, Vocabulary
from arangopipe.store.records import Record, hop_of, needs
from arangopipe.store.sql.compile import Compiler, Condition, conjuncts, indexed_paths, joined
from arangopipe.store.sql.loading import chunks, records
from arangopipe.store.sql.reading import Reader, make_node
from arangopipe.store.sql.shown import Shows

WIDE = 50_000
"""A range that takes in more nodes than this is left to the documents."""

LISTED = 20
"""A range that takes in so many times what the rare part does is left to the documents."""

ROW_COST = 10
"""What it takes to fetch and sort a rare node; trying one in order is 1."""

N_NODE = (
    "n.id, n.kind, n.key, coalesce(n.name, ''), coalesce(n.version, ''), n.project, n.revision, "
    "coalesce(n.document, '{}')"
)

FIRST_ROWS = 104
"""So many rows are fetched at first where documents decide which of them are taken."""


Query = tuple[str, list[Any]]
"""SQL and its parameters."""


class Plan(NamedTuple):
    """How what meets a conjunction is found.

    `driver` is the rare part to start from, if there is one; what is `undecided` is left to the documents.
    Where there are `choices`, the engine is to start from the rarest of them, if no more than `rare` meet it.
    """

    condition: Condition
    driver: Condition | None = None
    undecided: Sequence[Expression] = ()
    choices: Sequence[Condition] | None = None
    rare: int = 0


class Selection:
    """What matches a filter on nodes of one kind, in the state that the reader is set to."""

    def __init__(
        self,
        reader: Reader,
        vocabulary: Vocabulary,
        kind: str,
        where: Expression | None,
    ) -> None:
        self.reader = reader
        self._dialect = reader.dialect
        self.vocabulary = vocabulary
        self.kind = kind
        self.where = where
        self._items = conjuncts(where)
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

    def condition(self) -> Condition:
        """Return the condition that the filter puts on current rows ``n``."""
        return self._whole([self.compiler.condition(item) for item in conjuncts(self.where)])

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

    def of_ids(self, ids: Iterable[int], read: Iterable[Path]) -> Iterator[Record]:
        """Yield the records of some integer ids, with what `read` needs."""
        return self._matching(self.reader.by_ids(ids), read, [])

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
        return self.reader.name(path), self.reader.name(element)

    def size(self) -> int:
        """Return about how many nodes of the kind there are, and seldom fewer."""
        nodes = self.reader.state()[0]
        return nodes // (1 + len(OWNED_BY_RUN)) if self.kind == "run" else nodes

    # Plans

    def _whole(self, parts: Sequence[Condition]) -> Condition:
        """Return a conjunction that also lets through nodes that the index does not hold completely."""
        condition = joined(" AND ", parts)
        if not self.marked or not parts:
            return condition
        sql = f"({condition.sql}) OR {self._dialect.among('n.id')}"
        return Condition(sql, [*condition.params, self._dialect.some(self.marked)], exact=False)

    def _plan(self, items: Sequence[Expression], limit: int, cost: int, choosing: bool = False) -> Plan:
        """Return the plan for a conjunction; with `choosing` the engine may make it.

        Starting from k nodes takes k * cost; finding `limit` of them among n in order takes limit * n / k. A
        range that takes in very much is left to the documents: listing it would cost more.
        """
        compiler = self.compiler if self.marked else self._singly
        parts = [compiler.condition(item) for item in items]
        rare = isqrt(limit * self.size() // cost)
        exact = not self.marked and all(part.exact and not part.span for part in parts)
        if choosing and exact and self._dialect.choice:
            choices = [part for part in parts if part.members is not None]
            return Plan(joined(" AND ", parts), choices=choices, rare=rare)
        self.reader.settle()
        if self.marked or not parts:
            return Plan(self._whole(parts), undecided=self._items if self.marked else ())
        return self._counted(items, parts, rare)

    def _counted(self, items: Sequence[Expression], parts: Sequence[Condition], rare: int) -> Plan:
        """Return the plan for parts that are counted, each to just beyond where that matters."""
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
        return Plan(joined(" AND ", kept), driver, undecided)

    def _choose(
        self, plan: Plan, width: int, common: Query, rare: Callable[[Query], Query]
    ) -> tuple[list[Any], bool]:
        """Return rows, so many columns wide, and whether they are what `rare` finds, told where to start."""
        choice, (sql, params) = self._dialect.choice, common
        if choice is None or not plan.choices:
            return self.reader.with_state(f"({sql})", width, params), False
        found = ", ".join(choice.found.format(part.members) for part in plan.choices)
        counted = [value for part in plan.choices for value in (*part.member_params, plan.rare + 1)]
        few, few_params = rare((choice.taken, []))
        nulls = ", NULL" * (width - 2)
        sql = choice.statement.format(found=found, common=sql, rare=few, nulls=nulls)
        rows = self.reader.with_state(sql, width, [*counted, plan.rare, *params, *few_params])
        whole = [row for row in rows if row[1] != -1]
        return whole, len(whole) < len(rows)

    def _count(self, part: Condition, bound: int) -> int | None:
        """Return how many nodes meet a condition, counted to just beyond a bound; None: unknown."""
        if part.members is None:
            return None
        sql = f"SELECT count(*) FROM (SELECT 1 FROM ({part.members}) AS member LIMIT {bound + 1}) AS counted"
        count: int = self.reader.cursor.execute(sql, part.member_params).fetchone()[0]
        return count

    # As of a change

    def _then(self, at: int, limit: int, more: str = "", params: Sequence[Any] = ()) -> tuple[str, list[Any]]:
        """Return the SQL of all states at a change that may match, and its parameters.

        Of what has not changed since, the index knows what its own document says.
        """
        own = [item for item in self._items if all(map(self._is_own, paths(item)))]
        plan = self._plan(own, limit, ROW_COST)
        start, started = self._start(plan) or ("true", [])
        kind = "n.kind" if plan.driver is None else self._dialect.unindexed("n.kind")
        # Most rows are as old as that: without the sign SQLite would read a table by its index on numbers.
        return (
            f"SELECT {N_NODE} FROM node n WHERE {kind} = ? AND ({plan.condition.sql}) AND {start} "
            f"AND +n.revision <= {at:d}{more} UNION ALL SELECT {N_NODE} FROM node_past n "
            f"WHERE n.kind = ? AND +n.revision <= {at:d} AND +n.closed > {at:d}{more}",
            [self._term, *plan.condition.params, *started, *params, self._term, *params],
        )

    def _is_own(self, path: Path) -> bool:
        """Whether a node's own row says what stands at a path."""
        of_run = self.kind == "run" and path.segments[0] in ("params", "metrics")
        return not of_run and not hop_of(self.vocabulary, self.kind, path)

    def _shown(self, rows: Iterator[Any]) -> Iterator[Any]:
        shown = self.reader.shown
        return rows if shown is None else (row for part in chunks(rows) for row in shown.rows(part))

    # Rows

    def _select(
        self,
        condition: Condition,
        start: Query | None = None,
        more: str = "",
        more_params: Sequence[Any] = (),
        order: str = "",
        columns: str = N_NODE,
    ) -> Query:
        """Return the SQL of rows, and its parameters; `start` is what to start from."""
        # Anything is a better start than the index on kinds.
        of_kind, params = self._of_kind(self._dialect.unindexed("n.kind")) if start else self.of_kind
        sql = f"SELECT {columns} FROM node n WHERE {of_kind} AND ({condition.sql})"
        params = [*params, *condition.params]
        if start is not None:
            sql, params = f"{sql} AND {start[0]}", [*params, *start[1]]
        sql = f"{sql}{more} ORDER BY {order}" if order else f"{sql}{more}"
        return sql, [*params, *more_params]

    def _start(self, plan: Plan) -> Query | None:
        """Return what to start from, None where no part is rare."""
        if plan.driver is None:
            return None
        return self._dialect.starting("n.id", str(plan.driver.members)), plan.driver.member_params

    def _first(
        self, limit: int, undecided: Sequence[Expression], sql: str, params: Sequence[Any]
    ) -> Iterator[tuple[Any, Node]]:
        """Yield rows in the order of a statement, about `limit` of which will be taken, with their nodes."""
        self.reader.settle()
        few = max(limit, FIRST_ROWS) if undecided else limit
        return self._passing(self.reader.first(few, sql, params), undecided)

    def _passing(self, rows: Iterable[Any], undecided: Sequence[Expression]) -> Iterator[tuple[Any, Node]]:
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
