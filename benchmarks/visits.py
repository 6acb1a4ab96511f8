"""A client of pages: how long an answer takes until its last byte, and what a page weighs with its files."""

from __future__ import annotations

import html
import http.client
import json
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from coprocess import Failed

_FILE = re.compile(rb"""<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+\.(?:js|css))\"""")
_IMPORTED = re.compile(rb"""(?:\bfrom|\bimport)\s*["'](\.[^"']+\.js)["']""")
_LATER = re.compile(rb"""\bimport\(\s*["'](\.[^"']+\.js)["']\s*\)""")


Asked = str | tuple[str, Any]
"""The path of what is fetched; with a body, of what is posted."""


class Refused(Failed):
    """A page was not answered as it should be."""


@dataclass(frozen=True)
class Weight:
    """Bytes, as they are sent and as they are unpacked, without what only charts need, and of that."""

    sent: int
    unpacked: int
    charts_sent: int
    charts: int


class Visitor:
    """One connection to a server, kept open, that takes gzip as browsers do."""

    def __init__(self, port: int, clock: Callable[[], float] = time.perf_counter) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._clock = clock

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def timed(self, *asked: Asked) -> float:
        """Return the seconds until what was asked for, one after the other, is complete."""
        start = self._clock()
        for each in asked:
            self._sent(each)
        return self._clock() - start

    def read(self, path: str) -> bytes:
        """Return an answer, unpacked."""
        return _unpacked(self._sent(path))

    def _sent(self, asked: Asked) -> bytes:
        try:
            return self._answer(asked)
        except ConnectionError:
            # A server closes a connection on which nothing was asked for a while.
            self._connection.close()
            return self._answer(asked)

    def _answer(self, asked: Asked) -> bytes:
        path, said = asked if isinstance(asked, tuple) else (asked, None)
        headers = {"Accept-Encoding": "gzip"}
        if said is None:
            self._connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/json"
            self._connection.request("POST", path, json.dumps(said), headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Refused(f"{path}: {answer.status} {_unpacked(body)[:300]!r}")
        return body

    def weight(self, *pages: str) -> Weight:
        """Return what a page and its parts weigh with all files that they name or import."""
        first = [self._sent(path) for path in pages]
        bodies = [_unpacked(body) for body in first]
        files = {urljoin(pages[0], html.unescape(name.decode())) for name in _FILE.findall(bodies[0])}
        now = self._with_imports(files, {})
        named = {urljoin(path, name.decode()) for path, body in now.items() for name in _LATER.findall(body)}
        later = self._with_imports(named, now)
        light = [*first, *map(self._sent, now)]
        heavy = [self._sent(path) for path in later]
        return Weight(
            sum(map(len, light)),
            sum(map(len, bodies)) + sum(map(len, now.values())),
            sum(map(len, heavy)),
            sum(map(len, later.values())),
        )

    def _with_imports(self, files: set[str], known: dict[str, bytes]) -> dict[str, bytes]:
        """Return files by their addresses, and what their modules import, without those that are known."""
        found: dict[str, bytes] = {}
        waiting = sorted(files)
        while waiting:
            path = waiting.pop()
            if path in found or path in known or urlsplit(path).netloc:
                continue
            found[path] = self.read(path)
            if path.endswith(".js"):
                waiting += [urljoin(path, name.decode()) for name in _IMPORTED.findall(found[path])]
        return found


def _unpacked(body: bytes) -> bytes:
    return zlib.decompress(body, 31) if body[:2] == b"\x1f\x8b" else body
