"""What of a walk is drawn: boxes for things, one box for many of a kind, and the edges between boxes."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from arangopipe.model.graph import Edge, EdgeRef, Node, kind_of
from arangopipe.model.vocabulary import Vocabulary
from arangopipe.server.pages.tracing import ends, is_redacted

ROOM = 300
"""So many boxes are drawn."""

FAN = 8
"""So many things of a kind that hang on one thing stand for themselves; more are one box."""

_HARDER = (FAN, 3, 1)
"""How many of a kind stand for themselves on a far level, where there is too much for the picture."""


@dataclass
class Reached:
    """One thing that walks came to: how far (below 0: upstream), and over what."""

    node: Node
    level: int
    parent: str | None


@dataclass
class Box:
    """What is drawn as one box: a thing, or several of a kind ("" for several kinds).

    `by` is the box that was opened to see it, and `way` in which direction; "" where it was there at first.
    """

    id: str
    kind: str
    level: int
    members: list[str]
    grouped: bool = False
    by: str = ""
    way: str = ""


@dataclass
class Drawn:
    """Boxes by id, and between each two (what depends, what it depends on) the edges they stand for."""

    boxes: dict[str, Box] = field(default_factory=dict)
    edges: dict[tuple[str, str], list[Edge]] = field(default_factory=dict)
    through: set[tuple[str, str]] = field(default_factory=set)
    """Edges that pass through what is hidden."""


def grouped(
    reached: Mapping[str, Reached], alone: Collection[str], room: int, hidden: Collection[str]
) -> dict[str, Box]:
    """Return the boxes of what was reached: those of `alone`, never grouped, and at most `room` others."""
    deepest = max((abs(thing.level) for thing in reached.values()), default=0)

    def fitting(beyond: int, fan: int) -> dict[str, Box] | None:
        boxes = _boxes(reached, alone, beyond, fan, hidden)
        shown = [box for box in boxes.values() if box.kind not in hidden]
        return boxes if sum(box.grouped or box.id not in alone for box in shown) <= room else None

    for fan in _HARDER:
        if fitting(0, fan) is not None:
            # As many of the near levels as fit are drawn in full.
            levels = range(deepest + 1)
            beyond = bisect(levels, False, key=lambda level: fitting(level, fan) is None) - 1
            return fitting(max(beyond, 0), fan) or {}
    return _by_level(reached, alone, room, hidden)


def _boxes(
    reached: Mapping[str, Reached], alone: Collection[str], beyond: int, fan: int, hidden: Collection[str]
) -> dict[str, Box]:
    """Group the near levels by what things hang on, and those beyond only by kind."""
    box_of: dict[str, str] = {}
    boxes: dict[str, Box] = {}
    by_level: defaultdict[int, list[str]] = defaultdict(list)
    for node_id, thing in reached.items():
        by_level[thing.level].append(node_id)
    for level in sorted(by_level, key=lambda level: (abs(level), level)):
        buckets: defaultdict[str, list[str]] = defaultdict(list)
        for node_id in by_level[level]:
            thing = reached[node_id]
            if node_id in alone:
                buckets[node_id].append(node_id)
                continue
            over = box_of.get(thing.parent or "", "") if abs(level) <= beyond else ""
            seen = "unseen" if is_redacted(thing.node) else ""
            buckets[f"{level}/{thing.node.kind}/{seen}/{over}"].append(node_id)
        for name, members in buckets.items():
            kind = kind_of(members[0])
            many = len(members) > (0 if kind in hidden else FAN if abs(level) <= beyond else fan)
            for box in _split(name, kind, level, members, many):
                boxes[box.id] = box
                box_of.update(dict.fromkeys(box.members, box.id))
    return boxes


def _split(name: str, kind: str, level: int, members: list[str], many: bool) -> list[Box]:
    if many and name not in members:
        return [Box(f"group:{name}", kind, level, members, grouped=True)]
    return [Box(node_id, kind, level, [node_id]) for node_id in members]


def _by_level(
    reached: Mapping[str, Reached], alone: Collection[str], room: int, hidden: Collection[str]
) -> dict[str, Box]:
    """Return one box for each level, and where even that is too much, one for all beyond."""
    boxes: dict[str, Box] = {}
    for node_id, thing in reached.items():
        kind = thing.node.kind
        if node_id in alone:
            boxes[node_id] = Box(node_id, kind, thing.level, [node_id])
            continue
        level = max(min(thing.level, max(room // 2, 1)), -max(room // 2, 1))
        name = f"group:{level}/{kind if kind in hidden else ''}"
        box = boxes.setdefault(name, Box(name, kind if kind in hidden else "", level, [], grouped=True))
        box.members.append(node_id)
    return boxes


def joined(known: Vocabulary, boxes: dict[str, Box], edges: Mapping[EdgeRef, Edge]) -> Drawn:
    """Return boxes with the edges between them."""
    box_of = {member: box.id for box in boxes.values() for member in box.members}
    drawn = Drawn(boxes)
    for edge in edges.values():
        dependent, dependency = (box_of.get(end) for end in ends(known, edge))
        if dependent and dependency and dependent != dependency:
            drawn.edges.setdefault((dependent, dependency), []).append(edge)
    return drawn


def without(drawn: Drawn, hidden: Collection[str], alone: Collection[str]) -> Drawn:
    """Return what is drawn without boxes of hidden kinds; what hangs on what over them is joined."""
    kept = {name: box for name, box in drawn.boxes.items() if box.kind not in hidden or name in alone}
    left = Drawn(kept)
    needs: defaultdict[str, list[str]] = defaultdict(list)
    for dependent, dependency in drawn.edges:
        needs[dependent].append(dependency)
    left.edges = {pair: edges for pair, edges in drawn.edges.items() if {*pair} <= left.boxes.keys()}
    for name in left.boxes:
        queue = [each for each in needs[name] if each not in left.boxes]
        seen = set(queue)
        for passed in queue:
            for each in needs[passed]:
                if each in left.boxes and each != name and (name, each) not in left.edges:
                    left.edges[name, each] = []
                    left.through.add((name, each))
                elif each not in left.boxes and each not in seen:
                    seen.add(each)
                    queue.append(each)
    return left
