"""Errors as problem documents (RFC 9457): one table from Arangopipe's errors to HTTP statuses."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from arangopipe import errors

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


def install(app: FastAPI) -> None:
    """Answer every error of an application with a problem document."""
    app.add_exception_handler(errors.ArangopipeError, _problem)


def _problem(_: Request, error: Exception) -> JSONResponse:
    return problem(error)


def problem(error: Exception) -> JSONResponse:
    """Return the problem document of an error."""
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    body = {"type": "about:blank", "title": type(error).__name__, "status": status, "detail": str(error)}
    return JSONResponse(body, status, media_type="application/problem+json")
