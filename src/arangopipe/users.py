"""Users, their roles, and what proves who they are, as data of the store: each act is one audited batch.

A user is a node of kind ``users``, a role an edge ``user_project`` from it to a project.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from arangopipe import credentials
from arangopipe.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from arangopipe.model import documents, times
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Node, Put
from arangopipe.model.ids import check_name, named_key
from arangopipe.model.vocabulary import near
from arangopipe.references import Ref, listed, several
from arangopipe.roles import Principal, Role, check_role, scoped
from arangopipe.session import Session
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store, check_switch, last_number, nodes_of
from arangopipe.tokens import (
    SESSION_HOURS,
    TOKEN_DAYS,
    Expires,
    NewToken,
    Token,
    end_of,
    password_ids,
    password_node,
    token_node,
    token_of,
    tokens_of,
)

_NAME = re.compile(r"[^\s/\\\x00-\x1f\x7f]{1,100}")
_OWN = ("admin", "disabled")
_SECRET = ("password", "token", "secret")


@dataclass(frozen=True)
class User:
    """One user: administrator of the store or not, disabled or not, and the role in each project."""

    name: str
    admin: bool = False
    disabled: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    node: Node = field(default=Node("users", ""), repr=False, compare=False)

    @property
    def id(self) -> str:
        """The reference ``users/key``."""
        return self.node.id

    def to_dict(self) -> dict[str, Any]:
        """Return the user as JSON-able values."""
        own = {"name": self.name, "admin": self.admin, "disabled": self.disabled, "roles": dict(self.roles)}
        return {**own, "attributes": dict(self.attributes)}


class Users(Session):
    """The part of an administrator's side that is about users."""

    # --- users -----------------------------------------------------------------------------------

    def register_user(
        self,
        name: str,
        *,
        password: str | None = None,
        admin: bool = False,
        roles: Mapping[str, Role] | None = None,
        **attributes: Any,
    ) -> User:
        """Make a user known and return it; a taken name raises `AlreadyExists`.

        Without a password the user has tokens only. An `admin` administers the whole store; `roles` says
        which role the user has in which project. `attributes` are to show: ``full_name``, ``email``, ….
        """
        node = _new(name, check_switch("admin", admin), attributes)
        kept = None if password is None else credentials.hash_password(password)
        if roles is not None and not isinstance(roles, Mapping):
            raise InvalidInput(f"roles is {roles!r:.80}: write {{project: role}}")
        granted = {project: check_role(role) for project, role in (roles or {}).items()}

        def register() -> Batch:
            since = last_number(self.store)
            (old,) = self.store.get([node.id])
            if old is not None:
                what = "a user" if _is_ours(old) else "a thing of this store's own kind 'users'"
                raise AlreadyExists(f"{what} is called {name!r} already: use another name")
            edges = [self._grant(node, project, role) for project, role in granted.items()]
            puts = [
                Put(node),
                *([] if kept is None else [Put(password_node(node, kept, password_ids(node.id)[0]), "any")]),
            ]
            closes = [each.id for each in tokens_of(self.store, name) if kept is None or each.key != node.key]
            rest: dict[str, Any] = {"unchanged": ["users"], "since": since}
            return self.batch("register user", puts=puts, edges=edges, closes=closes, **rest)

        self.send_fresh(register)
        return self.user(name)

    def user(self, name: str) -> User:
        """Return the user of that name, or raise `NotFound`."""
        return self._user(self._user_node(name))

    def users(self) -> tuple[User, ...]:
        """Return all users, by name."""
        return tuple(self._user(node) for node in _users(self.store))

    def set_password(self, user: str, password: str) -> Change:
        """Give a user a password instead of the old one, whose hash is erased.

        It ends their sessions, not their tokens.
        """
        kept = credentials.hash_password(password)
        old: list[str] = []

        def change() -> Batch:
            since = last_number(self.store)
            node = self._user_node(user)
            places = password_ids(node.id)
            old[:] = [kept.id for kept in self.store.get(places) if kept is not None]
            free = next(place for place in places if place not in old)
            ended = [session.id for session in tokens_of(self.store, user, "session")]
            puts = [Put(password_node(node, kept, free), "any")]
            rest: dict[str, Any] = {"unchanged": ["tokens"], "since": since}
            return self.batch("set password", puts=puts, closes=[*old, *ended], **rest)

        made = self.retried(change, self.store.write)
        if old and isinstance(self.store, Maintenance):
            self._erase_closed(old, self.store)
        return made

    def _erase_closed(self, ids: Sequence[str], store: Maintenance) -> None:
        """Erase what was closed, unless it is there again."""

        def closed() -> tuple[list[str], int]:
            since = last_number(self.store)
            return [id for id, node in zip(ids, self.store.get(ids), strict=True) if node is None], since

        def erase(found: tuple[list[str], int]) -> None:
            gone, since = found
            if gone:
                store.erase(gone, self.actor, "there is a new password", ["tokens"], since)

        self.retried(closed, erase)

    def disable_user(self, user: str, *, reason: str = "") -> User:
        """Keep a user out, and end their tokens and sessions; what they recorded stays.

        The last administrator raises `Conflict`.
        """
        return self._set_user("disable user", user, reason, disabled=True)

    def enable_user(self, user: str, *, reason: str = "") -> User:
        """Let a user who was disabled in again, with the old password and roles and new tokens."""
        return self._set_user("enable user", user, reason, disabled=False)

    def grant_admin(self, user: str, *, reason: str = "") -> User:
        """Make a user an administrator of the whole store."""
        return self._set_user("grant admin", user, reason, admin=True)

    def revoke_admin(self, user: str, *, reason: str = "") -> User:
        """Make an administrator a user as others are; the last one raises `Conflict`."""
        return self._set_user("revoke admin", user, reason, admin=False)

    def _set_user(self, action: str, user: str, reason: str, **flags: bool) -> User:
        def change() -> Batch:
            since = last_number(self.store)
            node = self._user_node(user)
            changed = node._replace(text=documents.dump({**node.document, **flags}))
            if flags.get("disabled") or flags.get("admin") is False:
                self._check_last(node)
            ended = tokens_of(self.store, user, "token", "session") if flags.get("disabled") else ()
            return self.batch(
                action,
                puts=[Put(changed, node.revision)],
                closes=[old.id for old in ended],
                reason=reason,
                unchanged=["users", *(["tokens"] if ended else [])],
                since=since,
            )

        self.send_fresh(change)
        return self.user(user)

    def _check_last(self, node: Node) -> None:
        others = [other.document for other in _users(self.store) if other.id != node.id]
        if _administers(node.document) and not any(map(_administers, others)):
            raise Conflict(f"{node.name!r} is the last administrator: make another one first")

    # --- roles -----------------------------------------------------------------------------------

    def grant(self, user: str, project: Ref, role: Role, *, reason: str = "") -> User:
        """Give a user a role in a project, instead of the one they have there."""
        node = self._user_node(user)
        edge = self._grant(node, project, check_role(role))
        self.store.write(self.batch("grant", edges=[edge], reason=reason))
        return self.user(user)

    def revoke(self, user: str, project: Ref, *, reason: str = "") -> User:
        """Take away the role that a user has in a project; without one there `NotFound` is raised."""
        node = self._user_node(user)
        ref = EdgeRef("user_project", node.id, self.references().project_node(project).id)
        if not any(edge.ref == ref for edge in self.store.edges([node.id], ["user_project"])):
            known = listed(sorted(self._user(node).roles)) or "none"
            raise NotFound(f"{user!r} has no role in that project (roles in: {known})")
        self.store.write(self.batch("revoke", closes=[ref], reason=reason))
        return self.user(user)

    def _grant(self, user: Node, project: Ref, role: Role) -> Edge:
        target = self.references().project_node(project).id
        return Edge("user_project", user.id, target, text=documents.dump({"role": role}))

    # --- tokens and sessions ---------------------------------------------------------------------

    def create_token(
        self,
        user: str,
        *,
        name: str = "",
        projects: Sequence[Ref] | None = None,
        role: Role | None = None,
        expires: Expires = timedelta(days=TOKEN_DAYS),
    ) -> NewToken:
        """Make an API token for a user; its `text` is shown this once.

        It is for `projects` (None: all) and for at most a `role`, and never for more than its user may do.
        It ends at a time or after a while, by default 90 days; None: never.
        """
        node = self._user_node(user)
        if node.document.get("disabled"):
            raise Conflict(f"user {user!r} is disabled: enable them first")
        about = Token(
            "",
            user,
            check_name(name, "the name of a token") if name else "",
            projects=None if projects is None else self._projects(projects),
            role=None if role is None else check_role(role),
            expires=end_of(expires),
        )
        return self._issue("create token", credentials.API_TOKEN, about)

    def _projects(self, projects: Sequence[Ref]) -> tuple[str, ...]:
        references = self.references()
        found = tuple(sorted({references.project_node(project).name for project in several(projects)}))
        if not found:
            raise InvalidInput("a token for no project opens nothing: name projects, or None for all")
        return found

    def open_session(self, user: str) -> NewToken:
        """Begin a session of the page, of 12 hours, and clear away those of the user that have ended."""
        self._user_node(user)
        now = times.now()
        ended = [
            token.id
            for token in (token_of(node) for node in tokens_of(self.store, user, "session"))
            if token.expired(now)
        ]
        about = Token("", user, purpose="session", expires=now + timedelta(hours=SESSION_HOURS))
        return self._issue("log in", credentials.SESSION_TOKEN, about, ended)

    def _issue(self, action: str, prefix: str, about: Token, closes: Iterable[str] = ()) -> NewToken:
        made = credentials.issue(prefix)
        token = replace(about, key=made.key, created=times.now())
        self.store.write(self.batch(action, puts=[Put(token_node(token, made.digest))], closes=closes))
        return NewToken(made.text, token)

    def tokens(self, user: str | None = None, *, sessions: bool = False) -> tuple[Token, ...]:
        """Return the tokens, or those of a user, the newest first; with `sessions`, the sessions instead."""
        if user is not None:
            self._user_node(user)
        sessions = check_switch("sessions", sessions)
        found = [token_of(node) for node in tokens_of(self.store, user, "session" if sessions else "token")]
        return tuple(
            sorted(found, key=lambda token: (token.created or times.from_microseconds(0), token.key))
        )[::-1]

    def token(self, token: str) -> Token:
        """Return the token or session of a key, or raise `NotFound`."""
        key = credentials.key_of(token)
        (node,) = self.store.get([f"tokens/{key}"]) if key else (None,)
        if node is None or node.document.get("purpose") not in ("token", "session"):
            known = [one.key for one in self.tokens()]
            raise NotFound(
                f"no token has the key {key!r:.40}{near(key, known)}: 'arangopipe token list' shows them"
            )
        return token_of(node)

    def revoke_token(self, token: str, *, reason: str = "") -> Token:
        """End a token or a session, by its key, at once; what is none raises `NotFound`."""
        found = self.token(token)
        self.store.write(self.batch("revoke token", closes=[found.id], reason=reason))
        return found

    # --- reading ---------------------------------------------------------------------------------

    def _user_node(self, name: str) -> Node:
        (node,) = self.store.get([user_id(name)])
        if node is None or not _is_ours(node):
            known = [other.name for other in _users(self.store)]
            hint = near(name, known) or (f" (known: {listed(known)})" if known else ": there are none yet")
            raise NotFound(f"no user is called {name!r}{hint}")
        return node

    def _user(self, node: Node) -> User:
        document = node.document
        shown = {name: value for name, value in document.items() if name not in _OWN}
        flags = (bool(document.get("admin")), bool(document.get("disabled")))
        return User(node.name, *flags, roles_of(self.store, node.id), shown, node)


