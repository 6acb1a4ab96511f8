"""The values that cross every layer: nodes, edges, points, batches, changes and graphs.

Documents travel as canonical JSON text (see `documents`), so a value can be shared without copying
and nobody can change it; `.document` reads it.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from arangopipe.errors import MissingExtra
from arangopipe.model import documents
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import singular

if TYPE_CHECKING:
    import networkx

SHORT_KEY = 16
_LINES_SHOWN = 100

Expect = int | Literal["absent", "any"]


class Node(NamedTuple):
    """One node as recorded at `revision`, the number of the change that wrote it."""

    kind: str
    key: str
    name: str = ""
    version: str = ""
    project: str = ""
    revision: int = 0
    text: str = documents.EMPTY

    @property
    def id(self) -> str:
        """The reference ``kind/key``."""
        return f"{self.kind}/{self.key}"

    @property
    def document(self) -> dict[str, Any]:
        """A fresh copy of the document."""
        return documents.load(self.text)

    def at(self, revision: int) -> Node:
        """Return the node as recorded at a revision."""
        kind, key, name, version, project, _, text = self
        return Node(kind, key, name, version, project, revision, text)

    @property
    def label(self) -> str:
        """What a person calls it: its name and version, else its key, or the end of a long one."""
        name = self.name or (self.key if len(self.key) <= SHORT_KEY else self.key[-8:])
        return f"{name}@{self.version}" if self.version not in ("", "1") else name


class Edge(NamedTuple):
    """One edge, `source` -> `target` as stored; ends are ids (``kind/key``)."""

    kind: str
    source: str
    target: str
    revision: int = 0
    text: str = documents.EMPTY

    @property
    def document(self) -> dict[str, Any]:
        """A fresh copy of the document."""
        return documents.load(self.text)

    @property
    def ref(self) -> EdgeRef:
        """What identifies the edge."""
        return EdgeRef(self.kind, self.source, self.target)


class EdgeRef(NamedTuple):
    """What identifies an edge: its kind and both ends."""

    kind: str
    source: str
    target: str


class Point(NamedTuple):
    """One value of a metric: `step`, time in microseconds since 1970 UTC, and a number.

    A value that is not finite is the text "NaN", "Infinity" or "-Infinity".
    """

    step: int
    time: int
    value: float | str


class Points(NamedTuple):
    """Points of one metric of one run (an id), appended together."""

    run: str
    name: str
    points: tuple[Point, ...]


class Put(NamedTuple):
    """A node to write, and what must be true of it now: absent, any state, or one revision."""

    node: Node
    expect: Expect = "absent"


class Origin(NamedTuple):
    """Where a change was first recorded: in which store, as which of its changes, when and by whom.

    `merged` is canonical JSON of what merging had to record otherwise than that store did (`bundle`).
    """

    store: str
    number: int
    time: datetime
    actor: str
    merged: str = documents.EMPTY


@dataclass(frozen=True)
class Batch:
    """One user action: written whole or not at all, and once, however often it is sent.

    `id` is a UUIDv7 made by the client. `closes` holds node ids and `EdgeRef`s. `action` and
    `reason` say why, for the audit record; `actor` who. `unchanged` holds what the batch rests on beside
    what it writes: kinds, and ids, of which nothing may have been written or closed after change `since`.
    `origin` is set where another store recorded the batch first. `read` holds what texts of its nodes say,
    for those that the caller has just written: a store need not read them again.
    """

    id: str
    puts: tuple[Put, ...] = ()
    edges: tuple[Edge, ...] = ()
    closes: tuple[str | EdgeRef, ...] = ()
    points: tuple[Points, ...] = ()
    actor: str = ""
    action: str = ""
    reason: str = ""
    unchanged: tuple[str, ...] = ()
    since: int = 0
    origin: Origin | None = None
    read: Mapping[str, dict[str, Any]] = field(default_factory=dict, compare=False, repr=False)


class Left(NamedTuple):
    """What is left of an erased row: "node" or "points", the id of its node, and the changes of its life."""

    what: str
    id: str
    project: str
    since: int
    until: int
    erased: int


class Entry(NamedTuple):
    """One row that a change wrote or closed: its canonical text and salt, or its digest once erased."""

    closed: bool
    text: str | None
    salt: bytes | None
    digest: bytes | None = None
    left: Left | None = None


class Change(NamedTuple):
    """One recorded change of the store, and its link in the audit chain (digests are hex text)."""

    number: int
    time: datetime
    actor: str
    action: str
    reason: str
    batch: str
    digest: str
    chain: str
    entries: tuple[Entry, ...] = ()
    origin: Origin | None = None


class Revision(NamedTuple):
    """One state of a node: written by `change`, and ended by the change `closed_by` (None: current)."""

    node: Node
    change: Change
    closed_by: Change | None


class EdgeRevision(NamedTuple):
    """One state of an edge: written by `change`, and ended by the change `closed_by` (None: current)."""

    edge: Edge
    change: Change
    closed_by: Change | None


class Page(NamedTuple):
    """One page of a search; `cursor` continues it, None where it ends."""

    items: tuple[Any, ...]
    cursor: str | None


@dataclass(frozen=True)
class Graph:
    """Nodes reached by a walk, each once with its least depth, and the edges between them.

    `depths` counts edges from the start: 0, then 1, 2, … downstream and -1, -2, … upstream.
    `depends` gives, for each edge kind that was walked, the end that is the dependent.
    `truncated` says that a bound (`depth` or `limit`) cut the walk. As text it is the tree from the start:
    what it came from behind ←, what came of it behind →.
    """

    start: tuple[str, ...]
    nodes: Mapping[str, Node]
    depths: Mapping[str, int]
    edges: Sequence[Edge] = ()
    depends: Mapping[str, str] = field(default_factory=dict)
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __contains__(self, item: object) -> bool:
        return getattr(item, "id", item) in self.nodes

    def __repr__(self) -> str:
        return f"<Graph of {len(self.nodes)} nodes and {len(self.edges)} edges from {', '.join(self.start)}>"

    def __str__(self) -> str:
        lines = [_titled(self.nodes[start]) for start in self.start if start in self.nodes]
        for arrow, upstream in (("←", True), ("→", False)):
            lines += [f"{'  ' * level}{arrow} {_titled(node)}" for level, node, _ in self.tree(upstream)]
        more = len(lines) - _LINES_SHOWN
        return "\n".join(lines if more <= 0 else [*lines[:_LINES_SHOWN], f"… and {more} more"])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def of_kind(self, *kinds: str) -> tuple[Node, ...]:
        """Return the nodes of these kinds, nearest first."""
        found = [node for node in self if node.kind in kinds]
        return tuple(sorted(found, key=lambda node: (abs(self.depths[node.id]), node.name, node.key)))

    def layers(self) -> dict[int, tuple[Node, ...]]:
        """Return the nodes of each depth, from the farthest upstream to the farthest downstream."""
        layers: dict[int, list[Node]] = {}
        for key, node in self.nodes.items():
            layers.setdefault(self.depths[key], []).append(node)
        return {depth: tuple(layers[depth]) for depth in sorted(layers)}

    def dependencies(self) -> Iterator[tuple[str, str, Edge]]:
        """Yield (dependent, what it depends on, edge) for each edge.

        Edges that count both ways (a run and its model) name the run as what the model depends on.
        """
        for edge in self.edges:
            if self.depends.get(edge.kind) == "to":
                yield edge.target, edge.source, edge
            else:
                yield edge.source, edge.target, edge

    def ancestors(self, node: str) -> tuple[str, ...]:
        """Return the ids in this graph that a node depends on, directly or not, nearest first."""
        needs: dict[str, list[str]] = {}
        for dependent, dependency, _ in self.dependencies():
            needs.setdefault(dependent, []).append(dependency)
        seen = {node: None}
        for current in (queue := [node]):
            fresh = [other for other in needs.get(current, ()) if other not in seen]
            seen.update(dict.fromkeys(fresh))
            queue += fresh
        return tuple(seen)[1:]

    def tree(self, upstream: bool) -> Iterator[tuple[int, Node, str]]:
        """Yield (level, node, edge kind) depth first from the start, going one way.

        Each node appears under the first of its nearest neighbours; levels start at 1.
        """
        sign = -1 if upstream else 1
        children: dict[str, dict[str, str]] = {}
        placed: set[str] = set()
        for edge in self.edges:
            for near_end, far_end in ((edge.source, edge.target), (edge.target, edge.source)):
                depth = self.depths.get(far_end, 0) * sign
                if depth > 0 and self.depths[near_end] * sign == depth - 1 and far_end not in placed:
                    placed.add(far_end)
                    children.setdefault(near_end, {})[far_end] = edge.kind
        stack = [(1, child, kind) for start in self.start for child, kind in children.get(start, {}).items()][
            ::-1
        ]
        while stack:
            level, current, kind = stack.pop()
            yield level, self.nodes[current], kind
            stack += [(level + 1, child, kind) for child, kind in children.get(current, {}).items()][::-1]

    def merge(self, other: Graph) -> Graph:
        """Return both graphs as one; where both reached a node, the smaller distance counts."""
        depths = dict(other.depths)
        for key, depth in self.depths.items():
            if key not in depths or abs(depth) <= abs(depths[key]):
                depths[key] = depth
        return Graph(
            tuple(dict.fromkeys(self.start + other.start)),
            {**self.nodes, **other.nodes},
            depths,
            tuple({edge.ref: edge for edge in (*self.edges, *other.edges)}.values()),
            {**self.depends, **other.depends},
            self.truncated or other.truncated,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the graph as JSON-able values, nodes nearest first."""
        order = sorted(
            self.nodes.values(),
            key=lambda node: (abs(self.depths[node.id]), node.kind, node.name, node.key),
        )
        return {
            "start": list(self.start),
            "nodes": [{**node_dict(node), "depth": self.depths[node.id]} for node in order],
            "edges": [edge_dict(edge) for edge in self.edges],
            "truncated": self.truncated,
        }

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """Return a networkx MultiDiGraph whose edges point from the dependent to what it depends on."""
        try:
            import networkx
        except ImportError as error:
            raise MissingExtra("networkx", "analysis") from error
        graph: networkx.MultiDiGraph[str] = networkx.MultiDiGraph()
        for key, node in self.nodes.items():
            graph.add_node(
                key, kind=node.kind, name=node.name, depth=self.depths[key], document=node.document
            )
        for dependent, dependency, edge in self.dependencies():
            graph.add_edge(dependent, dependency, key=edge.kind, document=edge.document)
        return graph

    def to_mermaid(self) -> str:
        """Return a Mermaid flowchart, what came first on the left."""
        names = {key: f"n{i}" for i, key in enumerate(self.nodes)}
        lines = ["flowchart LR"]
        for key, node in self.nodes.items():
            label = node.label.replace('"', "#quot;").replace("\n", " ")
            lines.append(f'  {names[key]}["{node.kind}<br/>{label}"]')
        lines += [
            f"  {names[dependency]} --> {names[dependent]}"
            for dependent, dependency, _ in self.dependencies()
        ]
        return "\n".join(lines) + "\n"


def _titled(node: Node) -> str:
    return f"{singular(node.kind)} {node.label}"


def node_dict(node: Node) -> dict[str, Any]:
    """Return a node as JSON-able values: its own fields, and its document under ``document``."""
    fields = {"id": node.id, "kind": node.kind, "key": node.key, "name": node.name or None}
    if node.version:
        fields["version"] = node.version
    if node.project:
        fields["project"] = node.project
    return {**fields, "revision": node.revision, "document": node.document}


def edge_dict(edge: Edge) -> dict[str, Any]:
    """Return an edge as JSON-able values."""
    return {
        "kind": edge.kind,
        "from": edge.source,
        "to": edge.target,
        "revision": edge.revision,
        "document": edge.document,
    }


def kind_of(node_id: str) -> str:
    """Return the kind part of an id."""
    return split_id(node_id)[0]
