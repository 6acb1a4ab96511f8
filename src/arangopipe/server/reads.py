"""Searching, counting, walking, and the record of changes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from arangopipe import changelog
from arangopipe.audit import verify
from arangopipe.model.graph import Graph
from arangopipe.server import asking, entities, wire
from arangopipe.server.asking import Administrator, AskedPipe, AsOf
from arangopipe.server.problems import may
from arangopipe.server.replies import reply

SECONDS = 1.0
"""So long a request looks back for the changes it asks for."""

router = APIRouter()


@router.get("/search/{kind}", response_model=wire.ThingPage, tags=["search"])
def search(
    pipe: AskedPipe,
    as_of: AsOf,
    kind: asking.Kind,
    where: asking.Where = None,
    order_by: asking.OrderBy = None,
    limit: asking.Limit = 100,
    cursor: asking.Cursor = None,
) -> Response:
    """Return a page of the things of a kind that a search text selects.

    Without an order runs come newest first, named things by name. `cursor` of the answer continues it;
    ask the same then.
    """
    return entities.listing(pipe, kind, where, order_by, limit, cursor, as_of)


@router.get("/count/{kind}", response_model=wire.Counted, tags=["search"])
def count(
    pipe: AskedPipe,
    as_of: AsOf,
    kind: asking.Kind,
    where: asking.Where = None,
    by: asking.By = None,
    limit: asking.Limit = 1_000,
) -> Response:
    """Return how many things a search text selects and, with `by`, how many for each value."""
    kind = entities.kind_of(pipe, kind)
    if by is None:
        return reply({"count": pipe.count(kind, where, as_of=as_of)})
    found = pipe.count(kind, where, by=by, as_of=as_of)
    ranked = sorted(found.items(), key=lambda item: (-item[1], str(item[0])))[:limit]
    shares = [{"value": value, "count": number} for value, number in ranked]
    return reply({"count": sum(found.values()), "by": shares})


# --- walks -----------------------------------------------------------------------------------------


@router.get("/graph/upstream", response_model=wire.Walked, responses=may(404, 409), tags=["graph"])
def upstream(
    pipe: AskedPipe,
    as_of: AsOf,
    ref: asking.Named,
    depth: asking.Depth = None,
    limit: asking.WalkLimit = 10_000,
) -> Response:
    """Return what a thing came from."""
    return _walked(pipe.upstream(ref, depth, limit=limit, as_of=as_of))


@router.get("/graph/downstream", response_model=wire.Walked, responses=may(404, 409), tags=["graph"])
def downstream(
    pipe: AskedPipe,
    as_of: AsOf,
    ref: asking.Named,
    depth: asking.Depth = None,
    limit: asking.WalkLimit = 10_000,
) -> Response:
    """Return what came of a thing."""
    return _walked(pipe.downstream(ref, depth, limit=limit, as_of=as_of))


@router.get("/graph/lineage", response_model=wire.Walked, responses=may(404, 409), tags=["graph"])
def lineage(
    pipe: AskedPipe,
    as_of: AsOf,
    ref: asking.Named,
    depth: asking.Depth = None,
    limit: asking.WalkLimit = 10_000,
) -> Response:
    """Return what a thing came from (depths below 0) and what came of it (above 0)."""
    return _walked(pipe.lineage(ref, depth, limit=limit, as_of=as_of))


@router.get("/graph/impact", response_model=wire.Impact, responses=may(404, 409), tags=["graph"])
def impact(pipe: AskedPipe, as_of: AsOf, ref: asking.Named) -> Response:
    """Return what depends on a thing, and the deployments among it that serve or are to."""
    return reply(pipe.impact(ref, as_of=as_of).to_dict())


def _walked(graph: Graph) -> Response:
    return reply(graph.to_dict())


# --- audit -----------------------------------------------------------------------------------------


@router.get("/audit/changes", response_model=wire.ChangePage, responses=may(404), tags=["audit"])
def list_changes(
    pipe: AskedPipe,
    as_of: AsOf,
    actor: asking.Actor = None,
    action: asking.Action = None,
    kind: asking.OfKind = None,
    thing: asking.OfThing = None,
    reason: asking.InReason = None,
    since: asking.Since = None,
    until: asking.Until = None,
    limit: asking.Limit = 100,
    cursor: asking.Older = None,
) -> Response:
    """Return the changes of the store, the newest first: who made them, when, why, and what they touched.

    It looks back for about a second. There is more as long as there is a `cursor`, also where an answer
    holds fewer than `limit`.
    """
    wanted = changelog.Wanted(
        actor=actor,
        since=asking.when(since, "since"),
        until=asking.when(until, "until"),
        kind=kind,
        action=action,
        cursor=cursor,
        as_of=as_of,
        things=changelog.things(pipe, thing, as_of) if thing else None,
        reason=reason,
    )
    found, older = changelog.find(pipe, limit, wanted, SECONDS)
    return reply({"items": [changelog.as_json(change) for change in found], "cursor": older})


@router.get("/audit/verify", response_model=wire.Verified, tags=["audit"])
def verify_audit(pipe: AskedPipe, _: Administrator) -> Response:
    """Recompute the chain of digests over all changes, and say whether the record is what was recorded.

    For administrators. It reads the whole store.
    """
    return reply(verify(pipe.store).to_dict())
