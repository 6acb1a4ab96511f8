"""What a hostile client sends: strings that mean something to somebody, in every place that takes one."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from arangopipe.server import create_app
from arangopipe.server.limits import Limits
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from served import SECONDS, running, serving
from surface import Documents, call_of, fill, parameters, request, routes

pytestmark = pytest.mark.xdist_group("hostile")

HOSTILE = (
    "'; DROP TABLE node; --",
    "x' or not (name = 'y') or note like '%\" or 1=1",
    "../../../../../../etc/passwd",
    "..%2f..%2f%2e%2e%5c..\\..\\etc\\passwd",
    "a\0b",
    "x\r\nSet-Cookie: evil=1\r\n\r\n<script>alert(1)</script>",
    '"><script>alert(1)</script><img src=x onerror=alert(1)>{{1337*1337}}{%raw%}${1337*1337}%s%n',
    "javascript:alert(1)//\u202egpj.\u2066🦓\ufeff\U0010ffff",
    "(" * 300 + "a = 1" + ")" * 300,
    "9" * 5_000,
    "-9223372036854775809",
)
HARMED = sorted(
    route
    for route in routes(create_app(MemoryStore()))
    # Of a page, what it is made of is read in the same way; who guesses passwords is slowed down.
    if not route.endswith(".json") and "password" not in route and "/session" not in route
)


class Attacked:
    """A server with an administrator's token, so that every request meets what it is meant for."""

    def __init__(
        self, store: Store, client: httpx.Client, documents: Documents, found: dict[str, Any]
    ) -> None:
        self.store = store
        self.client = client
        self.documents = documents
        self.routes = found

    def requests(self, route: str) -> Iterator[dict[str, Any]]:
        """Yield the request of a route with each of its parameters hostile, and each field of its body."""
        own = {"key": "0" * 20} if call_of(route).path.get("key") == "TOKEN" else {}
        plain = request(route, call_of(route), self.documents, own)
        found = parameters(self.routes[route])
        for text in HOSTILE:
            for name in found["path"]:
                yield request(route, call_of(route), self.documents, {**own, name: text})
            for name in found["query"]:
                yield {**plain, "params": {**plain["params"], name: text}}
            if text.isascii() and text.isprintable():
                for name in found["header"]:
                    yield {**plain, "headers": {name: text}}
            for name in plain.get("data", {}):
                yield {**plain, "data": {**plain["data"], name: text}}
            for name in self._fields(route):
                for value in (text, *(([text], {text: text}) if text in HOSTILE[4:6] else ())):
                    yield {**plain, "json": {**plain["json"], name: value}}

    def _fields(self, route: str) -> list[str]:
        operation = self.documents.operation(route) or {}
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            return []
        schema = content["schema"]
        if "$ref" in schema:
            schema = self.documents.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return [*schema["properties"]]


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    url = f"sqlite:///{tmp_path_factory.mktemp('attacked')}/runs.db"
    with open_store(url) as store:
        token = fill(store)["root"]
        app = create_app(store, authentication=True)
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/html, application/json"}
        with running(app) as base, httpx.Client(base_url=base, timeout=SECONDS, headers=headers) as client:
            assert client.get("/api/v1/me").is_success  # that the token was used is recorded
            yield Attacked(store, client, Documents(app.openapi()), routes(app))


@pytest.fixture(scope="module")
def anyone() -> Iterator[str]:
    """A server that asks nobody who they are, and waits two seconds for a body."""
    with serving(MemoryStore(), limits=Limits(seconds=2.0, body=1_000_000)) as url:
        yield url


@pytest.mark.parametrize("route", HARMED)
def test_hostile_strings_do_no_harm(attacked: Attacked, route: str) -> None:
    for asked in attacked.requests(route):
        answer = attacked.client.request(**asked)
        assert answer.status_code < 500 or answer.status_code == 501, f"{asked}: {answer.text:.500}"
        assert "evil" not in answer.headers.get("set-cookie", "")
        assert "root:x:0" not in answer.text
        assert "1787569" not in answer.text
        if "html" in answer.headers.get("content-type", ""):
            assert "<script>alert" not in answer.text
            assert "onerror=alert(1)>" not in answer.text.replace("&gt;", "")
            assert 'href="javascript:' not in answer.text
        location = answer.headers.get("location", "/")
        assert location.startswith("/"), location
        assert not location.startswith("//"), location
    assert attacked.client.get("/api/v1/me").json()["user"] == "root"


def test_hostile_strings_have_left_the_store_whole(attacked: Attacked) -> None:
    assert isinstance(attacked.store, Maintenance)
    assert list(attacked.store.check()) == []
    assert attacked.store.get(["datasets/z-d-1"]) != (None,)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "../../app.py",
        "x/../../app.py",
        "x/..%2f..%2fapp.py",
        "x/%2e%2e/%2e%2e/app.py",
        "x/..%5c..%5capp.py",
        "x//etc/passwd",
        "x/%00icon.svg",
        "x/icon.svg%00.html",
        "x/....//....//app.py",
        "x/~root/.bashrc",
        "x/" + "a/" * 2_000,
        "x/" + "a" * 300,
        "x/",
        "x/vendor",
        "",
    ],
)
def test_files_are_those_of_the_folder(anyone: str, path: str) -> None:
    head = f"GET /static/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = raw(anyone, head.encode())
    assert answer.split(b" ", 2)[1] in (b"404", b"405"), answer[:200]
    assert b"create_app" not in answer


def test_a_request_says_nothing_in_the_head_of_its_answer(anyone: str) -> None:
    for head in (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: a\x0bb\r\nConnection: close\r\n\r\n",
        b"GET /search/add?q=%0d%0aEvil:%201 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /find?text=x:%0d%0aEvil:%201 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ):
        assert b"\r\nEvil" not in raw(anyone, head).partition(b"\r\n\r\n")[0]


# --- bodies and connections ----------------------------------------------------------------------


def raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are, and return all that comes until the server closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := connection.recv(65_536):
                found += piece
    return found


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer[9:12])


