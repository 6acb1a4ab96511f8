"""Running the server: its socket, its refusals, and its end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from arangopipe.errors import InvalidInput, StoreUnavailable
from arangopipe.server.app import create_app
from arangopipe.server.connections import Connection
from arangopipe.server.door import is_loopback
from arangopipe.server.limits import Limits
from arangopipe.store.base import Store
from arangopipe.users import any_users

HOST = "127.0.0.1"
PORT = 8321


def authenticates(store: Store | None, host: str, wanted: bool | None) -> bool:
    """Return whether to serve known users only; `wanted` None: where the store has users.

    A store that is None is yet to be made. Raises `InvalidInput` where anybody could reach the server and do
    anything.
    """
    users = store is not None and any_users(store)
    if store is not None and users and wanted is False:
        raise InvalidInput(f"{store.url} has users, and is served to them only: leave --no-auth out")
    if users or wanted or is_loopback(host):
        return users or bool(wanted)
    raise InvalidInput(
        f"{host} can be reached from other machines, and who reaches it could read and change everything: "
        f"set up authentication first (arangopipe init --admin NAME, or --auth), or serve at {HOST}"
    )


def listen(host: str, port: int) -> socket.socket:
    """Return the socket to serve at; port 0 is any that is free."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StoreUnavailable(
            f"{host}:{port} cannot be served at: {reason}; choose another --port"
        ) from error


def address(listening: socket.socket, host: str) -> str:
    """Return the URL of a server."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def run(
    store: Store,
    listening: socket.socket,
    *,
    authentication: bool,
    limits: Limits | None = None,
    hosts: Collection[str] = (),
    started: Callable[[str | None], object] = lambda _: None,
) -> None:
    """Serve until a signal ends it; then finish the requests in flight and close the store.

    `hosts` are names that it has beside this machine's own. `started` is told the token that makes the
    first administrator, where there is none yet.
    """
    app = create_app(store, authentication=authentication, limits=limits, hosts=hosts, close=True)
    setup = app.state.gate.setup_token() if authentication else None
    with _signals_end_quietly():
        Server(app, lambda: started(setup)).run(sockets=[listening])


class Server(uvicorn.Server):
    """What serves an application; `started` is told when it does."""

    def __init__(self, app: FastAPI, started: Callable[[], object] = lambda: None) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=round(app.state.limits.idle_seconds),
            timeout_graceful_shutdown=round(app.state.limits.stop_seconds),
        )
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self.started:
            self._tell()


@contextmanager
def _signals_end_quietly() -> Iterator[None]:
    """Let the signals that uvicorn passes on after a graceful stop do nothing more."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
