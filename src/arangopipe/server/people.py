"""Users, their roles, and tokens: for oneself, for who administers a project, and for who does the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from arangopipe.errors import InvalidInput, NotFound, PermissionDenied
from arangopipe.model.graph import Node
from arangopipe.roles import Principal, require
from arangopipe.roles import may as allowed
from arangopipe.server import wire_users as wire
from arangopipe.server.access import Asker, Gate
from arangopipe.server.problems import may
from arangopipe.tokens import Token
from arangopipe.users import User
from arangopipe.users import Users as People

router = APIRouter()


def registry(request: Request, asker: Asker) -> People:
    """Return the users of the whole store; each route asks first whether the asker may."""
    gate: Gate = request.app.state.gate
    return People(gate.store, actor=asker.user or None)


Registry = Annotated[People, Depends(registry)]
Key = Annotated[str, Path(description="The key of a token, which its list shows.")]
Name = Annotated[str, Path(description="The name of a user.", examples=["ana"])]
Project = Annotated[str, Path(description="The name of a project.", examples=["diabetes"])]

# --- users ---------------------------------------------------------------------------------------


@router.get("/users", tags=["users"], response_model=wire.Users)
def list_users(asker: Asker, people: Registry) -> wire.Users:
    """List the users. Who administers projects sees their roles there, anyone else themself."""
    found = people.users()
    return wire.Users(items=[seen for user in found if (seen := _as_seen(user, asker)) is not None])


@router.post("/users", tags=["users"], status_code=201, response_model=wire.UserOut, responses=may(404, 409))
def register_user(user: wire.NewUser, asker: Asker, people: Registry) -> wire.UserOut:
    """Register a user."""
    require(asker, "users")
    if known := sorted(user.attributes.keys() & {"self", "name", "password", "admin", "roles"}):
        raise InvalidInput(f"attributes: {known[0]!r} is a field of its own")
    return _user(
        people.register_user(
            user.name, password=user.password, admin=user.admin, roles=user.roles, **user.attributes
        )
    )


@router.get("/users/{name}", tags=["users"], response_model=wire.UserOut, responses=may(404))
def get_user(name: Name, asker: Asker, people: Registry) -> wire.UserOut:
    """Return one user."""
    seen = _as_seen(people.user(name), asker) if name == asker.user or _grants(asker) else None
    if seen is None:
        raise NotFound(f"no user is called {name!r}, or you may not see them")
    return seen


@router.patch("/users/{name}", tags=["users"], response_model=wire.UserOut, responses=may(404, 409))
def change_user(name: Name, change: wire.UserChange, asker: Asker, people: Registry) -> wire.UserOut:
    """Disable or enable a user, or make them administrator of the store or not."""
    require(asker, "users")
    if (change.admin is None) == (change.disabled is None):
        raise InvalidInput("say either admin or disabled: each is a change of its own")
    if change.disabled is not None:
        act = people.disable_user if change.disabled else people.enable_user
    else:
        act = people.grant_admin if change.admin else people.revoke_admin
    return _user(act(name, reason=change.reason))


@router.put("/users/{name}/password", tags=["users"], status_code=204, responses=may(404))
def set_password(name: Name, password: wire.NewPassword, asker: Asker, people: Registry) -> None:
    """Set a user's password, which ends their sessions."""
    require(asker, "users")
    people.set_password(name, password.password)


@router.put(
    "/users/{name}/roles/{project:path}", tags=["users"], response_model=wire.UserOut, responses=may(404)
)
def grant(name: Name, project: Project, given: wire.Grant, asker: Asker, people: Registry) -> wire.UserOut:
    """Give a user a role in a project, instead of the one they have there."""
    target = governed(project, asker, people)
    return _seen(people.grant(name, target, given.role, reason=given.reason), asker)


