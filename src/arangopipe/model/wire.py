"""Batches, changes and errors as JSON: what the spool, bundles and the wire between client and server hold.

Documents are nested as they are; what is empty is left out. `batch_from(batch_dict(b)) == b` for every
batch whose documents are canonical. A change keeps its rows as they are, to the byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from arangopipe import errors
from arangopipe.errors import InvalidInput
from arangopipe.model import chain, documents, times
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Entry, Left, Node, Origin, Point, Points, Put

_encode = json.JSONEncoder(separators=(",", ":")).encode


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


def batch_text(batch: Batch) -> str:
    """Return a batch as JSON text, its documents as they are written; these must be JSON."""
    puts = [
        f'{{"node":{_with_document(node_dict(node._replace(text=documents.EMPTY)), node.text)},'
        f'"expect":{_encode(expect)}}}'
        for node, expect in batch.puts
    ]
    edges = [_with_document(_ref_dict(edge.ref), edge.text) for edge in batch.edges]
    rest = _encode(batch_dict(replace(batch, puts=(), edges=())))[:-1]
    return f'{rest},"puts":[{",".join(puts)}],"edges":[{",".join(edges)}]}}'


def _with_document(value: dict[str, Any], text: str) -> str:
    return f'{_encode(value)[:-1]},"document":{text}}}'


def batch_from(value: Any) -> Batch:
    """Return the batch that `batch_dict` gave; raises `InvalidInput` for what is none."""
    read: dict[str, dict[str, Any]] = {}
    try:
        batch = Batch(
            value["id"],
            tuple([Put(_read_node(put["node"], read), put["expect"]) for put in value.get("puts", ())]),
            tuple(edge_from(edge) for edge in value.get("edges", ())),
            tuple(item if isinstance(item, str) else _ref_from(item) for item in value.get("closes", ())),
            tuple(points_from(points) for points in value.get("points", ())),
            value.get("actor", ""),
            value.get("action", ""),
            value.get("reason", ""),
            tuple(value.get("unchanged", ())),
            value.get("since", 0),
            _origin_from(value["origin"]) if "origin" in value else None,
            read,
        )
        _check_types(batch)
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no batch ({type(error).__name__}: {error}): {value!r:.200}") from error
    return batch


def _check_types(batch: Batch) -> None:
    """Raise `TypeError` for what stands where a batch has a text or a number, `ValueError` for bad text."""
    texts: list[object] = [batch.id, *batch.unchanged]
    numbers: list[object] = [batch.since]
    for node, expect in batch.puts:
        texts += node[:5]
        numbers += [node.revision, 0 if expect in ("absent", "any") else expect]
    for edge in (*batch.edges, *(item for item in batch.closes if isinstance(item, EdgeRef))):
        texts += edge[:3]
    numbers += [edge.revision for edge in batch.edges]
    texts += [each for points in batch.points for each in points[:2]]
    if (origin := batch.origin) is not None:
        texts += [origin.store, origin.actor]
        numbers.append(origin.number)
        f"{origin.store}{origin.actor}".encode()
    for found, kind, words in ((texts, str, "a text"), (numbers, int, "a whole number")):
        if wrong := [each for each in found if type(each) is not kind]:
            raise TypeError(f"{wrong[0]!r:.80} is not {words}")


def _read_node(value: Mapping[str, Any], read: dict[str, dict[str, Any]]) -> Node:
    """Return a node, and note what its text says, so that nobody has to read it again."""
    node = node_from(value)
    document = value.get("document")
    if type(document) is dict and len(node.text) <= documents.SHORT and node.text.isascii():
        read[node.text] = document
    return node


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
    text = documents.dump(value["document"]) if "document" in value else documents.EMPTY
    return Edge(value["kind"], value["from"], value["to"], value.get("revision", 0), text)


def points_dict(points: Points) -> dict[str, Any]:
    """Return points as JSON-able values: each is [step, time in microseconds, value]."""
    return {"run": points.run, "name": points.name, "points": [list(point) for point in points.points]}


def points_from(value: Mapping[str, Any]) -> Points:
    """Return the points that `points_dict` gave."""
    return Points(value["run"], value["name"], tuple(Point(*point) for point in value["points"]))


def change_dict(change: Change) -> dict[str, Any]:
    """Return a change as JSON-able values, with the entries it has."""
    line: dict[str, Any] = {
        "change": change.number,
        "time": times.to_text(change.time),
        "actor": change.actor,
        "action": change.action,
        "reason": change.reason,
        "batch": change.batch,
        "digest": change.digest,
        "chain": change.chain,
    }
    if change.origin is not None:
        line["origin"] = chain.origin_text(change.origin)
    return {**line, "entries": [_entry_line(entry) for entry in change.entries]}


def change_from(value: Mapping[str, Any]) -> Change:
    """Return the change that `change_dict` gave; `LookupError`, `TypeError` or `ValueError` for none."""
    origin = value.get("origin")
    return Change(
        value["change"],
        times.parse(value["time"]),
        value["actor"],
        value["action"],
        value["reason"],
        value["batch"],
        value["digest"],
        value["chain"],
        tuple(_entry_of(*entry) for entry in value["entries"]),
        None if origin is None else chain.read_origin(origin),
    )


def error_dict(error: errors.ArangopipeError) -> dict[str, Any]:
    """Return what, beside its class and words, makes an error again."""
    if isinstance(error, errors.FilterSyntaxError):
        return {"reason": error.reason, "text": error.text, "position": error.position}
    if isinstance(error, errors.MissingExtra):
        return {"need": error.need, "extra": error.extra}
    return {}


def error_from(title: str, detail: str, more: Mapping[str, Any]) -> errors.ArangopipeError | None:
    """Return the error of a class, or None where there is no such class."""
    kind = getattr(errors, title, None) if title in errors.__all__ else None
    if kind is None:
        return None
    try:
        if kind is errors.FilterSyntaxError:
            return kind(str(more["reason"]), str(more["text"]), int(more["position"]))
        if kind is errors.MissingExtra:
            return kind(str(more["need"]), str(more["extra"]))
    except (LookupError, TypeError, ValueError):
        return InvalidInput(detail)
    return kind(detail)  # type: ignore[no-any-return]


def _entry_line(entry: Entry) -> list[Any]:
    closed, text, salt, digest, left = entry
    line = [int(closed), text, salt and salt.hex()]
    return line if digest is None else [*line, digest.hex(), left]


def _entry_of(
    closed: int, text: str | None, salt: str | None, digest: str | None = None, left: Any = None
) -> Entry:
    return Entry(
        bool(closed),
        text,
        None if salt is None else bytes.fromhex(salt),
        None if digest is None else bytes.fromhex(digest),
        None if left is None else Left(*left),
    )


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
