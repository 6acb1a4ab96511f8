"""Connections as the server keeps them: so many at once, and none that never says what it wants."""

from __future__ import annotations

import asyncio
import socket

from uvicorn.protocols.http.h11_impl import H11Protocol

from arangopipe.server import problems
from arangopipe.server.limits import Limits


class Connection(H11Protocol):
    """One connection; refused where there are too many, closed where the head of a request does not come."""

    _timer: asyncio.TimerHandle | None = None

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
            self._refuse(503, "Service Unavailable", problems.encoded(503, detail))
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
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(400, "Bad Request", problems.encoded(400, msg))

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.head_seconds, self._give_up)

    def _head_came(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        detail = f"no request came within {self.limits.head_seconds:g} seconds"
        self._refuse(408, "Request Timeout", problems.encoded(408, detail))

    def _refuse(self, status: int, phrase: str, body: bytes) -> None:
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: {problems.MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n"
            + (f"Retry-After: {problems.RETRY_SECONDS}\r\n" if status == 503 else "")
            + "\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
