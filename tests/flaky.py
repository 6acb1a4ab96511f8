"""A proxy that does what networks and servers do on bad days."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections import deque
from typing import BinaryIO
from urllib.parse import urlsplit

PAGE = b"<html><body>Bad Gateway</body></html>"


class Flaky:
    """Stands before a server, at `url`; what it does to each request is the next of `plan`, else `mode`.

    good: pass it on. slow: pass it on after `delay` seconds. hang: say nothing, until `heal`. drop: close the
    connection unread. unheard: close it without passing the request on. lost: pass it on, and close
    without a word of the answer. half: give half of the answer. 500, 502, 503, 429: answer so itself.
    """

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._tls = tls
        self.plan: deque[str] = deque()
        self.mode = "good"
        self.delay = 2.0
        self.seen: list[str] = []
        self._healed = threading.Event()
        self._open: list[socket.socket] = []
        self._port = 0
        self.come_back()

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._port}"

    def go_away(self) -> None:
        """Be a machine on which nothing listens."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)
        self._close_all()

    def come_back(self) -> None:
        """Listen (again)."""
        self._listening = socket.create_server(("127.0.0.1", self._port), backlog=64)
        self._port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, args=(self._listening,), daemon=True)
        self._thread.start()

    def heal(self) -> None:
        """Be good from now on, and let go of who waits."""
        self.plan.clear()
        self.mode = "good"
        self._healed.set()
        self._healed = threading.Event()

    def __enter__(self) -> Flaky:
        return self

    def __exit__(self, *_: object) -> None:
        self.heal()
        if self._thread.is_alive():
            self.go_away()

    def _close_all(self) -> None:
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException), client:
            if self.mode == "drop":
                return
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            with client, client.makefile("rb") as stream:
                while self._one(client, stream):
                    pass

    def _one(self, client: socket.socket, stream: BinaryIO) -> bool:
        """Serve one request, and say whether another may come."""
        line = stream.readline()
        if not line:
            return False
        method, path, _ = line.decode().split()
        headers = http.client.parse_headers(stream)
        body = stream.read(int(headers.get("content-length", 0)))
        how = self.plan.popleft() if self.plan else self.mode
        self.seen.append(f"{how} {path}")
        if how in ("unheard", "drop"):
            return False
        if how == "hang":
            self._healed.wait(60)
            return False
        if how.isdigit():
            client.sendall(_refusal(int(how)))
            return True
        if how == "slow":
            time.sleep(self.delay)
        answer = self._passed_on(method, path, dict(headers.items()), body)
        if how == "lost":
            return False
        if how == "half":
            client.sendall(answer[: -(len(answer.partition(b"\r\n\r\n")[2]) // 2) - 1])
            return False
        client.sendall(answer)
        return True

    def _passed_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        upstream = http.client.HTTPConnection(*self._target)
        with contextlib.closing(upstream):
            upstream.request(method, path, body, headers)
            answer = upstream.getresponse()
            said = answer.read()
        kept = [
            f"{name}: {value}\r\n"
            for name, value in answer.getheaders()
            if name.lower() not in ("transfer-encoding", "content-length", "connection")
        ]
        head = (
            f"HTTP/1.1 {answer.status} {answer.reason}\r\n{''.join(kept)}Content-Length: {len(said)}\r\n\r\n"
        )
        return head.encode() + said


def _refusal(status: int) -> bytes:
    wait = "Retry-After: 0\r\n" if status in (429, 503) else ""
    head = f"HTTP/1.1 {status} No\r\nContent-Type: text/html\r\n{wait}Content-Length: {len(PAGE)}\r\n\r\n"
    return head.encode() + PAGE