@router.delete(
    "/users/{name}/roles/{project:path}", tags=["users"], response_model=wire.UserOut, responses=may(404)
)
def revoke(name: Name, project: Project, asker: Asker, people: Registry) -> wire.UserOut:
    """Take away the role that a user has in a project."""
    target = governed(project, asker, people)
    return _seen(people.revoke(name, target), asker)


def governed(project: str, asker: Principal, people: People) -> Node:
    """Return the project of just that name, in which the asker may give roles."""
    require(asker, "grant", project)
    found = people.references().project_node(project)
    if found.name != project:
        raise NotFound(f"no project is called {project!r}")
    return found


# --- tokens --------------------------------------------------------------------------------------


@router.get("/tokens", tags=["tokens"], response_model=wire.Tokens, responses=may(404))
def list_tokens(
    asker: Asker,
    people: Registry,
    user: Annotated[str | None, Query(max_length=1_000, description="Only those of this user.")] = None,
) -> wire.Tokens:
    """List the tokens: one's own, those for a project that one administers alone, or all of the store."""
    found = people.tokens(user if allowed(asker, "users") else None)
    shown = [token for token in found if _manages(asker, token) and user in (None, token.user)]
    return wire.Tokens(items=[_token(token) for token in shown])


@router.post(
    "/tokens", tags=["tokens"], status_code=201, response_model=wire.MadeToken, responses=may(404, 409)
)
def create_token(token: wire.NewToken, response: Response, asker: Asker, people: Registry) -> wire.MadeToken:
    """Make a token, for oneself or, as administrator of the store, for any user; its text is said once."""
    user = asker.user if token.user is None else token.user
    if user != asker.user:
        require(asker, "users")
    if asker.limited:
        raise PermissionDenied("this token is for less than its user may do, so it makes no others")
    if not asker.admin and (strange := sorted(set(token.projects or ()) - asker.roles.keys())):
        raise NotFound(f"you have a role in no project that is called {strange[0]!r}")
    expires = None if token.days is None else timedelta(days=token.days)
    made = people.create_token(
        user, name=token.name, projects=token.projects, role=token.role, expires=expires
    )
    response.headers["Cache-Control"] = "no-store"
    return wire.MadeToken(text=made.text, token=_token(made.token))


@router.delete("/tokens/{key}", tags=["tokens"], status_code=204, responses=may(404))
def revoke_token(key: Key, asker: Asker, people: Registry) -> None:
    """End a token at once."""
    if not asker.admin:
        found = (*people.tokens(), *people.tokens(asker.user or None, sessions=True))
        if not any(token.key == key and _manages(asker, token) for token in found):
            raise NotFound(f"no token that is yours to end has the key {key!r:.40}")
    people.revoke_token(key)


def _manages(asker: Principal, token: Token) -> bool:
    """Whether someone may list and end a token: it is theirs, or only for projects they administer."""
    if asker.admin or token.user == asker.user:
        return not asker.limited or token.key == asker.token
    return bool(token.projects) and all(allowed(asker, "tokens", name) for name in token.projects or ())


def _grants(asker: Principal) -> bool:
    return asker.admin or any(allowed(asker, "grant", project) for project in asker.roles)


def _as_seen(user: User, asker: Principal) -> wire.UserOut | None:
    """Return a user as far as someone may see them, None where they may not."""
    if asker.admin or (user.name == asker.user and not asker.limited):
        return _user(user)
    if user.name == asker.user:
        return _user(replace(user, roles=asker.roles))
    if not _grants(asker):
        return None
    roles = {project: role for project, role in user.roles.items() if allowed(asker, "grant", project)}
    return wire.UserOut(name=user.name, admin=False, disabled=user.disabled, roles=roles, attributes={})


def _seen(user: User, asker: Principal) -> wire.UserOut:
    found = _as_seen(user, asker)
    assert found is not None
    return found


def _user(user: User) -> wire.UserOut:
    return wire.UserOut(**user.to_dict())


def _token(token: Token) -> wire.TokenOut:
    return wire.TokenOut(**token.to_dict())
