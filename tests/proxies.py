"""A proxy between a client and a server that cuts or stops connections when told."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Passes on what comes to a port of its own, to a port on loopback, as long as it is let."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Cut every connection that is open, without a farewell; return how many."""
        with self._lock:
            for connection in self._open:
                _shut_down(connection)
            return len(self._open) // 2

    def stop(self) -> None:
        """Keep back what comes, without a word, until `go_on`."""
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._listener.close()
        self.go_on()
        self.cut()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                threading.Thread(target=self._connect, args=(client, server), daemon=True).start()

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._open |= {client, server}
        ways = [
            threading.Thread(target=self._pass_on, args=pair, daemon=True)
            for pair in ((client, server), (server, client))
        ]
        for way in ways:
            way.start()
        for way in ways:
            way.join()
        # Only now: the next connection gets the number of a closed socket, which nobody may use any more.
        with self._lock:
            self._open -= {client, server}
            client.close()
            server.close()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._flows.wait()
                target.sendall(data)
        _shut_down(source)
        _shut_down(target)


def _shut_down(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
