"""Fans of which only some things were looked at: how many there are is counted, not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from arangopipe.model.graph import Node, kind_of
from arangopipe.model.vocabulary import Direction
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.grouping import Box, Reached
from arangopipe.server.pages.tracing import is_redacted, walk

COUNTED = 20_000
"""So far the things of a fan are counted."""

LISTED = 1_500
"""So many of them a list holds; a search finds all."""


@dataclass(frozen=True)
class Fan:
    """What hangs on one thing, in a box of its own."""

    hub: str
    way: Direction
    count: int
    exact: bool
    """Whether there are so many, else there are more."""


def fan_of(
    ask: Ask, box: Box, reached: Mapping[str, Reached], cut: Collection[tuple[str, str]]
) -> Fan | None:
    """Return the fan that a group is, if its things hang on one thing by one kind of edge; None: all were
    looked at, or they cannot be counted.
    """
    hubs = {reached[member].parent for member in box.members}
    hub = hubs.pop() if len(hubs) == 1 else None
    if hub is None or (hub, box.kind) not in cut or any(is_redacted(reached[i].node) for i in box.members):
        return None
    way: Direction = "upstream" if box.way == "upstream" or (not box.way and box.level < 0) else "downstream"
    forward, backward = ask.store.vocabulary().steps(way, frozenset([kind_of(hub)]))
    edges = [
        (name, outward)
        for step, outward in ((forward, True), (backward, False))
        for name, (kind, _) in step.items()
        if kind == box.kind
    ]
    if len(edges) != 1:
        return None
    members = frozenset(box.members)
    others = [i for i, each in reached.items() if each.node.kind == box.kind and i not in members | {hub}]
    links = ask.store.edges(others, [edges[0][0]], LISTED, ask.moment) if others else ()
    elsewhere = sum(hub in (edge.source, edge.target) for edge in links)
    count = ask.store.degree(hub, *edges[0], COUNTED, ask.moment) - elsewhere
    if count < len(members):
        return None
    return Fan(hub, way, count, count + elsewhere < COUNTED and len(links) < LISTED)


def listed(ask: Ask, fan: Fan, box: Box, reached: Mapping[str, Reached]) -> list[Node]:
    """Return things of a fan, of a large one the first."""
    near = walk(ask, [reached[fan.hub].node], fan.way, 1, most=LISTED)
    drawn = reached.keys() - set(box.members)
    return [node for node_id, node in near.nodes.items() if node.kind == box.kind and node_id not in drawn]
