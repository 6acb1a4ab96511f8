"""Clients that send what was prepared: each waits for its answer before it sends again.

One process speaks for all of them over plain sockets, so that the clients take as little of the
machine from the server as can be.
"""

from __future__ import annotations

import pickle
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coprocess

END = b"\r\n\r\n"
LENGTH = b"content-length:"


def request(path: str, body: bytes, **headers: str) -> bytes:
    """Return a POST as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + END + body


class Client:
    """One connection, and the request that is on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = 0.0

    def send(self, request: bytes) -> None:
        """Send a request."""
        self._answer = bytearray()
        self.sent = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what has come; return the status once the answer is whole."""
        came = self.socket.recv(1 << 16)
        if not came:
            return 0
        self._answer += came
        head, end, body = self._answer.partition(END)
        if not end:
            return None
        lower = bytes(head).lower()
        length = int(lower.partition(LENGTH)[2].partition(b"\r\n")[0] or 0)
        return int(head[9:12]) if len(body) >= length else None


class Load:
    """The clients of one process, and what they have to send."""

    def give(self, path: str) -> dict[str, Any]:
        """Take the requests that are to be sent."""
        self._requests: Sequence[bytes] = pickle.loads(Path(path).read_bytes())
        return {}

    def run(self, port: int, clients: int) -> dict[str, Any]:
        """Send all requests over so many connections; return how long each answer took, and what failed."""
        waiting = iter(self._requests)
        took: list[float] = []
        failed: Counter[str] = Counter()
        with selectors.DefaultSelector() as selector:
            for _ in range(clients):
                client = Client(port)
                selector.register(client.socket, selectors.EVENT_READ, client)
            start = time.perf_counter()
            for key in list(selector.get_map().values()):
                _next(selector, key.data, waiting)
            while selector.get_map():
                for key, _ in selector.select():
                    if (status := key.data.receive()) is None:
                        continue
                    took.append(time.perf_counter() - key.data.sent)
                    if status not in (200, 201):
                        failed[str(status)] += 1
                    _next(selector, key.data, waiting)
            spent = time.perf_counter() - start
        return {"seconds": spent, "took": took, "failed": sum(failed.values()), "errors": failed}


def _next(selector: selectors.BaseSelector, client: Client, waiting: Any) -> None:
    if (body := next(waiting, None)) is None:
        selector.unregister(client.socket)
        client.socket.close()
    else:
        client.send(body)


if __name__ == "__main__":
    load = Load()
    coprocess.serve({"give": load.give, "run": load.run})
