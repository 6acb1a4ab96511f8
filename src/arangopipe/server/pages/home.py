"""Home: the projects, what is live, what changed lately, and what needs attention."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe import changelog, deployments
from arangopipe.model.entities import Deployment
from arangopipe.model.graph import Node
from arangopipe.server.pages import attention
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.kept import Kept
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.things import brief, change_view, placements

NAVIGATION = Entry("Home", "/")

COUNTED = ("datasets", "featuresets", "models", "run", "deployment")
PROJECTS = 50
CHANGES = 12
LIVE = 50
PATIENCE = 0.2
"""So many seconds are spent on reading what changes touched."""

router = APIRouter()


@page(router, "/home", "home.html", also="/")
def home(ask: Asked) -> View:
    """Show what one wants to know first. Nothing here grows with the store."""
    projects = ask.store.search("project", limit=PROJECTS, as_of=ask.moment)
    serving = _live(ask)
    latest = deployments.last_serving(ask.store, serving, ask.moment)
    return {
        "projects": [_project(node) for node in projects.items],
        "more_projects": projects.cursor is not None,
        "kinds": list(COUNTED),
        "live": placements(ask, serving, latest),
        "changes": [change_view(each) for each in changelog.latest(ask.store, CHANGES, PATIENCE, ask.moment)],
        "attention": attention.needs(ask, serving, latest),
    }


@page(router, "/home/counts", "parts/counts.html")
def counts(ask: Asked) -> View:
    """Count what belongs to each project; the page asks for it when the rest is there."""
    kept: Kept = ask.request.app.state.kept
    return kept.get(ask, "projects", lambda: _counts(ask))


def _counts(ask: Ask) -> View:
    tally = {kind: ask.store.count(kind, by="project", as_of=ask.moment) for kind in COUNTED}
    projects = ask.store.search("project", limit=PROJECTS, as_of=ask.moment).items
    return {
        "kinds": list(COUNTED),
        "projects": [
            {**_project(node), "counts": {kind: tally[kind].get(node.name, 0) for kind in COUNTED}}
            for node in projects
        ],
        "shared": {kind: tally[kind].get(None, 0) + tally[kind].get("", 0) for kind in COUNTED},
        "total": {kind: sum(tally[kind].values()) for kind in COUNTED},
    }


def _project(node: Node) -> dict[str, Any]:
    description = node.document.get("description")
    return {**brief(node), "description": description if isinstance(description, str) else None}


def _live(ask: Ask) -> list[Deployment]:
    # Older documents have no status, and count as active.
    found = ask.pipe.search("deployment", "status = 'active' or status is null", limit=LIVE, as_of=ask.as_of)
    return [item for item in found if isinstance(item, Deployment) and item.live_at(ask.now)]
