"""What each role may do, and who asks: the one table that server, command line and documents share."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from arangopipe.errors import InvalidInput, PermissionDenied
from arangopipe.model.vocabulary import near

Role = Literal["viewer", "contributor", "maintainer", "admin"]

ROLES: Mapping[Role, Mapping[str, str]] = {
    "viewer": {"read": "see, search and walk what belongs to the project"},
    "contributor": {
        "register": "register, annotate and link datasets, featuresets, models and things of own kinds",
        "log": "log runs and serving performance",
    },
    "maintainer": {
        "deploy": "register, activate and archive deployments",
        "delete": "delete, with a reason where it is in use",
        "export": "export the project",
    },
    "admin": {
        "grant": "give and take roles in the project",
        "tokens": "list and revoke the tokens that are for this project alone",
    },
}
"""What each role in a project adds to those before it: action and what it means."""

STORE_ADMIN: Mapping[str, str] = {
    "projects": "register projects",
    "users": "register, disable and enable users, set their passwords, make administrators",
    "kinds": "register own kinds",
    "erase": "erase content for good",
    "retain": "let things go by rules of retention",
    "import": "import bundles, and copy into the store",
    "query": "ask in SQL, read-only",
}
"""What an administrator of the store may do beside everything that roles allow, in every project."""

_RANK: Mapping[str, int] = {role: rank for rank, role in enumerate(ROLES)}
_LEAST: Mapping[str, Role] = {action: role for role, actions in ROLES.items() for action in actions}


@dataclass(frozen=True)
class Principal:
    """Who asks: a user, and the role in each project, by its name.

    `token` is the key of what proved it; `limited` says that it is for less than the user may do.
    """

    user: str
    admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)
    token: str = ""
    limited: bool = False

    def highest(self) -> Role | None:
        """Return the highest role that the user has in any project."""
        return max(self.roles.values(), key=lambda role: _RANK[role], default=None)


def check_role(role: object) -> Role:
    """Return a role, or raise `InvalidInput` for what is none."""
    if not isinstance(role, str) or role not in _RANK:
        raise InvalidInput(
            f"no role is called {role!r:.80}{near(str(role), ROLES)} (known: {', '.join(ROLES)})"
        )
    return role  # type: ignore[return-value]


def may(principal: Principal, action: str, project: str = "", creator: str | None = None) -> bool:
    """Whether someone may do something in a project, or ("") with what belongs to none.

    What belongs to no project everyone may read. It may be registered by who may do so in any project, and
    changed by its `creator` (None: it is new) and by administrators. Raises `InvalidInput` for an action that
    stands in no table.
    """
    if action not in _LEAST and action not in STORE_ADMIN:
        known = (*_LEAST, *STORE_ADMIN)
        raise InvalidInput(f"no action is called {action!r}{near(action, known)} (known: {', '.join(known)})")
    if principal.admin:
        return True
    least = _LEAST.get(action)
    if least is None:
        return False
    if project:
        return allows(principal.roles.get(project), least)
    if action == "read":
        return True
    return least != "admin" and creator in (None, principal.user) and allows(principal.highest(), least)


def require(principal: Principal, action: str, project: str = "", creator: str | None = None) -> None:
    """Raise `PermissionDenied`, which says who may, for what `may` does not allow."""
    if may(principal, action, project, creator):
        return
    least = _LEAST.get(action)
    who = f"{principal.user!r}{', by this token,' if principal.limited else ''}"
    if least is None:
        raise PermissionDenied(f"{who} may not {action}: an administrator of the store may")
    if project:
        role = principal.roles.get(project)
        has = f"is {role} of" if role else "has no role in"
        raise PermissionDenied(f"{who} {has} project {project!r}: {least} or more may {action}")
    if creator not in (None, principal.user):
        raise PermissionDenied(f"{who} may not {action} what {creator!r} shares: they and administrators may")
    raise PermissionDenied(f"{who} is {least} or more of no project, and may {action} nothing that is shared")


def allows(role: Role | None, least: Role) -> bool:
    """Whether a role is that one or more."""
    return role is not None and _RANK[role] >= _RANK[least]


def scoped(
    principal: Principal,
    projects: Collection[str] | None,
    role: Role | None,
    known: Iterable[str] = (),
) -> Principal:
    """Return what is left of a principal whose token is for some projects (None: all) and at most a role.

    A limited token of an administrator is no administrator's: `known` are the projects there are.
    """
    if projects is None and role is None:
        return principal
    roles: Mapping[str, Role] = dict.fromkeys(known, "admin") if principal.admin else principal.roles
    kept = {
        project: has if role is None or allows(role, has) else role
        for project, has in roles.items()
        if projects is None or project in projects
    }
    return Principal(principal.user, False, kept, principal.token, True)
