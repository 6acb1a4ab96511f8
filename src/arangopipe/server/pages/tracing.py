"""Walks for the eye: from a thing, level by level, reading no more than a page can show.

A run stands for its modelparams and devperf, which carry its key, so that a deployment is one step from
the run that it serves. Of a hub with a million neighbours some are read, and it is said that there are more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

from arangopipe.model.graph import Edge, EdgeRef, Node, kind_of
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary
from arangopipe.server.pages.asking import Ask
from arangopipe.store.scope import REDACTED

LOOKED, DEEPLY = 500, 10_000
"""So many things are looked at in each direction: at first, and where more levels are asked for."""

USUAL = 2
"""So many levels are shown at first."""

_KEPT = 250
"""So many things of what a walk may look at are kept for the levels that follow a wide one."""

_OWNED = tuple(f"{kind}/" for kind in OWNED_BY_RUN)
_ONE_BY_ONE = 50
_EACH = 20


@dataclass
class Reach:
    """What a walk came to: things by id, how far they are, over which of them, and the edges between."""

    nodes: dict[str, Node] = field(default_factory=dict)
    levels: dict[str, int] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    edges: dict[EdgeRef, Edge] = field(default_factory=dict)
    cut: set[tuple[str, str]] = field(default_factory=set)
    """Things, and kinds of which only some of their neighbours were looked at."""
    walked: set[str] = field(default_factory=set)
    """Things whose neighbours were looked at."""


def standing(node_id: str) -> str:
    """Return the run that stands for its parameters and its performance, or the thing itself."""
    return f"run/{split_id(node_id)[1]}" if node_id.startswith(_OWNED) else node_id


def is_redacted(node: Node) -> bool:
    """Whether a node is of something that the asker may not see."""
    return node.text == REDACTED


def ends(known: Vocabulary, edge: Edge) -> tuple[str, str]:
    """Return what of an edge depends, and what that depends on, as things that are shown."""
    source, target = standing(edge.source), standing(edge.target)
    return (target, source) if known.edges[edge.kind].depends == "to" else (source, target)


def walk(
    ask: Ask,
    starts: Sequence[Node],
    direction: Direction,
    depth: int | None,
    hidden: Collection[str] = (),
    most: int | None = None,
    wanted: Collection[str] = (),
) -> Reach:
    """Walk from things, `depth` levels far (None: all the way); things of `hidden` kinds are no level.

    At most `most` things are looked at; where it is None, as many as a picture of that depth looks at. Those
    that are `wanted` are among them, where a walk comes to them at all.
    """
    reach = Reach({node.id: node for node in starts}, {node.id: 0 for node in starts})
    most = looked(depth) if most is None else most
    steps = _Steps(ask, direction, reach, most, wanted)
    layer, level = [node.id for node in starts], 0
    while layer and (depth is None or level < depth) and len(reach.nodes) < most:
        level += 1
        found: list[str] = []
        while layer:
            fresh = steps.take(layer, level, level == depth)
            found += [node_id for node_id in fresh if kind_of(node_id) not in hidden]
            layer = [node_id for node_id in fresh if kind_of(node_id) in hidden]
        layer = [node_id for node_id in found if not is_redacted(reach.nodes[node_id])]
    steps.take_held()
    return reach


def looked(depth: int | None) -> int:
    """Return how many things a walk looks at."""
    return LOOKED if depth is not None and depth <= USUAL else DEEPLY


class _Steps:
    """The steps of one walk."""

    def __init__(
        self, ask: Ask, direction: Direction, reach: Reach, most: int, wanted: Collection[str]
    ) -> None:
        self._ask = ask
        self._most = most
        self._direction = direction
        self._known = ask.store.vocabulary()
        self._reach = reach
        self._starts = set(reach.nodes)
        self._held: dict[str, tuple[str, int]] = {}
        self._wanted = wanted
        self._partly: set[str] = set()
        """Kinds of which there are things that are not looked at: what hangs on these is not known."""

    def take(self, layer: Sequence[str], level: int, last: bool) -> list[str]:
        """Go one edge on from a layer, and return what is reached for the first time."""
        reach = self._reach
        onward = [
            node_id
            for node_id in layer
            if node_id in self._starts or not self._known.is_leaf(kind_of(node_id))
        ]
        reach.walked.update(onward)
        found: dict[str, str] = {}
        partly = frozenset(self._partly)
        for near, far, edge in self._edges(onward):
            reach.edges.setdefault(edge.ref, edge)
            if partly and kind_of(near) in partly:
                reach.cut.add((near, kind_of(far)))
            if far not in reach.nodes and far not in self._held:
                found.setdefault(far, near)
        fair = self._in_turn(found)
        room = self._most - len(reach.nodes)
        now = room if last else room - min(_KEPT, room // 2)
        self._held.update((node_id, (found[node_id], level)) for node_id in fair[now:])
        self._partly.update(map(kind_of, fair[now:]))
        self._reached({node_id: (found[node_id], level) for node_id in fair[:now]})
        return fair[:now]

    def _in_turn(self, found: Iterable[str]) -> list[str]:
        """Return things so that the many of one kind leave room for the few of others."""
        places: Counter[str] = Counter()
        order = {}
        for node_id in found:
            kind = kind_of(node_id)
            order[node_id] = (node_id not in self._wanted, places[kind])
            places[kind] += 1
        return sorted(order, key=order.__getitem__)

    def take_held(self) -> None:
        """Add what wide levels held back, where there is room after all."""
        reach = self._reach
        held = list(self._held.items())
        room = self._most - len(reach.nodes)
        self._reached(dict(held[:room]))
        left = {(kind_of(node_id), level) for node_id, (_, level) in held[room:]}
        reach.cut.update(
            (near, kind_of(node_id))
            for node_id, near in reach.parents.items()
            if (kind_of(node_id), reach.levels[node_id]) in left
        )
        reach.cut.update((near, kind_of(node_id)) for node_id, (near, _) in held[room:])

    def _reached(self, found: dict[str, tuple[str, int]]) -> None:
        reach = self._reach
        reach.nodes.update(self._nodes(list(found)))
        for node_id, (near, level) in found.items():
            reach.parents[node_id], reach.levels[node_id] = near, level

    def _nodes(self, ids: list[str]) -> dict[str, Node]:
        """Return what is there; where an edge led to something unseen, the asker may not see it."""
        found = zip(ids, self._ask.store.get(ids, self._ask.moment), strict=True)
        return {i: node if node is not None else Node(*split_id(i), text=REDACTED) for i, node in found}

    def _edges(self, layer: Iterable[str]) -> Iterator[tuple[str, str, Edge]]:
        """Yield (near thing, far thing, edge) for the edges that lead on."""
        by_kind: defaultdict[str, list[str]] = defaultdict(list)
        for node_id in layer:
            kind, key = split_id(node_id)
            for each in (kind, *OWNED_BY_RUN) if kind == "run" else (kind,):
                by_kind[each].append(f"{each}/{key}")
        for kind, ids in by_kind.items():
            forward, backward = self._known.steps(self._direction, frozenset([kind]))
            near = set(ids)
            names = dict.fromkeys((*forward, *backward))
            found = [edge for name in names for edge in self._read(ids, name)]
            cut = {node_id for node_id, _ in self._reach.cut}
            if self._ask.store.restricted and cut.isdisjoint(map(standing, ids)):
                found += self._unseen(ids)
            for edge in found:
                for start, end, followed in (
                    (edge.source, edge.target, forward),
                    (edge.target, edge.source, backward),
                ):
                    if start in near and edge.kind in followed:
                        one, other = standing(start), standing(end)
                        if one != other:
                            yield one, other, edge

    def _read(self, ids: list[str], name: str) -> list[Edge]:
        """Return edges of a kind; where there are too many, some of each thing's."""
        found = list(self._ask.store.edges(ids, [name], self._most, self._ask.moment))
        if len(found) >= self._most:
            ends_of = (end for edge in found for end in (edge.source, edge.target))
            kinds = {kind_of(standing(end)) for end in ends_of}
            self._reach.cut.update(product(map(standing, ids), kinds))
            self._partly |= kinds
            for node_id in ids[:_ONE_BY_ONE] if len(ids) > 1 else ():
                found += self._ask.store.edges([node_id], [name], _EACH, self._ask.moment)
            if self._wanted:
                found += self._ask.store.edges([*self._wanted], [name], self._most, self._ask.moment)
        return found

    def _unseen(self, ids: list[str]) -> list[Edge]:
        """Return the edges that lead to what the asker may not see: only walks tell of them."""
        there = [node.id for node in self._ask.store.get(ids, self._ask.moment) if node is not None]
        if not there:
            return []
        graph = self._ask.store.traverse(there, self._direction, 1, self._most, self._ask.moment)
        unseen = {node.id for node in graph if is_redacted(node)}
        return [edge for edge in graph.edges if unseen & {edge.source, edge.target}]
