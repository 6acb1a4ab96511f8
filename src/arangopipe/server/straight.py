"""The shortcut of what programs ask most: its endpoints are called before the framework seeks a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from arangopipe.errors import ArangopipeError
from arangopipe.server import problems
from arangopipe.server.door import path_of
from arangopipe.server.streaming import Stream

PACKED = 4_096
"""Bytes from which an answer is packed for a client that takes gzip."""

Endpoint = Callable[[Request], Awaitable[Response]]
E = TypeVar("E", bound=Endpoint)


def straight(endpoint: E) -> E:
    """Mark an endpoint of a POST that needs nothing but the request, and answers with a response."""
    endpoint.goes_straight = True  # type: ignore[attr-defined]
    return endpoint


def shortcuts(prefix: str, routers: Iterable[APIRouter]) -> dict[str, Endpoint]:
    """Return such endpoints by their paths."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {
        prefix + route.path: route.endpoint
        for route in routes
        if getattr(route.endpoint, "goes_straight", False)
    }


class Straight:
    """Answers a POST to one of some paths; everything else goes on."""

    def __init__(
        self, app: ASGIApp, endpoints: Mapping[str, Endpoint], packed: Callable[[ASGIApp], ASGIApp]
    ) -> None:
        self.app = app
        self.endpoints = endpoints
        self.packed = packed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        posted = scope["type"] == "http" and scope["method"] == "POST"
        endpoint = self.endpoints.get(path_of(scope)) if posted else None
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            answer = await endpoint(request)
        except ArangopipeError as error:
            answer = problems.of(error)
        except HTTPException as error:
            answer = problems.of_http(request, error)
        if isinstance(answer, Stream) or len(answer.body) >= PACKED:
            await self.packed(answer)(scope, receive, send)
        else:
            await answer(scope, receive, send)
