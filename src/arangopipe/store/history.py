"""Every state there ever was of nodes, edges and points, in plain Python: what the memory store keeps."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from arangopipe.errors import NotFound
from arangopipe.model import chain, documents
from arangopipe.model.graph import Edge, EdgeRef, Entry, Graph, Left, Node, Point, Points, kind_of
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, EdgeKind, Vocabulary
from arangopipe.store.scope import SERVED, Scope, bare, redacted

Value: TypeAlias = Node | Edge | Points


@dataclass(eq=False, slots=True)
class Row:
    """One state, from the change `since` up to the change `until` (None: it is current).

    `sequence` orders nodes by creation. A row that was erased has neither text nor salt.
    """

    value: Any
    since: int
    text: str | None
    salt: bytes | None
    digest: bytes
    until: int | None = None
    sequence: int = 0
    erased: int | None = None

    def stands(self, at: int) -> bool:
        """Whether this is the state at a change."""
        return self.since <= at and (self.until is None or at < self.until)

    def entry(self, closed: bool) -> Entry:
        """Return what the audit chain covers."""
        if self.text is not None:
            return Entry(closed, self.text, self.salt)
        return Entry(closed, None, None, self.digest, self._left())

    def _left(self) -> Left:
        life = (self.since, self.until or 0, self.erased or 0)
        if isinstance(self.value, Node):
            return Left("node", self.value.id, self.value.project, *life)
        return Left("points", self.value.run, "", *life)

    def left(self) -> str:
        """Return what is covered of an erased row."""
        return chain.erased_text(*self._left()[:3], self.digest)


class History:
    """The rows, by what they are states of, the oldest first."""

    def __init__(self) -> None:
        self.nodes: dict[str, list[Row]] = {}
        self._names: dict[tuple[str, ...], set[str]] = {}
        self._edges: dict[EdgeRef, list[Row]] = {}
        self._touching: dict[str, dict[EdgeRef, None]] = {}
        self._points: dict[str, list[Row]] = {}
        self._notes: list[Row] = []
        self._sequence = itertools.count(1)

    def current(self, value: Node | Edge | EdgeRef | str) -> Row | None:
        """Return the row that stands now for a node (or its id), or an edge (or what identifies it)."""
        rows: Mapping[Any, list[Row]] = self.nodes
        key: object = value.id if isinstance(value, Node) else value
        if isinstance(value, (Edge, EdgeRef)):
            rows, key = self._edges, EdgeRef(value.kind, value.source, value.target)
        last = rows[key][-1] if key in rows else None
        return None if last is None or last.until is not None else last

    def changed(self, name: str, since: int) -> bool:
        """Whether a node, or anything of a kind, was written or closed after a change."""
        if "/" in name:
            rows = iter(self.nodes.get(name, ()))
        else:
            every = (*self.nodes.values(), *self._edges.values())
            rows = (row for states in every for row in states if row.value.kind == name)
        return any(max(row.since, row.until or 0) > since for row in rows)

    def namesakes(self, node: Node) -> set[str]:
        """Return the ids of the other nodes that now have the kind, name, version and project of one."""
        return self._names.get(_name(node), set()) - {node.id}

    def hanging_on(self, node_id: str) -> Iterator[Row]:
        """Yield what is closed along with a node: what it owns, and the edges of all that."""
        nodes = [node_id, *owned(node_id)]
        rows = [self.current(node) for node in nodes[1:]]
        rows += [self.current(ref) for node in nodes for ref in self._touching.get(node, ())]
        yield from (row for row in rows if row is not None)
        yield from (row for row in self._points.get(node_id, ()) if row.until is None)

    def note(self, row: Row) -> None:
        """Keep a change's own row."""
        self._notes.append(row)

    def begin(self, row: Row) -> None:
        """Add the row of a value that has just been written."""
        if isinstance(row.value, Points):
            self._points.setdefault(row.value.run, []).append(row)
            return
        row.value = value = row.value._replace(revision=row.since)
        if isinstance(value, Edge):
            self._edges.setdefault(value.ref, []).append(row)
            for end in (value.source, value.target):
                self._touching.setdefault(end, {})[value.ref] = None
            return
        states = self.nodes.setdefault(value.id, [])
        revised = bool(states) and states[-1].until == row.since
        row.sequence = states[-1].sequence if revised else next(self._sequence)
        states.append(row)
        self._names.setdefault(_name(value), set()).add(value.id)

    def bury(self, row: Row) -> None:
        """Add the row of a value that is not current any more."""
        if isinstance(row.value, Points):
            self._points.setdefault(row.value.run, []).append(row)
            return
        row.value = value = row.value._replace(revision=row.since)
        if isinstance(value, Edge):
            states = self._edges.setdefault(value.ref, [])
            for end in (value.source, value.target):
                self._touching.setdefault(end, {})[value.ref] = None
        else:
            states = self.nodes.setdefault(value.id, [])
            same = states and (states[-1].until in (None, row.since))
            row.sequence = states[-1].sequence if same else next(self._sequence)
        states.insert(len(states) - (bool(states) and states[-1].until is None), row)

    def end(self, row: Row, number: int) -> None:
        """End a row that stood until this change."""
        row.until = number
        if isinstance(row.value, Node):
            self._names[_name(row.value)].remove(row.value.id)

    def touching(self, number: int) -> Iterator[tuple[Row, int]]:
        """Yield each row that a change wrote, closed or erased, with the change at which it stood."""
        for row in itertools.chain(*self.nodes.values(), *self._edges.values(), *self._points.values()):
            if number in (row.since, row.erased):
                yield row, number
            if number == row.until:
                yield row, number - 1

    def states(self, ref: EdgeRef | str) -> list[Row]:
        """Return every state of an edge or a node, the oldest first and the current one last."""
        rows = self.nodes.get(ref, ()) if isinstance(ref, str) else self._edges.get(ref, ())
        return sorted(rows, key=lambda row: (row.until is None, row.since))

    def ever_linked(self, node_id: str) -> tuple[EdgeRef, ...]:
        """Return every edge that a node ever had."""
        return tuple(self._touching.get(node_id, ()))

    def standing_points(self, points: Points) -> Row | None:
        """Return the row that stands now of points that were appended together."""
        rows = self._points.get(points.run, ())
        return next((row for row in rows if row.until is None and row.value == points), None)

    def node(self, node_id: str, at: int) -> Node | None:
        """Return a node as it was at a change."""
        return next((row.value for row in self.nodes.get(node_id, ()) if row.stands(at)), None)

    def of_kind(self, kind: str, at: int) -> list[Row]:
        """Return the rows of all nodes of a kind at a change, in the order of their creation."""
        rows = (row for rows in self.nodes.values() for row in rows if row.value.kind == kind)
        return sorted((row for row in rows if row.stands(at)), key=lambda row: row.sequence)

    def edges(self, node_id: str, at: int) -> Iterator[Edge]:
        """Yield the edges that touched a node at a change."""
        for ref in self._touching.get(node_id, ()):
            yield from (row.value for row in self._edges[ref] if row.stands(at))

    def points(self, run: str, at: int) -> dict[str, list[Point]]:
        """Return the points of a run at a change, by metric."""
        found: dict[str, list[Point]] = {}
        for row in self._points.get(run, ()):
            if row.stands(at) and row.value.points:
                found.setdefault(row.value.name, []).extend(row.value.points)
        return {name: sorted(points, key=lambda p: p[:2]) for name, points in found.items()}

    def last_written(self, run: str, at: int) -> int | None:
        """Return the last change that wrote a run, what it owns or its points; None where it is not there."""
        if self.node(run, at) is None:
            return None
        rows = [row for node_id in (run, *owned(run)) for row in self.nodes.get(node_id, ())]
        last: int = max(row.since for row in (*rows, *self._points.get(run, ())) if row.stands(at))
        return last

    def neighbours(self, node_id: str, hop: Iterable[tuple[EdgeKind, bool, str]], at: int) -> list[Node]:
        """Return the nodes one edge away along a hop (see `Vocabulary.hops`)."""
        found = []
        for kind, forward, _ in hop:
            for edge in self.edges(node_id, at):
                near, far = (edge.source, edge.target) if forward else (edge.target, edge.source)
                if edge.kind == kind.name and near == node_id:
                    found.append(self.node(far, at))
        return [node for node in found if node is not None]

    def walk(
        self,
        start: Sequence[str],
        known: Vocabulary,
        direction: Direction,
        depth: int | None,
        limit: int,
        at: int,
    ) -> Graph:
        """Walk breadth first; where `limit` cuts a layer, the first ids of it stay.

        Where a walk comes to what is not shown, it ends, and shows it redacted in the room that is left.
        """
        for node_id in start:
            if self.node(node_id, at) is None:
                raise NotFound(f"{node_id} is not there: nothing to walk from")
        depths = dict.fromkeys(list(dict.fromkeys(start))[:limit], 0)
        edges: dict[EdgeRef, Edge] = {}
        hidden: dict[str, int] = {}
        layer, level, cut = list(depths), 0, len(set(start)) > limit
        while layer:
            level += 1
            steps = list(self._steps(layer, known.walk(direction), at))
            edges.update({edge.ref: edge for edge, _ in steps})
            ends = sorted({far for _, far in steps} - depths.keys() - hidden.keys())
            found = [end for end in ends if self.node(end, at)]
            room = limit - len(depths) if depth is None or level <= depth else 0
            depths.update(dict.fromkeys(found[:room], level))
            if depth is None or level <= depth:
                hidden.update({end: level for end in ends if not self.node(end, at)})
            cut = cut or len(found) > room
            layer = [] if cut else [far for far in found if not known.is_leaf(kind_of(far))]
        shown = dict(sorted(hidden.items(), key=lambda item: item[::-1])[: limit - len(depths)])
        nodes = {node_id: node for node_id in depths if (node := self.node(node_id, at))}
        nodes.update({node_id: redacted(node_id) for node_id in shown})
        sign = -1 if direction == "upstream" else 1
        return Graph(
            tuple(node_id for node_id, level in depths.items() if level == 0),
            nodes,
            {node_id: sign * level for node_id, level in (*depths.items(), *shown.items())},
            tuple(
                bare(edge) if edge.source in shown or edge.target in shown else edge
                for edge in edges.values()
                if {edge.source, edge.target} <= nodes.keys()
            ),
            {kind.name: kind.depends for kind in known.edges.values() if kind.depends},
            cut or len(shown) < len(hidden),
        )

    def _steps(
        self, layer: Iterable[str], ways: tuple[Sequence[str], Sequence[str]], at: int
    ) -> Iterator[tuple[Edge, str]]:
        """Yield each edge that leads on from a layer, and the end that it leads to."""
        forward, backward = ways
        for near in layer:
            for edge in History.edges(self, near, at):
                if edge.source == near and edge.kind in forward:
                    yield edge, edge.target
                if edge.target == near and edge.kind in backward:
                    yield edge, edge.source

    def entries(self) -> dict[int, list[Entry]]:
        """Return the entries of every change: its own row first, then what it wrote and closed."""
        found: defaultdict[int, list[Entry]] = defaultdict(list)
        for row in self._notes:
            found[row.since].append(row.entry(False))
        nodes = sorted(itertools.chain(*self.nodes.values()), key=lambda row: row.sequence)
        for row in itertools.chain(nodes, *self._edges.values(), *self._points.values()):
            found[row.since].append(row.entry(False))
            if row.until is not None:
                found[row.until].append(row.entry(True))
            if row.erased is not None:
                found[row.erased].append(Entry(False, row.left(), chain.OPEN_SALT))
        return found

    def whole(self, node_id: str) -> list[Row]:
        """Return every state of a node, and of the points of a run, that was not erased."""
        rows = [*self.nodes.get(node_id, ()), *self._points.get(node_id, ())]
        return [row for row in rows if row.text is not None]

    def erase(self, row: Row, number: int) -> None:
        """Remove name, text and salt of a row, in the change of that number."""
        if isinstance(row.value, Node):
            row.value = row.value._replace(name="", version="", text=documents.EMPTY)
        else:
            row.value = row.value._replace(name="", points=())
        row.text = row.salt = None
        row.erased = number


