"""The picture of a lineage as values: boxes and edges, as the page draws and the table lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from arangopipe import words
from arangopipe.errors import NotFound
from arangopipe.model.entities import Deployment
from arangopipe.model.graph import Edge, EdgeRef, Node
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN, Direction, Vocabulary
from arangopipe.phrases import phrase
from arangopipe.server.pages import notes
from arangopipe.server.pages.asking import PRIVATE, Ask, entity_path
from arangopipe.server.pages.fans import Fan, fan_of, listed
from arangopipe.server.pages.grouping import ROOM, Box, Drawn, Reached, grouped, joined, without
from arangopipe.server.pages.things import brief
from arangopipe.server.pages.tracing import USUAL, Reach, ends, is_redacted, standing, walk

# Older documents have no status, and count as active.
ACTIVE = "status = 'active' or status is null"
HIDDEN = "by way of what is hidden"

_LIVE = 200

Way = Literal["both", "upstream", "downstream"]
_DIRECTIONS: tuple[Direction, ...] = ("upstream", "downstream")


@dataclass(frozen=True)
class Question:
    """What is asked of a lineage: how deep (None: all the way), which way, of which kinds, and what else.

    `up` and `down` are things that were opened in a direction, `also` things that no group may hold.
    """

    depth: int | None = USUAL
    direction: Way = "both"
    live: bool = False
    hide: Sequence[str] = ()
    up: Sequence[str] = ()
    down: Sequence[str] = ()
    also: Sequence[str] = ()
    room: int = ROOM

    @property
    def wanted(self) -> frozenset[str]:
        """The things that stand in the address, which are looked for where there is too much."""
        return frozenset((*self.up, *self.down, *self.also))

    def query(self) -> dict[str, Any]:
        """Return it as it stands in an address; what is usual is left out."""
        return {
            "depth": "all" if self.depth is None else "" if self.depth == USUAL else self.depth,
            "direction": "" if self.direction == "both" else self.direction,
            "live": "1" if self.live else "",
            "hide": list(self.hide),
            "up": list(self.up),
            "down": list(self.down),
            "with": list(self.also),
            "room": "" if self.room == ROOM else self.room,
        }


@dataclass
class Picture:
    """What is shown of the lineage of a thing."""

    ask: Ask
    start: Node
    question: Question
    reached: dict[str, Reached] = field(default_factory=dict)
    edges: dict[EdgeRef, Edge] = field(default_factory=dict)
    cut: set[tuple[str, str]] = field(default_factory=set)
    drawn: Drawn = field(default_factory=Drawn)
    opened: dict[str, set[Direction]] = field(default_factory=dict)

    @cached_property
    def known(self) -> Vocabulary:
        """The kinds of the store."""
        return self.ask.store.vocabulary()

    def boxes(self) -> list[dict[str, Any]]:
        """Return the boxes, nearest first, each with what it says of those that are nearer."""
        said = self._said()
        order = sorted(
            self.shown.values(),
            key=lambda box: (abs(box["level"]), box["level"], box["kind"], box["group"] or 0, box["label"]),
        )
        return [{**box, "says": said.get(box["id"], [])} for box in order]

    def arrows(self) -> list[dict[str, Any]]:
        """Return the edges between boxes: from what came first to what depends on it."""
        return [
            {
                "from": dependency,
                "to": dependent,
                "count": self._count(dependent, dependency, len(edges)),
                "words": self._words(edges, True) if edges else HIDDEN,
                "kinds": sorted({edge.kind for edge in edges}),
            }
            for (dependent, dependency), edges in self.drawn.edges.items()
        ]

    def _count(self, dependent: str, dependency: str, known: int) -> int:
        """Return how many edges an arrow stands for: those of a fan are counted."""
        for hub, group in ((dependent, dependency), (dependency, dependent)):
            fan = self.fans.get(group)
            if known and fan is not None and fan.hub == hub:
                return fan.count
        return known

    @cached_property
    def fans(self) -> dict[str, Fan]:
        """Return by box the fans of which only some things were looked at."""
        groups = [box for box in self.drawn.boxes.values() if box.grouped]
        found = {box.id: fan_of(self.ask, box, self.reached, self.cut) for box in groups}
        return {name: fan for name, fan in found.items() if fan is not None}

    def counts(self) -> dict[str, int]:
        """Return how many things of each kind were reached, in the order of the vocabulary."""
        found = [thing.node.kind for thing in self.reached.values()]
        return {kind: found.count(kind) for kind in self.known.nodes if kind in found}

    @cached_property
    def shown(self) -> dict[str, dict[str, Any]]:
        """The boxes by id, without what they say of others."""
        return {name: self._box(box) for name, box in self.drawn.boxes.items()}

    def _box(self, box: Box) -> dict[str, Any]:
        if box.grouped:
            return self._group(box)
        node = self.reached[box.id].node
        unseen = is_redacted(node)
        return {
            **brief(node),
            "label": "not yours to see" if unseen else notes.called(node),
            "title": words.title(node.kind),
            "sort": words.title(node.kind),
            "note": "" if unseen else notes.note(node),
            "level": box.level,
            "by": box.by,
            "way": box.way,
            "status": "" if unseen else self._status(node),
            "redacted": unseen,
            "group": None,
            "href": None if unseen else self.ask.to(entity_path(node.id)),
            "more": [] if unseen else self._more(box),
        }

    def _group(self, box: Box) -> dict[str, Any]:
        found = [self.reached[member] for member in box.members]
        fan = self.fans.get(box.id)
        count = len(box.members) if fan is None else fan.count
        cut = any((each.parent, each.node.kind) in self.cut for each in found)
        more = cut if fan is None else not fan.exact
        unseen = all(is_redacted(each.node) for each in found)
        query = {**self.question.query(), "group": box.id}
        return {
            "id": box.id,
            "kind": box.kind,
            "key": "",
            "name": "",
            "version": "",
            "project": "",
            "label": f"more than {how_many(box.kind, count)}" if more else how_many(box.kind, count),
            "title": "not yours to see" if unseen else "open to a list",
            "sort": words.title(box.kind) if box.kind else "several kinds",
            "note": "",
            "level": box.level,
            "by": box.by,
            "way": box.way,
            "status": "",
            "redacted": unseen,
            "group": count,
            "href": self.ask.to(f"{lineage_path(self.start.id)}/members", **query),
            "more": [],
        }

    def _status(self, node: Node) -> str:
        if node.kind == "deployment":
            thing = Deployment(node)
            return "live" if thing.live_at(self.ask.now) else thing.status
        status = node.document.get("status") if node.kind == "run" else ""
        return status if isinstance(status, str) else ""

    def _more(self, box: Box) -> list[str]:
        """Return the directions in which a thing may have neighbours that nobody has looked for."""
        kinds = (box.kind, *OWNED_BY_RUN) if box.kind == "run" else (box.kind,)
        return [
            way
            for way in _DIRECTIONS
            if way not in self.opened.get(box.id, ())
            and any(step for kind in kinds for step in self.known.steps(way, frozenset([kind])))
        ]

    def _said(self) -> dict[str, list[dict[str, Any]]]:
        """Return, for each box, what it has to do with boxes that are nearer to the start, or as near."""
        said: dict[str, list[dict[str, Any]]] = {}
        for (dependent, dependency), edges in self.drawn.edges.items():
            pair = sorted((dependent, dependency), key=lambda name: abs(self.drawn.boxes[name].level))
            nearer, farther = pair
            relation = self._words(edges, farther == dependent) if edges else HIDDEN
            other = self.shown[nearer]
            said.setdefault(farther, []).append(
                {"words": relation, "id": nearer, "label": other["label"], "href": other["href"]}
            )
        return said

    def _words(self, edges: Sequence[Edge], of_dependent: bool) -> str:
        """Return how what depends relates to the other, or the other way, in the words of its edges."""
        found = dict.fromkeys(
            phrase(edge.kind, (self.known.edges[edge.kind].depends != "to") == of_dependent) for edge in edges
        )
        return " and ".join(each for each in found if each) or "has"


def how_many(kind: str, count: int) -> str:
    """Return how many things of a kind a group holds, in words."""
    return words.things(kind, count) if kind else words.count(count, "thing")


def lineage_path(node_id: str) -> str:
    """Return the path of the page about the lineage of a thing."""
    return "/lineage" + entity_path(node_id).removeprefix("/entity")


def start_of(ask: Ask, node_id: str) -> Node:
    """Return the thing of an id that lineage is shown of, or raise `NotFound`."""
    shown = standing(node_id)
    (node,) = ask.store.get([shown], ask.moment)
    if node is None or node.kind in PRIVATE:
        raise NotFound(f"there is no {node_id} at that moment, or you may not see it")
    return node


def picture(ask: Ask, start: Node, question: Question) -> Picture:
    """Return what is shown of the lineage of a thing."""
    made = Picture(ask, start, question)
    hidden = set(question.hide)
    ways = _DIRECTIONS if question.direction == "both" else (question.direction,)
    for way in ways:
        if question.live and way == "downstream":
            _add(made, _towards_live(made, hidden), way, 0)
        else:
            reach = walk(ask, [start], way, question.depth, hidden, wanted=question.wanted)
            _add(made, reach, way, 0)
    boxes = grouped(made.reached, alone := {start.id, *question.also}, question.room, hidden)
    _open_all(made, boxes, alone)
    made.drawn = without(joined(made.known, boxes, made.edges), hidden, alone)
    return made


def _add(made: Picture, reach: Reach, way: Direction, base: int) -> None:
    """Add what a walk reached; of a thing that two reached, the nearer counts."""
    sign = -1 if way == "upstream" else 1
    for node_id, node in reach.nodes.items():
        level = base + sign * reach.levels[node_id]
        known = made.reached.get(node_id)
        if known is None or abs(level) < abs(known.level) or (way == "downstream" and level == -known.level):
            made.reached[node_id] = Reached(node, level, reach.parents.get(node_id))
    made.edges.update(reach.edges)
    made.cut |= reach.cut
    for node_id in reach.walked:
        made.opened.setdefault(node_id, set()).add(way)


def _open_all(made: Picture, boxes: dict[str, Box], alone: set[str]) -> None:
    """Open what was opened: what another one brings waits for that one."""
    asked = made.question
    waiting: list[tuple[str, Direction]] = [
        *((node_id, "upstream") for node_id in asked.up),
        *((node_id, "downstream") for node_id in asked.down),
    ]
    while ready := [each for each in waiting if each[0] in boxes]:
        waiting = [each for each in waiting if each not in ready]
        for node_id, way in ready:
            _open(made, node_id, way, boxes, alone)


def _open(made: Picture, node_id: str, way: Direction, boxes: dict[str, Box], alone: set[str]) -> None:
    """Add the neighbours of a thing that is drawn, as a click does."""
    room = made.question.room - len(boxes)
    if room < 1:
        return
    start, asked = made.reached[node_id].node, made.question
    near = walk(made.ask, [start], way, 1, asked.hide, wanted=asked.wanted)
    _add(made, near, way, made.reached[node_id].level)
    drawn = {name for name, box in boxes.items() if not box.grouped}
    fresh = {each: made.reached[each] for each in near.nodes if each not in boxes}
    for box in [box for box in boxes.values() if box.grouped]:
        box.members = [member for member in box.members if member not in fresh]
        if not box.members:
            del boxes[box.id]
    for box in grouped(fresh, drawn | alone, room, made.question.hide).values():
        if box.grouped:
            box.id = f"{box.id}/{node_id}"
        box.by, box.way = node_id, way
        boxes[box.id] = box
    alone |= drawn


def _towards_live(made: Picture, hidden: set[str]) -> Reach:
    """Return what leads from the start to deployments that are live.

    It is found from these, which are few, not from the start, of which a million things may have come.
    """
    ask = made.ask
    found = ask.pipe.search("deployment", ACTIVE, limit=_LIVE, as_of=ask.as_of)
    live = [item.node for item in found if isinstance(item, Deployment) and item.live_at(ask.now)]
    reach = walk(ask, live, "upstream", None) if live else Reach()
    needed: dict[str, list[str]] = {}
    for edge in reach.edges.values():
        dependent, dependency = ends(made.known, edge)
        needed.setdefault(dependency, []).append(dependent)
    kept = Reach({made.start.id: made.start}, {made.start.id: 0})
    queue = [made.start.id]
    for near in queue:
        for far in needed.get(near, ()):
            if far not in kept.nodes:
                level = kept.levels[near] + (split_id(far)[0] not in hidden)
                if made.question.depth is None or level <= made.question.depth:
                    kept.nodes[far], kept.levels[far], kept.parents[far] = reach.nodes[far], level, near
                    queue.append(far)
    kept.edges = {
        ref: edge for ref, edge in reach.edges.items() if {*ends(made.known, edge)} <= kept.nodes.keys()
    }
    return kept


def members(made: Picture, group: str) -> list[Node]:
    """Return the things of a group, by name, or raise `NotFound`; of a large fan only the first."""
    box = made.drawn.boxes.get(group)
    if box is None or not box.grouped:
        raise NotFound("there is no such group any more: load the page again")
    if group in made.fans:
        found = listed(made.ask, made.fans[group], box, made.reached)
    else:
        found = [made.reached[member].node for member in box.members]
    return sorted(found, key=lambda node: (node.kind, not node.name, node.name, node.key))


def mermaid(boxes: Iterable[Mapping[str, Any]], arrows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a Mermaid flowchart of what is drawn, what came first on the left."""
    yield "flowchart LR"
    names = {}
    for place, box in enumerate(boxes):
        names[box["id"]] = f"n{place}"
        text = "".join(f"#{ord(c)};" if c in '"<>&#\n\r`' else c for c in box["label"])
        kind = "" if box["group"] else f"{words.title(box['kind'])}<br/>"
        opening, closing = ('[["', '"]]') if box["group"] else ('["', '"]')
        yield f"  n{place}{opening}{kind}{text}{closing}"
    for arrow in arrows:
        line = "-->" if arrow["count"] else "-.->"
        yield f"  {names[arrow['from']]} {line} {names[arrow['to']]}"
