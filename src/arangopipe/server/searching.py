"""Searches that an engine cannot answer for a principal: over an edge, or of things that follow others.

An engine evaluates ``dataset.name`` over every neighbour, also those that the principal may not see. Here
the engine gives the candidates, page by page in its own order, and decides what is about a thing itself; what
leads over an edge is read from the visible neighbours alone. That is slower, by some statements for every
hundred candidates; an order over an edge looks at all candidates for each page. Memory is bounded by a page
and by the edges of a hundred candidates. A cursor ends at the last thing shown: it holds nothing hidden.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from arangopipe.errors import Conflict
from arangopipe.model.expressions import And, Expression, In, Not, Or, OrderKey, Path, paths, predicate
from arangopipe.model.filters import parse_path
from arangopipe.model.graph import Node, Page
from arangopipe.server.visible import FOLLOWING, MANY, PERSONAL, Sight, both
from arangopipe.store import cursors
from arangopipe.store.base import MAX_PAGE, RETRIES, AsOf
from arangopipe.store.records import Record, hop_of, read_node, scalar

CANDIDATES = 100
_FAR = 1_000

Read = Callable[[Path], Sequence[Any]]
Cells = Mapping[str, Mapping[Path, Sequence[Any]]]
"""The values at some paths, by the id of the thing they are read of."""

# No document has it, so an order by it is the order of creation.
_CREATED = OrderKey(Path(("\ue000 created",)))


class _Candidate(NamedTuple):
    """A match, and where the engine gave it: on the page behind a cursor, at a place."""

    node: Node
    start: str | None
    place: int


class Question:
    """One search of things of a kind, as a principal may ask it."""

    def __init__(self, sight: Sight, kind: str, where: Expression | None, as_of: AsOf) -> None:
        self._sight = sight
        self._store = sight.store
        self._known = self._store.vocabulary(reload=True)
        self.kind = self._known.node_kind(kind).name
        self.where = where
        self._as_of = as_of
        self._personal = self.kind in PERSONAL
        self.whole = both(sight.condition(self.kind), where)
        """What an engine may be asked, where it may be asked at all."""

    def by_engine(self, read: Iterable[Path] = ()) -> bool:
        """Whether the engine may answer, reading these paths too: nothing leads to what is hidden."""
        if self._sight.principal.admin:
            return True
        asked = [*read, *(paths(self.where) if self.where else ())]
        return self.kind not in (*FOLLOWING, *PERSONAL) and not any(map(self._leads_on, asked))

    def _leads_on(self, path: Path) -> bool:
        return hop_of(self._known, self.kind, path)

    # --- pages -----------------------------------------------------------------------------------

    def page(self, order: Sequence[OrderKey], limit: int, cursor: str | None) -> Page:
        """Return a page of what matches, as `Store.search` does."""
        by_engine = not (self._personal and order) and not any(self._leads_on(key.path) for key in order)
        read = self._page if by_engine else self._sorted_page
        for _ in range(RETRIES):
            if (page := read(order, limit, cursor)) is not None:
                return page
        raise Conflict(f"others wrote {RETRIES} times in the midst of this search: search again")

    def _page(self, order: Sequence[OrderKey], limit: int, cursor: str | None) -> Page | None:
        found: list[_Candidate] = []
        for candidate in self._candidates(order, cursor):
            found.append(candidate)
            if len(found) > limit:
                more = self._cursor_after(order, found[limit - 1])
                return None if more is None else Page(_nodes(found[:limit]), more)
        return Page(_nodes(found), None)

    def _cursor_after(self, order: Sequence[OrderKey], last: _Candidate) -> str | None:
        """Return the engine's cursor behind a match, None where others wrote meanwhile."""
        page = self._search(order, last.place + 1, last.start)
        return page.cursor if page.items and page.items[-1].id == last.node.id else None

    def _candidates(self, order: Sequence[OrderKey], cursor: str | None) -> Iterator[_Candidate]:
        """Yield what matches, in the engine's order."""
        # At a past moment an engine looks at everything for each page: so there are few of them.
        size = CANDIDATES if self._as_of is None else MAX_PAGE
        while True:
            page = self._search(order, size, cursor)
            places = {node.id: index for index, node in enumerate(page.items)}
            for start in range(0, len(page.items), CANDIDATES):
                for node in self._passing(page.items[start : start + CANDIDATES]):
                    yield _Candidate(node, cursor, places[node.id])
            if page.cursor is None:
                return
            cursor = page.cursor

    def _search(self, order: Sequence[OrderKey], limit: int, cursor: str | None) -> Page:
        return self._store.search(self.kind, self._wide, order, limit, cursor, self._as_of)

    @property
    def _wide(self) -> Expression | None:
        """What candidates must meet: all that is about the thing itself."""
        if self._personal:
            return None
        return both(self._sight.condition(self.kind), self._widened(self.where))

    def _widened(self, where: Expression | None) -> Expression | None:
        """Return an expression without what leads over an edge that holds where the given one does."""
        if where is None or not self._has_hop(where):
            return where
        match where:
            case And(items):
                kept = [wide for item in items if (wide := self._widened(item)) is not None]
                return And(tuple(kept)) if len(kept) > 1 else kept[0] if kept else None
            case Or(items):
                kept = [wide for item in items if (wide := self._widened(item)) is not None]
                return Or(tuple(kept)) if len(kept) == len(items) else None
        return None

    def _has_hop(self, expression: Expression) -> bool:
        return any(map(self._leads_on, paths(expression)))

    # --- an order of our own ---------------------------------------------------------------------

    def _sorted_page(self, order: Sequence[OrderKey], limit: int, cursor: str | None) -> Page | None:
        at = None if self._as_of is None else str(self._as_of)
        mark = cursors.query_mark(f"visible {self.kind}", self.where, order, at)
        after = None if cursor is None else cursors.decode(mark, cursor)
        places = self._places(order, after)
        best = heapq.nsmallest(limit + 1, places, key=itemgetter(0))
        nodes = _nodes([candidate for _, _, candidate in best[:limit]])
        if len(best) <= limit:
            return Page(nodes, None)
        _, values, last = best[limit - 1]
        behind = self._search([_CREATED], last.place + 1, last.start)
        if not behind.items or behind.items[-1].id != last.node.id:
            return None
        return Page(nodes, cursors.encode(mark, [values, last.node.id, behind.cursor]))

    def _places(
        self, order: Sequence[OrderKey], after: Sequence[Any] | None
    ) -> Iterator[tuple[cursors.Position, list[Any], _Candidate]]:
        """Yield what matches and comes after the end of a page, with its position and what it is sorted by.

        Ties are broken by creation, which only the engine knows: what it gives behind the last thing of the
        page was created later.
        """
        values, shown, behind = after or (None, None, None)
        later = self._first_behind(behind) if behind is not None else frozenset()
        passed = False
        for number, (candidate, read) in enumerate(self._read_candidates([key.path for key in order])):
            node = candidate.node
            passed = passed or node.id in later
            found = cursors.sort_values(order, read)
            place = cursors.position(order, found, number)
            if values is not None:
                end = cursors.position(order, values, -1 if passed else MANY)
                if node.id == shown or place <= end:
                    continue
            yield place, found, candidate

    def _first_behind(self, cursor: str) -> frozenset[str]:
        page = self._search([_CREATED], CANDIDATES, cursor)
        return frozenset(node.id for node in page.items)

    def _read_candidates(self, wanted: Sequence[Path]) -> Iterator[tuple[_Candidate, Read]]:
        """Yield what matches as it was created, with what reads some paths of it."""
        batch: list[_Candidate] = []
        for candidate in self._candidates([_CREATED], None):
            batch.append(candidate)
            if len(batch) == CANDIDATES:
                yield from self._with_values(batch, wanted)
                batch = []
        yield from self._with_values(batch, wanted)

    def _with_values(
        self, batch: Sequence[_Candidate], wanted: Sequence[Path]
    ) -> Iterator[tuple[_Candidate, Read]]:
        nodes = [candidate.node for candidate in batch]
        if self._personal:
            yield from ((each, Record(each.node, 0).read) for each in batch)
            return
        cells = self._far_values([node.id for node in nodes], filter(self._leads_on, wanted))
        for node_id, read in self._own_values(nodes, wanted).items():
            cells.setdefault(node_id, {}).update(read)
        for candidate in batch:
            row = cells.get(candidate.node.id, {})
            yield candidate, _reader(row)

    def _own_values(self, nodes: Sequence[Node], wanted: Sequence[Path]) -> dict[str, dict[Path, list[Any]]]:
        """Return the scalars that the engine reads at paths of things themselves, where there is just one."""
        own = {path.text: path for path in wanted if not self._leads_on(path)}
        found: dict[str, dict[Path, list[Any]]] = {}
        if nodes and own:
            for chunk in self._columns(list(own), self._these([node.id for node in nodes])):
                for row, node_id in enumerate(chunk["id"]):
                    cells = {path: chunk[text][row] for text, path in own.items()}
                    found[node_id] = {path: [] if cell is None else [cell] for path, cell in cells.items()}
        return found

    # --- columns and counts ----------------------------------------------------------------------

    def rows(self, texts: Sequence[str], links: Sequence[str], whole: bool) -> Iterator[dict[str, list[Any]]]:
        """Stream columns as `Store.columns` does, but for links, of which all are there."""
        wanted = {text: parse_path(text) for text in texts}
        if self._personal:
            yield from self._personal_rows(wanted, links, whole)
            return
        far = {text: path for text, path in wanted.items() if self._leads_on(path)}
        near = [text for text in wanted if text not in far]
        for chunk in self._columns(near, self._wide, links, whole):
            for start in range(0, len(chunk["id"]), CANDIDATES):
                part = {name: cells[start : start + CANDIDATES] for name, cells in chunk.items()}
                yield self._passing_rows(part, wanted, far, links, whole)

    def _passing_rows(
        self,
        part: Mapping[str, list[Any]],
        wanted: Mapping[str, Path],
        far: Mapping[str, Path],
        links: Sequence[str],
        whole: bool,
    ) -> dict[str, list[Any]]:
        ids = part["id"]
        if self.kind in FOLLOWING:
            seen = self._sight.nodes(ids, self._as_of)
            ids = [node_id for node_id in ids if node_id in seen]
        passing = self._holding(self.where, ids) if self.where is not None else set(ids)
        rows = [row for row, node_id in enumerate(part["id"]) if node_id in passing]
        kept = {name: [cells[row] for row in rows] for name, cells in part.items()}
        values = self._far_values(kept["id"], far.values())
        result = {"id": kept["id"]}
        for text, path in wanted.items():
            result[text] = (
                [scalar(values.get(node_id, {}).get(path, ())) for node_id in kept["id"]]
                if text in far
                else kept[_inner(text)]
            )
        for name in [*links, *(["document"] if whole else [])]:
            result[name] = kept[name]
        return result

    def _personal_rows(
        self, wanted: Mapping[str, Path], links: Sequence[str], whole: bool
    ) -> Iterator[dict[str, list[Any]]]:
        for candidate in self._candidates([_CREATED], None):
            node = candidate.node
            read = Record(node, 0).read
            edges = self._store.edges([node.id], links, MANY, self._as_of) if links else ()
            row: dict[str, list[Any]] = {"id": [node.id]}
            row |= {text: [scalar(read(path))] for text, path in wanted.items()}
            for name in links:
                ends = [
                    (e.target if e.source == node.id else e.source, e.text) for e in edges if e.kind == name
                ]
                row[name] = [tuple(sorted(ends))]
            yield row | ({"document": [node.text]} if whole else {})

    def _columns(
        self,
        texts: Iterable[str],
        where: Expression | None,
        links: Sequence[str] = (),
        whole: bool = False,
    ) -> Iterator[dict[str, list[Any]]]:
        # An attribute may be called as the columns that every answer has.
        inner = [_inner(text) for text in texts]
        return self._store.columns(self.kind, inner, where, self._as_of, links, whole)

    def values(self, text: str | None) -> Iterator[Any]:
        """Yield the scalar at a path (None without one) of each match."""
        for chunk in self.rows([] if text is None else [text], (), False):
            yield from chunk["id"] if text is None else chunk[text]

    # --- what matches ----------------------------------------------------------------------------

    def _passing(self, nodes: Sequence[Node]) -> list[Node]:
        """Return those of some candidates that are visible and match."""
        seen = self._sight.among(nodes, self._as_of)
        if self.where is None or not seen:
            return seen
        if self._personal:
            holds = predicate(self.where)
            return [node for node in seen if holds(Record(node, 0).read)]
        ids = self._holding(self.where, [node.id for node in seen])
        return [node for node in seen if node.id in ids]

    def _holding(self, where: Expression, ids: Sequence[str], given: bool = True) -> set[str]:
        """Return of which candidates an expression holds; `given`: they meet what it says of themselves."""
        if not ids:
            return set()
        if not self._has_hop(where):
            return set(ids) if given else self._by_engine(where, ids)
        match where:
            case And(items):
                left = list(ids)
                for item in self._grouped(And, items):
                    holding = self._holding(item, left, given)
                    left = [node_id for node_id in left if node_id in holding]
                return set(left)
            case Or(items):
                groups = self._grouped(Or, items)
                return set().union(*(self._holding(item, ids, False) for item in groups))
            case Not(item):
                return set(ids) - self._holding(item, ids, False)
        values, holds = self._far_values(ids, [where.path]), predicate(where)
        return {node_id for node_id in ids if holds(_reader(values.get(node_id, {})))}

    def _grouped(self, join: type[And] | type[Or], items: Sequence[Expression]) -> list[Expression]:
        """Return the parts of an expression, those about the things themselves as one, which comes first."""
        plain = [item for item in items if not self._has_hop(item)]
        group = [join(tuple(plain))] if len(plain) > 1 else plain
        return [*group, *(item for item in items if self._has_hop(item))]

    def _by_engine(self, where: Expression, ids: Sequence[str]) -> set[str]:
        chunks = self._columns([], both(self._these(ids), where))
        return {node_id for chunk in chunks for node_id in chunk["id"]}

    @staticmethod
    def _these(ids: Iterable[str]) -> Expression:
        return In(Path(("key",)), tuple(node_id.partition("/")[2] for node_id in ids))

    def _far_values(self, ids: Sequence[str], wanted: Iterable[Path]) -> dict[str, dict[Path, list[Any]]]:
        """Return the values that visible neighbours of some things have at paths over an edge."""
        found: dict[str, dict[Path, list[Any]]] = {node_id: {} for node_id in ids}
        by_hop: defaultdict[str, dict[Path, None]] = defaultdict(dict)
        for path in wanted:
            by_hop[path.segments[0]][path] = None
        for hop, asked in by_hop.items():
            links = self._links(ids, hop)
            for start in range(0, len(links), _FAR):
                part = links[start : start + _FAR]
                seen = self._sight.nodes((far for _, far in part), self._as_of)
                for near, far in part:
                    for path in asked if far in seen else ():
                        found[near].setdefault(path, []).extend(read_node(seen[far], path.segments[1:]))
        return found

    def _links(self, ids: Sequence[str], hop: str) -> list[tuple[str, str]]:
        """Return (thing, neighbour) for each edge of a hop."""
        here, found = set(ids), []
        steps = self._known.hops(self.kind)[hop]
        edges = self._store.edges(ids, [kind.name for kind, _, _ in steps], MANY, self._as_of) if ids else ()
        for kind, forward, _ in steps:
            for edge in edges:
                near, far = (edge.source, edge.target) if forward else (edge.target, edge.source)
                if edge.kind == kind.name and near in here:
                    found.append((near, far))
        return found


def _nodes(found: Iterable[_Candidate]) -> tuple[Node, ...]:
    return tuple(candidate.node for candidate in found)


def _reader(row: Mapping[Path, Sequence[Any]]) -> Read:
    return lambda path: row.get(path, ())


def _inner(text: str) -> str:
    return f'"{text}"' if text in ("id", "document") else text
