"""Users: who may come in, and what they may do where."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from arangopipe.errors import InvalidInput
from arangopipe.roles import ROLES, may
from arangopipe.server import people
from arangopipe.server.access import Gate
from arangopipe.server.pages.account import registry, revoke_token, tokens_of
from arangopipe.server.pages.acts import Posted, acts, checked
from arangopipe.server.pages.admin.sections import entered
from arangopipe.server.pages.asking import Ask, AskedNow
from arangopipe.server.pages.rendering import View, page
from arangopipe.server.wire_users import Grant, NewPassword, NewUser, UserChange

router = APIRouter()

SHOWN = ("full_name", "email")


@page(router, "/admin/users", "admin/users.html")
def users(ask: AskedNow) -> View:
    """List the users, as far as the asker may see them."""
    found = people.list_users(ask.principal, registry(ask)).items
    return {
        **entered(ask, "/admin/users"),
        "users": [user.model_dump(mode="json") for user in found],
        "projects": governed(ask),
        "roles": list(ROLES),
    }


def governed(ask: Ask) -> list[str]:
    """Return the projects in which the asker may give roles."""
    named = [node.name for node in ask.store.search("project", limit=500).items]
    return [name for name in named if may(ask.principal, "grant", name)]


@page(router, "/admin/users/{name}", "admin/user.html")
def user(ask: AskedNow, name: str) -> View:
    """Show one user."""
    found = people.get_user(name, ask.principal, registry(ask)).model_dump(mode="json")
    return {
        **entered(ask, "/admin/users"),
        "user": found,
        "tokens": tokens_of(ask, name),
        "projects": governed(ask),
        "roles": {role: "; ".join(actions.values()) for role, actions in ROLES.items()},
    }


def register(ask: Ask, form: Posted) -> str | Response:
    """Register a user; of a store without users the first administrator, who logs in next."""
    gate: Gate = ask.request.app.state.gate
    first = not gate.authentication and not registry(ask).users()
    password, role, project = form.raw("password"), form.text("role"), form.text("project")
    if first and not password:
        raise InvalidInput("the first user is the administrator, who needs a password to log in with")
    if bool(role) != bool(project):
        raise InvalidInput("name both a project and a role, or neither")
    wanted = checked(
        NewUser,
        name=form.text("name"),
        password=password or None,
        admin=first or form.flag("admin"),
        roles={project: role} if role else {},
        attributes={name: form.text(name) for name in SHOWN if form.text(name)},
    )
    made = people.register_user(wanted, ask.principal, registry(ask))
    return RedirectResponse("/login?next=/admin/users", 303) if first else made.name


def _change(**changed: bool) -> Any:
    def change(ask: Ask, form: Posted, name: str) -> str:
        wanted = checked(UserChange, reason=form.text("reason"), **changed)
        people.change_user(name, wanted, ask.principal, registry(ask))
        return name

    return change


def set_password(ask: Ask, form: Posted, name: str) -> str:
    """Set the password of a user."""
    if form.raw("password") != form.raw("password_again"):
        raise InvalidInput("the two passwords differ: type the same one twice")
    wanted = checked(NewPassword, password=form.raw("password"))
    people.set_password(name, wanted, ask.principal, registry(ask))
    return name


def grant(ask: Ask, form: Posted, name: str) -> str:
    """Give a user a role in a project."""
    project, role = form.text("project"), form.text("role")
    wanted = checked(Grant, role=role, reason=form.text("reason"))
    people.grant(name, project, wanted, ask.principal, registry(ask))
    return f"{role} of {project}"


def revoke(ask: Ask, form: Posted, name: str) -> str:
    """Take away the role of a user in a project."""
    project, registered = form.text("about"), registry(ask)
    target = people.governed(project, ask.principal, registered)
    registered.revoke(name, target, reason=form.text("reason"))
    return project


def end_token(ask: Ask, form: Posted, name: str) -> str:
    """End a token of a user."""
    return revoke_token(ask, form)


acts(router, "/admin/users", "admin/users.html", users, **{"register-user": register})
acts(
    router,
    "/admin/users/{name}",
    "admin/user.html",
    user,
    **{
        "disable": _change(disabled=True),
        "enable": _change(disabled=False),
        "grant-admin": _change(admin=True),
        "revoke-admin": _change(admin=False),
        "set-password": set_password,
        "grant": grant,
        "revoke": revoke,
        "revoke-token": end_token,
    },
)
