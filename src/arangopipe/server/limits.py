"""How much of a request the server takes: bytes, depth of JSON, and time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arangopipe.server import problems
from arangopipe.server.door import LARGEST_FORM, is_open, path_of

_LARGE = 100_000

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Limits:
    """What a server bounds.

    `body`: bytes of a body, also unpacked, and of a line of a stream. `depth`: levels of JSON. `seconds`:
    for a whole body to arrive, between two pieces of a stream, and for a client that takes nothing of an
    answer. `connections`: open at once.
    `head_seconds`: for the head of a request to arrive. `idle_seconds`: that a connection stays open for
    another request. `stop_seconds`: for requests in flight to end when the server stops.
    """

    body: int = 32_000_000
    depth: int = 200
    seconds: float = 60.0
    connections: int = 512
    head_seconds: float = 15.0
    idle_seconds: float = 5.0
    stop_seconds: float = 30.0


def streamed(function: F) -> F:
    """Mark an endpoint that reads its body piece by piece, however long it is."""
    function.reads_stream = True  # type: ignore[attr-defined]
    return function


def streams(prefix: str, routers: Iterable[APIRouter]) -> frozenset[str]:
    """Return the paths of such endpoints."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return frozenset(
        prefix + route.path for route in routes if getattr(route.endpoint, "reads_stream", False)
    )


class Bounds:
    """Reads the body of each request, or refuses it, before anything else is done."""

    def __init__(self, app: ASGIApp, limits: Limits, streams: frozenset[str]) -> None:
        self.app = app
        self.limits = limits
        self.streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await self.app(scope, receive, send)
        elif b"content-length" in headers and b"transfer-encoding" in headers:
            # Servers disagree which counts, and so where the next request begins.
            said = "a body has either Content-Length or Transfer-Encoding"
            await _Refused(400, said).answer()(scope, receive, send)
        elif scope["path"] in self.streams:
            await self._stream(scope, receive, send)
        else:
            # Someone who is not known has no large body sent, kept and looked through.
            known = not is_open(scope["method"], path_of(scope))
            most = self.limits.body if known else min(LARGEST_FORM, self.limits.body)
            try:
                body = await self._whole(headers, receive, most)
            except _Refused as refused:
                await refused.answer()(scope, receive, send)
            else:
                await self.app(scope, _again(body, receive), send)

    async def _whole(self, headers: dict[bytes, bytes], receive: Receive, most: int) -> bytes:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > most:
            raise _too_large(most)
        pieces: list[bytes] = []
        size, more = 0, True
        deadline = asyncio.get_running_loop().time() + self.limits.seconds
        while more:
            message = await _before(deadline, receive)
            if message["type"] == "http.disconnect":
                raise _Refused(400, "the client has gone before its body came")
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
            size += len(pieces[-1])
            if size > most:
                raise _too_large(most)
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        encoding = headers.get(b"content-encoding", b"")
        if encoding or size > _LARGE:  # so that no other request waits for a large one to be looked through
            return await run_in_threadpool(self._checked, body, encoding, most)
        return self._checked(body, encoding, most)

    def _checked(self, body: bytes, encoding: bytes, most: int) -> bytes:
        if encoding:
            body = _unpacked(body, encoding, most)
        if depth_of(body, self.limits.depth) > self.limits.depth:
            raise _Refused(422, f"the body is nested deeper than {self.limits.depth} levels")
        return body

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def next_piece() -> Message:
            return await _before(asyncio.get_running_loop().time() + self.limits.seconds, receive)

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, next_piece, answer)
        except _Refused as refused:
            if started:
                raise
            await refused.answer()(scope, receive, send)


class _Refused(Exception):
    """A body that is not taken."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status

    def answer(self) -> Response:
        """Return what says so; the connection ends, since the rest of the body may still come."""
        error = "InvalidInput" if self.status == 422 else ""
        return problems.problem(self.status, str(self), error=error, headers={"Connection": "close"})


def _unpacked(body: bytes, encoding: bytes, most: int) -> bytes:
    if encoding.lower() == b"identity":
        return body
    if encoding.lower() != b"gzip":
        raise _Refused(415, "the body may be sent as it is, or with Content-Encoding: gzip")
    unpacking = zlib.decompressobj(31)
    try:
        found = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise _Refused(422, f"the body is not gzip as its Content-Encoding says ({error})") from error
    if len(found) > most:
        raise _too_large(most)
    if not unpacking.eof:
        raise _Refused(422, "the body is gzip that was cut short")
    return found


def _too_large(most: int) -> _Refused:
    return _Refused(413, f"the body is larger than {most:,} bytes: send it in parts")


async def _before(deadline: float, receive: Receive) -> Message:
    """Return the next piece; raise where it does not come in time."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        task.cancel()

    # `asyncio.wait_for` would make a task of every read.
    timer = loop.call_at(deadline, give_up)
    try:
        return await receive()
    except asyncio.CancelledError:
        if not late:
            raise
        raise _Refused(408, "the body did not arrive in time") from None
    finally:
        timer.cancel()


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what gives a body that was read already, and then what comes after it."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


_REST = bytes(set(range(256)) - set(b'[]{}"'))
_STEP = [0] * 256
for _byte, _step in zip(b"[{]}", (1, 1, -1, -1), strict=True):
    _STEP[_byte] = _step


def depth_of(body: bytes, enough: int = 0) -> int:
    """Return how deep JSON is nested, or less than `enough` where it has so few brackets."""
    opening = body.count(b"[") + body.count(b"{")
    if opening <= enough:
        return opening
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Every other piece between quotes is a text; where quotes are amiss, the parser says so.
    brackets = b"".join(body.translate(None, _REST).split(b'"')[::2])
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)
