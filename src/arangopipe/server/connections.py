"""Connections as the server keeps them: so many at once, and none that neither speaks nor listens."""

from __future__ import annotations

import asyncio
import re
import socket
import sys
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from arangopipe.server import door, logs, problems
from arangopipe.server.limits import Limits

_SENT = re.compile(r""": (?:bytearray\()?b['"]""")
"""Where a message begins to repeat what was sent."""


class Connection(H11Protocol):
    """One connection; refused where there are too many, closed where nothing comes or nothing is taken."""

    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    @property
    def limits(self) -> Limits:
        """The limits of the application that is served."""
        found: Limits = self.config.app.state.limits  # type: ignore[union-attr]
        return found

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection, or refuse it."""
        # asyncio does so only for sockets that were made with the number of their protocol.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            detail = f"{self.limits.connections} connections are open, as many as the server keeps"
            self._refuse(503, detail)
        else:
            self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what has come, and wait for the rest of a head no longer than it may take."""
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._head_came()
        elif self._timer is None and (before is None or before.response_complete):
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection."""
        self._head_came()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait until the client takes what it was sent, but not for ever: a read of the store stays open."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.limits.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on, since the client has taken something."""
        self._taken()
        super().resume_writing()

    def _taken(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or has too large a head."""
        error = sys.exc_info()[1]
        status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        detail = f"this is not HTTP as it should be: {_SENT.split(str(error))[0]}"
        self._refuse(status, problems.MEANING[431] if status == 431 else detail)

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.head_seconds, self._give_up)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        self._refuse(408, f"no request came within {self.limits.head_seconds:g} seconds")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer what no application sees, and close the connection."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(self._refusal(status, detail))
        self.transport.close()

    def _refusal(self, status: int, detail: str) -> bytes:
        body = problems.encoded(status, detail)
        headers = {
            "Content-Type": problems.MEDIA_TYPE,
            "Content-Length": len(body),
            "Connection": "close",
            "X-Request-ID": logs.refused(self.client, status, len(body)),
            **door.HEADERS,
            **({"Retry-After": problems.RETRY_SECONDS} if status == 503 else {}),
        }
        head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*head, "\r\n"]).encode() + body
