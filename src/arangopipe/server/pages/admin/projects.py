"""Projects: registering one, and saying what it is about."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe.roles import require
from arangopipe.server.pages.acts import Posted, acts
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page
from arangopipe.server.pages.things import brief

LIMIT = 200

router = APIRouter()


@page(router, "/admin/projects", "admin/projects.html")
def projects(ask: AskedNow, cursor: str = "") -> View:
    """List the projects."""
    found = ask.store.search("project", limit=LIMIT, cursor=cursor or None)
    return {
        **entered(ask, "/admin/projects"),
        "projects": [{**brief(node), "document": node.document} for node in found.items],
        "cursor": found.cursor,
        "first": not cursor,
    }


def register(ask: Ask, form: Posted) -> str:
    """Register a project."""
    require(ask.principal, "projects")
    description = form.text("description")
    given: dict[str, Any] = {"description": description} if description else {}
    return ask.pipe.admin.register_project(form.text("name"), **given).name


def describe(ask: Ask, form: Posted) -> str:
    """Say what a project is about."""
    require(ask.principal, "projects")
    name = form.text("about")
    ask.pipe.annotate(f"project:{name}", description=form.text("description"), reason=form.text("reason"))
    return name


acts(
    router,
    "/admin/projects",
    "admin/projects.html",
    projects,
    **{"register-project": register, "describe": describe},
)