def user_id(name: str) -> str:
    """Return the id of the user of that name."""
    return f"users/{named_key('users', '', check_name(name, 'the name of a user'), '')}"


def any_users(store: Store) -> bool:
    """Whether a store has users, and so asks everyone who they are."""
    return any(_users(store))


def roles_of(store: Store, user: str) -> dict[str, Role]:
    """Return the role that a user (an id) has in each project, by its name."""
    edges = store.edges([user], ["user_project"])
    projects = store.get([edge.target for edge in edges])
    named = zip(projects, edges, strict=True)
    found = {node.name: edge.document.get("role") for node, edge in named if node is not None}
    return {project: check_role(found[project]) for project in sorted(found)}


def principal_of(store: Store, user: Node, token: Token | None = None) -> Principal:
    """Return who asks: a user, by a token that may be for less than they may do."""
    admin = bool(user.document.get("admin"))
    whole = Principal(user.name, admin, roles_of(store, user.id), "" if token is None else token.key)
    if token is None or (token.projects is None and token.role is None):
        return whole
    known = [node.name for node in nodes_of(store, "project")] if admin else ()
    return scoped(whole, token.projects, token.role, known)


def password_of(store: Store, name: str) -> str | None:
    """Return the hash of a user's password, None where there is no such user or none that may come in."""
    user = user_id(name)
    node, *places = store.get([user, *password_ids(user)])
    kept = next(filter(None, places), None)
    if node is None or kept is None or node.document.get("disabled"):
        return None
    return str(kept.document["secret"]["argon2"])


def _new(name: str, admin: bool, attributes: Mapping[str, Any]) -> Node:
    """Return the node of a new user."""
    given = documents.normalise(attributes, f"user {name!r:.80}")
    if not _NAME.fullmatch(check_name(name, "the name of a user")):
        raise InvalidInput(f"{name!r:.80} cannot name a user: use up to 100 characters, no blank, / or \\")
    if taken := [word for word in (*_OWN, *_SECRET) if word in given]:
        raise InvalidInput(f"{taken[0]!r} is no attribute of a user: leave it out")
    key = user_id(name).partition("/")[2]
    return Node("users", key, name, text=documents.dump({**given, "admin": admin, "disabled": False}))


def _administers(user: Mapping[str, Any]) -> bool:
    return bool(user.get("admin")) and not user.get("disabled")


def _users(store: Store) -> Iterator[Node]:
    """Yield all users, and no things of an own kind of a store older than users."""
    return filter(_is_ours, nodes_of(store, "users"))


def _is_ours(node: Node) -> bool:
    return all(type(node.document.get(flag)) is bool for flag in _OWN)
