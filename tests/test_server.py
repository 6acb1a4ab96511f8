"""The server: how it starts, answers, refuses, logs and stops."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from arangopipe.errors import InvalidInput
from arangopipe.model.graph import Change
from arangopipe.server import create_app
from arangopipe.server.connections import Connection
from arangopipe.server.door import is_loopback
from arangopipe.server.limits import Limits, depth_of
from arangopipe.server.running import authenticates
from arangopipe.store import open_store
from arangopipe.store.memory import MemoryStore
from commands import shell
from served import SECONDS, http, program

Serve = Callable[..., str]


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= body.keys()
    assert "Traceback" not in response.text
    return body


def batch(name: str) -> dict[str, Any]:
    """A batch that changes something."""
    node = {"kind": "datasets", "key": name, "name": name, "version": "1"}
    return {"id": name, "puts": [{"node": node, "expect": "absent"}], "actor": "ann"}


def raw(url: str, data: bytes, wait: bool = True) -> bytes:
    """Send bytes as they are, and return all that comes until the server closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall(data)
        found = b""
        while wait and (piece := connection.recv(65_536)):
            found += piece
    return found


def test_it_lives_and_is_ready(served: Serve) -> None:
    url = served(MemoryStore())
    assert http.get(f"{url}/health").json() == {"status": "ok"}
    assert http.get(f"{url}/ready").json() == {"status": "ok"}


def test_it_is_not_ready_without_its_store(served: Serve, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/runs.db")
    url = served(store)
    store.close()
    assert http.get(f"{url}/health").status_code == 200
    answer = http.get(f"{url}/ready")
    assert problem(answer, 503)["title"] == "StoreUnavailable"
    assert answer.headers["retry-after"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "title"),
    [
        ("GET", "/api/v1/nothing", b"", 404, "Not Found"),
        ("GET", "/nothing/at/all", b"", 404, "Not Found"),
        ("PUT", "/health", b"", 405, "Method Not Allowed"),
        ("POST", "/api/v1/batches", b"{bad", 422, "InvalidInput"),
        ("POST", "/api/v1/batches", b"[]", 422, "InvalidInput"),
        ("POST", "/api/v1/batches", b"{}", 422, "InvalidInput"),
        ("POST", "/api/v1/batches", b"\xff\xfe", 422, "InvalidInput"),
        ("POST", "/api/v1/datasets", b'{"name": "\xc3\x28"}', 422, "InvalidInput"),
        ("POST", "/api/v1/batches", b"[" * 100_000, 422, "InvalidInput"),
        ("POST", "/api/v1/batches", b'{"id": ' + b"1" * 1_000, 413, "Content Too Large"),
    ],
)
def test_every_error_is_a_problem(
    served: Serve,
    method: str,
    path: str,
    content: bytes,
    status: int,
    title: str,
) -> None:
    url = served(MemoryStore(), limits=Limits(body=200_000 if len(content) > 2_000 else 500))
    headers = {"content-type": "application/json"}
    answer = http.request(method, url + path, content=content, headers=headers)
    found = problem(answer, status)["title"]
    assert found == title


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/api/v1/datasets", "/api/v1/export"])
def test_head_is_get_without_the_body(served: Serve, path: str) -> None:
    url = served(open_store("memory://"))
    plain = {"Accept-Encoding": "identity"}
    got, asked = (http.request(method, url + path, headers=plain) for method in ("GET", "HEAD"))
    assert (asked.status_code, asked.content) == (200, b"")
    same = ("content-type", "content-length", "cache-control", "x-frame-options")
    assert [asked.headers.get(name) for name in same] == [got.headers.get(name) for name in same]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/health", "GET, HEAD, OPTIONS"),
        ("/api/v1/batches", "POST, OPTIONS"),
        ("/api/v1/datasets", "GET, HEAD, POST, OPTIONS"),
        ("/api/v1/datasets/x", "GET, HEAD, PATCH, DELETE, OPTIONS"),
    ],
)
def test_a_path_says_which_methods_it_takes(served: Serve, path: str, methods: str) -> None:
    url = served(MemoryStore())
    answer = http.request("PUT", url + path)
    assert methods in problem(answer, 405)["detail"]
    assert answer.headers["allow"] == methods
    asked = http.request("OPTIONS", url + path)
    assert (asked.status_code, asked.headers["allow"]) == (204, methods)
    problem(http.request("OPTIONS", f"{url}/nothing"), 404)


