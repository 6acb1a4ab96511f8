"""Tokens of programs: who has which, when each was last used, and when it ends."""

from __future__ import annotations

from fastapi import APIRouter, Response

from arangopipe.roles import ROLES
from arangopipe.server.pages.account import DAYS, made_token, registry, revoke_token, tokens_of
from arangopipe.server.pages.acts import Posted, acts
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page

router = APIRouter()


@page(router, "/admin/tokens", "admin/tokens.html")
def tokens(ask: AskedNow, user: str = "") -> View:
    """List the tokens that the asker may end."""
    admin = ask.principal.admin
    return {
        **entered(ask, "/admin/tokens"),
        "tokens": tokens_of(ask, user or None),
        "user": user,
        "users": [each.name for each in registry(ask).users() if not each.disabled] if admin else [],
        "projects": [node.name for node in ask.store.search("project", limit=500).items],
        "role_names": list(ROLES),
        "days": list(DAYS),
    }


def create(ask: Ask, form: Posted) -> Response:
    """Make a token for a user, and show it this once."""
    return made_token(ask, form, form.text("user"), "admin/tokens.html", tokens(ask))


acts(
    router,
    "/admin/tokens",
    "admin/tokens.html",
    tokens,
    **{"create-token": create, "revoke-token": revoke_token},
)
