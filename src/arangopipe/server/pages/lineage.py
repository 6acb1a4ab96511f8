"""Lineage: what a thing came from and what came of it, as a picture that grows by clicks, and as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from arangopipe.errors import InvalidInput
from arangopipe.model.entities import Deployment
from arangopipe.model.graph import Edge
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.phrases import phrase
from arangopipe.server.pages import boxes, find, linked, tracing
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.boxes import Question
from arangopipe.server.pages.grouping import ROOM
from arangopipe.server.pages.rendering import Entry, View, html, page
from arangopipe.server.pages.things import brief, briefs, placements

NAVIGATION = Entry("Lineage", "/lineage")

DEEPEST = 9
LISTED = 50
SUGGESTED = 10

_EDGES = 200

Ids = Annotated[Sequence[str], Query()]

router = APIRouter()


@page(router, "/lineage", "lineage_start.html")
def choose(ask: Asked, text: str = "") -> View:
    """Show where one may start: at what is live, what is newest, or what a text names."""
    serving = ask.pipe.search("deployment", boxes.ACTIVE, limit=SUGGESTED, as_of=ask.as_of)
    live = [item for item in serving if isinstance(item, Deployment) and item.live_at(ask.now)]
    newest = [*ask.pipe.search("run", limit=SUGGESTED, as_of=ask.as_of)]
    data = ask.store.search("datasets", limit=SUGGESTED, as_of=ask.moment)
    return {
        "text": text,
        "found": find.names(ask, text)["groups"] if text.strip() else [],
        "live": placements(ask, live),
        "runs": briefs(run.node for run in newest),
        "datasets": briefs(data.items),
    }


@router.get("/lineage/of")
def lineage_of(ask: Asked, text: str = "") -> Response:
    """Go to the lineage of the one thing that a text means, or show what it may mean."""
    node = find.the_one(ask, text.strip())
    if node is not None:
        return RedirectResponse(ask.to(boxes.lineage_path(node.id)), 303)
    view = choose(ask, text)
    found = [item for group in view["found"] for item in group["items"]]
    if len(found) == 1:
        return RedirectResponse(ask.to(boxes.lineage_path(found[0]["id"])), 303)
    return html(ask, "lineage_start.html", view)


def _question(
    depth: str = "2",
    direction: boxes.Way = "both",
    live: bool = False,
    hide: Ids = (),
    up: Ids = (),
    down: Ids = (),
    also: Annotated[Sequence[str], Query(alias="with")] = (),
    room: Annotated[int, Query(ge=1, le=ROOM)] = ROOM,
) -> Question:
    """Read from an address what is asked of a lineage."""
    if depth != "all" and not (depth.isdecimal() and len(depth) < 10 and 1 <= int(depth) <= DEEPEST):
        raise InvalidInput(f"depth is {depth!r}: it is a number from 1 to {DEEPEST}, or all")
    return Question(
        None if depth == "all" else int(depth), direction, live, hide, up[:ROOM], down[:ROOM], also, room
    )


Questioned = Annotated[Question, Depends(_question)]


@page(router, "/lineage/edges", "edges.html")
def edges(ask: Asked, of: Ids = (), kind: Ids = ()) -> View:
    """Show the edges between two things, with what each holds."""
    if len(of) != 2:
        raise InvalidInput("name two things with of=: what is between them is shown")
    found = _between(ask, of[0], of[1], [ask.store.vocabulary().edge_kind(name).name for name in kind])
    nodes = [boxes.start_of(ask, node_id) for node_id in of]
    return {
        "things": briefs(nodes),
        "edges": [
            {
                "kind": edge.kind,
                "from": edge.source,
                "to": edge.target,
                "words": phrase(edge.kind, tracing.standing(edge.source) == nodes[0].id),
                "document": edge.document,
                "change": edge.revision,
            }
            for edge in found
        ],
    }


def _between(ask: Ask, one: str, other: str, kinds: Sequence[str]) -> list[Edge]:
    """Return the edges between two things. One of them may be a hub: so each is asked for only some."""
    pair = {tracing.standing(one), tracing.standing(other)}
    for node_id in pair:
        ids = [node_id, *_owned(node_id)]
        found = [
            edge
            for edge in ask.store.edges(ids, kinds, _EDGES, ask.moment)
            if {tracing.standing(edge.source), tracing.standing(edge.target)} == pair
        ]
        if found:
            return found
    return []


def _owned(node_id: str) -> list[str]:
    kind, _, key = node_id.partition("/")
    return [f"{owned}/{key}" for owned in OWNED_BY_RUN] if kind == "run" else []


@page(router, "/lineage/{kind}/{key}/members", "members.html")
def members(
    ask: Asked, kind: str, key: str, asked: Questioned, group: str, text: str = "", after: int = 0
) -> View:
    """List what is in a group of the picture, page by page."""
    made = _picture(ask, kind, key, asked)
    found = boxes.members(made, group)
    shown = [node for node in found if text.casefold() in f"{node.name} {node.key}".casefold()]
    rest = shown[max(after, 0) : max(after, 0) + LISTED]
    kind, fan = made.drawn.boxes[group].kind, made.fans.get(group)
    hub = made.reached[fan.hub].node if fan is not None and fan.count > len(found) else None
    return {
        "start": brief(made.start),
        "group": group,
        "text": text,
        "kind": kind,
        "label": made.shown[group]["label"],
        "count": len(found),
        "all": linked.search(ask, hub, kind) if hub is not None else None,
        "matching": len(shown),
        "items": [{**brief(node), "redacted": tracing.is_redacted(node)} for node in rest],
        "first": after <= 0,
        "after": after + LISTED if len(shown) > after + LISTED else None,
        "query": {name: value for name, value in asked.query().items() if value},
    }


@router.get("/lineage/{kind}/{key}/mermaid")
def mermaid(ask: Asked, kind: str, key: str, asked: Questioned) -> Response:
    """Give what is drawn as a Mermaid flowchart."""
    made = _picture(ask, kind, key, asked)
    text = "\n".join(boxes.mermaid(made.boxes(), made.arrows())) + "\n"
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", made.start.label)
    headers = {
        "Content-Disposition": f'attachment; filename="lineage-{name}.mmd"',
        "X-Content-Type-Options": "nosniff",
    }
    return PlainTextResponse(text, headers=headers)


@page(router, "/lineage/{kind}/{key}", "lineage.html")
def lineage(ask: Asked, kind: str, key: str, asked: Questioned) -> View:
    """Show what a thing came from and what came of it, two levels far at first."""
    made = _picture(ask, kind, key, asked)
    known = made.known.nodes
    return {
        "start": brief(made.start),
        "title": known[made.start.kind].title if made.start.kind in known else made.start.kind,
        "depth": "all" if asked.depth is None else asked.depth,
        "deepest": DEEPEST,
        "direction": asked.direction,
        "live": asked.live,
        "hide": list(asked.hide),
        "up": list(asked.up),
        "down": list(asked.down),
        "with": list(asked.also),
        "room": ROOM,
        "boxes": made.boxes(),
        "arrows": made.arrows(),
        "counts": made.counts(),
        "cut": bool(made.cut),
        "mermaid": ask.to(f"{boxes.lineage_path(made.start.id)}/mermaid", **asked.query()),
        "looked": tracing.looked(asked.depth),
    }


def _picture(ask: Ask, kind: str, key: str, asked: Question) -> boxes.Picture:
    for name in asked.hide:
        ask.kind(name)
    return boxes.picture(ask, boxes.start_of(ask, f"{ask.kind(kind)}/{key}"), asked)
