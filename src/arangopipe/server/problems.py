"""Errors as problem documents (RFC 9457): one table from Arangopipe's errors to HTTP statuses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from arangopipe import errors
from arangopipe.model.wire import error_dict
from arangopipe.server.methods import allowed
from arangopipe.server.wire import Problem

STATUS: dict[type[errors.ArangopipeError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.AlreadyExists: 409,
    errors.Conflict: 409,
    errors.PermissionDenied: 403,
    errors.StoreUnavailable: 503,
    errors.StoreError: 500,
    errors.Unsupported: 501,
    errors.MissingExtra: 501,
}

MEDIA_TYPE = "application/problem+json"

RETRY_SECONDS = 2
"""When to come again to a store that is busy or away."""

_SAID = 20

_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}  # older Pythons have older ones


class PreconditionFailed(errors.Conflict):
    """What If-Match names is no longer so."""


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""
    app.add_exception_handler(errors.ArangopipeError, _of_ours)
    app.add_exception_handler(HTTPException, of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)


def problem(
    status: int,
    detail: str,
    *,
    error: str = "",
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return the answer that says what went wrong; `error` is the name of an error of ours."""
    return Response(encoded(status, detail, error, **more), status, headers, MEDIA_TYPE)


def encoded(status: int, detail: str, error: str = "", **more: Any) -> bytes:
    """Return a problem document."""
    kind = f"urn:arangopipe:error:{error}" if error else "about:blank"
    title = error or _PHRASES.get(status) or HTTPStatus(status).phrase
    body = {"type": kind, "title": title, "status": status, "detail": detail, **more}
    return json.dumps(body, separators=(",", ":")).encode()


def may(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the errors that an operation may answer with, as OpenAPI has them."""
    return {status: documented(status) for status in statuses}


def documented(status: int) -> dict[str, Any]:
    """Return the description of a problem with this status."""
    said = MEANING[status]
    error, detail = EXAMPLES.get(status, ("", said))
    example = json.loads(encoded(status, detail, error))
    return {
        "description": said,
        "model": Problem,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}},
    }


MEANING: Mapping[int, str] = {
    400: "The request is not HTTP as it should be.",
    401: "There is no token, or it is wrong, expired or revoked.",
    403: "The user may not do this.",
    404: "There is no such thing, or the user may not see it.",
    405: "The path is right, the method is not.",
    406: "The server has no form of this that the client accepts.",
    408: "The body did not arrive in time.",
    409: "The name or key is taken, or the state of things does not allow it.",
    412: "The thing was changed since: its ETag is not the one in If-Match.",
    413: "The body is larger than the server takes.",
    415: "The body is not JSON, or is encoded in a way the server does not know.",
    421: "The server does not go by the name in the header Host.",
    422: "Something in the request cannot be taken as it is.",
    429: "Too many attempts: wait as long as Retry-After says.",
    431: "The head of the request is larger than the server takes.",
    500: "The server or its store failed; its log says why.",
    501: "This store cannot do that, or a part of Arangopipe is not installed on the server.",
    503: "The store is away or the server is busy: try again.",
}
"""What each status means, for the reference."""

EXAMPLES: Mapping[int, tuple[str, str]] = {
    403: ("PermissionDenied", "ann is a viewer of project 'diabetes': a contributor may do this"),
    404: ("NotFound", "no dataset is called 'diabets': did you mean 'diabetes'?"),
    409: ("AlreadyExists", "'diabetes' is taken by datasets/7m3q5w2k4n6p8r1t9v0x2z4b6d"),
    412: ("PreconditionFailed", "datasets/7m3q5w2k4n6p8r1t9v0x2z4b6d is at revision 12, not 9"),
    422: ("InvalidInput", "limit is 0: a page has 1 to 10,000 items"),
    501: ("MissingExtra", "pandas is needed for this: pip install 'arangopipe[analysis]'"),
    503: ("StoreUnavailable", "sqlite:///runs.db is locked by another program"),
}


def _of_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.ArangopipeError)
    return of(error)


def of(error: errors.ArangopipeError) -> Response:
    """Return the answer that an error of ours makes."""
    status = status_of(error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status == 503 else None
    body = encoded(status, str(error), type(error).__name__, **error_dict(error))
    return Response(body, status, headers, MEDIA_TYPE)


def status_of(error: errors.ArangopipeError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(error, PreconditionFailed):
        return 412
    return STATUS[next((kind for kind in type(error).__mro__ if kind in STATUS), errors.StoreError)]


def of_http(request: Request, error: Exception) -> Response:
    """Return the answer that an error of the framework makes."""
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 400:  # so the framework calls a body that is no text
        return problem(422, f"the body cannot be read: {detail}", error="InvalidInput")
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"there is nothing at {request.url.path:.200}: /openapi.json lists what there is"
    headers = error.headers
    if error.status_code == 405:
        # The framework names the methods of one route only.
        headers = {"Allow": allowed(request.app, request.scope)}
        detail = f"{request.method} is not for {request.url.path:.200}, which takes {headers['Allow']}"
    return problem(error.status_code, str(detail), headers=headers)


def _of_validation(request: Request, error: Exception) -> Response:
    """Say what is wrong where, without repeating what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    if isinstance(error.body, bytes):  # so the framework leaves what does not say that it is JSON
        return problem(415, "the body must be JSON: send it with the header 'Content-Type: application/json'")
    found = [{"where": _place(item["loc"]), "message": _message(item)} for item in error.errors()[:_SAID]]
    said = "; ".join(f"{item['where']}: {item['message']}" for item in found[:3])
    return problem(422, said or "the request is not valid", error="InvalidInput", errors=found)


def _message(item: Mapping[str, Any]) -> str:
    said = str(item["msg"])
    return f"{said}: {item['ctx']['error']}" if item["type"] == "json_invalid" else said


def _place(location: Sequence[Any]) -> str:
    return ".".join(map(str, location)) if location else "request"
