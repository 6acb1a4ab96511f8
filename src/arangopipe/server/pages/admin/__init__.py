"""Admin: users, tokens, projects, kinds, deployments and the store itself, for who looks after them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from arangopipe.server.pages.admin import deployments, kinds, projects, state, tokens, users
from arangopipe.server.pages.admin.sections import sections
from arangopipe.server.pages.asking import AskedNow
from arangopipe.server.pages.rendering import Entry

NAVIGATION = Entry("Admin", "/admin", needs="maintainer")

router = APIRouter()


@router.get("/admin")
def admin(ask: AskedNow) -> Response:
    """Lead to the first part that the asker may see."""
    return RedirectResponse(sections(ask)[0]["path"], 303)


PARTS = (users, tokens, projects, kinds, deployments, state)
