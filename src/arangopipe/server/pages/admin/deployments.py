"""Deployments: what is deployed, scheduled, activated and archived, by maintainers of their projects."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe.errors import InvalidInput
from arangopipe.model.entities import Deployment
from arangopipe.roles import may
from arangopipe.server.pages.acts import Posted, acts
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page
from arangopipe.server.pages.things import placements

LIMIT = 50

router = APIRouter()


@page(router, "/admin/deployments", "admin/deployments.html")
def deployments(ask: AskedNow, tag: str = "", run: str = "", cursor: str = "") -> View:
    """List the deployments, the newest first, and offer what may be done with each."""
    found = ask.pipe.search("deployment", limit=LIMIT, cursor=cursor or None)
    placed = placements(ask, [item for item in found if isinstance(item, Deployment)])
    return {
        **entered(ask, "/admin/deployments"),
        "items": [{**item, "may": may(ask.principal, "deploy", item["project"])} for item in placed],
        "cursor": found.cursor,
        "first": not cursor,
        "tag": tag,
        "run": run,
    }


def deploy(ask: Ask, form: Posted) -> str:
    """Deploy a run under a tag: now, since a time in the past, or scheduled for one."""
    when, at = form.text("when"), form.time("at")
    if when in ("schedule", "since") and at is None:
        raise InvalidInput("say the time: since when it is active, or for when it is scheduled")
    given: dict[str, Any] = {"schedule": {"schedule": at}, "since": {"active_from": at}}.get(when, {})
    made = ask.pipe.admin.register_deployment(
        form.text("tag"),
        form.text("run") or None,
        keep=form.flag("keep"),
        reason=form.text("reason"),
        **given,
    )
    return made.tag


def activate(ask: Ask, form: Posted) -> str:
    """Make a scheduled deployment active."""
    return ask.pipe.admin.activate_deployment(
        form.text("about"), keep=form.flag("keep"), reason=form.text("reason")
    ).tag


def archive(ask: Ask, form: Posted) -> str:
    """End a deployment, or call it off."""
    return ask.pipe.admin.archive_deployment(form.text("about"), reason=form.text("reason")).tag


acts(
    router,
    "/admin/deployments",
    "admin/deployments.html",
    deployments,
    deploy=deploy,
    activate=activate,
    archive=archive,
)
