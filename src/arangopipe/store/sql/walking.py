"""Walks: breadth first over integer ids, one query a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from arangopipe.errors import NotFound
from arangopipe.model import documents
from arangopipe.model.graph import Edge, Graph
from arangopipe.model.vocabulary import Direction, Vocabulary
from arangopipe.store.sql.reading import EDGE, SOME, Reader, some, states

EdgeRow = tuple[int, int, int, int, str | None]


class Edges(Sequence[Edge]):
    """The edges of a walk, made when they are first looked at: many readers want only the nodes."""

    def __init__(self, rows: Iterable[EdgeRow], names: Mapping[int, str], texts: Mapping[int, str]) -> None:
        self._made: tuple[Edge, ...] | None = None
        self._rows = rows
        self._names = names
        self._texts = texts

    def _edges(self) -> tuple[Edge, ...]:
        if self._made is None:
            names, texts = self._names, self._texts
            self._made = tuple(
                Edge(texts[kind], names[source], names[target], revision, document or documents.EMPTY)
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
        forward, backward = vocabulary.walk(direction)
        terms = {kind: reader.terms.id(reader.cursor, kind) for kind in {*forward, *backward}}
        ends = {vocabulary.edges[kind].source for kind in forward}
        ends |= {vocabulary.edges[kind].target for kind in backward}
        going_on = set(vocabulary.nodes) if None in ends else ends

        def stops(kind: str, end: str) -> bool | None:
            """Whether a walk that arrives at that end of an edge goes no further; None: ask the node."""
            arrived = getattr(vocabulary.edges[kind], end)
            return None if arrived is None else vocabulary.is_leaf(arrived) or arrived not in going_on

        self._stops = {
            term: (stops(kind, "source"), stops(kind, "target"))
            for kind, term in terms.items()
            if term is not None
        }
        self._kinds = [
            some(term for kind in kinds if (term := terms[kind]) is not None) for kinds in (forward, backward)
        ]
        self._sql = " UNION ALL ".join(
            states("edge", EDGE, f"{end} IN {SOME} AND kind IN {SOME}", reader.at)
            for end in ("source", "target")
        )

    def run(self, start: Sequence[str], depth: int | None, limit: int) -> Graph:
        """Walk from nodes that must exist, up to `depth` edges and `limit` nodes."""
        starts = [self._start(node_id) for node_id in dict.fromkeys(start)]
        depths = dict.fromkeys(starts[:limit], 0)
        edges: list[EdgeRow] = []
        frontier, level, truncated = list(depths), 0, len(starts) > limit
        while frontier and not truncated:
            found, onward = self._step(frontier, edges, depths)
            if found and depth is not None and level >= depth:
                truncated = True
                break
            level += 1
            if len(depths) + len(found) > limit:
                truncated = True
                found, onward = self._first(found, limit - len(depths)), []
            depths.update(dict.fromkeys(found, level))
            frontier = onward
        return self._graph(depths, edges, truncated)

    def _start(self, node_id: str) -> int:
        row = self._reader.get(node_id)
        if row is None:
            raise NotFound(f"{node_id} is not there: nothing to walk from")
        return row[0]

    def _step(
        self, frontier: list[int], edges: list[EdgeRow], depths: Mapping[int, int]
    ) -> tuple[list[int], list[int]]:
        """Note the edges of a frontier; return the nodes one edge further, and those to walk on from."""
        ids = some(frontier)
        times = 1 if self._reader.at is None else 2
        params = [ids, self._kinds[0]] * times + [ids, self._kinds[1]] * times
        found: dict[int, bool | None] = {}
        for row in self._reader.cursor.execute(self._sql, params):
            source, kind, target, *_ = row
            edges.append(row)
            # The end that was not met before is the far one; of two new ones neither can be.
            if source in depths:
                if target not in depths and found.get(target) is not False:
                    found[target] = self._stops[kind][1]
            elif found.get(source) is not False:
                found[source] = self._stops[kind][0]
        asked = [id for id, stop in found.items() if stop is None]
        if asked:
            for row, node in self._reader.with_nodes(asked):
                found[row[0]] = self._vocabulary.is_leaf(node.kind)
        return list(found), [id for id, stop in found.items() if not stop]

    def _first(self, found: list[int], count: int) -> list[int]:
        rows = sorted((node.id, row[0]) for row, node in self._reader.with_nodes(found))
        return [id for _, id in rows[:count]]

    def _graph(
        self,
        depths: Mapping[int, int],
        edges: Iterable[EdgeRow],
        truncated: bool,
    ) -> Graph:
        rows = self._reader.by_ids(depths)
        texts = self._reader.terms.texts(self._reader.cursor, *self._stops, *{row[1] for row in rows})
        ids = [f"{texts[row[1]]}/{row[2]}" for row in rows]
        nodes = self._reader.nodes(rows)
        names = {row[0]: id for row, id in zip(rows, ids, strict=True)}
        return Graph(
            tuple(names[id] for id, level in depths.items() if level == 0),
            dict(zip(ids, nodes, strict=True)),
            {id: self._sign * depths[row[0]] for row, id in zip(rows, ids, strict=True)},
            Edges(edges, names, texts),
            {kind: edge.depends for kind, edge in self._vocabulary.edges.items() if edge.depends},
            truncated,
        )