HEAD = b"POST /api/v1/datasets HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"GET /health HTTP/1.1\r\n\r\n", 400),  # without a host
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400),
        (b"GET http://evil.example/health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
        (HEAD + b"Content-Length: -1\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n{}", 413),
        (HEAD + b"Content-Length: 50\r\n\r\n{", 408),  # truncated
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{", 408),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        # Both: which is it? Nobody may be led to take the rest for another request.
        (
            HEAD
            + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\n\r\n",
            400,
        ),
    ],
)
def test_what_is_no_request_is_refused(anyone: str, data: bytes, expected: int) -> None:
    assert status(raw(anyone, data)) == expected
    assert httpx.get(f"{anyone}/health").is_success, "the server goes on"


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("text/plain", b'{"name": "x"}', 415),
        ("application/x-www-form-urlencoded", b"name=x", 415),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n{}\r\n--x--", 415),
        ("application/xml", b'<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/passwd">]><x>&y;</x>', 415),
        ("application/json", b'{"name": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", 422),
        (
            "application/json",
            b'{"name": "x", "document": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
            422,
        ),
        ("application/json", b'{"name": "x", "document": {"a": ' + b"9" * 10_000 + b"}}", 422),
        ("application/json", b'{"name": "x", "document": {"a": 1e999}}', 422),
        ("application/json", b'{"name": "\xff"}', 422),
        ("application/json", b'{"name": "\\ud800"}', 422),
        ("application/json", b'{"name": "x"', 422),
        ("application/json", b"", 422),
    ],
)
def test_what_is_no_body_is_refused(anyone: str, kind: str, content: bytes, expected: int) -> None:
    answer = httpx.post(f"{anyone}/api/v1/datasets", content=content, headers={"Content-Type": kind})
    assert answer.status_code == expected, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_bomb_bursts_at_the_limit(anyone: str) -> None:
    """A kilobyte for each megabyte: what unpacks to more than a body may be is not unpacked further."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        for _ in range(64):
            file.write(b" " * 2**20)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    for path, kind in (("datasets", ""), ("batches", ""), ("batches", "application/x-ndjson")):
        more = {**headers, **({"Content-Type": kind} if kind else {})}
        answer = httpx.post(
            f"{anyone}/api/v1/{path}", content=packed.getvalue(), headers=more, timeout=SECONDS
        )
        assert answer.status_code == 413, answer.text
    twice = httpx.post(
        f"{anyone}/api/v1/datasets", content=b"x", headers={**headers, "Content-Encoding": "gzip, gzip"}
    )
    assert twice.status_code == 415


def test_many_connections_are_answered_and_it_goes_on() -> None:
    with (
        serving(MemoryStore(), limits=Limits(connections=20, head_seconds=1.0)) as url,
        contextlib.ExitStack() as stack,
    ):
        parts = urlsplit(url)
        held = [
            stack.enter_context(socket.create_connection((parts.hostname, parts.port), timeout=SECONDS))
            for _ in range(100)
        ]
        for number, connection in enumerate(held):
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"GET /hea")  # each says a little, and no more
            if number >= 20:
                assert connection.recv(1_000)[:12] in (b"HTTP/1.1 503", b"HTTP/1.1 408", b"")
        assert all(connection.recv(1_000).startswith(b"HTTP/1.1 408") for connection in held[:20])
        assert httpx.get(f"{url}/health", timeout=SECONDS).is_success


def test_many_requests_at_once_on_one_connection(anyone: str) -> None:
    one = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert raw(anyone, one * 200 + last).count(b"HTTP/1.1 200") == 201
    assert raw(anyone, one * 3 + b"\0\0\0\r\n\r\n" + one).count(b"HTTP/1.1 400") == 1
    quiet = raw(anyone, HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    assert b"HTTP/1.1 422" in quiet


WRONG: list[Any] = [None, True, -1, 1.5, 2**70, "", "/", "\0", "\ud800", [], {}, [[]], [{}], {"a": 1}]
NODE = {"kind": "run", "key": "k", "name": "n", "version": "1", "project": "p", "revision": 3}
BATCH = {
    "id": "b",
    "puts": [{"node": {**NODE, "document": {"a": 1}}, "expect": "absent"}],
    "edges": [{"kind": "related", "from": "datasets/d-1", "to": "models/m-1", "document": {"x": 1}}],
    "closes": ["run/running", {"kind": "related", "from": "datasets/d-1", "to": "models/m-1"}],
    "points": [{"run": "run/curve", "name": "loss", "points": [[1, 2, 3.0]]}],
    "unchanged": ["run"],
    "since": 3,
    "origin": {"store": "x", "number": 3, "time": "2026-01-01T00:00:00Z", "actor": "eva"},
}  # fmt: skip


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where in a JSON value something stands."""
    yield above
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*above, key))


def with_(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """Return a JSON value with another at a place."""
    if not place:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = with_(copy[place[0]], place[1:], new)
    return copy


def test_a_batch_of_wrong_types_is_refused(attacked: Attacked) -> None:
    before = attacked.store.head()
    lines = [
        json.dumps(with_(BATCH, place, wrong))
        for place in places(BATCH)
        for wrong in WRONG
        if place and place[0] not in ("actor", "since")
    ]
    answer = attacked.client.post(
        "/api/v1/batches", content="\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 200, answer.text
    said = [json.loads(line) for line in answer.text.splitlines()]
    assert len(said) == len(lines)
    assert all(one.get("status", 422) < 500 for one in said)
    assert attacked.store.head() == before
