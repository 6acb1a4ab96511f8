"""Walks: breadth first over integer ids, one query a step."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import overload

from arangopipe.errors import NotFound
from arangopipe.model import documents
from arangopipe.model.graph import Edge, Graph, kind_of
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.store.scope import redacted
from arangopipe.store.sql.reading import EDGE, NODE, Reader, states

EdgeRow = tuple[int, int, int, int, str | None]


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
        starts = [self._start(node_id) for node_id in dict.fromkeys(start)]
        depths = dict.fromkeys(starts[:limit], 0)
        edges: list[EdgeRow] = []
        frontier, level, truncated = list(depths), 0, len(starts) > limit
        kinds = {kind_of(node_id) for node_id in start}
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
        return self._graph(depths, edges, truncated, limit)

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

    def _step(
        self, frontier: list[int], kinds: set[str], edges: list[EdgeRow], depths: Mapping[int, int]
    ) -> tuple[list[int], list[int], set[str]]:
        """Note the edges of a frontier; return what lies one edge further, what leads on, and its kinds."""
        ids = self._reader.dialect.some(frontier)
        found: dict[int, None] = {}
        onward: set[int] = set()
        asked: set[int] = set()
        arrived: set[str] = set()
        steps = self._vocabulary.steps(self._direction, frozenset(kinds))
        for step, near, end in zip(steps, ("source", "target"), (2, 0), strict=True):
            terms, leading, open_ = [], [], []
            for name, (kind, leads) in step.items():
                term = self._reader.term(name)
                if term is None:
                    continue
                terms.append(term)
                if leads:
                    leading.append(term)
                    arrived.add(kind)  # type: ignore[arg-type]
                elif leads is None:
                    open_.append(term)
            if not terms:
                continue
            where = f"{near} = each AND kind IN ({', '.join(map(str, terms))})"
            sql = states("edge", EDGE, where, self._reader.at, self._reader.dialect.of_each)
            params = [ids] if self._reader.at is None else [ids, ids]
            rows = self._reader.cursor.execute(sql, params).fetchall()
            edges += rows
            ends = [row[end] for row in rows]
            found.update(dict.fromkeys(ends))
            if leading:
                every = len(leading) == len(terms)
                onward.update(ends if every else [row[end] for row in rows if row[1] in leading])
            if open_:
                asked.update([row[end] for row in rows if row[1] in open_])
        fresh = [id for id in found if id not in depths]
        for row, node in self._reader.with_nodes(asked.intersection(fresh)) if asked else ():
            if self._vocabulary.leads_on(self._direction, node.kind):
                onward.add(row[0])
                arrived.add(node.kind)
        return fresh, [id for id in fresh if id in onward], arrived

    def _first(self, found: list[int], count: int) -> list[int]:
        rows = sorted((node.id, row[0]) for row, node in self._reader.with_nodes(found))
        return [id for _, id in rows[:count]]

    def _graph(
        self,
        depths: Mapping[int, int],
        edges: Iterable[EdgeRow],
        truncated: bool,
        limit: int,
    ) -> Graph:
        rows = self._reader.of_ids(NODE, depths)
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
