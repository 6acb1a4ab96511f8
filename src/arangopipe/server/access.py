"""Who asks, and the store as they may see it. Every route takes its store from here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import Depends, Request

from arangopipe.store.base import Store

Role = Literal["viewer", "contributor", "maintainer", "admin"]


@dataclass(frozen=True)
class Principal:
    """Who asks: a user, and the role in each project (by its key)."""

    user: str
    admin: bool = False
    roles: Mapping[str, Role] = field(default_factory=dict)


class Gate:
    """Tells who a request comes from, and gives the store as they may see it."""

    def __init__(self, store: Store, authentication: bool) -> None:
        self.store = store
        self.authentication = authentication

    def principal(self, request: Request) -> Principal:
        """Return who asks; without authentication everyone is an administrator without a name."""
        return Principal("", admin=True)

    def store_for(self, principal: Principal) -> Store:
        """Return the store as a principal may see it."""
        return self.store


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
