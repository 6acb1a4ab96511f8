"""What a thing is linked to: the first few edges of each kind, and the search for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arangopipe.model.graph import Edge, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, RESERVED_EDGES, EdgeKind, singular
from arangopipe.phrases import phrase
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.things import brief

SHOWN = 8
"""So many links of each kind are shown; more lead to a search."""


def links(ask: Ask, node: Node) -> list[dict[str, Any]]:
    """Return the links of a thing by kind of edge and direction; of a run not its own parameters."""
    found = []
    for kind in ask.store.vocabulary().edges.values():
        if kind.name in RESERVED_EDGES or not {kind.source, kind.target} & {node.kind, None}:
            continue
        if node.kind == "run" and kind.target in OWNED_BY_RUN:
            continue
        edges = ask.store.edges([node.id], [kind.name], SHOWN + 1, ask.moment)
        for from_source in (True, False):
            near = [edge for edge in edges if (edge.source == node.id) == from_source]
            if near:
                found.append(_group(ask, node, kind, near, from_source, len(edges) > SHOWN))
    return sorted(found, key=lambda group: group["edge"] == "related")


def _group(
    ask: Ask, node: Node, kind: EdgeKind, edges: list[Edge], from_source: bool, more: bool
) -> dict[str, Any]:
    others = [edge.target if from_source else edge.source for edge in edges[:SHOWN]]
    nodes = ask.store.get([_shown(other) for other in others], ask.moment)
    return {
        "edge": kind.name,
        "words": phrase(kind.name, from_source),
        "items": list(_items(edges, nodes)),
        "more": more,
        "search": search(ask, node, others[0].partition("/")[0]) if more else None,
    }


def _items(edges: list[Edge], nodes: tuple[Node | None, ...]) -> Iterator[dict[str, Any]]:
    for edge, other in zip(edges, nodes, strict=False):
        if other is not None:
            yield {**brief(other), "edge": edge.document}


def _shown(node_id: str) -> str:
    """Return the run that stands for its parameters and its performance, or the thing itself."""
    kind, _, key = node_id.partition("/")
    return f"run/{key}" if kind in OWNED_BY_RUN else node_id


def search(ask: Ask, node: Node, other: str) -> dict[str, str] | None:
    """Return the search that finds all things of a kind that a thing is linked to."""
    if singular(node.kind) not in ask.store.vocabulary().hops(other):
        return None
    key = node.key.replace("'", "''")
    return {"kind": other, "q": f"{singular(node.kind)}.key = '{key}'"}
