"""What a principal may see: what the scope of their projects shows, and some users and tokens.

The rules of a scope stand in `store.scope`; here they are applied to single things, and to what a store told
of its past. Of users and tokens, everyone sees themself and their own, without what proves them; who may give
roles in a project sees the names of all users, to whom they are given. What is not visible is as if it were
not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arangopipe.model import documents
from arangopipe.model.expressions import Compare, Path
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Put, kind_of
from arangopipe.model.ids import uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.roles import Principal, may
from arangopipe.store.abilities import Scoped, able
from arangopipe.store.base import AS_CREATED, AsOf, Store, pages_of
from arangopipe.store.memory import MemoryStore
from arangopipe.store.scope import SERVED, Scope

MANY = 1_000_000_000
FOLLOWING = (*OWNED_BY_RUN, "servingperf")
"""Kinds whose things are as visible as another thing."""

GRANT = "user_project"
_SOME = 1_000


class Sight:
    """What one principal sees of a store."""

    def __init__(self, store: Store, principal: Principal) -> None:
        self.store = store
        self.scoped = able(store, Scoped, "show users their projects alone")
        self.principal = principal
        self.scope = Scope(frozenset(principal.roles))

    def sees_project(self, project: str) -> bool:
        """Whether what belongs to a project of that name ("": to none) is visible."""
        return may(self.principal, "read", project)

    def grants(self) -> bool:
        """Whether the principal may give roles in any project."""
        return any(may(self.principal, "grant", project) for project in self.principal.roles)

    def nodes(self, ids: Iterable[str], as_of: AsOf = None) -> dict[str, Node]:
        """Return the visible ones among some nodes, by id."""
        return self.states(ids, as_of)[1]

    def states(self, ids: Iterable[str], as_of: AsOf = None) -> tuple[dict[str, Node], dict[str, Node]]:
        """Return, by id, the nodes that are there, and those that are visible, as they may be seen."""
        wanted = list(dict.fromkeys(ids))
        there: dict[str, Node] = {}
        seen: dict[str, Node] = {}
        for start in range(0, len(wanted), _SOME):
            some = wanted[start : start + _SOME]
            # Owners come with the same read, so that a thing is judged by the state it is read in.
            found = self.store.get([*some, *owners(some)], as_of)
            read = {node.id: node for node in found if node is not None}
            there.update({node_id: read[node_id] for node_id in some if node_id in read})
            seen.update({node.id: node for node in self._visible(some, read, as_of)})
        return there, seen

    def among(self, nodes: Sequence[Node], as_of: AsOf = None) -> list[Node]:
        """Return the visible ones of nodes that were read, as they may be seen."""
        read = {node.id: node for node in nodes}
        owning = [owner for owner in owners(read) if owner not in read]
        if owning:
            read.update({node.id: node for node in self.store.get(owning, as_of) if node is not None})
        return self._visible([node.id for node in nodes], read, as_of)

    def _visible(self, ids: Iterable[str], read: Mapping[str, Node], as_of: AsOf) -> list[Node]:
        found = []
        serving: list[str] = []
        for node_id in ids:
            node = self.by_words(read[node_id]) if node_id in read else None
            if node is None:
                continue
            if node.kind in OWNED_BY_RUN:
                run = read.get(f"run/{node.key}")
                if run is None or self.by_words(run) is None:
                    continue
            if node.kind == "servingperf":
                serving.append(node_id)
            found.append(node)
        if not serving or self.principal.admin:
            return found
        hidden = self._without_deployment([read[node_id] for node_id in serving], as_of)
        return [node for node in found if node.id not in hidden]

    def by_words(self, node: Node) -> Node | None:
        """Return a node as it may be seen by its own words alone, None where it may not."""
        if self.principal.admin or node.kind == "kinds":
            return node
        if node.kind == "users":
            return self._user(node)
        if node.kind == "tokens":
            return self._token(node)
        return node if self.scope.admits(node.kind, node.name, node.project) else None

    def _user(self, node: Node) -> Node | None:
        if node.name and node.name == self.principal.user:
            return node
        return node._replace(text=documents.EMPTY) if self.grants() else None

    def _token(self, node: Node) -> Node | None:
        document = node.document
        if not self.principal.user or document.get("user") != self.principal.user:
            return None
        return node._replace(text=documents.dump({**document, "secret": None}))

    def _without_deployment(self, nodes: Sequence[Node], as_of: AsOf) -> set[str]:
        """Return which serving performance is of a deployment that is not visible, or of nothing at all."""
        edges = self.store.edges([node.id for node in nodes], [SERVED], MANY, as_of)
        seen = self.nodes((edge.source for edge in edges), as_of)
        hidden = {edge.target for edge in edges if edge.source not in seen}
        served = {edge.target for edge in edges}
        return hidden | {node.id for node in nodes if node.id not in served and not node.project}

    def grants_of(self, ids: Sequence[str], as_of: AsOf = None) -> list[Edge]:
        """Return the visible ones of the roles that some users have, or that there are in some projects."""
        some = [node_id for node_id in ids if kind_of(node_id) in ("users", "project")]
        found = self.store.edges(some, [GRANT], MANY, as_of) if some else ()
        seen = self.nodes((end for edge in found for end in (edge.source, edge.target)), as_of)
        return [edge for edge in found if self.joins(edge.ref, seen)]

    def personal(self, kind: str, as_of: AsOf = None) -> MemoryStore:
        """Return a store with the visible users, and their roles, or tokens alone, as they were created."""
        own = Compare(Path(("name" if kind == "users" else "user",)), "=", self.principal.user)
        where = None if kind == "users" and self.grants() else own
        pages = pages_of(self.store, kind, where, [AS_CREATED], as_of=as_of)
        found = [node for page in pages for node in self.among(page.items, as_of)]
        roles = self.grants_of([node.id for node in found], as_of) if kind == "users" else []
        found += self.nodes((edge.target for edge in roles), as_of).values()
        few = MemoryStore()
        if found:
            few.write(Batch(uuid7(), tuple(map(Put, found)), edges=tuple(roles)))
        return few

    def joins(self, edge: EdgeRef, seen: Mapping[str, Any]) -> bool:
        """Whether an edge is visible, given the visible ones among its ends."""
        if edge.source not in seen or edge.target not in seen:
            return False
        if edge.kind != GRANT or self.principal.admin:
            return True
        user, project = seen[edge.source], seen[edge.target]
        return bool(user.name == self.principal.user) or may(self.principal, "grant", project.name)


def owners(ids: Iterable[str]) -> list[str]:
    """Return the runs whose modelparams and devperf are among some nodes."""
    return [f"run/{i.partition('/')[2]}" for i in ids if kind_of(i) in OWNED_BY_RUN]
