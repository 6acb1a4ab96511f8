"""For a peer's server: asyncio leaves TCP_NODELAY out for sockets that do not say that they are TCP.

Each answer then waits 40 ms. What the peer does is to be measured, not that.
"""

import asyncio.base_events
import contextlib
import socket


def _without_delay(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


asyncio.base_events._set_nodelay = _without_delay
