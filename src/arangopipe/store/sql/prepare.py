"""What a write can do before it takes the lock: digest the rows of a batch, find their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arangopipe.model import chain
from arangopipe.model.attributes import indexed
from arangopipe.model.graph import Batch, Edge, Node, Point, Points, Put
from arangopipe.store.sql.values import Found


class NodeRow(NamedTuple):
    """A node to write, with its salt, digest and searchable values (of devperf: while it has no points)."""

    put: Put
    id: str
    salt: bytes
    digest: bytes
    values: Found


class EdgeRow(NamedTuple):
    """An edge to write, with its salt and digest."""

    edge: Edge
    salt: bytes
    digest: bytes


class PointRow(NamedTuple):
    """Points to append, with their stored text, salt and digest."""

    points: Points
    document: str
    salt: bytes
    digest: bytes


class Prepared(NamedTuple):
    """A batch, checked, and its rows."""

    batch: Batch
    nodes: tuple[NodeRow, ...]
    edges: tuple[EdgeRow, ...]
    points: tuple[PointRow, ...]
    salt: bytes
    digest: bytes


def prepare(batch: Batch, read: Sequence[Mapping[str, Any]] | None = None) -> Prepared:
    """Digest the rows of a checked batch and find their searchable values.

    `read` holds the documents of its puts, where they have been read already.
    """
    if read is None:
        read = [node.document for node, _ in batch.puts]
    edges = {edge[:3]: edge for edge in batch.edges}.values()
    merged: dict[tuple[str, str], tuple[Point, ...]] = {}
    for run, name, points in batch.points:
        merged[run, name] = merged.get((run, name), ()) + points
    series = [Points(*ref, points) for ref, points in merged.items() if points]
    salts = iter(chain.salts(len(batch.puts) + len(edges) + len(series) + 1))
    return Prepared(
        batch,
        tuple(map(_node_row, batch.puts, read, salts)),
        tuple(map(_edge_row, edges, salts)),
        tuple(map(_point_row, series, salts)),
        salt := next(salts),
        chain.row_digest(salt, chain.note_text(batch.id, batch.action, batch.reason, batch.origin)),
    )


def node_text(node: Node) -> str:
    """Return the text of a node that is digested."""
    return chain.node_text(node.kind, node.key, node.name, node.version, node.project, node.text)


def _node_row(put: Put, document: Mapping[str, Any], salt: bytes) -> NodeRow:
    kind, key, name, version, project, _, text = put.node
    digest = chain.row_digest(salt, chain.node_text(kind, key, name, version, project, text))
    return NodeRow(put, f"{kind}/{key}", salt, digest, (kind, *indexed(kind, document)))


def _edge_row(edge: Edge, salt: bytes) -> EdgeRow:
    kind, source, target, _, text = edge
    return EdgeRow(edge, salt, chain.row_digest(salt, chain.edge_text(kind, source, target, text)))


def _point_row(points: Points, salt: bytes) -> PointRow:
    document = chain.points_document(points)
    digest = chain.row_digest(salt, chain.points_text(points.run, points.name, document))
    return PointRow(points, document, salt, digest)
