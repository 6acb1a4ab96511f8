"""Who asks, and the store as they may see it. Every route takes its store from here and nowhere else."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Annotated

from fastapi import Depends, Request

from arangopipe import credentials, users
from arangopipe.errors import Conflict, StoreError
from arangopipe.model import times
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node
from arangopipe.roles import Principal, Role
from arangopipe.server.guard import guarded
from arangopipe.session import Session
from arangopipe.store.abilities import Announcing
from arangopipe.store.base import Store, last_number
from arangopipe.tokens import Purpose, Token, token_of, used

__all__ = ["AskedStore", "Asker", "Gate", "Principal", "Role"]

SEEN_EVERY = timedelta(hours=1)
"""How often a token's last use is recorded: each time is a change of the store."""

FRESH = 0.5
"""Seconds for which a server may not have seen what another program has written to its store."""

_KNOWN = 10_000
_DECIDES = frozenset({"users", "tokens", "project", "user_project"})
"""Kinds of which it depends who may do what."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Visitor:
    """Who asks, when that was looked up, the hash that proves it, and the nodes that say so."""

    principal: Principal
    token: Token
    digest: str
    nodes: tuple[Node, Node]
    roles: tuple[Edge, ...]
    era: int


class Gate:
    """Tells who a request comes from, and gives the store as they may see it.

    Who a token belongs to is remembered for an era, which ends when something is written of which it depends
    who may do what. What this process writes ends it at once, so that a revocation counts for the next
    request. Others may have written whatever they like, so each of their changes ends it too: these are
    looked for every `fresh` seconds, or each time where a store does not announce what it writes.
    """

    def __init__(self, store: Store, authentication: bool, fresh: float = FRESH) -> None:
        self.store = store
        self._on = authentication
        self._era = 0
        self._open = -1  # the era in which the store had no users
        self._head: int | None = None
        self._until = 0.0
        self._known: dict[str, Visitor] = {}
        self._setup: str | None = None
        self._lock = threading.Lock()
        self._setting_up = threading.Lock()
        self._fresh = 0.0
        if isinstance(store, Announcing):
            self._fresh = fresh
            store.listen(self._written)

    @property
    def authentication(self) -> bool:
        """Whether everyone must say who they are: it was asked for, or the store has users."""
        era = self._now()
        if not self._on and era != self._open:
            self._on = users.any_users(self.store)
            self._open = era
        return self._on

    # --- eras ------------------------------------------------------------------------------------

    def _now(self) -> int:
        """Return the era, having asked the store for changes of others if that was some time ago."""
        began = monotonic()
        if began >= self._until:
            head = last_number(self.store)
            with self._lock:
                if head != self._head:
                    self._era += 1
                self._head, self._until = head, began + self._fresh
        return self._era

    def _written(self, batch: Batch | None) -> None:
        """End the era if what this process has written may change who may do what."""
        if batch is None or _decides(batch):
            with self._lock:
                self._era += 1

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
        with self._setting_up:
            if found is None or self._setup is None or not credentials.matches(found[1], self._setup):
                return False
            if users.any_users(self.store):
                raise Conflict("the store has users already: let one who administers it register more")
            users.Users(self.store, actor=name).register_user(name, password=password, admin=True)
            self._setup = None
        return True

    # --- who asks --------------------------------------------------------------------------------

    def recall(self, text: str | None, purpose: Purpose = "token") -> Principal | None:
        """Return what `admit` would, where that is remembered; else None. It does not ask the store."""
        if monotonic() >= self._until:
            return None
        if not self._on:
            return _EVERYBODY if self._open == self._era else None
        found = None if text is None else credentials.read(text)
        visitor = None if found is None else self._known.get(found[0])
        if found is None or visitor is None or visitor.era != self._era:
            return None
        now = times.now()
        proven = _proves(visitor, found[1], purpose, now) and not _unseen(visitor, now)
        return visitor.principal if proven else None

    def admit(self, text: str | None, purpose: Purpose = "token") -> Principal | None:
        """Return whose token or session that is; None for one that is missing, wrong, ended or revoked."""
        if not self.authentication:
            return _EVERYBODY
        found = None if text is None else credentials.read(text)
        visitor = None if found is None else self._visitor(found[0])
        now = times.now()
        if found is None or visitor is None or not _proves(visitor, found[1], purpose, now):
            return None
        if _unseen(visitor, now):
            self._see(visitor, now)
        return visitor.principal

    def _visitor(self, key: str) -> Visitor | None:
        era = self._now()
        known = self._known.get(key)
        if known is None or known.era != era:
            known = self._look(key, era, known)
            if known is None:
                self._known.pop(key, None)
            else:
                if len(self._known) >= _KNOWN:
                    self._known.clear()
                self._known[key] = known
        return known

    def _look(self, key: str, era: int, known: Visitor | None) -> Visitor | None:
        """Return who a token belongs to as of now: who was known, where nothing of that has changed."""
        token, user = self._nodes(key, known)
        if token is None or user is None or user.document.get("disabled"):
            return None
        nodes, roles = (token, user), self.store.edges([user.id], ["user_project"])
        same = known is not None and (known.nodes, known.roles) == (nodes, roles)
        # What a limited token of an administrator opens rests on which projects there are.
        if known is not None and same and (known.principal.admin or not user.document.get("admin")):
            return replace(known, era=era)
        read = token_of(token)
        principal = users.principal_of(self.store, user, read)
        return Visitor(principal, read, token.document["secret"]["sha256"], nodes, roles, era)

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
            self.store.write(session.batch("use token", puts=[used(token, now)]))
        except Conflict:
            _log.debug("another server has just recorded the use of a token")
        except StoreError as error:
            _log.warning("the use of a token is not recorded: %s", error)

    # --- what they may see -----------------------------------------------------------------------

    def principal(self, request: Request) -> Principal:
        """Return who asks, as the `Door` found out."""
        found: Principal = request.scope["state"]["principal"]
        return found

    def store_for(self, principal: Principal) -> Store:
        """Return the store as a principal may see it."""
        return guarded(self.store, principal)


_EVERYBODY = Principal("", admin=True)


def _proves(visitor: Visitor, secret: str, purpose: Purpose, now: datetime) -> bool:
    """Whether a secret is that of a token of a purpose that has not ended."""
    token = visitor.token
    return token.purpose == purpose and credentials.matches(secret, visitor.digest) and not token.expired(now)


def _unseen(visitor: Visitor, now: datetime) -> bool:
    """Whether the use of a token is to be recorded."""
    used = visitor.token.used
    return visitor.token.purpose == "token" and (used is None or now - used > SEEN_EVERY)


def _decides(batch: Batch) -> bool:
    """Whether it may depend on what a batch writes who may do what."""
    return (
        any(put.node.kind in _DECIDES for put in batch.puts)
        or any(edge.kind in _DECIDES for edge in batch.edges)
        or any(
            (item.kind if isinstance(item, EdgeRef) else item.partition("/")[0]) in _DECIDES
            for item in batch.closes
        )
    )


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
