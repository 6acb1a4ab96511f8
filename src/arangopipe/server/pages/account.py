"""One's own account: what one may do, tokens, sessions, and the password."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from arangopipe.errors import NotFound
from arangopipe.model import times
from arangopipe.roles import ROLES
from arangopipe.server import login as desks
from arangopipe.server import people
from arangopipe.server.pages.acts import Posted, acts, checked
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, html, page
from arangopipe.server.wire_users import NewToken, Passwords
from arangopipe.tokens import TOKEN_DAYS
from arangopipe.users import Users

DAYS = (7, 30, TOKEN_DAYS, 365)

router = APIRouter()


def registry(ask: Ask) -> Users:
    """Return the users of the whole store, as `server.people` has them."""
    return people.registry(ask.request, ask.principal)


def tokens_of(ask: Ask, user: str | None) -> list[dict[str, Any]]:
    """Return the tokens that the asker may list, with whether they have ended."""
    now = times.now()
    found = people.list_tokens(ask.principal, registry(ask), user).items
    return [
        {
            **token.model_dump(mode="json"),
            "expired": token.expires is not None and token.expires <= now,
            "here": token.key == ask.principal.token,
        }
        for token in found
    ]


@page(router, "/account", "account.html")
def account(ask: AskedNow) -> View:
    """Show who asks."""
    who = ask.principal
    if not who.user:
        raise NotFound("nobody logs in here: this store has no users (Admin registers them)")
    sessions = registry(ask).tokens(who.user, sessions=True)
    return {
        "user": who.user,
        "admin": who.admin,
        "roles": dict(who.roles),
        "limited": who.limited,
        "tokens": tokens_of(ask, who.user),
        "sessions": [{**each.to_dict(), "here": each.key == who.token} for each in sessions],
        "projects": [node.name for node in ask.store.search("project", limit=500).items],
        "role_names": list(ROLES),
        "days": list(DAYS),
    }


async def change_password(ask: Ask, form: Posted) -> Response:
    """Change one's own password, and go on in a new session."""
    if form.raw("new_password") != form.raw("new_password_again"):
        raise HTTPException(422, "the two new passwords differ: type the same one twice")
    passwords = checked(Passwords, old=form.raw("old_password"), new=form.raw("new_password"))
    desk: desks.Desk = ask.request.app.state.desk
    try:
        await desks.change_password(passwords, ask.request, ask.principal, desk)
    except HTTPException as error:
        if error.status_code != 401:
            raise
        raise HTTPException(422, "the old password is wrong") from error
    made = await run_in_threadpool(registry(ask).open_session, ask.principal.user)
    answer = Response(status_code=303, headers={"Location": "/account?done=password"})
    desks.set_cookie(ask.request, answer, made.text)
    return answer


def create_token(ask: Ask, form: Posted) -> Response:
    """Make a token, and show it this once."""
    return made_token(ask, form, ask.principal.user, "account.html", account(ask))


def made_token(ask: Ask, form: Posted, user: str, template: str, view: View) -> Response:
    """Make a token for a user; the answer shows it, and is kept nowhere."""
    days = form.text("days")
    wanted = checked(
        NewToken,
        user=user,
        name=form.text("name"),
        projects=form.texts("project") or None,
        role=form.text("role") or None,
        days=None if days == "never" else days or TOKEN_DAYS,
    )
    made = people.create_token(wanted, Response(), ask.principal, registry(ask))
    tokens = tokens_of(ask, user if "sessions" in view else None)
    shown = {"text": made.text, "key": made.token.key, "user": made.token.user}
    answer = html(ask, template, {**view, "tokens": tokens, "made": shown})
    answer.headers["Cache-Control"] = "no-store"
    return answer


def revoke_token(ask: Ask, form: Posted) -> str:
    """End a token."""
    key = form.text("about")
    people.revoke_token(key, ask.principal, registry(ask))
    return key


acts(
    router,
    "/account",
    "account.html",
    account,
    **{
        "password": change_password,
        "create-token": create_token,
        "revoke-token": revoke_token,
        "end-session": revoke_token,
    },
)
