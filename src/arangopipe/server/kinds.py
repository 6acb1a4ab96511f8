"""Own kinds and their things, and links between any two things."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from arangopipe.model.graph import edge_dict
from arangopipe.model.vocabulary import EDGE_KINDS, NODE_KINDS, RESERVED_EDGES, RESERVED_KINDS, Vocabulary
from arangopipe.server import asking, entities, forms, wire
from arangopipe.server.asking import AskedPipe, AsOf
from arangopipe.server.entities import MADE
from arangopipe.server.problems import may
from arangopipe.server.replies import created, of_change, of_thing, reply

router = APIRouter()


# --- kinds -----------------------------------------------------------------------------------------


@router.get("/kinds", response_model=wire.Kinds, tags=["kinds"])
def list_kinds(pipe: AskedPipe) -> Response:
    """Return the kinds of things and edges that the store knows, built in and own."""
    return reply(shown(pipe.store.vocabulary(reload=True)))


def shown(known: Vocabulary) -> dict[str, list[dict[str, Any]]]:
    """Return the kinds that people have to do with, as JSON-able values."""
    nodes = [
        {
            "name": kind.name,
            "singular": kind.singular,
            "title": kind.title,
            "records": kind.records,
            "own": kind.name not in NODE_KINDS,
        }
        for kind in known.nodes.values()
        if kind.name not in RESERVED_KINDS
    ]
    edges = [
        {
            "name": kind.name,
            "from": kind.source,
            "to": kind.target,
            "depends": kind.depends,
            "records": kind.records,
            "own": kind.name not in EDGE_KINDS,
        }
        for kind in known.edges.values()
        if kind.name not in RESERVED_EDGES
    ]
    return {"nodes": nodes, "edges": edges}


@router.post(
    "/kinds/nodes", status_code=201, response_model=wire.Thing, responses={**MADE, **may(409)}, tags=["kinds"]
)
def register_node_kind(pipe: AskedPipe, body: forms.NewNodeKind) -> Response:
    """Make an own kind of named things known."""
    made = pipe.admin.register_node_kind(body.name, body.records, exist_ok=body.exist_ok)
    return created(made, "/api/v1/things/kinds")


@router.post(
    "/kinds/edges", status_code=201, response_model=wire.Thing, responses={**MADE, **may(409)}, tags=["kinds"]
)
def register_edge_kind(pipe: AskedPipe, body: forms.NewEdgeKind) -> Response:
    """Make an own kind of edge known."""
    given: Any = {"records": body.records, "exist_ok": body.exist_ok}
    made = pipe.admin.register_edge_kind(body.name, body.source, body.target, body.depends, **given)
    return created(made, "/api/v1/things/kinds")


@router.delete("/kinds/{name}", response_model=wire.Made, responses=may(404, 409), tags=["kinds"])
def delete_kind(pipe: AskedPipe, name: asking.Event, reason: asking.Reason = "") -> Response:
    """Delete an own kind of which there is nothing."""
    thing = entities.found(pipe, "kinds", name)
    change = pipe.admin.delete(thing, reason=reason)
    pipe.store.vocabulary(reload=True)
    return of_change(change)


# --- things of any kind ----------------------------------------------------------------------------


@router.post(
    "/things/{kind}",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(404, 409)},
    tags=["things"],
)
def register_thing(pipe: AskedPipe, kind: asking.Kind, body: forms.NewThing) -> Response:
    """Register a thing of an own kind."""
    document = asking.free(body.document, "name", "version", "project", "key")
    own: Any = {"version": body.version, "project": body.project, "key": body.key}
    made = pipe.register(kind, {**document, "name": body.name}, exist_ok=body.exist_ok, **own)
    return created(made, f"/api/v1/things/{made.kind}")


@router.get(
    "/things/{kind}/{ref}",
    response_model=wire.RunThing | wire.Thing,
    tags=["things"],
    responses={**may(404, 409), 304: {"description": "The caller has it already."}},
)
def get_thing(
    pipe: AskedPipe,
    request: Request,
    as_of: AsOf,
    kind: asking.Kind,
    ref: asking.Ref,
    project: asking.Project = None,
    version: asking.Version = None,
    if_none_match: asking.IfNoneMatch = None,
) -> Response:
    """Return a thing of any kind."""
    return of_thing(entities.found(pipe, kind, ref, as_of, project, version), request)


@router.patch(
    "/things/{kind}/{ref}",
    response_model=wire.RunThing | wire.Thing,
    responses=may(404, 409, 412),
    tags=["things"],
)
def change_thing(
    pipe: AskedPipe,
    kind: asking.Kind,
    ref: asking.Ref,
    body: forms.Changed,
    project: asking.Project = None,
    if_match: asking.IfMatch = None,
) -> Response:
    """Set and remove attributes of a thing of any kind, as a new revision of it."""
    return entities.changed(pipe, entities.found(pipe, kind, ref, project=project), body, if_match)


@router.delete(
    "/things/{kind}/{ref}", response_model=wire.Made, responses=may(404, 409, 412), tags=["things"]
)
def delete_thing(
    pipe: AskedPipe,
    kind: asking.Kind,
    ref: asking.Ref,
    project: asking.Project = None,
    reason: asking.Reason = "",
    force: asking.Force = False,
    if_match: asking.IfMatch = None,
) -> Response:
    """Delete a thing of any kind, with its edges and what it owns."""
    thing = entities.found(pipe, kind, ref, project=project)
    return entities.deleted(pipe, thing, reason, force, if_match)


@router.get(
    "/things/{kind}/{ref}/revisions", response_model=wire.History, responses=may(404, 409), tags=["things"]
)
def list_thing_revisions(pipe: AskedPipe, as_of: AsOf, kind: asking.Kind, ref: asking.Ref) -> Response:
    """Return every state a thing of any kind had; also of one that was deleted, by its key."""
    return entities.history(pipe, kind, ref, as_of)


# --- links -----------------------------------------------------------------------------------------


@router.get("/links", response_model=wire.Links, responses=may(404, 409), tags=["links"])
def list_links(
    pipe: AskedPipe,
    as_of: AsOf,
    ref: asking.Named,
    kind: asking.EdgeKinds = None,
    limit: asking.Limit = 1_000,
) -> Response:
    """Return the edges that touch a thing, of all kinds or of some."""
    found = pipe.edges(ref, kind or (), limit=limit, as_of=as_of)
    return reply({"items": [edge_dict(edge) for edge in found]})


@router.post("/links", status_code=201, response_model=wire.Link, responses=may(404, 409), tags=["links"])
def link(pipe: AskedPipe, body: forms.NewLink) -> Response:
    """Record an edge between two things; one that exists takes the new document."""
    document = asking.free(body.document, "a", "b", "kind", "self")
    return reply(edge_dict(pipe.link(body.source, body.target, body.kind, **document)), 201)


@router.delete("/links", response_model=wire.Gone, responses=may(404, 409), tags=["links"])
def unlink(
    pipe: AskedPipe,
    source: asking.Source,
    target: asking.Target,
    kind: asking.EdgeKind = "related",
    reason: asking.Reason = "",
) -> Response:
    """Delete the edge between two things; `as_of` still shows it."""
    pipe.unlink(source, target, kind, reason=reason)
    return reply({"deleted": True})
