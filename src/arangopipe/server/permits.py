"""What a principal may write: a batch is checked against the roles in every project that it touches.

========================================  ==============================================================
what a batch holds                        what it takes
========================================  ==============================================================
a thing of a project, its points          the action of its kind, in the project it was in and will be in
modelparams, devperf                      the same, as of their run
a thing of no project                     its creator, as contributor anywhere, or an administrator
an edge                                   the same for the end that depends; ``project_models``: the
                                          model; ``run_models``: the run; where lineage is silent: either
                                          end; to what a run or a deployment owns: both ends
the role of a user (``user_project``)     admin of the project
closing a thing                           maintainer, and that nothing hidden depends on it
closing an edge                           as for writing it
a project, its document                   an administrator of the store; admin of the project
a token                                   its user: to make one that is for no more than they may do, to
                                          end one
own kinds, users, an origin               an administrator of the store
========================================  ==============================================================

What is not visible cannot be referred to: it is "not there", and only that a key is taken shows. `unchanged`
rests on what is visible; of a whole kind, that something of it was written is no secret, as the number of the
last change is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from arangopipe.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied
from arangopipe.model.graph import Batch, EdgeRef, Expect, Node, Put, kind_of
from arangopipe.model.vocabulary import OWNED_BY_RUN, EdgeKind
from arangopipe.roles import STORE_ADMIN, check_role, require
from arangopipe.server.visible import GRANT, MANY, Sight, owners
from arangopipe.store.base import last_number
from arangopipe.store.checks import check_batch

_ACTIONS = {
    "deployment": "deploy",
    "run": "log",
    "modelparams": "log",
    "devperf": "log",
    "servingperf": "log",
}
_OWNED = (*OWNED_BY_RUN, "servingperf")
_NOBODY = "\0"
_LIMITED = "this token is for some projects or roles only: log in to make others"


class Permit:
    """The check of one batch, on what is there now."""

    def __init__(self, sight: Sight, batch: Batch) -> None:
        self._sight = sight
        self._principal = sight.principal
        self._batch = batch
        self._known = sight.store.vocabulary()
        try:
            self._read = check_batch(batch, self._known)
        except InvalidInput:
            # Others may have registered a kind meanwhile.
            self._known = sight.store.vocabulary(reload=True)
            self._read = check_batch(batch, self._known)
        self._head = last_number(sight.store) if batch.closes else 0
        self._will = {put.node.id: put.node for put in batch.puts}
        self._there, self._seen = sight.states(self._touched())
        self._creators: dict[str, str | None] = {}
        self._passed: set[tuple[str, str]] = set()

    def _touched(self) -> list[str]:
        batch = self._batch
        ends = [edge.ref for edge in batch.edges]
        ends += [item for item in batch.closes if isinstance(item, EdgeRef)]
        found = [*self._will, *(item for item in batch.closes if isinstance(item, str))]
        found += [end for edge in ends for end in (edge.source, edge.target)]
        found += [points.run for points in batch.points]
        found += [name for name in batch.unchanged if "/" in name]
        return [*found, *owners(found)]

    def granted(self) -> Batch:
        """Return the batch as it may be written, or raise `PermissionDenied`; hidden things are not there."""
        batch = self._batch
        if batch.origin is not None:
            self._for_administrators("import", f"batch {batch.id}")
        for node, expect in batch.puts:
            self._check_put(node, expect)
        for edge in batch.edges:
            self._check_edge(edge.ref, f"edge {edge.kind!r} cannot be recorded")
            if edge.kind == GRANT:
                check_role(edge.document.get("role"))
        for item in batch.closes:
            self._check_close(item)
        for run, name, _ in batch.points:
            self._check_there(run, f"points of {name!r} cannot be recorded")
            self._check("log", run)
        # What was looked at must still be so: who overwrites does it over what was judged.
        puts = tuple(Put(node, self._expected(node, expect)) for node, expect in batch.puts)
        texts = [put.node.text for put in batch.puts]
        closed = tuple(item for item in batch.closes if isinstance(item, str))
        return replace(
            batch,
            puts=puts,
            actor=self._principal.user,
            unchanged=(*filter(self._was_seen, batch.unchanged), *closed),
            since=batch.since if batch.unchanged else self._head,
            read=dict(zip(texts, self._read, strict=True)),
        )

    def _expected(self, node: Node, expect: Expect) -> Expect:
        if expect != "any":
            return expect
        old = self._there.get(node.id)
        return "absent" if old is None else old.revision

    def _was_seen(self, name: str) -> bool:
        """Whether a batch may rest on a kind or a thing: of what is hidden not even a change shows."""
        if "/" not in name or name in self._seen:
            return True
        if name in self._there:
            return False
        subject = (owners([name]) or [name])[0]
        life = self._sight.store.revisions(subject)
        return any(self._sight.by_words(state.node) is not None for state in life)

    # --- nodes -----------------------------------------------------------------------------------

    def _check_put(self, node: Node, expect: Expect) -> None:
        if node.kind in ("kinds", "users"):
            self._for_administrators(node.kind, node.id)
        if node.kind == "project":
            self._check_project(node)
            return
        if node.kind == "tokens":
            self._check_token(node)
            return
        if node.kind in OWNED_BY_RUN:
            self._check_there(f"run/{node.key}", f"{node.id} cannot be recorded")
        if node.project and not self._sight.sees_project(node.project):
            self._require(_action(node.kind), node.project, node.id)
        old = self._there.get(node.id)
        if old is not None and node.id not in self._seen:
            if isinstance(expect, int):
                raise NotFound(f"{node.id} is not there (any more): it cannot be revised")
            raise AlreadyExists(f"{node.id} is taken: use another key")
        if node.kind == "servingperf" and not (old or self._is_served(node) or self._principal.admin):
            raise NotFound(f"{node.id} belongs to no deployment: record it with its deployment_servingperf")
        if old is not None and old.project != node.project and not old.project:
            self._check_alone(node.id)
        self._check(_action(node.kind), node.id)

    def _is_served(self, node: Node) -> bool:
        served = ("deployment_servingperf", node.id)
        return bool(node.project) or any((edge.kind, edge.target) == served for edge in self._batch.edges)

    def _check_project(self, node: Node) -> None:
        old = self._seen.get(node.id)
        if old is None or old._replace(text=node.text, revision=0) != node._replace(revision=0):
            self._for_administrators("projects", node.id)
        else:
            self._require("grant", old.name, node.id)

    def _check_token(self, node: Node) -> None:
        old, document = self._there.get(node.id), node.document
        if self._principal.admin:
            return
        own = document.get("user") == self._principal.user and bool(self._principal.user)
        if not own or document.get("purpose") != "token" or old is not None:
            self._for_administrators("users", node.id)
        if self._principal.limited:
            raise PermissionDenied(_LIMITED)

    def _check_alone(self, node_id: str) -> None:
        """Check that nothing hidden depends on a thing, before it goes."""
        edges = self._sight.store.edges([node_id], limit=MANY)
        dependents = {end for edge in edges if (end := self._dependent_of(edge.ref))} - {node_id}
        seen = self._sight.nodes(dependents)
        if len(seen) < len(dependents):
            raise PermissionDenied(
                f"things of projects that you do not see depend on {node_id}: an administrator of the "
                "store may do that"
            )

    def _dependent_of(self, edge: EdgeRef) -> str | None:
        depends = self._known.edge_kind(edge.kind).depends
        return None if depends is None else edge.source if depends == "from" else edge.target

    # --- edges and closing -----------------------------------------------------------------------

    def _check_edge(self, edge: EdgeRef, what: str) -> None:
        kind = self._known.edge_kind(edge.kind)
        if edge.kind == GRANT:
            self._check_there(edge.target, what)
            self._require("grant", self._states(edge.target)[0].name, edge.target)
            return
        for end in (edge.source, edge.target):
            self._check_there(end, what)
        if kind.target in _OWNED:
            for end in (edge.source, edge.target):
                self._check("log" if kind_of(end) == "deployment" else _action(kind_of(end)), end)
            return
        ends = _dependent(kind, edge)
        for end in ends:
            try:
                self._check(_action(kind_of(end)), end)
                return
            except PermissionDenied:
                if end == ends[-1]:
                    raise

    def _check_close(self, item: str | EdgeRef) -> None:
        gone = f"{item} is not there (any more): it cannot be closed"
        if isinstance(item, EdgeRef):
            if item.kind != GRANT and not self._sight.joins(item, self._seen):
                raise NotFound(gone)
            self._check_edge(item, "it cannot be closed")
            return
        node = self._seen.get(item)
        if node is None:
            raise NotFound(gone)
        if node.kind in ("kinds", "users", "project"):
            self._for_administrators("projects" if node.kind == "project" else node.kind, node.id)
        if node.kind == "tokens":
            if node.document.get("purpose") == "password":
                self._for_administrators("users", node.id)
            return
        self._check("delete", item)
        self._check_alone(item)

    # --- rights ----------------------------------------------------------------------------------

    def _check_there(self, node_id: str, what: str) -> None:
        if node_id not in self._will and node_id not in self._seen:
            raise NotFound(f"{node_id} is not there: {what}")

    def _check(self, action: str, node_id: str) -> None:
        """Check an action in every project that a thing is in, and will be in."""
        if (action, node_id) in self._passed:
            return
        kind, _, key = node_id.partition("/")
        subject = f"run/{key}" if kind in OWNED_BY_RUN else node_id
        own = self._states(node_id) if subject != node_id else []
        projects = {state.project for state in self._states(subject)}
        for project in sorted(projects | {state.project for state in own if state.project}):
            creator = self._creator(subject, project)
            # To be shown a project is no right to it.
            self._require("projects" if kind == "project" else action, project, node_id, creator)
        self._passed.add((action, node_id))

    def _states(self, node_id: str) -> list[Node]:
        """Return a thing as it is and as the batch writes it."""
        return [states[node_id] for states in (self._there, self._will) if node_id in states]

    def _creator(self, node_id: str, project: str) -> str | None:
        """Return who made a thing of no project; None where it is new."""
        if project or node_id not in self._there:
            return None
        if node_id not in self._creators:
            life = self._sight.store.revisions(node_id)
            first = life[-1]
            for state in reversed(life[:-1]):
                if state.closed_by is None or state.closed_by.number != first.change.number:
                    break
                first = state
            self._creators[node_id] = first.change.actor or _NOBODY
        return self._creators[node_id]

    def _require(self, action: str, project: str, node_id: str, creator: str | None = None) -> None:
        """Raise the error that says which role an action takes, and who gives it, where it is lacking."""
        if creator == _NOBODY and not self._principal.admin:
            raise PermissionDenied(f"{node_id} is shared, and nobody's: an administrator of the store may")
        try:
            require(self._principal, action, project, creator)
        except PermissionDenied as error:
            gives = "an admin of the project or an administrator of the store gives roles"
            raise PermissionDenied(f"{node_id}: {error}{f'; {gives}' if project else ''}") from None

    def _for_administrators(self, action: str, node_id: str) -> None:
        if not self._principal.admin:
            raise PermissionDenied(
                f"{node_id}: {self._principal.user!r} may not {STORE_ADMIN[action]}: an administrator of the "
                "store may"
            )


def _action(kind: str) -> str:
    return _ACTIONS.get(kind, "register")


def _dependent(kind: EdgeKind, edge: EdgeRef) -> Sequence[str]:
    """Return the ends of which one must be one's own to write an edge."""
    if kind.name == "project_models" or kind.depends in ("to", "both"):
        return (edge.target,)
    if kind.depends == "from" or kind.name == "run_parent":
        return (edge.source,)
    return edge.source, edge.target