def test_what_is_not_said_to_be_json_is_told_how(served: Serve) -> None:
    url = f"{served(MemoryStore())}/api/v1/datasets"
    assert (
        "Content-Type: application/json" in problem(http.post(url, content=b'{"name": "x"}'), 415)["detail"]
    )
    bad = http.post(url, content=b'{"name": ', headers={"Content-Type": "application/json"})
    assert problem(bad, 422)["detail"] == "body.9: JSON decode error: Expecting value"


class Broken(MemoryStore):
    def write(self, *_: Any, **__: Any) -> Change:
        raise RuntimeError("the password is hunter2")


def test_what_nobody_foresaw_says_nothing_of_itself(
    served: Serve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = http.post(
        f"{served(Broken())}/api/v1/batches", json={"id": "x"}, headers={"X-Request-ID": "abc"}
    )
    found = problem(answer, 500)
    assert "hunter2" not in answer.text
    assert "abc" in found["detail"]
    assert "hunter2" in caplog.text  # the log says it


def test_a_request_has_a_name(served: Serve) -> None:
    url = served(MemoryStore())
    answer = http.get(f"{url}/health", headers={"X-Request-ID": "my-request.1"})
    assert answer.headers["x-request-id"] == "my-request.1"
    given = http.get(f"{url}/health", headers={"X-Request-ID": 'no"name\t' + "x" * 200})
    assert len(given.headers["x-request-id"]) == 36


def test_bodies_may_be_packed(served: Serve) -> None:
    url = f"{served(MemoryStore(), limits=Limits(body=1_000))}/api/v1/batches"
    packed = {"content-encoding": "gzip", "content-type": "application/json"}
    sent = json.dumps(batch("b-1")).encode()
    assert http.post(url, content=gzip.compress(sent), headers=packed).status_code == 200
    bomb = gzip.compress(b"[" + b"1," * 1_000_000)[:900]
    problem(http.post(url, content=gzip.compress(b" " * 10_000), headers=packed), 413)
    problem(http.post(url, content=bomb, headers=packed), 413)
    problem(http.post(url, content=gzip.compress(sent)[:-5], headers=packed), 422)
    problem(http.post(url, content=b"nothing packed", headers=packed), 422)
    problem(http.post(url, content=sent, headers={**packed, "content-encoding": "br"}), 415)


def test_a_body_without_a_length_is_bounded_too(served: Serve) -> None:
    url = f"{served(MemoryStore(), limits=Limits(body=1_000))}/api/v1/batches"
    problem(http.post(url, content=iter([b"[" * 600, b"]" * 600])), 413)


@pytest.mark.parametrize("path", ["/api/v1/session", "/api/v1/setup", "/login"])
def test_who_is_not_known_sends_no_large_body(served: Serve, path: str) -> None:
    url = served(MemoryStore(), authentication=True)
    large, small = (b'{"name": "' + b"x" * size + b'"}' for size in (70_000, 2_000))
    for body in (large, iter([large])):
        answer = http.post(url + path, content=body, headers={"Content-Type": "application/json"})
        assert "65,536 bytes" in problem(answer, 413)["detail"]
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(http.post(url + path, content=gzip.compress(large), headers=packed), 413)
    assert http.post(url + path, content=small, headers=packed).status_code in (401, 422)


def test_a_slow_body_is_given_up(served: Serve) -> None:
    url = served(MemoryStore(), limits=Limits(seconds=0.3))
    head = b"POST /api/v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"
    assert raw(url, head).startswith(b"HTTP/1.1 408")


def test_a_slow_head_is_given_up(served: Serve) -> None:
    url = served(MemoryStore(), limits=Limits(head_seconds=0.3))
    assert raw(url, b"GET /health HT").startswith(b"HTTP/1.1 408")
    assert raw(url, b"").startswith(b"HTTP/1.1 408")
    # The second request of a connection has no more time than the first.
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        found = b""
        while not found.endswith(b'{"status":"ok"}'):
            found += connection.recv(1_000)
        connection.sendall(b"GET /hea")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("data", "status", "detail"),
    [
        (b"GARBAGE\r\n\r\n", 400, "illegal request line"),
        (b"GET / HTTP/1.1\r\nAuthorization : Bearer hunter2\r\n\r\n", 400, "illegal header line"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 66_000, 431, "head of the request"),
    ],
    ids=["garbage", "blank before colon", "no host", "large"],
)
def test_what_is_no_http_gets_a_problem(served: Serve, data: bytes, status: int, detail: str) -> None:
    head, _, body = raw(served(MemoryStore()), data).decode().partition("\r\n\r\n")
    said = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ")
    assert said["status"] == status
    assert detail in said["detail"]
    assert "hunter2" not in body
    assert "X-Request-ID: " in head
    assert "X-Frame-Options: DENY" in head


