"""A relay before a server, which can make it look dead, hanging or slow."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

SLOW = 2.0
"""Seconds by which each piece of an answer is late."""

_PIECE = 1 << 16


class Relay:
    """Passes connections on to a port of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._late = 0.0
        self._moving = threading.Event()
        self._moving.set()
        self._sockets: list[socket.socket] = []
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                for source, sink, answers in ((near, far, False), (far, near, True)):
                    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._pass, args=(source, sink, answers), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):  # either side has gone
            while piece := source.recv(_PIECE):
                if answers:
                    time.sleep(self._late)
                self._moving.wait()
                sink.sendall(piece)
        for end in (source, sink):
            _close(end)

    def _cut(self) -> None:
        _close(self._listener)
        for end in self._sockets:
            _close(end)
        self._sockets.clear()

    @contextmanager
    def well(self) -> Iterator[None]:
        """Pass everything on."""
        yield

    @contextmanager
    def dead(self) -> Iterator[None]:
        """Take no connection, and cut those that there are."""
        self._cut()
        try:
            yield
        finally:
            self._listen(self.port)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Take connections, and pass nothing on."""
        self._moving.clear()
        try:
            yield
        finally:
            self._moving.set()

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Pass answers on late."""
        self._late = SLOW
        try:
            yield
        finally:
            self._late = 0.0

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._moving.set()
        self._cut()


def _close(end: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        end.shutdown(socket.SHUT_RDWR)
    end.close()
