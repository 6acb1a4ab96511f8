"""Documents as old code writes and reads them, and as today's API keeps them.

Old documents are flat dicts with ``_id``, ``_key`` and ``_rev``. Today a node's name stands beside its
document, names that start with ``_`` are reserved, and a model's ``type`` is its `technique`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from arangopipe.errors import InvalidInput
from arangopipe.model import times
from arangopipe.model.graph import Edge, Node
from arangopipe.model.ids import uuid7

Document = dict[str, Any]

SYSTEM = ("_id", "_key", "_rev", "_from", "_to")
UNDERSCORED = "underscored"
"""Where a user's own attributes stand whose names start with ``_``."""


def stored(kind: str, document: Mapping[Any, Any]) -> Document:
    """Return the attributes of a named thing; a model's old `type` is told again as its technique."""
    kept = attributes(document)
    kept.pop("name", None)
    if kind == "models" and isinstance(kept.get("type"), str):
        kept.setdefault("technique", kept["type"])
    return kept


def attributes(document: Mapping[Any, Any]) -> Document:
    """Return a caller's document as today's API takes it, without what the database itself adds."""
    kept = {name: value for name, value in document.items() if name not in SYSTEM}
    hidden = {name: kept.pop(name) for name in list(kept) if isinstance(name, str) and name.startswith("_")}
    return {**kept, UNDERSCORED: hidden} if hidden else kept


def entity_dict(node: Node) -> Document:
    """Return a node as old lookups do: all attributes and ``_id``, ``_key`` and ``_rev``."""
    document = _revealed(node.document)
    if node.name and node.kind != "deployment" and node.name != node.key:
        document["name"] = node.name
    if node.kind == "models":
        _as_type(document)
    if node.kind in ("run", "modelparams", "devperf"):
        document.setdefault("run_id", node.key)
    if node.kind == "run" and "end" in document:
        document.setdefault("timestamp", document["end"])
    return {**document, **receipt(node)}


def receipt(node: Node) -> Document:
    """Return what an insert returns."""
    return {"_id": node.id, "_key": node.key, "_rev": str(node.revision)}


def edge_dict(edge: Edge) -> Document:
    """Return an edge as old lookups do."""
    return {**_revealed(edge.document), **edge_receipt(edge), "_from": edge.source, "_to": edge.target}


def edge_receipt(edge: Edge) -> Document:
    """Return what the insert of an edge returns."""
    key = edge_key(edge)
    return {"_id": f"{edge.kind}/{key}", "_key": key, "_rev": str(edge.revision)}


def edge_key(edge: Edge) -> str:
    """Return the key an edge had: those of its ends, and always the run's first."""
    ends = [end.partition("/")[2] for end in (edge.source, edge.target)]
    return "-".join(reversed(ends) if edge.kind == "run_models" else ends)


def new_key() -> str:
    """Return a new key of digits, greater than those before it."""
    return str(uuid.UUID(uuid7()).int)


def node_id(kind: str, key: str) -> str:
    """Return the id of a key; an id is taken as well."""
    return key if isinstance(key, str) and key.startswith(f"{kind}/") else f"{kind}/{key}"


def moment(value: object) -> str | None:
    """Return an old timestamp, text or seconds, as recorded times are written; None if it is none."""
    try:
        return times.to_text(times.parse(value))
    except InvalidInput:
        return None


def _as_type(document: Document) -> None:
    technique = document.get("technique")
    if technique is not None and document.setdefault("type", technique) == technique:
        del document["technique"]


def _revealed(document: Document) -> Document:
    hidden = document.get(UNDERSCORED)
    if isinstance(hidden, dict) and hidden and all(name.startswith("_") for name in hidden):
        del document[UNDERSCORED]
        document.update(hidden)
    return document