class Shown(History):
    """The rows of another history, as far as a scope shows them, to be read at moments."""

    def __init__(self, whole: History, scope: Scope) -> None:
        self.__dict__.update(whole.__dict__)
        self._scope = scope

    def _shows(self, node: Node | None, at: int) -> bool:
        if node is None or not self._scope.admits(node.kind, node.name, node.project):
            return False
        if node.kind in OWNED_BY_RUN:
            return self.node(f"run/{node.key}", at) is not None
        if node.kind == "servingperf":
            of = [edge.source for edge in super().edges(node.id, at) if edge.kind == SERVED]
            return bool(of or node.project) and all(self.node(deployment, at) for deployment in of)
        return True

    def node(self, node_id: str, at: int) -> Node | None:
        """Return a node as it was at a change, where it is shown."""
        found = super().node(node_id, at)
        return found if self._shows(found, at) else None

    def of_kind(self, kind: str, at: int) -> list[Row]:
        """Return the rows of all nodes of a kind that are shown."""
        return [row for row in super().of_kind(kind, at) if self._shows(row.value, at)]

    def edges(self, node_id: str, at: int) -> Iterator[Edge]:
        """Yield the edges of a node of which both ends are shown."""
        for edge in super().edges(node_id, at):
            if self.node(edge.source, at) and self.node(edge.target, at):
                yield edge

    def touched(self, number: int) -> bool:
        """Whether a change touched anything that is shown."""
        return any(self._tells(row, at) for row, at in self.touching(number))

    def _tells(self, row: Row, at: int) -> bool:
        match row.value:
            case Node() as node:
                if node.kind not in OWNED_BY_RUN and node.kind != "servingperf":
                    return self._scope.admits(node.kind, node.name, node.project)
                return at != row.erased and self.node(node.id, at) is not None
            case Edge() as edge:
                return bool(self.node(edge.source, at) and self.node(edge.target, at))
            case points:
                return at != row.erased and self.node(points.run, at) is not None

    def points(self, run: str, at: int) -> dict[str, list[Point]]:
        """Return the points of a run that is shown."""
        return super().points(run, at) if self.node(run, at) else {}


def owned(node_id: str) -> list[str]:
    """Return the ids that the modelparams and devperf of a run have; nothing for other nodes."""
    kind, key = split_id(node_id)
    return [f"{what}/{key}" for what in OWNED_BY_RUN] if kind == "run" else []


def _name(node: Node) -> tuple[str, ...]:
    return node.kind, node.name, node.version, node.project


def merged(points: Iterable[Points]) -> list[Points]:
    """Return points with those of one metric of one run together."""
    found: dict[tuple[str, str], tuple[Point, ...]] = {}
    for run, name, more in points:
        found[run, name] = (*found.get((run, name), ()), *more)
    return [Points(run, name, more) for (run, name), more in found.items() if more]
