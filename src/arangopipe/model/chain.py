"""The audit chain: a file format, the same on every engine.

A changed row has ``digest = sha256(salt + text)``, its 16-byte random salt beside it; closing a row adds
``sha256("close" + digest)``. A change's digest is the sha256 of its sorted row digests, and
``chain = sha256(previous chain + canonical JSON of [number, time, actor, digest])``. Erasing a row
removes text and salt and keeps the digest, so the chain still verifies; the change that erases adds
``sha256`` of what is left of each row (`erased_text`), so that it cannot be altered either. The row of a
change that another store recorded first has that origin as a further element.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

from arangopipe.errors import StoreError
from arangopipe.model import documents, times
from arangopipe.model.graph import Edge, Entry, Node, Origin, Point, Points

SALT = 16
GENESIS = bytes(32)
OPEN_SALT = bytes(SALT)
"""Salts what hides nothing: the rest of an erased row."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_quoted = json.encoder.encode_basestring  # what the encoder above does with a text, without its preparations


def salts(count: int) -> list[bytes]:
    """Return that many random salts."""
    pool = os.urandom(SALT * count)
    return [pool[i : i + SALT] for i in range(0, len(pool), SALT)]


def node_text(kind: str, key: str, name: str, version: str, project: str, document: str) -> str:
    """Return the text of a node row that is digested."""
    return (
        f'["node",{_quoted(kind)},{_quoted(key)},{_quoted(name)},{_quoted(version)},{_quoted(project)},'
        f"{document}]"
    )


def edge_text(kind: str, source: str, target: str, document: str) -> str:
    """Return the text of an edge row that is digested."""
    return f'["edge",{_quoted(kind)},{_quoted(source)},{_quoted(target)},{document}]'


def points_document(points: Points) -> str:
    """Return the stored text of points: ``[[step, time, value], …]``."""
    return _encode(points.points)


def points_text(run: str, name: str, document: str) -> str:
    """Return the text of a points row that is digested."""
    return f"{_encode(['points', run, name])[:-1]},{document}]"


def erased_text(what: str, id: str, project: str, digest: bytes) -> str:
    """Return the text of what is left of an erased row: "node" or "points", its node, and its digest."""
    return _encode(["erased", what, id, project, digest.hex()])


def note_text(batch: str, action: str, reason: str, origin: Origin | None = None) -> str:
    """Return the text of a change's own row that is digested."""
    text = f'["change",{_quoted(batch)},{_quoted(action)},{_quoted(reason)}]'
    return text if origin is None else f"{text[:-1]},{origin_text(origin)}]"


def origin_text(origin: Origin) -> str:
    """Return the stored text of an origin: ``[store, number, time, actor, merged]``."""
    store, number, time, actor, merged = origin
    return f"{_encode([store, number, times.to_text(time), actor])[:-1]},{merged}]"


def read_origin(text: str) -> Origin:
    """Return the origin of a stored text; raises `StoreError` for a text that is none."""
    try:
        store, number, time, actor, merged = json.loads(text)
        found = Origin(store, number, times.parse(time), actor, documents.dump(merged))
        if origin_text(found) == text:
            return found
    except (TypeError, ValueError):
        pass
    raise StoreError(f"the origin of a change is damaged: {text!r:.80}")


def read_text(text: str) -> Node | Edge | Points:
    """Return what the text of a row records; raises `StoreError` for a text that no row has."""
    try:
        found = _read(json.loads(text), text)
    except (TypeError, ValueError):
        found = None
    if found is None or row_text(found) != text:
        raise StoreError(f"no row has such a text: {text!r:.80}")
    return found


def _read(parts: list[Any], text: str) -> Node | Edge | Points | None:
    # The document is cut out, so that it stays the very same text.
    match parts:
        case ["node", kind, key, name, version, project, _]:
            start = len(node_text(kind, key, name, version, project, "")) - 1
            return Node(kind, key, name, version, project, text=text[start:-1])
        case ["edge", kind, source, target, _]:
            start = len(edge_text(kind, source, target, "")) - 1
            return Edge(kind, source, target, text=text[start:-1])
        case ["points", run, name, points]:
            return Points(run, name, tuple(Point(*point) for point in points))
    return None


def row_text(value: Node | Edge | Points) -> str:
    """Return the text of a row that is digested."""
    if isinstance(value, Node):
        return node_text(*value[:5], value.text)
    if isinstance(value, Edge):
        return edge_text(*value.ref, value.text)
    return points_text(value.run, value.name, points_document(value))


def row_digest(salt: bytes, text: str) -> bytes:
    """Return the digest of one row."""
    return sha256(salt + text.encode()).digest()


def close_digest(digest: bytes) -> bytes:
    """Return the digest of closing a row."""
    return sha256(b"close" + digest).digest()


def entry_digest(entry: Entry) -> bytes:
    """Return the digest that an entry adds to its change."""
    digest = entry.digest
    if digest is None:
        digest = row_digest(entry.salt or b"", entry.text or "")
    return close_digest(digest) if entry.closed else digest


def change_digest(digests: Iterable[bytes]) -> bytes:
    """Return the digest of a change over the digests of its rows."""
    return sha256(b"".join(sorted(digests))).digest()


def link(previous: bytes, number: int, time: datetime, actor: str, digest: bytes) -> bytes:
    """Return the next link of the chain."""
    text = f'[{number},"{times.to_text(time)}",{_quoted(actor)},"{digest.hex()}"]'
    return sha256(previous + text.encode()).digest()
