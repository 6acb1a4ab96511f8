"""What a change touched, row by row: things with what differs, edges, points, and what was erased."""

from __future__ import annotations

from typing import Any

from arangopipe import revisions
from arangopipe.errors import StoreError
from arangopipe.model import chain
from arangopipe.model.graph import Change, Edge, Entry, Node, Points
from arangopipe.server.pages.asking import PRIVATE
from arangopipe.server.pages.states import differences
from arangopipe.server.pages.things import brief

MOST = 100
SECRET = "secret"


def rows(change: Change) -> dict[str, Any]:
    """Return what a change (with its entries) wrote and closed; of very many things the first ones."""
    nodes: dict[str, dict[bool, Node]] = {}
    edges: dict[Any, dict[bool, Edge]] = {}
    points: list[dict[str, Any]] = []
    unread = 0
    for entry in change.entries[1:]:
        match _read(entry):
            case Node() as node:
                nodes.setdefault(node.id, {})[entry.closed] = node
            case Edge() as edge:
                edges.setdefault(edge.ref, {})[entry.closed] = edge
            case Points(run, name, found):
                points.append({"run": run, "name": name, "count": len(found), "closed": entry.closed})
            case None:
                unread += 1
    return {
        "things": [_thing(states) for states in list(nodes.values())[:MOST]],
        "things_count": len(nodes),
        "edges": [_edge(states) for states in list(edges.values())[:MOST]],
        "edges_count": len(edges),
        "points": points[:MOST],
        "points_count": len(points),
        "unread": unread,
    }


def _read(entry: Entry) -> Node | Edge | Points | None:
    if entry.text is None or entry.salt == chain.OPEN_SALT:
        return None
    try:
        return chain.read_text(entry.text)
    except StoreError:  # damage is told by verifying, not by looking
        return None


def _thing(states: dict[bool, Node]) -> dict[str, Any]:
    before, after = states.get(True), states.get(False)
    shown = after or before
    assert shown is not None
    return {
        **brief(shown),
        "did": _did(before, after),
        "private": shown.kind in PRIVATE,
        "document": _document(shown),
        "differences": differences(revisions.differences(_document(before), _document(after))),
    }


def _did(before: object, after: object) -> str:
    return "deleted" if after is None else "written" if before is None else "changed"


def _document(node: Node | None) -> dict[str, Any]:
    """Return the document of a node, without what proves who someone is."""
    if node is None:
        return {}
    return {name: "(hidden)" if name == SECRET else value for name, value in node.document.items()}


def _edge(states: dict[bool, Edge]) -> dict[str, Any]:
    before, after = states.get(True), states.get(False)
    shown = after or before
    assert shown is not None
    return {
        "kind": shown.kind,
        "source": shown.source,
        "target": shown.target,
        "document": shown.document,
        "did": _did(before, after),
    }
