"""The door of the server: nothing but what is named here is answered to someone who is not known.

It stands before every route, so that no route can forget to ask. A browser's session is a cookie: whatever
such a request changes must prove that it comes from a page of this server.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import parse_qs, quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arangopipe import credentials
from arangopipe.errors import ArangopipeError
from arangopipe.server import problems
from arangopipe.server.access import Gate
from arangopipe.tokens import Purpose

COOKIE = "arangopipe_session"
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"

OPEN: Mapping[str, tuple[str, ...]] = {
    "/api": ("GET", "HEAD"),
    "/health": ("GET", "HEAD"),
    "/openapi.json": ("GET", "HEAD"),
    "/login": ("GET", "HEAD", "POST"),
    "/api/v1/session": ("POST",),
    "/api/v1/setup": ("POST",),
}
"""What is answered to everyone: paths and methods, and files below `/static/`."""

HEADERS = {
    "Cache-Control": "private, no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer carries, unless its route says otherwise."""

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="arangopipe"'}
"""What goes with each 401."""

LARGEST_FORM = 65_536
"""Bytes of a form, and of any body from someone who is not known."""

FORM_SECONDS = 60.0
"""For a form to arrive that is looked at here."""

_SAFE = ("GET", "HEAD", "OPTIONS")


class Door:
    """Lets requests in whose token or session is known, and puts who asks into their state."""

    def __init__(self, app: ASGIApp, gate: Gate, hosts: Collection[str] = ()) -> None:
        self.app = app
        self.gate = gate
        self.hosts = frozenset(map(_name, hosts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or give it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = _with_headers(send)
        headers = Headers(scope=scope)
        try:
            refused, receive = await self._ask(scope, headers, receive)
        except ArangopipeError as error:
            refused = problems.of(error)
        if refused is None:
            await self.app(scope, receive, sent)
        else:
            await refused(scope, receive, sent)

    async def _ask(self, scope: Scope, headers: Headers, receive: Receive) -> tuple[Response | None, Receive]:
        """Find out who asks; return the answer to whom is not let in, and where to read the body from."""
        if misled := await self._misled(headers.get("host")):
            return problems.problem(421, misled), receive
        state = scope.setdefault("state", {})
        open_ = is_open(scope["method"], path_of(scope))
        if scope["method"] not in _SAFE and (foreign := _foreign(headers)):
            return problems.problem(403, foreign, error="PermissionDenied"), receive
        bearer, session = _bearer(headers), _cookie(headers)
        by_cookie = bearer is None and session is not None
        if open_ and not (by_cookie and scope["method"] == "POST"):
            return None, receive  # the store may be away, and this is still answered
        given = session if by_cookie else bearer
        purpose: Purpose = "session" if by_cookie else "token"
        principal = self.gate.recall(given, purpose)
        if principal is None:
            principal = await run_in_threadpool(self.gate.admit, given, purpose)
        if principal is None:
            return (None if open_ else _unknown(scope, headers)), receive
        state["principal"], state["user"] = principal, principal.user
        if by_cookie and principal.user:
            state["session"] = session
            state["csrf"] = credentials.csrf_token(given or "")
            if scope["method"] not in _SAFE and not open_:
                return await _forged(headers, receive, state["csrf"])
        return None, receive

    async def _misled(self, host: str | None) -> str:
        """Return in words that a request is for another server, "" where it is not.

        Where nobody is asked who they are, a page from anywhere could have its own name resolved to this
        machine, and so read what is served here. With tokens and sessions it would gain nothing.
        """
        if host is None or (name := _name(host)) in self.hosts or is_loopback(name):
            return ""
        if await run_in_threadpool(lambda: self.gate.authentication):
            return ""
        return (
            f"this server is not called {name!r:.200}: serve with --allowed-host to have it answer to that, "
            "or with authentication"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine as only this machine reaches it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name(host: str) -> str:
    """Return the name in a header Host, without its port; what is none is no name."""
    try:
        return (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return ""


def is_open(method: str, path: str) -> bool:
    """Whether something is answered to everyone."""
    return method in OPEN.get(path, ()) or (method in ("GET", "HEAD") and path.startswith("/static/"))


def path_of(scope: Scope) -> str:
    """Return the path below where the application is mounted."""
    path: str = scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _bearer(headers: Headers) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _cookie(headers: Headers) -> str | None:
    """Return the session that a browser sends."""
    sent = headers.get("cookie")
    return None if sent is None else cookie_parser(sent).get(COOKIE)


def _foreign(headers: Headers) -> str:
    """Return in words that a browser sends this from a page of another server, "" where it does not."""
    origin = headers.get("origin")
    if origin is None or urlsplit(origin).netloc == headers.get("host"):
        return ""
    return f"the request comes from a page of {origin!r:.200}, and this is {headers.get('host')!r:.200}"


async def _forged(headers: Headers, receive: Receive, expected: str) -> tuple[Response | None, Receive]:
    """Return the refusal of what does not prove that it comes from a page of this session."""
    given = headers.get(CSRF_HEADER)
    if given is None and headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        try:
            body, receive = await asyncio.wait_for(_read(receive), FORM_SECONDS)
        except asyncio.TimeoutError:
            said = "the form did not arrive in time"
            return problems.problem(408, said, headers={"Connection": "close"}), receive
        given = parse_qs(body.decode(errors="replace")).get(CSRF_FIELD, [""])[0]
    if hmac.compare_digest((given or "").encode(), expected.encode()):
        return None, receive
    said = f"a session must send the header {CSRF_HEADER}: GET /api/v1/me gives it"
    return problems.problem(403, said, error="PermissionDenied"), receive


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """Return the body of a small form, and where it can be read from once more."""
    messages: list[Message] = []
    size = 0
    while size <= LARGEST_FORM:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return b"".join(message.get("body", b"") for message in messages)[:LARGEST_FORM], again


def _unknown(scope: Scope, headers: Headers) -> Response:
    """Answer someone who is not known: a browser that wants a page is led to the login."""
    path, query = path_of(scope), scope.get("query_string", b"").decode("latin-1")
    wants_page = "text/html" in headers.get("accept", "") and not path.startswith("/api/")
    if wants_page and scope["method"] in ("GET", "POST"):
        there = path + (f"?{query}" if query else "")
        # What is not a page itself leads back to the page on which it was asked for.
        on = headers.get("hx-current-url", "" if scope["method"] == "GET" else headers.get("referer", "/"))
        if on:
            page = urlsplit(on)
            there = (page.path or "/") + (f"?{page.query}" if page.query else "")
        login = f"{scope.get('root_path', '')}/login?next={quote(there, safe='')}"
        if "hx-request" in headers:
            return Response(status_code=401, headers={**CHALLENGE, "HX-Redirect": login})
        return RedirectResponse(login, 303)
    said = "no token, or one that is wrong, expired or revoked: send 'Authorization: Bearer apt_…'"
    return problems.problem(401, said, headers=CHALLENGE)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            said = message.get("headers", ())
            names = {name.lower() for name, _ in said}
            message["headers"] = [*said, *(header for header in _HEADERS if header[0] not in names)]
        await send(message)

    return sending
