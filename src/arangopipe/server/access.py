"""Who asks, and the store as they may see it. Every route takes its store from here and nowhere else."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Request

from arangopipe import credentials, users
from arangopipe.errors import Conflict, StoreError
from arangopipe.model import times
from arangopipe.model.graph import Edge, Node
from arangopipe.roles import Principal, Role
from arangopipe.server.guard import guarded
from arangopipe.session import Session
from arangopipe.store.base import Store

__all__ = ["AskedStore", "Asker", "Gate", "Principal", "Role"]

SEEN_EVERY = timedelta(hours=1)
"""How often a token's last use is recorded: each time is a change of the store."""

_KNOWN = 10_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """Who asks as of a change of the store (`head`), the hash that proves it, and the nodes that say so."""

    principal: Principal
    token: users.Token
    digest: str
    nodes: tuple[Node, Node]
    roles: tuple[Edge, ...]
    head: int


class Gate:
    """Tells who a request comes from, and gives the store as they may see it.

    Who a token belongs to is remembered, and looked at again once anything was written to the store, so
    that a revocation counts at once, also one made by another server.
    """

    def __init__(self, store: Store, authentication: bool) -> None:
        self.store = store
        self._on = authentication
        self._looked = -1
        self._known: dict[str, Visitor] = {}
        self._setup: str | None = None
        self._lock = threading.Lock()

    @property
    def authentication(self) -> bool:
        """Whether everyone must say who they are: it was asked for, or the store has users."""
        if not self._on:
            head = self._head()
            if head != self._looked:
                self._on = users.any_users(self.store)
                self._looked = head
        return self._on

    # --- the first administrator -----------------------------------------------------------------

    def setup_token(self) -> str | None:
        """Return a token by which the first administrator can be made, once; None where there are users."""
        if not self.authentication or users.any_users(self.store):
            return None
        made = credentials.issue()
        self._setup = made.digest
        return made.text

    def set_up(self, text: str, name: str, password: str) -> bool:
        """Make the first administrator by the token of `setup_token`, and say whether it was that one."""
        found = credentials.read(text)
        with self._lock:
            if found is None or self._setup is None or not credentials.matches(found[1], self._setup):
                return False
            if users.any_users(self.store):
                raise Conflict("the store has users already: let one who administers it register more")
            users.Users(self.store, actor=name).register_user(name, password=password, admin=True)
            self._setup = None
        return True

    # --- who asks --------------------------------------------------------------------------------

    def admit(self, text: str | None, purpose: users.Purpose = "token") -> Principal | None:
        """Return whose token or session that is; None for one that is missing, wrong, ended or revoked."""
        if not self.authentication:
            return Principal("", admin=True)
        found = None if text is None else credentials.read(text)
        visitor = None if found is None else self._visitor(found[0])
        if found is None or visitor is None:
            return None
        token, now = visitor.token, times.now()
        if (
            token.purpose != purpose
            or not credentials.matches(found[1], visitor.digest)
            or token.expired(now)
        ):
            return None
        if purpose == "token" and (token.used is None or now - token.used > SEEN_EVERY):
            self._see(visitor, now)
        return visitor.principal

    def _visitor(self, key: str) -> Visitor | None:
        head = self._head()
        known = self._known.get(key)
        if known is None or known.head != head:
            known = self._look(key, head, known)
            if known is None:
                self._known.pop(key, None)
            else:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[key] = known
        return known

    def _look(self, key: str, head: int, known: Visitor | None) -> Visitor | None:
        """Return who a token belongs to as of now: who was known, where nothing of that has changed."""
        token, user = self._nodes(key, known)
        if token is None or user is None or user.document.get("disabled"):
            return None
        nodes, roles = (token, user), self.store.edges([user.id], ["user_project"])
        same = known is not None and (known.nodes, known.roles) == (nodes, roles)
        # What a limited token of an administrator opens rests on which projects there are.
        if known is not None and same and (known.principal.admin or not user.document.get("admin")):
            return replace(known, head=head)
        read = users.token_of(token)
        principal = users.principal_of(self.store, user, read)
        return Visitor(principal, read, token.document["secret"]["sha256"], nodes, roles, head)

    def _nodes(self, key: str, known: Visitor | None) -> tuple[Node | None, Node | None]:
        """Return the nodes of a token and its user."""
        ids = [f"tokens/{key}"]
        if known is not None:
            ids.append(users.user_id(known.token.user))
        token, *rest = self.store.get(ids)
        if token is None or token.document.get("purpose") not in ("token", "session"):
            return None, None
        (user,) = rest or self.store.get([users.user_id(token.document["user"])])
        return token, user

    def _see(self, visitor: Visitor, now: datetime) -> None:
        """Record that a token was used; that it cannot be recorded keeps nobody out."""
        (token, _), session = visitor.nodes, Session(self.store, actor=visitor.principal.user)
        try:
            self.store.write(session.batch("use token", puts=[users.used(token, now)]))
        except Conflict:
            _log.debug("another server has just recorded the use of a token")
        except StoreError as error:
            _log.warning("the use of a token is not recorded: %s", error)

    def _head(self) -> int:
        last = self.store.head()
        return 0 if last is None else last.number

    # --- what they may see -----------------------------------------------------------------------

    def principal(self, request: Request) -> Principal:
        """Return who asks, as the `Door` found out."""
        found: Principal = request.scope["state"]["principal"]
        return found

    def store_for(self, principal: Principal) -> Store:
        """Return the store as a principal may see it."""
        return guarded(self.store, principal)


async def _principal(request: Request) -> Principal:
    gate: Gate = request.app.state.gate
    return gate.principal(request)


async def _store(request: Request, principal: Annotated[Principal, Depends(_principal)]) -> Store:
    gate: Gate = request.app.state.gate
    return gate.store_for(principal)


def asking(request: Request) -> tuple[Principal, Store]:
    """Return who asks, and the store as they may see it: what the two below are, at a third of the time."""
    gate: Gate = request.app.state.gate
    principal = gate.principal(request)
    return principal, gate.store_for(principal)


Asker = Annotated[Principal, Depends(_principal)]
AskedStore = Annotated[Store, Depends(_store)]
