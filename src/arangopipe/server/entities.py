"""The things of each kind: registering them, reading them, changing them, deleting them."""

from __future__ import annotations

import inspect
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from arangopipe import revisions
from arangopipe.errors import Conflict, InvalidInput, NotFound
from arangopipe.model.entities import Entity
from arangopipe.model.vocabulary import NODE_KINDS, RESERVED_KINDS
from arangopipe.references import When, moment_of
from arangopipe.register import VERSIONED
from arangopipe.server import asking, forms, wire
from arangopipe.server.asking import AskedPipe, AsOf, Pipe
from arangopipe.server.problems import PreconditionFailed, may
from arangopipe.server.replies import check_match, created, of_change, of_thing, reply

PATHS = {
    "projects": "project",
    "datasets": "datasets",
    "featuresets": "featuresets",
    "models": "models",
    "runs": "run",
    "deployments": "deployment",
    "servingperf": "servingperf",
}
"""The kinds by the path below which their things are."""


def kind_of(pipe: Pipe, word: str) -> str:
    """Return the name of a kind; users and tokens have routes of their own."""
    name = pipe.references().kind(word).name
    if name in RESERVED_KINDS and name != "kinds":
        raise InvalidInput(f"{name!r} are not read and changed here, but below /api/v1/{name}")
    return name


def found(
    pipe: Pipe,
    kind: str,
    ref: str,
    as_of: When = None,
    project: str | None = None,
    version: str | None = None,
) -> Entity:
    """Return the thing of a kind that a key or name means, or raise `NotFound`."""
    name = kind_of(pipe, kind)
    if version is None:
        (node,) = pipe.store.get([f"{name}/{ref}"], moment_of(as_of))
        if node is not None:
            return pipe.entity(node, as_of)
    return pipe.lookup(name, ref, version=version, project=project, as_of=as_of)


def listing(
    pipe: Pipe,
    kind: str,
    where: str | None,
    order_by: str | None,
    limit: int,
    cursor: str | None,
    as_of: When,
) -> Response:
    """Return a page of what a search finds."""
    page = pipe.search(kind_of(pipe, kind), where, order_by=order_by, limit=limit, cursor=cursor, as_of=as_of)
    return reply(page.to_dict())


def changed(pipe: Pipe, thing: Entity, body: forms.Changed, if_match: str | None) -> Response:
    """Set and remove attributes of a thing."""
    expect = check_match(thing, if_match)
    try:
        pipe.annotate(thing, body.document, reason=body.reason, expect=expect, remove=body.remove)
    except Conflict as error:
        raise _lost(error, expect) from error
    return of_thing(found(pipe, thing.kind, thing.key))


def deleted(pipe: Pipe, thing: Entity, reason: str, force: bool, if_match: str | None) -> Response:
    """Close a thing."""
    expect = check_match(thing, if_match)
    try:
        return of_change(pipe.admin.delete(thing, reason=reason, force=force, expect=expect))
    except Conflict as error:
        raise _lost(error, expect if _is_race(error) else None) from error


def _lost(error: Conflict, expect: int | None) -> Conflict:
    return error if expect is None else PreconditionFailed(str(error))


def _is_race(error: Conflict) -> bool:
    return "is at revision" in str(error)


def history(pipe: Pipe, kind: str, ref: str, as_of: When) -> Response:
    """Return every state a thing had; what was deleted is known by its key."""
    name = kind_of(pipe, kind)
    states = pipe.store.revisions(f"{name}/{ref}") or pipe.history(found(pipe, kind, ref))
    known = revisions.until(states, as_of)
    if not known:
        raise NotFound(f"{name}/{ref} was not there as of {as_of}")
    return reply(revisions.as_json(known))


