"""Walks: breadth first over integer ids, one query a step, or one for all where each is a round trip."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, overload

from arangopipe.errors import NotFound
from arangopipe.model import documents
from arangopipe.model.graph import Edge, Graph, kind_of
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import Direction, Step, Vocabulary
from arangopipe.store.scope import redacted
from arangopipe.store.sql.reading import EDGE, NODE, NodeRow, Reader, states

EdgeRow = tuple[int, int, int, int, str | None]

AT_ONCE = 256
"""A walk to so many nodes may be one query; a longer one takes the server less where it goes step by step."""

FOUND_NODE = f"{NODE}, 0, 0"
FOUND_EDGE = "each, kind, NULL, NULL, NULL, NULL, revision, document, source, target"
"""Columns of a node and an edge in one result; the edge follows the integer it was found from."""


class Side(NamedTuple):
    """Edges to follow from one of their ends, as far as the database has such."""

    far: str
    where: str
    """The condition on the edges of ``each``."""
    leading: frozenset[int]
    """Their kinds behind which a walk goes on."""
    open: frozenset[int]
    """Their kinds behind which it may go on: what lies there says."""
    every: bool
    """Whether all are leading."""
    arrived: frozenset[str | None]
    """The kinds of nodes from which a walk goes on."""


class Edges(Sequence[Edge]):
    """The edges of a walk, made when they are first looked at: many readers want only the nodes."""

    def __init__(
        self,
        rows: Iterable[EdgeRow],
        names: Mapping[int, str],
        texts: Mapping[int, str],
        hidden: Container[int] = (),
    ) -> None:
        self._hidden = hidden
        self._made: tuple[Edge, ...] | None = None
        self._rows = rows
        self._names = names
        self._texts = texts

    def _edges(self) -> tuple[Edge, ...]:
        if self._made is None:
            names, texts, hidden = self._names, self._texts, self._hidden
            self._made = tuple(
                Edge(texts[kind], names[source], names[target])
                if source in hidden or target in hidden
                else Edge(texts[kind], names[source], names[target], revision, document or documents.EMPTY)
                for source, kind, target, revision, document in dict.fromkeys(self._rows)
                if source in names and target in names
            )
        return self._made

    @overload
    def __getitem__(self, index: int) -> Edge: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Edge, ...]: ...
    def __getitem__(self, index: int | slice) -> Edge | tuple[Edge, ...]:
        return self._edges()[index]

    def __len__(self) -> int:
        return len(self._edges())

    def __iter__(self) -> Iterator[Edge]:
        return iter(self._edges())


class Walk:
    """A walk in one direction, in the state that the reader is set to."""

    def __init__(self, reader: Reader, vocabulary: Vocabulary, direction: Direction) -> None:
        self._reader = reader
        self._vocabulary = vocabulary
        self._sign = -1 if direction == "upstream" else 1
        self._direction = direction
        self._hidden: dict[int, int] = {}
        """What the walk came to that is not shown, and how far away it is."""

    def run(self, start: Sequence[str], depth: int | None, limit: int) -> Graph:
        """Walk from nodes that must exist, up to `depth` edges and `limit` nodes."""
        if (graph := self.at_once(start, depth, limit)) is not None:
            return graph
        starts = [self._start(node_id) for node_id in dict.fromkeys(start)]
        depths = dict.fromkeys(starts[:limit], 0)
        edges: list[EdgeRow] = []
        frontier, level, truncated = list(depths), 0, len(starts) > limit
        kinds = frozenset(map(kind_of, start))
        while frontier and not truncated:
            found, frontier, kinds = self._step(frontier, kinds, edges, depths)
            if self._reader.shown is not None:
                found, frontier = self._within_scope(found, frontier, level + 1, depth)
            if found and depth is not None and level >= depth:
                truncated = True
                break
            level += 1
            if len(depths) + len(found) > limit:
                truncated = True
                found = self._first(found, limit - len(depths))
            depths.update(dict.fromkeys(found, self._sign * level))
        return self._graph(self._reader.of_ids(NODE, depths), depths, edges, truncated, limit)

    def _within_scope(
        self, found: list[int], frontier: list[int], level: int, depth: int | None
    ) -> tuple[list[int], list[int]]:
        """Keep what is hidden apart: a walk does not go on there."""
        fresh = [id for id in found if id not in self._hidden]
        shown = (self._reader.shown or self._reader).names(fresh)
        if depth is None or level <= depth:
            self._hidden.update((id, level) for id in fresh if id not in shown)
        return [id for id in fresh if id in shown], [id for id in frontier if id in shown]

    def _redacted(self, room: int) -> dict[int, tuple[str, int]]:
        """Return ids and distances of hidden things, the nearest first, as far as there is room."""
        rows = self._reader.names(self._hidden) if self._hidden and room > 0 else {}
        found = sorted((self._hidden[id], node_id, id) for id, node_id in rows.items())
        return {id: (node_id, self._sign * level) for level, node_id, id in found[:room]}

    def _start(self, node_id: str) -> int:
        row = self._reader.get(node_id)
        if row is None:
            raise NotFound(f"{node_id} is not there: nothing to walk from")
        return row[0]

    def at_once(self, start: Sequence[str], depth: int | None, limit: int) -> Graph | None:
        """Return a whole walk by one query; None where it must go step by step."""
        reader, statement = self._reader, self._reader.dialect.walk
        bounded = len(start) != 1 or depth is not None or limit < AT_ONCE or reader.shown is not None
        if statement is None or bounded:
            return None
        sides = self._sides(frozenset(self._vocabulary.nodes))
        if not sides or any(side.open for side in sides):
            return None
        far = [f"{side.far}, kind IN ({', '.join(map(str, side.leading)) or 'NULL'})" for side in sides]
        sql = statement.format(
            start=states("node", "id, true", "kind = ? AND key = ?", reader.at),
            onward=self._edges(far, sides),
            edges=self._edges([FOUND_EDGE] * len(sides), sides),
            nodes=states("node", FOUND_NODE, "id = each", reader.at),
            limit=AT_ONCE,
        )
        kind, key = split_id(start[0])
        term = reader.term(kind)
        rows = reader.with_state(sql, 10, (term, key) if reader.at is None else (term, key) * 2)
        if not rows:
            return None
        nodes = {row[0]: row[:8] for row in rows if row[2] is not None}
        first = next(id for id, row in nodes.items() if row[1] == term and row[2] == key)
        depths, edges = self._followed(first, rows)
        return self._graph(sorted(nodes.values()), depths, edges, False, AT_ONCE)

    def _followed(self, start: int, rows: Iterable[Any]) -> tuple[dict[int, int], list[EdgeRow]]:
        """Return the depths of what the edges among rows lead to, and these edges as they are come to."""
        around: defaultdict[int, list[EdgeRow]] = defaultdict(list)
        for row in rows:
            if row[2] is None:
                around[row[0]].append((row[8], row[1], row[9], row[6], row[7]))
        depths, edges, frontier = {start: 0}, [], [start]
        while frontier:
            level = depths[frontier[0]] + self._sign
            step = [edge for id in frontier for edge in around.get(id, ())]
            edges += step
            ends = dict.fromkeys([end for edge in step for end in (edge[0], edge[2])])
            frontier = [id for id in ends if id not in depths]
            depths.update(dict.fromkeys(frontier, level))
        return depths, edges

    def _edges(self, columns: Sequence[str], sides: Sequence[Side]) -> str:
        """Return SQL for columns of the edges to follow."""
        found = zip(columns, sides, strict=True)
        return " UNION ALL ".join([states("edge", each, side.where, self._reader.at) for each, side in found])

    def _sides(self, kinds: frozenset[str]) -> Sequence[Side]:
        """Return the edges to follow from nodes of some kinds."""
        steps = self._vocabulary.steps(self._direction, kinds)
        # Steps are the same ones as long as the vocabulary is; terms are only ever added.
        key, last = (self._direction, kinds), self._reader.last_term()
        known = self._reader.terms.sides.get(key)
        if known is None or known[0] is not steps or known[1] != last:
            ends = (("source", "target"), ("target", "source"))
            found = [self._side(step, *names) for step, names in zip(steps, ends, strict=True)]
            known = self._reader.terms.sides[key] = steps, last, [side for side in found if side is not None]
        sides: Sequence[Side] = known[2]
        return sides

    def _side(self, step: Step, near: str, far: str) -> Side | None:
        terms = {name: self._reader.term(name) for name in step}
        known = {term: step[name] for name, term in terms.items() if term is not None}
        if not known:
            return None
        leading = frozenset(term for term, (_, leads) in known.items() if leads)
        return Side(
            far,
            f"{near} = each AND kind IN ({', '.join(map(str, known))})",
            leading,
            frozenset(term for term, (_, leads) in known.items() if leads is None),
            len(leading) == len(known),
            frozenset(known[term][0] for term in leading),
        )

    def _step(
        self, frontier: list[int], kinds: frozenset[str], edges: list[EdgeRow], depths: Mapping[int, int]
    ) -> tuple[list[int], list[int], frozenset[str]]:
        """Note the edges of a frontier; return what lies one edge further, what leads on, and its kinds."""
        ids = self._reader.dialect.some(frontier)
        params = [ids] if self._reader.at is None else [ids, ids]
        found: dict[int, None] = {}
        onward: set[int] = set()
        asked: set[int] = set()
        arrived: set[Any] = set()
        for side in self._sides(kinds):
            sql = states("edge", EDGE, side.where, self._reader.at, self._reader.dialect.of_each)
            rows = self._reader.cursor.execute(sql, params).fetchall()
            edges += rows
            end = 0 if side.far == "source" else 2
            ends = [row[end] for row in rows]
            found.update(dict.fromkeys(ends))
            if side.every:
                onward.update(ends)
            elif side.leading:
                onward.update([row[end] for row in rows if row[1] in side.leading])
            if side.open:
                asked.update([row[end] for row in rows if row[1] in side.open])
            arrived |= side.arrived
        fresh = [id for id in found if id not in depths]
        for row, node in self._reader.with_nodes(asked.intersection(fresh)) if asked else ():
            if self._vocabulary.leads_on(self._direction, node.kind):
                onward.add(row[0])
                arrived.add(node.kind)
        return fresh, [id for id in fresh if id in onward], frozenset(arrived)

    def _first(self, found: list[int], count: int) -> list[int]:
        rows = sorted((node.id, row[0]) for row, node in self._reader.with_nodes(found))
        return [id for _, id in rows[:count]]

    def _graph(
        self,
        rows: Sequence[NodeRow],
        depths: Mapping[int, int],
        edges: Iterable[EdgeRow],
        truncated: bool,
        limit: int,
    ) -> Graph:
        texts = self._reader.texts(rows)
        ids = [f"{texts[row[1]]}/{row[2]}" for row in rows]
        nodes = self._reader.nodes(rows)
        integers = [row[0] for row in rows]
        names = dict(zip(integers, ids, strict=True))
        start = tuple([names[id] for id in takewhile(lambda id: depths[id] == 0, depths)])
        found = dict(zip(ids, nodes, strict=True))
        levels = dict(zip(ids, map(depths.__getitem__, integers), strict=True))
        hidden = self._redacted(limit - len(depths))
        for id, (node_id, level) in hidden.items():
            names[id], found[node_id], levels[node_id] = node_id, redacted(node_id), level
        return Graph(
            start,
            found,
            levels,
            Edges(edges, names, texts, hidden),
            {kind: edge.depends for kind, edge in self._vocabulary.edges.items() if edge.depends},
            truncated or len(hidden) < len(self._hidden),
        )
