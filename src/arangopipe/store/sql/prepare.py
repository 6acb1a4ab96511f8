"""What a write can do before it takes the lock: digest the rows of a batch, find their values."""

from __future__ import annotations

from typing import NamedTuple

from arangopipe.model import chain
from arangopipe.model.graph import Batch, Edge, Node, Point, Points, Put
from arangopipe.store.sql.values import Found, values_of


class NodeRow(NamedTuple):
    """A node to write, with its salt, digest and searchable values (none for devperf: see `Writer`)."""

    put: Put
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


def prepare(batch: Batch) -> Prepared:
    """Digest the rows of a checked batch and find their searchable values."""
    edges = {edge.ref: edge for edge in batch.edges}.values()
    merged: dict[tuple[str, str], tuple[Point, ...]] = {}
    for run, name, points in batch.points:
        merged[run, name] = merged.get((run, name), ()) + points
    series = [Points(*ref, points) for ref, points in merged.items() if points]
    salts = iter(chain.salts(len(batch.puts) + len(edges) + len(series) + 1))
    return Prepared(
        batch,
        tuple([_node_row(put, next(salts)) for put in batch.puts]),
        tuple([EdgeRow(e, salt := next(salts), chain.row_digest(salt, _edge_text(e))) for e in edges]),
        tuple([_point_row(points, next(salts)) for points in series]),
        salt := next(salts),
        chain.row_digest(salt, chain.note_text(batch.id, batch.action, batch.reason)),
    )


def node_text(node: Node) -> str:
    """Return the text of a node that is digested."""
    return chain.node_text(node.kind, node.key, node.name, node.version, node.project, node.text)


def _node_row(put: Put, salt: bytes) -> NodeRow:
    node = put.node
    values: Found = ([], True) if node.kind == "devperf" else values_of(node.kind, node.text)
    return NodeRow(put, salt, chain.row_digest(salt, node_text(node)), values)


def _edge_text(edge: Edge) -> str:
    return chain.edge_text(edge.kind, edge.source, edge.target, edge.text)


def _point_row(points: Points, salt: bytes) -> PointRow:
    document = chain.points_document(points)
    digest = chain.row_digest(salt, chain.points_text(points.run, points.name, document))
    return PointRow(points, document, salt, digest)
