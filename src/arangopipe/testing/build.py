"""Short ways to make the values that a store takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from arangopipe.model import documents
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Node, Page, Point, Points, Put
from arangopipe.model.ids import named_key, uuid7
from arangopipe.store.base import AsOf, Store, pages_of


def text(document: Mapping[str, Any]) -> str:
    """Return the canonical text of a document."""
    return documents.dump(documents.normalise(document))


def named(kind: str, name: str, version: str = "1", project: str = "", **document: Any) -> Node:
    """Return a named node, with the key that every client gives it."""
    key = named_key(kind, project, name, version)
    return Node(kind, key, name, version, project, text=text(document))


def event(kind: str, key: str = "", name: str = "", **document: Any) -> Node:
    """Return a run, deployment or servingperf; a new one unless its key is given."""
    return Node(kind, key or uuid7(), name, text=text(document))


def run(key: str = "", name: str = "", **document: Any) -> Node:
    """Return a run."""
    return event("run", key, name, **document)


def owned(kind: str, of: Node, document: Mapping[str, Any]) -> Node:
    """Return the modelparams or devperf of a run."""
    return Node(kind, of.key, text=text(document))


def edge(kind: str, source: Node | str, target: Node | str, **document: Any) -> Edge:
    """Return an edge between two nodes or ids."""
    ends = [end if isinstance(end, str) else end.id for end in (source, target)]
    return Edge(kind, ends[0], ends[1], text=text(document))


def points(of: Node | str, name: str, *values: float | str, step: int = 0) -> Points:
    """Return points of a metric at consecutive steps, a second apart."""
    series = [Point(step + i, (step + i) * 1_000_000, value) for i, value in enumerate(values)]
    return Points(of if isinstance(of, str) else of.id, name, tuple(series))


def batch(
    *nodes: Node | Put,
    edges: Iterable[Edge] = (),
    closes: Iterable[Node | str | Edge | EdgeRef] = (),
    points: Iterable[Points] = (),
    id: str = "",
    actor: str = "ann",
    action: str = "test",
    reason: str = "",
    unchanged: Iterable[str] = (),
    since: int = 0,
) -> Batch:
    """Return a batch; a node alone is expected to be absent."""
    ends = [close.id if isinstance(close, Node) else close for close in closes]
    return Batch(
        id or uuid7(),
        tuple(Put(node) if isinstance(node, Node) else node for node in nodes),
        tuple(edges),
        tuple(end.ref if isinstance(end, Edge) else end for end in ends),
        tuple(points),
        actor,
        action,
        reason,
        tuple(unchanged),
        since,
    )


def write(store: Store, *nodes: Node | Put, **more: Any) -> Change:
    """Write a batch (see `batch`) and return its change."""
    return store.write(batch(*nodes, **more))


def search(
    store: Store, kind: str, where: str = "", order: str = "", as_of: AsOf = None, **more: Any
) -> Page:
    """Search with a filter and an order written as text."""
    return store.search(kind, parse(where), parse_order(order), as_of=as_of, **more)


def keys(nodes: Iterable[Node]) -> list[str]:
    """Return the keys of nodes."""
    return [node.key for node in nodes]


def names(nodes: Iterable[Node]) -> list[str]:
    """Return the names of nodes."""
    return [node.name for node in nodes]


def node_kind(name: str) -> Node:
    """Return the definition of an own kind of node."""
    return named("kinds", name, of="node")


def edge_kind(name: str, source: str | None, target: str | None, depends: str | None = None) -> Node:
    """Return the definition of an own kind of edge."""
    document = {"of": "edge", "from": source, "to": target, "depends": depends}
    return named("kinds", name)._replace(text=text(document))


def one(store: Store, node: Node | str, as_of: AsOf = None) -> Node | None:
    """Return one node as the store has it."""
    return store.get([node if isinstance(node, str) else node.id], as_of)[0]


def recorded(store: Store, as_of: AsOf = None) -> dict[str, Any]:
    """Return all that a store shows at a moment, in comparable form."""
    nodes = [node for kind in store.vocabulary().nodes for node in every(store, kind, as_of)]
    ids = [node.id for node in nodes]
    edges = {
        edge
        for start in range(0, len(ids), 500)
        for edge in store.edges(ids[start : start + 500], as_of=as_of)
    }
    series = {node.id: store.points(node.id, as_of=as_of) for node in nodes if node.kind == "run"}
    return {"nodes": nodes, "edges": edges, "points": series}


def every(store: Store, kind: str, as_of: AsOf = None, page: int = 1_000) -> list[Node]:
    """Return all nodes of a kind, page by page."""
    return [node for answer in pages_of(store, kind, limit=page, as_of=as_of) for node in answer.items]


def busy(store: Store) -> Change:
    """Write changes of every sort, and return the last."""
    data, model, execution = named("datasets", "d", rows=1), named("models", "m"), run("01", "ü", x=1)
    params, perf = (
        owned("modelparams", execution, {"a": [1, 2]}),
        owned("devperf", execution, {"f": 1, "g": "NaN"}),
    )
    trained, used = edge("run_models", model, execution), edge("run_datasets", execution, data)
    write(store, data, model)
    write(store, execution, params, perf, edges=[trained, used])
    write(store, points=[points(execution, "loss", 3.0, "NaN", 2), points(execution, "f", 0.5)])
    write(
        store, Put(data._replace(text='{"rows":2}'), "any"), edges=[edge("run_models", model, execution, a=1)]
    )
    write(store, node_kind("reports"), run("02", long="x" * 2_000, tags={"a": True}))
    write(store, named("reports", "r", many={str(i): i for i in range(50)}), closes=[used])
    write(store, points=[points(execution, "loss", 1.0, step=9)])
    write(store, Put(perf._replace(text='{"f":2,"loss":5}'), "any"))
    write(store, Put(params._replace(text='{"b":"z"}'), "any"), closes=[perf])
    write(store, closes=[model, run("02")])
    write(store, model, run("02", y=1), edges=[trained], points=[points("run/02", "loss", 1.0)])
    write(store, closes=[execution], actor="bob", action="delete", reason="“why”")
    return write(store, execution, edges=[used], points=[points(execution, "loss", 7)])
