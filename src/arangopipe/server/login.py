"""Logging in and out, who one is, and the first administrator."""

from __future__ import annotations

import asyncio
import ipaddress
import math
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from arangopipe import credentials, users
from arangopipe.errors import InvalidInput, PermissionDenied
from arangopipe.roles import Principal
from arangopipe.server.access import Asker, Gate
from arangopipe.server.attempts import Attempts, Seen, network
from arangopipe.server.door import CHALLENGE, COOKIE
from arangopipe.server.problems import may
from arangopipe.server.wire_users import Login, Me, Passwords, Setup
from arangopipe.tokens import SESSION_HOURS, NewToken
from arangopipe.users import Users

router = APIRouter(tags=["login"])

FREE_BY_ADDRESS = 20
"""Attempts from one address that are not slowed down: many people may share it."""

FREE_BY_NAME = 100
"""Attempts under one name, from wherever, that are not slowed down."""

LONGEST_BY_NAME = 60.0
"""Seconds to wait at the most because others have guessed: they shall not keep anybody out."""

AT_ONCE = 2
"""Passwords that are hashed at a time: each takes 64 MiB."""

_WRONG = "the name or the password is wrong"


class Desk:
    """Checks passwords, a few at a time, and slows down who guesses.

    What counts is the name with the address: who guesses elsewhere keeps nobody out. Guesses from one
    address at many names, and at one name from many addresses, count too, but not for whom it has let in
    from there.
    """

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.pairs = Attempts()
        self.names = Attempts(FREE_BY_NAME, LONGEST_BY_NAME)
        self.addresses = Attempts(FREE_BY_ADDRESS)
        self._let_in = Seen()
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def check(self, request: Request, name: str, password: str) -> None:
        """Raise 401 for a wrong name or password, the same for both, and 429 for too many of them."""
        address = client(request)
        pair = f"{address} {name}"
        self.count(self.pairs, pair)
        if pair not in self._let_in:
            self.count(self.addresses, address)
            self.count(self.names, name)
        async with self._turns:
            right = await run_in_threadpool(self._verify, name, password)
        if not right:
            raise HTTPException(401, _WRONG, CHALLENGE)
        self._let_in.add(pair)
        for attempts, key in ((self.pairs, pair), (self.addresses, address), (self.names, name)):
            attempts.succeeded(key)

    @staticmethod
    def count(attempts: Attempts, key: str) -> None:
        """Count an attempt, or raise 429 where there were too many."""
        if wait := attempts.begin(key):
            seconds = math.ceil(wait)
            detail = f"too many attempts to log in: try again in {seconds} s"
            raise HTTPException(429, detail, {"Retry-After": str(seconds)})

    def _verify(self, name: str, password: str) -> bool:
        try:
            kept = users.password_of(self.gate.store, name)
        except InvalidInput:  # what cannot be a name is as wrong as one that nobody has
            kept = None
        return credentials.verify_password(password, kept)

    async def enter(self, request: Request, name: str, password: str) -> NewToken:
        """Begin a session for a name and a password, and end the one the browser had."""
        await self.check(request, name, password)
        return await run_in_threadpool(self._begin, request, name)

    def _begin(self, request: Request, name: str) -> NewToken:
        before = request.scope["state"].get("principal")
        people = Users(self.gate.store, actor=name)
        if before is not None and "session" in request.scope["state"]:
            people.revoke_token(before.token, reason="logged in anew")
        return people.open_session(name)


def client(request: Request) -> str:
    """Return the address of a client, also behind a proxy on this machine."""
    address = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        return network(forwarded if forwarded and ipaddress.ip_address(address).is_loopback else address)
    except ValueError:
        return address


def set_cookie(request: Request, response: Response, session: str) -> None:
    """Give a browser its session."""
    proxied = request.headers.get("x-forwarded-proto") == "https"
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_HOURS * 3_600,
        path=request.scope.get("root_path") or "/",
        secure=proxied or request.url.scheme == "https",
        httponly=True,
        samesite="lax",  # a link from a chat opens the page; what changes anything is proved otherwise
    )


def clear_cookie(request: Request, response: Response) -> None:
    """Take the session from a browser."""
    response.delete_cookie(COOKIE, path=request.scope.get("root_path") or "/", httponly=True, samesite="lax")


def leave(request: Request, response: Response) -> None:
    """End the session that a request comes with."""
    gate: Gate = request.app.state.gate
    principal = gate.principal(request)
    if "session" not in request.scope["state"]:
        raise InvalidInput("there is no session to end: a token is revoked with DELETE /api/v1/tokens/KEY")
    Users(gate.store, actor=principal.user).revoke_token(principal.token, reason="logged out")
    clear_cookie(request, response)


def _desk(request: Request) -> Desk:
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(_desk)]


@router.post("/session", response_model=Me, responses=may(401, 429))
async def log_in(login: Login, request: Request, response: Response, desk: AtDesk) -> Me:
    """Log in with a name and a password: the answer sets the cookie of a session of 12 hours."""
    made = await desk.enter(request, login.name, login.password)
    set_cookie(request, response, made.text)
    response.headers["Cache-Control"] = "no-store"
    principal = await run_in_threadpool(desk.gate.admit, made.text, "session")
    assert principal is not None
    return _me(principal, credentials.csrf_token(made.text))


@router.delete("/session", status_code=204, responses=may(401, 403))
def log_out(request: Request, response: Response) -> None:
    """Log out: end the session of the cookie."""
    leave(request, response)


@router.get("/me", response_model=Me)
def me(request: Request, response: Response, asker: Asker) -> Me:
    """Say who asks; a session also what it must send to change anything."""
    response.headers["Cache-Control"] = "no-store"
    return _me(asker, request.scope["state"].get("csrf"))


def _me(principal: Principal, csrf: str | None) -> Me:
    return Me(
        user=principal.user,
        admin=principal.admin,
        roles=dict(principal.roles),
        limited=principal.limited,
        csrf=csrf,
    )


@router.put("/me/password", status_code=204, responses=may(401, 403, 429))
async def change_password(passwords: Passwords, request: Request, asker: Asker, desk: AtDesk) -> None:
    """Change one's own password, which ends all sessions."""
    if asker.limited:
        raise PermissionDenied("this token is for less than its user may do: log in to change the password")
    await desk.check(request, asker.user, passwords.old)
    people = Users(desk.gate.store, actor=asker.user or None)
    await run_in_threadpool(people.set_password, asker.user, passwords.new)


@router.post("/setup", status_code=204, responses=may(401, 409, 429))
async def set_up(setup: Setup, request: Request, desk: AtDesk) -> None:
    """Make the first administrator, with the token that the server said when it started; once."""
    desk.count(desk.addresses, client(request))
    if not await run_in_threadpool(desk.gate.set_up, setup.token, setup.name, setup.password):
        raise HTTPException(401, "the token of the server's start is wrong, or was used", CHALLENGE)
