"""Problems as pages: what the API says as JSON, said in HTML to whoever asks for HTML."""

from __future__ import annotations

import difflib
import json
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arangopipe.server.door import path_of
from arangopipe.server.pages.rendering import bare

_LARGEST = 1_000_000


class HtmlProblems:
    """Middleware: an error of a page that a browser asked for becomes a page of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on but problems that a person is to read."""
        if scope["type"] != "http" or not _wants_html(scope):
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_problem(message):
                held.append(message)
            elif held:
                held.append(message)
                if not message.get("more_body"):
                    await self._answer(held, scope, receive, send)
            else:
                await send(message)

        await self.app(scope, receive, hold)

    async def _answer(self, held: list[Message], scope: Scope, receive: Receive, send: Send) -> None:
        start, *rest = held
        request, status = Request(scope), start["status"]
        problem = _problem(b"".join(message.get("body", b"") for message in rest), status)
        if status == 404:
            problem |= _elsewhere(request)
        answer = bare(request, "problem.html", problem, status)
        for name, value in start["headers"]:
            if name.lower() in (b"retry-after", b"www-authenticate", b"set-cookie"):
                answer.raw_headers.append((name, value))
        await answer(scope, receive, send)


def _wants_html(scope: Scope) -> bool:
    path = path_of(scope)
    if path.startswith(("/api/", "/static/")) or path.endswith((".json", ".csv")):
        return False
    return "text/html" in Headers(scope=scope).get("accept", "")


def _is_problem(start: Message) -> bool:
    kind = dict(start["headers"]).get(b"content-type", b"")
    problem = kind.startswith((b"application/problem+json", b"application/json"))
    return bool(start["status"] >= 400 and problem)


def _elsewhere(request: Request) -> dict[str, Any]:
    """Return where it may be instead: a page that is called much like it, or what finding its name brings."""
    first, _, rest = request.url.path.strip("/").partition("/")
    pages = {entry.path.strip("/"): entry for entry in request.app.state.navigation}
    near = difflib.get_close_matches(first, pages, 1)
    name = rest.rpartition("/")[2] if first in ("entity", "lineage") else ""
    return {
        "near": [{"title": pages[found].title, "path": pages[found].path} for found in near if not rest],
        "name": name,
    }


def _problem(body: bytes, status: int) -> dict[str, Any]:
    try:
        found = json.loads(body[:_LARGEST])
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    detail = found.get("detail", "")
    return {
        "status": status,
        "title": str(found.get("title") or ""),
        "detail": detail if isinstance(detail, str) else json.dumps(detail),
    }
