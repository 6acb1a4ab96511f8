"""The OpenAPI document: what holds for every operation is said here, once."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from arangopipe.server import door, examples, problems
from arangopipe.server.wire import Problem

DESCRIPTION = """\
The metadata graph for machine-learning pipelines over HTTP: what was used, what was run, what came of it.

Every error is a problem document (RFC 9457). Times are RFC 3339 in UTC. Where an operation takes `as_of`, it
answers with what the store had recorded then: a time, or the number of a change. A reference is an id
(`run/0192…`), or a name with its kind (`dataset:diabetes`, `model:ridge@2`).
"""

TAGS = [
    {"name": "health", "description": "Whether the server lives and can serve."},
    {"name": "projects", "description": "Bodies of work, which an administrator registers."},
    {"name": "datasets", "description": "Data that was used."},
    {"name": "featuresets", "description": "What was made of datasets."},
    {"name": "models", "description": "What is fitted."},
    {"name": "runs", "description": "What was run: parameters, metrics, points, code, environment."},
    {"name": "deployments", "description": "What serves, served, or is to."},
    {"name": "servingperf", "description": "How deployments performed over periods."},
    {"name": "kinds", "description": "The kinds of things and edges, built in and own."},
    {"name": "things", "description": "Things of any kind, own kinds too."},
    {"name": "links", "description": "Edges between things."},
    {"name": "search", "description": "Searching and counting in the search language."},
    {"name": "graph", "description": "What came from what: lineage up and down, and impact."},
    {"name": "questions", "description": "Questions over many runs, with honest statistics."},
    {"name": "audit", "description": "Who changed what, and whether the record is intact."},
    {"name": "administration", "description": "The server, and moving what its store holds."},
    {"name": "login", "description": "Who one is: sessions of browsers, and the first administrator."},
    {"name": "users", "description": "Users, and their roles in projects."},
    {"name": "tokens", "description": "What programs show to be let in."},
    {"name": "store", "description": "The store itself, as `arangopipe.connect('http://…')` uses it."},
]

ALWAYS = (413, 421, 422, 429, 500, 503)
"""What any operation below /api may answer with; 401 and 403 too, once there are users."""

_BODY = (408, 413, 415)

PROOFS = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token, as `arangopipe token create` or `POST /api/v1/tokens` makes it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": door.COOKIE,
        "description": "A session of a browser; what changes anything needs the header X-CSRF-Token besides.",
    },
}
"""By what one proves who one is; a server without users asks for nothing."""


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation: that of its function."""
    return route.name


def install(app: FastAPI) -> None:
    """Let an application describe itself at ``/openapi.json``."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = described(app)
        return app.openapi_schema

    @cache
    def packed() -> tuple[bytes, str]:
        plain = json.dumps(app.openapi(), separators=(",", ":")).encode()
        return gzip.compress(plain, mtime=0), f'"{sha256(plain).hexdigest()[:20]}"'

    # It is open to everyone, and takes seconds to make: it is made once, and no other request waits for it.
    def openapi(request: Request) -> Response:
        body, tag = packed()
        headers = {"ETag": tag, "Vary": "Accept-Encoding"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
        else:
            body = gzip.decompress(body)
        return Response(body, headers=headers, media_type="application/json")

    app.openapi = document  # type: ignore[method-assign]
    app.add_api_route("/openapi.json", openapi, include_in_schema=False)


def described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, with the errors that any operation may give."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        tags=app.openapi_tags,
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs", {}), "Problem": problem}
    document["components"]["securitySchemes"] = PROOFS
    document["security"] = [{}, *({name: []} for name in PROOFS)]
    for path, operations in document.get("paths", {}).items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    if door.is_open(method.upper(), path):
        operation["security"] = []
    for said in (operation.get("requestBody", {}), *responses.values()):
        _exemplify(operation["operationId"], said.get("content", {}).get("application/json", {}))
    responses.pop("422", None)
    statuses = {int(status) for status in responses if re.fullmatch("[45]..", status)}
    if path.startswith("/api/"):
        statuses |= {401, 403, *ALWAYS, *(_BODY if method != "get" else ())}
    for status in sorted(statuses):
        said = problems.documented(status)
        said.pop("model")
        said["description"] = responses.get(str(status), said)["description"]
        responses[str(status)] = said
    operation["responses"] = dict(sorted(responses.items()))


def _exemplify(operation: str, content: dict[str, Any]) -> None:
    """Give a body of JSON its example."""
    model = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    example = examples.OF_OPERATIONS.get(operation) if model == "Answered" else examples.OF_MODELS.get(model)
    if example is not None:
        content["example"] = example
