"""The administrator's side: projects, deployments, own kinds, deleting and erasing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from arangopipe import deployments as placed
from arangopipe import guards
from arangopipe.errors import Conflict, InvalidInput, NotFound
from arangopipe.model import documents, times
from arangopipe.model.entities import Deployment, Project, Thing
from arangopipe.model.expressions import Compare, Or, Path
from arangopipe.model.graph import Batch, Change, Edge, Node, Put
from arangopipe.model.ids import check_key, check_name, uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.record import Time
from arangopipe.references import Ref, References, When, listed, moment_of
from arangopipe.register import own_thing, register
from arangopipe.store.abilities import Maintenance, able
from arangopipe.store.base import check_switch, last_number
from arangopipe.users import Users

if TYPE_CHECKING:
    from arangopipe.bundle import Backed, Exported, Imported

DeploymentStatus = Literal["scheduled", "active", "archived"]

_CARRIERS = 10


class ArangoPipeAdmin(Users):
    """What an administrator does with a store.

    >>> from arangopipe import ArangoPipeAdmin
    >>> admin = ArangoPipeAdmin("memory://")
    >>> admin.register_project("diabetes", description="progression after a year").name
    'diabetes'
    """

    # --- projects and own kinds ------------------------------------------------------------------

    def register_project(
        self,
        name: str | Mapping[str, Any],
        *,
        key: str | None = None,
        exist_ok: bool = False,
        **attributes: Any,
    ) -> Project:
        """Record a project and return it.

        A taken name raises `AlreadyExists`; with `exist_ok`, equal content returns the project that has
        it and other content raises `Conflict`.
        """
        return Project(register(self, "project", name, attributes, exist_ok, key=key))

    def register(
        self,
        kind: str,
        name: str | Mapping[str, Any],
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        key: str | None = None,
        exist_ok: bool = False,
        **attributes: Any,
    ) -> Thing:
        """Record a thing of an own kind and return it; it has no version unless one is given."""
        own = {"version": version, "project": project, "key": key}
        return own_thing(self, kind, name, attributes, exist_ok, **own)

    def register_node_kind(self, name: str, records: str = "", *, exist_ok: bool = False) -> Thing:
        """Make an own kind of named nodes known; `records` says in words what they record.

        A name that any kind has raises `Conflict`; with `exist_ok`, an equal kind is returned.
        """
        return self._register_kind(name, {"of": "node", "records": records}, exist_ok)

    def register_edge_kind(
        self,
        name: str,
        from_: str | None,
        to: str | None,
        depends: Literal["from", "to"] | None = None,
        *,
        records: str = "",
        exist_ok: bool = False,
    ) -> Thing:
        """Make an own kind of edge known, from one kind of node (None: any) to another.

        `depends` says which end depends on the other, so that lineage follows the edge; None: it is
        shown but not followed. Names as in `register_node_kind`.
        """
        kind = self.references().kind
        ends = [None if end is None else kind(end).name for end in (from_, to)]
        document = {"of": "edge", "from": ends[0], "to": ends[1], "depends": depends, "records": records}
        return self._register_kind(name, document, exist_ok)

    def _register_kind(self, name: str, document: Mapping[str, Any], exist_ok: bool) -> Thing:
        vocabulary = self.store.vocabulary(reload=True)
        known = self.store.find("kinds", name) if check_switch("exist_ok", exist_ok) else ()
        if not known:
            vocabulary.with_own([(name, document)])
        node = register(self, "kinds", name, document, exist_ok)
        self.store.vocabulary(reload=True)
        return Thing(node)

    # --- deployments -----------------------------------------------------------------------------

    def register_deployment(
        self,
        tag: str,
        run: Ref | None = None,
        *,
        active_from: Time | None = None,
        active_to: Time | None = None,
        schedule: Time | None = None,
        status: DeploymentStatus | None = None,
        keep: bool = False,
        key: str | None = None,
        reason: str = "",
        **attributes: Any,
    ) -> Deployment:
        """Deploy a run under a tag and return the deployment.

        Without `run`, exactly one run must carry the tag as its `deployment_tag` or `tag`. It is active
        from `active_from` on (by default now; it may lie in the past), scheduled if `schedule` says
        for when, or archived if `active_to` says until when it served. The one of the tag that was
        active is archived, unless `keep`. Raises `Conflict` where deployments would overlap.
        """
        check_name(tag, "tag")
        references = self.references()
        run_node = references.node("run", run) if run is not None else self.carrier(tag)
        key = check_key(key) if key is not None else uuid7()
        given = documents.normalise(attributes, f"deployment {tag!r}")
        document = {**given, "tag": tag, **_placement(status, active_from, active_to, schedule)}
        node = Node("deployment", key, tag, project=run_node.project, text=documents.dump(document))
        edges = self._serves(references, node.id, run_node)

        def deploy() -> Batch:
            since = last_number(self.store)
            puts = [Put(node), *self._handover(Deployment(node), keep)]
            rest: dict[str, Any] = {"unchanged": ["deployment"], "since": since}
            return self.batch("register deployment", puts=puts, edges=edges, reason=reason, **rest)

        return Deployment(self.send_fresh(deploy)[0])

    def activate_deployment(
        self, ref: Ref, *, at: Time | None = None, keep: bool = False, reason: str = ""
    ) -> Deployment:
        """Make a scheduled deployment active, by default now; a tag means the one that is scheduled.

        The one of its tag that was active is archived, unless `keep`. What was archived stays so: deploy
        its run again.
        """
        moment = _not_ahead(at, "at")

        def activate() -> Batch:
            since = last_number(self.store)
            found = self._one(ref, "scheduled")
            put = placed.changed(found, status="active", active_from=times.to_text(moment))
            puts = [put, *self._handover(Deployment(put.node), keep)]
            return self.batch(
                "activate deployment", puts=puts, reason=reason, unchanged=["deployment"], since=since
            )

        return Deployment(self.send_fresh(activate)[0])

    def archive_deployment(self, ref: Ref, *, at: Time | None = None, reason: str = "") -> Deployment:
        """End an active deployment, by default now, or call off a scheduled one.

        A tag means the one that is active.
        """
        moment = times.now() if at is None else times.parse(at, "at")

        def archive() -> Batch:
            found = self._one(ref, "active", "scheduled")
            if found.status == "scheduled":
                put = placed.changed(found, status="archived")
            elif found.active_from is not None and moment < found.active_from:
                raise InvalidInput(f"{found.id} became active at {found.active_from}, after {moment}")
            else:
                put = placed.changed(found, status="archived", active_to=times.to_text(moment))
            return self.batch("archive deployment", puts=[put], reason=reason)

        return Deployment(self.send_fresh(archive)[0])

    def deployments(
        self, tag: str | None = None, *, live_at: Time | None = None, as_of: When = None
    ) -> tuple[Deployment, ...]:
        """Return the deployments, or those of a tag, or those live at a time; the newest first."""
        moment = moment_of(as_of)
        named = None if tag is None else check_name(tag, "tag")
        found = (
            placed.every(self.store, moment) if named is None else placed.of_tag(self.store, named, moment)
        )
        if live_at is not None:
            found = placed.live(found, times.parse(live_at, "live_at"))
        return tuple(found)

    def carrier(self, tag: str) -> Node:
        """Return the node of the one run that carries a tag, or raise `NotFound` or `Conflict`."""
        carries = Or(tuple(Compare(Path((name,)), "=", tag) for name in ("deployment_tag", "tag")))
        found = self.store.search("run", carries, limit=_CARRIERS).items
        if not found:
            raise NotFound(f"no run carries the tag {tag!r}: name the run, or log one with deployment_tag=")
        if len(found) > 1:
            ids = listed([f"{run.id} ({run.document.get('status')})" for run in found])
            count = self.store.count("run", carries)[None]
            raise Conflict(f"{count} runs carry the tag {tag!r}: pass one as run= ({ids})")
        return found[0]  # type: ignore[no-any-return]

    def _serves(self, references: References, deployment: str, run: Node) -> list[Edge]:
        """Return the edges from a deployment to what a run made and used."""
        params = f"modelparams/{run.key}"
        if self.store.get([params]) == (None,):
            raise Conflict(f"{run.id} has no parameters yet: end it before it is deployed")
        edges = [references.edge("deployment_modelparams", deployment, params)]
        for used, kind in (("run_models", "deployment_model"), ("run_featuresets", "deployment_featureset")):
            for edge in self.store.edges([run.id], [used]):
                other = edge.target if edge.source == run.id else edge.source
                edges.append(references.edge(kind, deployment, other))
        return edges

    def _handover(self, deployment: Deployment, keep: bool) -> list[Put]:
        """Return what makes room for a deployment among those of its tag."""
        start = deployment.active_from
        if check_switch("keep", keep) or deployment.status == "scheduled" or start is None:
            return []
        others = placed.of_tag(self.store, deployment.tag)
        others = [other for other in others if other.id != deployment.id]
        return placed.handover(others, deployment.tag, start, deployment.active_to)

    def _one(self, ref: Ref, *statuses: str) -> Deployment:
        """Return the deployment of a reference; of a tag, the one of the first status that any has."""
        known = placed.of_tag(self.store, ref) if isinstance(ref, str) else []
        if not known:
            known = [Deployment(self.references().node("deployment", ref))]
        return placed.one_of(known, str(ref), *statuses)

    # --- deleting --------------------------------------------------------------------------------

    def delete(self, ref: Ref, *, reason: str = "", force: bool = False, expect: int | None = None) -> Change:
        """Close a thing, its edges and what it owns; `as_of` and `history` still show them.

        What a live or scheduled deployment depends on, a project in use and a kind in use raise
        `Conflict`, which lists why; but for kinds, `force` with a `reason` overrides that. With
        `expect`, a revision number, so does a thing that was changed since.
        """
        if force := check_switch("force", force):
            _check_reason(reason, "force=True")
        node = self.references().any_node(ref)
        if node.kind in OWNED_BY_RUN:
            raise InvalidInput(f"{node.id} belongs to run/{node.key}: delete that")
        rest = (*guards.rests_on(self.store), *(() if expect is None else (node.id,)))

        def checked() -> Batch:
            since = last_number(self.store)
            if expect is not None:
                self._check_revision(node.id, expect)
            self.check_free(node, force=force)
            return self.batch("delete", closes=[node.id], reason=reason, unchanged=rest, since=since)

        return self.retried(checked, self.store.write)

    def _check_revision(self, node_id: str, expect: int) -> None:
        found = self.references().any_node(node_id)
        if found.revision != expect:
            raise Conflict(f"{node_id} is at revision {found.revision}, not {expect}: look it up again")

    def erase(self, *refs: Ref, reason: str, force: bool = False) -> Change:
        """Remove the content of every revision of some things for good; digests and edges stay.

        What stands is deleted by it, under the rules of `delete`; what was deleted is known by its id.
        """
        store, erasing = self.store, able(self.store, Maintenance, "erase")
        _check_reason(reason, "erasing")
        references = self.references()
        ids = [references.any_id(ref) for ref in refs]
        rest = guards.rests_on(store)

        def checked() -> int:
            since = last_number(store)
            for node in store.get(ids):
                if node is not None:
                    self.check_free(node, "erased", force=force)
            return since

        return self.retried(checked, lambda since: erasing.erase(ids, self.actor, reason, rest, since))

    # --- bundles and backups ---------------------------------------------------------------------

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        project: str | None = None,
        since: When = None,
        until: When = None,
        overwrite: bool = False,
    ) -> Exported:
        """Write the store into one file, a bundle, that another store can import.

        All changes, those of one `project` (cut to what belongs to it and what that depends on), those
        from `since` up to `until` (times or change numbers). A file that is there already raises
        `InvalidInput` unless it may be overwritten.
        """
        from arangopipe.bundle import export

        first, last = moment_of(since), moment_of(until)
        return export(self.store, path, project=project, since=first, until=last, overwrite=overwrite)

    def import_bundle(self, path: str | os.PathLike[str]) -> Imported:
        """Take the changes of a bundle into the store and return how many were new, known, in conflict.

        An empty store takes over a whole bundle as it is; any other merges it. A file that was cut short
        or altered raises `InvalidInput` before anything is recorded.
        """
        from arangopipe.bundle import import_bundle

        return import_bundle(self.store, path, actor=self.actor)

    def backup(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Backed:
        """Copy the store into a file while others write, and verify the copy, which is a store itself."""
        from arangopipe.bundle import backup

        return backup(self.store, path, overwrite=overwrite)

    # --- what deleting would break ---------------------------------------------------------------

    def check_free(self, ref: Ref, done: str = "deleted", *, force: bool = False) -> None:
        """Raise `Conflict`, with the list of reasons, where `delete` would refuse a thing."""
        node = self.references().any_node(ref)
        if node.kind == "kinds":
            reasons = list(guards.of_kind(self.store, node))
            way_out = "delete that first"
        elif check_switch("force", force):
            return
        else:
            reasons = [*guards.in_service(self.store, node), *guards.in_project(self.store, node)]
            way_out = "archive or delete that first, or force it with a reason"
        if reasons:
            raise Conflict(f"{node.id} ({node.label}) cannot be {done}: {'; '.join(reasons)}: {way_out}")


def _check_reason(reason: object, what: str) -> None:
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidInput(f"{what} needs a reason=, which the record keeps, not {reason!r:.80}")


_TIMES: Mapping[str, tuple[str, ...]] = {
    "scheduled": ("schedule",),
    "active": ("active_from",),
    "archived": ("active_from", "active_to"),
}
"""The times that each status of a deployment has."""


def _placement(
    status: DeploymentStatus | None,
    active_from: Time | None,
    active_to: Time | None,
    schedule: Time | None,
) -> dict[str, str]:
    """Return status and effective times of a new deployment as recorded."""
    given = {"active_from": active_from, "active_to": active_to, "schedule": schedule}
    moments = {name: times.parse(value, name) for name, value in given.items() if value is not None}
    implied = "scheduled" if schedule is not None else "archived" if active_to is not None else "active"
    chosen = implied if status is None else status
    if chosen not in _TIMES:
        raise InvalidInput(f"no deployment status is called {chosen!r}: {', '.join(_TIMES)}")
    if stray := sorted(moments.keys() - set(_TIMES[chosen])):
        raise InvalidInput(f"a deployment that is {chosen} has no {listed(stray)}=")
    if chosen == "scheduled":
        found = {"scheduled": moments["schedule"]} if moments else {}
    elif chosen == "active":
        found = {"active_from": _not_ahead(moments.get("active_from"), "active_from")}
    else:
        found = _served(moments)
    return {"status": chosen, **{name: times.to_text(value) for name, value in found.items()}}


def _served(moments: dict[str, datetime]) -> dict[str, datetime]:
    if len(moments) < 2 or moments["active_to"] < moments["active_from"]:
        raise InvalidInput("an archived deployment needs active_from= and, not before it, active_to=")
    return moments


def _not_ahead(moment: Time | None, what: str) -> datetime:
    """Return a time, by default now, that does not lie in the future."""
    now = times.now()
    found = now if moment is None else times.parse(moment, what)
    if found > now:
        raise InvalidInput(f"{what} {found} lies ahead: register it with schedule= and activate it then")
    return found
