"""The page of one thing: its document, links, versions, revisions, and how to get the same elsewhere."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe.details import change, change_dict
from arangopipe.errors import NotFound
from arangopipe.model.entities import Dataset, Deployment, Entity, Featureset, ServingPerf
from arangopipe.model.expressions import Compare, Path
from arangopipe.model.filters import to_text
from arangopipe.model.graph import Node, Revision
from arangopipe.model.vocabulary import OWNED_BY_RUN, singular
from arangopipe.server.pages import elsewhere, states
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.linked import links
from arangopipe.server.pages.rendering import View, page
from arangopipe.server.pages.things import brief, placements, plain_metrics

RUNS_OF = ("datasets", "featuresets", "models")
"""Kinds whose pages show the newest runs they have to do with."""

router = APIRouter()


@page(router, "/entity/{kind}/{key}", "entity.html")
def entity(ask: Asked, kind: str, key: str, a: str = "", b: str = "") -> View:
    """Show all that is recorded about one thing; `a` and `b` are two states of it to compare."""
    thing, found = known(ask, f"{ask.kind(kind)}/{key}")
    return {**common(ask, thing, found, a, b), "facts": _facts(ask, thing)}


def known(ask: Ask, node_id: str) -> tuple[Entity, list[Revision]]:
    """Return a thing and its revisions; one that was deleted as it last was."""
    found = states.of(ask, node_id)
    (node,) = ask.store.get([node_id], ask.moment)
    if node is None and not found:
        raise NotFound(_unknown(ask, node_id))
    return ask.pipe.entity(node if node is not None else found[-1].node, ask.as_of), found


def _unknown(ask: Ask, node_id: str) -> str:
    if ask.as_of is not None and ask.store.get([node_id])[0] is not None:
        return f"{node_id} was not recorded yet at {ask.as_of}: look at it as of now, or of a later moment"
    return f"there is no {node_id}, or you may not see it"


def common(ask: Ask, thing: Entity, found: list[Revision], before: str, after: str) -> View:
    """Return what the pages of all things show."""
    node = thing.node
    written = change(ask.pipe, node.revision)
    gone = found[-1].closed_by if found else None
    kind = ask.store.vocabulary().nodes.get(node.kind)
    return {
        "thing": thing.to_dict(),
        "brief": brief(node),
        "title": kind.title if kind is not None else node.kind,
        "written": None if written is None else change_dict(written),
        "deleted": None if gone is None else change_dict(gone),
        "run": f"run/{node.key}" if node.kind in OWNED_BY_RUN else None,
        "links": links(ask, node),
        "runs": _runs(ask, node),
        "versions": states.versions(ask, node),
        "history": states.history(found),
        "states": [
            {"number": revision.change.number, "time": change_dict(revision.change)["time"]}
            for revision in found[-states.STEPS :][::-1]
        ],
        "difference": states.compared(ask, node, found, before, after),
        "same": elsewhere.thing(ask, thing),
    }


def _runs(ask: Ask, node: Node) -> str | None:
    """Return the search for the runs of a thing that has some to look at."""
    if node.kind == "project":
        return to_text(Compare(Path(("project",)), "=", node.name))
    if node.kind not in RUNS_OF:
        return None
    return to_text(Compare(Path((singular(node.kind), "key")), "=", node.key))


def _facts(ask: Ask, thing: Entity) -> dict[str, Any]:
    """Return what a page says of a kind beside the document."""
    match thing:
        case Dataset():
            return {"columns": _columns(thing.summary or {})}
        case Featureset():
            return {"columns": [{"name": name, "dtype": dtype} for name, dtype in thing.columns.items()]}
        case Deployment():
            return {"placement": placements(ask, [thing])[0]}
        case ServingPerf():
            return {"metrics": plain_metrics(thing.metrics, 1_000)}
    return {}


def _columns(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the columns of a summary, each with its statistics."""
    columns = summary.get("columns")
    if isinstance(columns, dict):
        return [
            {"name": name, **(facts if isinstance(facts, dict) else {"dtype": facts})}
            for name, facts in columns.items()
        ]
    return [column for column in columns or [] if isinstance(column, dict) and "name" in column]
