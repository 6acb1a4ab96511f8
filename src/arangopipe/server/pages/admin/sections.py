"""The parts of the page Admin, and who may see which."""

from __future__ import annotations

from typing import Any

from arangopipe.errors import PermissionDenied
from arangopipe.roles import may
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.rendering import View

SECTIONS = {
    "/admin/users": ("Users", "grant"),
    "/admin/tokens": ("Tokens", "tokens"),
    "/admin/projects": ("Projects", "projects"),
    "/admin/kinds": ("Kinds", "kinds"),
    "/admin/deployments": ("Deployments", "deploy"),
    "/admin/store": ("Store", "query"),
}
"""Path, title, and the action that one must be allowed, in any project."""


def allowed(ask: Ask, action: str) -> bool:
    """Whether the asker may do something in any project, or with the whole store."""
    who = ask.principal
    return who.admin or any(may(who, action, project) for project in who.roles)


def sections(ask: Ask) -> list[dict[str, Any]]:
    """Return the parts that the asker may see."""
    found = [
        {"path": path, "title": title, "here": ask.request.url.path.startswith(path)}
        for path, (title, action) in SECTIONS.items()
        if allowed(ask, action)
    ]
    if not found:
        raise PermissionDenied("this page is for administrators, and for maintainers of projects")
    return found


def entered(ask: Ask, path: str) -> View:
    """Return what every part shows; raise `PermissionDenied` for whom it is not."""
    title, action = SECTIONS[path]
    if not allowed(ask, action):
        raise PermissionDenied(f"{ask.principal.user!r} may not see {title}: an administrator may")
    return {"sections": sections(ask), "title": title, "store_admin": ask.principal.admin}
