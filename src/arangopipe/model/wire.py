"""Batches as JSON: what the spool, bundles and the wire between client and server hold.

Documents are nested as they are; what is empty is left out. `batch_from(batch_dict(b)) == b` for every
batch whose documents are canonical.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model import documents, times
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Origin, Point, Points, Put


def batch_dict(batch: Batch) -> dict[str, Any]:
    """Return a batch as JSON-able values."""
    return {"id": batch.id} | _filled(
        puts=[{"node": node_dict(node), "expect": expect} for node, expect in batch.puts],
        edges=[edge_dict(edge) for edge in batch.edges],
        closes=[_ref_dict(item) if isinstance(item, EdgeRef) else item for item in batch.closes],
        points=[points_dict(points) for points in batch.points],
        actor=batch.actor,
        action=batch.action,
        reason=batch.reason,
        unchanged=list(batch.unchanged),
        since=batch.since,
        origin=None if batch.origin is None else _origin_dict(batch.origin),
    )


def batch_from(value: Any) -> Batch:
    """Return the batch that `batch_dict` gave; raises `InvalidInput` for what is none."""
    try:
        return Batch(
            value["id"],
            tuple(Put(node_from(put["node"]), put["expect"]) for put in value.get("puts", ())),
            tuple(edge_from(edge) for edge in value.get("edges", ())),
            tuple(item if isinstance(item, str) else _ref_from(item) for item in value.get("closes", ())),
            tuple(points_from(points) for points in value.get("points", ())),
            value.get("actor", ""),
            value.get("action", ""),
            value.get("reason", ""),
            tuple(value.get("unchanged", ())),
            value.get("since", 0),
            _origin_from(value["origin"]) if "origin" in value else None,
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInput(f"this is no batch ({type(error).__name__}: {error}): {value!r:.200}") from error


def node_dict(node: Node) -> dict[str, Any]:
    """Return a node as JSON-able values."""
    return {"kind": node.kind, "key": node.key} | _filled(
        name=node.name,
        version=node.version,
        project=node.project,
        revision=node.revision,
        document=documents.load(node.text),
    )


def node_from(value: Mapping[str, Any]) -> Node:
    """Return the node that `node_dict` gave."""
    return Node(
        value["kind"],
        value["key"],
        value.get("name", ""),
        value.get("version", ""),
        value.get("project", ""),
        value.get("revision", 0),
        documents.dump(value.get("document", {})),
    )


def edge_dict(edge: Edge) -> dict[str, Any]:
    """Return an edge as JSON-able values."""
    return _ref_dict(edge.ref) | _filled(revision=edge.revision, document=documents.load(edge.text))


def edge_from(value: Mapping[str, Any]) -> Edge:
    """Return the edge that `edge_dict` gave."""
    return Edge(*_ref_from(value), value.get("revision", 0), documents.dump(value.get("document", {})))


def points_dict(points: Points) -> dict[str, Any]:
    """Return points as JSON-able values: each is [step, time in microseconds, value]."""
    return {"run": points.run, "name": points.name, "points": [list(point) for point in points.points]}


def points_from(value: Mapping[str, Any]) -> Points:
    """Return the points that `points_dict` gave."""
    return Points(value["run"], value["name"], tuple(Point(*point) for point in value["points"]))


def _ref_dict(ref: EdgeRef) -> dict[str, Any]:
    return {"kind": ref.kind, "from": ref.source, "to": ref.target}


def _ref_from(value: Mapping[str, Any]) -> EdgeRef:
    return EdgeRef(value["kind"], value["from"], value["to"])


def _origin_dict(origin: Origin) -> dict[str, Any]:
    merged = documents.load(origin.merged)
    said = {"store": origin.store, "number": origin.number, "actor": origin.actor}
    return _filled(**said, time=times.to_text(origin.time), merged=merged)


def _origin_from(value: Mapping[str, Any]) -> Origin:
    merged = documents.dump(value.get("merged", {}))
    time = times.parse(value["time"])
    return Origin(value.get("store", ""), value.get("number", 0), time, value.get("actor", ""), merged)


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", 0, [], {}, None)}
