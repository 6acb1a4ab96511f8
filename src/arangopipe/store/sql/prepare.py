"""What a write can do before it takes the lock: digest the rows of a batch, find their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from arangopipe.model import chain
from arangopipe.model.graph import Batch, Edge, Node, Point, Points, Put
from arangopipe.store.sql.values import Found, values_in


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
        tuple(
            [_node_row(put, next(salts), document) for put, document in zip(batch.puts, read, strict=True)]
        ),
        tuple([_edge_row(edge, next(salts)) for edge in edges]),
        tuple([_point_row(points, next(salts)) for points in series]),
        salt := next(salts),
        chain.row_digest(salt, chain.note_text(batch.id, batch.action, batch.reason, batch.origin)),
    )


def node_text(node: Node) -> str:
    """Return the text of a node that is digested."""
    return chain.node_text(node.kind, node.key, node.name, node.version, node.project, node.text)


def _node_row(put: Put, salt: bytes, document: Mapping[str, Any]) -> NodeRow:
    node = put.node
    digest = chain.row_digest(salt, node_text(node))
    return NodeRow(put, node.id, salt, digest, values_in(node.kind, document))


def _edge_row(edge: Edge, salt: bytes) -> EdgeRow:
    kind, source, target, _, text = edge
    return EdgeRow(edge, salt, chain.row_digest(salt, chain.edge_text(kind, source, target, text)))


def _point_row(points: Points, salt: bytes) -> PointRow:
    document = chain.points_document(points)
    digest = chain.row_digest(salt, chain.points_text(points.run, points.name, document))
    return PointRow(points, document, salt, digest)