class Collection:
    """The things of one kind, and the routes that all kinds have in common."""

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.kind = kind

    def get_list(
        self,
        pipe: AskedPipe,
        as_of: AsOf,
        where: asking.Where = None,
        order_by: asking.OrderBy = None,
        limit: asking.Limit = 100,
        cursor: asking.Cursor = None,
    ) -> Response:
        """List {many}, or search them."""
        return listing(pipe, self.kind, where, order_by, limit, cursor, as_of)

    def get_one(
        self,
        pipe: AskedPipe,
        request: Request,
        as_of: AsOf,
        ref: asking.Ref,
        project: asking.Project = None,
        version: asking.Version = None,
        if_none_match: asking.IfNoneMatch = None,
    ) -> Response:
        """Return a {one}."""
        return of_thing(found(pipe, self.kind, ref, as_of, project, version), request)

    def change(
        self,
        pipe: AskedPipe,
        ref: asking.Ref,
        body: forms.Changed,
        project: asking.Project = None,
        if_match: asking.IfMatch = None,
    ) -> Response:
        """Set and remove attributes of a {one}, as a new revision of it."""
        return changed(pipe, found(pipe, self.kind, ref, project=project), body, if_match)

    def delete(
        self,
        pipe: AskedPipe,
        ref: asking.Ref,
        project: asking.Project = None,
        reason: asking.Reason = "",
        force: asking.Force = False,
        if_match: asking.IfMatch = None,
    ) -> Response:
        """Delete a {one}, with its edges and what it owns; `as_of` still shows it."""
        return deleted(pipe, found(pipe, self.kind, ref, project=project), reason, force, if_match)

    def get_versions(
        self, pipe: AskedPipe, as_of: AsOf, ref: asking.Ref, project: asking.Project = None
    ) -> Response:
        """Return all versions of a {one}, the newest first."""
        thing = found(pipe, self.kind, ref, as_of, project)
        nodes = pipe.store.find(self.kind, thing.name, thing.project, moment_of(as_of))
        return reply({"items": [entity.to_dict() for entity in pipe.entities(nodes, as_of)]})

    def get_revisions(self, pipe: AskedPipe, as_of: AsOf, ref: asking.Ref) -> Response:
        """Return every state a {one} had, who changed it when and why; also of one that was deleted."""
        return history(pipe, self.kind, ref, as_of)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix=f"/{self.path}", tags=[self.path])
        what = NODE_KINDS[self.kind]
        one, slug = what.title.lower(), what.singular.lower()
        answer = wire.RunThing if self.kind == "run" else wire.Thing

        def add(method: str, place: str, function: Any, name: str, model: Any, *errors: int) -> None:
            router.add_api_route(
                place,
                function,
                methods=[method],
                name=name,
                description=inspect.cleandoc(function.__doc__).format(one=one, many=self.path),
                response_model=model,
                responses={**may(*errors), **_headers(name)},
            )

        add("GET", "", self.get_list, f"list_{self.path}", wire.ThingPage)
        add("GET", "/{ref}", self.get_one, f"get_{slug}", answer, 404, 409)
        add("PATCH", "/{ref}", self.change, f"change_{slug}", answer, 404, 409, 412)
        add("DELETE", "/{ref}", self.delete, f"delete_{slug}", wire.Made, 404, 409, 412)
        if self.kind in VERSIONED:
            add("GET", "/{ref}/versions", self.get_versions, f"list_{slug}_versions", wire.Things, 404)
        name = f"list_{slug}_revisions"
        add("GET", "/{ref}/revisions", self.get_revisions, name, wire.History, 404, 409)
        return router


def _headers(name: str) -> dict[int | str, dict[str, Any]]:
    """Return what the answers of an operation carry beside their body."""
    if not name.startswith(("get_", "change_")):
        return {}
    shown = {"ETag": {"description": "Names this state of it.", "schema": {"type": "string"}}}
    answers: dict[int | str, dict[str, Any]] = {200: {"headers": shown}}
    if name.startswith("get_"):
        answers[304] = {"description": "The caller has it already, as If-None-Match says.", "headers": shown}
    return answers


MADE: dict[int | str, dict[str, Any]] = {
    201: {
        "headers": {
            "ETag": {"description": "Names this state of it.", "schema": {"type": "string"}},
            "Location": {"description": "Where it is.", "schema": {"type": "string"}},
        }
    }
}
"""What the answer to a new thing carries."""

router = APIRouter()


@router.post(
    "/projects",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(409)},
    tags=["projects"],
)
def register_project(pipe: AskedPipe, body: forms.NewProject) -> Response:
    """Register a project."""
    made = pipe.admin.register_project(_whole(body.name, body.document), key=body.key, exist_ok=body.exist_ok)
    return created(made, "/api/v1/projects")


@router.post(
    "/datasets",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(404, 409)},
    tags=["datasets"],
)
def register_dataset(pipe: AskedPipe, body: forms.NewThing) -> Response:
    """Register a dataset; with `exist_ok` and other content, the next version of it."""
    made = pipe.register_dataset(_whole(body.name, body.document), **_own(body))
    return created(made, "/api/v1/datasets")


@router.post(
    "/featuresets",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(404, 409)},
    tags=["featuresets"],
)
def register_featureset(pipe: AskedPipe, body: forms.NewFeatureset) -> Response:
    """Register a featureset; with `exist_ok` and other content, the next version of it.

    `columns` of its document maps names to dtypes; `transformation` stands on its edges too.
    """
    document = dict(body.document)
    given = {name: document.pop(name, None) for name in ("columns", "transformation")}
    made = pipe.register_featureset(_whole(body.name, document), dataset=body.dataset, **given, **_own(body))
    return created(made, "/api/v1/featuresets")


@router.post(
    "/models",
    status_code=201,
    response_model=wire.Thing,
    responses={**MADE, **may(404, 409)},
    tags=["models"],
)
def register_model(pipe: AskedPipe, body: forms.NewModel) -> Response:
    """Register a model; with `exist_ok` and other content, the next version of it."""
    made = pipe.register_model(_whole(body.name, body.document), **_own(body))
    return created(made, "/api/v1/models")


def _whole(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return name and attributes as the API takes a whole dict."""
    return {**asking.free(document, "name", "version", "project", "key"), "name": name}


def _own(body: forms.NewThing) -> dict[str, Any]:
    return {"version": body.version, "project": body.project, "key": body.key, "exist_ok": body.exist_ok}


for _path, _kind in PATHS.items():
    router.include_router(Collection(_path, _kind).router())