def test_connections_are_bounded(served: Serve) -> None:
    url = served(MemoryStore(), limits=Limits(connections=3))
    parts = urlsplit(url)
    held = [socket.create_connection((parts.hostname, parts.port)) for _ in range(3)]
    try:
        for connection in held:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        answer = raw(url, b"")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 503
    finally:
        for connection in held:
            connection.close()


class Endless(MemoryStore):
    """A store whose changes never end, and which notes when nobody reads them any more."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def changes(self, after: int = 0, limit: int | None = None, entries: bool = False) -> Iterator[Change]:
        first = next(super().changes(0, 1, entries))
        try:
            while limit != 1:
                yield first._replace(reason=os.urandom(5_000).hex())  # what packs well fills no piece
            yield first
        finally:
            if limit != 1:
                self.let_go.set()


@pytest.mark.parametrize("goes", [True, False], ids=["goes away", "does not read"])
@pytest.mark.parametrize("line", ["POST /api/v1/store/changes", "GET /api/v1/export"])
def test_an_answer_that_nobody_takes_is_let_go(served: Serve, line: str, goes: bool) -> None:
    store = Endless()
    url = served(store, limits=Limits(seconds=60.0 if goes else 0.5))
    for name in ("b-1", "b-2"):  # of one change there is an end
        assert http.post(f"{url}/api/v1/batches", json=batch(name)).is_success
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        assert not store.let_go.is_set()
        assert goes or store.let_go.wait(SECONDS)
    assert store.let_go.wait(SECONDS)


def test_no_piece_of_an_answer_waits(monkeypatch: pytest.MonkeyPatch, served: Serve) -> None:
    seen: list[bool] = []
    begin = Connection.connection_made

    def look(self: Connection, transport: asyncio.Transport) -> None:
        begin(self, transport)
        there = transport.get_extra_info("socket")
        seen.append(bool(there.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))

    monkeypatch.setattr(Connection, "connection_made", look)
    http.get(f"{served(MemoryStore())}/health")
    assert seen == [True]


def test_depth() -> None:
    assert depth_of(b'{"a": [1, {"b": "[[[["}], "c": "\\"[[["}') == 3
    assert depth_of(b"[]" * 3 + b"[[]]") == 2
    assert depth_of(b"1") == 0
    assert depth_of(rb'["\\", "\\\"[[", [1], "]", "\"", [[2]]]') == 3
    assert depth_of(b'["[') == 1  # malformed, which the parser says


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not authenticates(MemoryStore(), host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_others_are_not_let_in_without_authentication(host: str) -> None:
    with pytest.raises(InvalidInput, match="arangopipe init --admin NAME"):
        authenticates(MemoryStore(), host, None)


# --- its names: a page from anywhere can have a name of its own resolved to this machine --------------


def named(url: str, host: str) -> httpx.Response:
    return http.get(f"{url}/api/v1/me", headers={"Host": host})


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost.", "localhost:99", "127.0.0.1", "127.9.9.9:1", "[::1]:8321", "proxy.example:80"],
)
def test_without_users_it_answers_to_its_own_names(served: Serve, host: str) -> None:
    assert named(served(MemoryStore(), hosts=["Proxy.example"]), host).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", "", "[x", "a@b"]
)
def test_without_users_it_answers_to_no_other(served: Serve, host: str) -> None:
    url = served(MemoryStore())
    assert "--allowed-host" in problem(named(url, host), 421)["detail"]
    assert http.post(f"{url}/api/v1/projects", json={"name": "x"}, headers={"Host": host}).status_code == 421
    assert http.get(f"{url}/health", headers={"Host": host}).status_code == 421


def test_with_users_it_answers_to_any(served: Serve) -> None:
    problem(named(served(MemoryStore(), authentication=True), "runs.example"), 401)


def test_a_proxy_may_have_a_name_for_it(tmp_path: Path) -> None:
    with program("--store", str(tmp_path / "runs.db"), "--allowed-host", "runs.example") as server:
        assert named(server.url, "runs.example").status_code == 200
        problem(named(server.url, "other.example"), 421)


# --- the program -----------------------------------------------------------------------------------


def test_it_says_what_is_not_installed(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['uvicorn'] = None; from arangopipe.cli import main; main()"
    command = [sys.executable, "-c", hide, "serve", "--store", str(tmp_path / "runs.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: uvicorn is needed for this: pip install 'arangopipe[server]'\n"


def test_it_refuses_to_serve_strangers(tmp_path: Path) -> None:
    found = shell("serve", "--store", str(tmp_path / "runs.db"), "--host", "0.0.0.0", "--port", "0")
    assert found.returncode == 1
    assert "arangopipe init --admin NAME" in found.stderr
    assert not list(tmp_path.iterdir())  # nor is a store made that nobody serves


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = shell("serve", "--store", str(tmp_path / "runs.db"), "--port", port)
    assert found.returncode == 1
    assert f"127.0.0.1:{port} cannot be served at" in found.stderr


def test_it_logs_each_request_and_no_secret(tmp_path: Path) -> None:
    with program("--store", str(tmp_path / "runs.db")) as server:
        assert server.said["authentication"] is False
        named = {"X-Request-ID": "first", "Authorization": "Bearer hunter2"}
        assert http.get(f"{server.url}/health?token=hunter2", headers=named).status_code == 200
        assert http.get(f"{server.url}/nothing").status_code == 404
        refused = raw(server.url, b"GARBAGE\r\n\r\n").decode()
        log = server.stop()
    first, second, warning, third = log
    assert warning["level"] == "warning"
    assert third["status"] == 400
    assert f"X-Request-ID: {third['request_id']}\r\n" in refused
    assert first.keys() >= {"time", "user", "ms", "client"}
    shown = {key: first[key] for key in ("method", "path", "status", "bytes", "request_id")}
    assert shown == {"method": "GET", "path": "/health", "status": 200, "bytes": 15, "request_id": "first"}
    assert second["status"] == 404
    assert "hunter2" not in json.dumps(log)


def test_its_bounds_are_options(tmp_path: Path) -> None:
    store = str(tmp_path / "runs.db")
    with program(
        "--store", store, "--max-body", "1", "--max-connections", "1", "--head-timeout", "1"
    ) as server:
        kind = {"Content-Type": "application/json"}
        answer = http.post(f"{server.url}/api/v1/batches", content=b" " * 1_000_001, headers=kind)
        assert "1,000,000 bytes" in problem(answer, 413)["detail"]
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
            assert raw(server.url, b"").startswith(b"HTTP/1.1 503")
            assert connection.recv(1_000).startswith(b"HTTP/1.1 408")


def test_the_access_log_can_be_switched_off(tmp_path: Path) -> None:
    with program("--store", str(tmp_path / "runs.db"), "--no-access-log") as server:
        assert http.get(f"{server.url}/health").status_code == 200
        assert server.stop() == []


def test_requests_in_flight_are_finished(tmp_path: Path) -> None:
    with program("--store", str(tmp_path / "runs.db")) as server:
        body = json.dumps(batch("b-1")).encode()
        head = b"POST /api/v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += b"Content-Length: %d\r\n\r\n" % len(body)
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=SECONDS) as connection:
            connection.sendall(head + body[:5])
            time.sleep(0.3)  # the server has the head now
            server.process.terminate()
            time.sleep(0.3)
            assert server.process.poll() is None
            connection.sendall(body[5:])
            assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        assert server.stop()[0]["status"] == 200


def test_openapi_is_sent_once_to_who_keeps_it(served: Serve) -> None:
    url = f"{served(MemoryStore())}/openapi.json"
    plain = http.get(url, headers={"Accept-Encoding": "identity"})
    packed = http.get(url, headers={"Accept-Encoding": "gzip"})
    assert (plain.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert plain.json() == packed.json() == create_app(MemoryStore()).openapi()
    again = http.get(url, headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_openapi_is_complete() -> None:
    document = create_app(MemoryStore()).openapi()
    assert document["openapi"].startswith("3.1")
    seen: set[str] = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["operationId"] not in seen, where
            seen.add(operation["operationId"])
            assert operation.get("tags"), where
            assert operation.get("description"), where
            if path.startswith("/api/"):
                assert {"401", "403", "422", "500", "503"} <= operation["responses"].keys(), where


def test_many_threads_at_once(served: Serve) -> None:
    url = served(MemoryStore())
    failures: list[object] = []

    def write(number: int) -> None:
        with httpx.Client(base_url=url, timeout=SECONDS) as client:
            for count in range(10):
                answer = client.post("/api/v1/batches", json=batch(f"{number}-{count}"))
                if answer.status_code != 200:
                    failures.append(answer.text)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
