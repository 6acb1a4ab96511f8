"""Every route of the server, asked by everyone who may not: nothing is told, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest
from argon2 import PasswordHasher

from arangopipe import credentials
from arangopipe.server import create_app
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from served import SECONDS, running
from surface import CALLS, OKAPI, UNKNOWN, Call, Documents, Routes, call_of, fill, request, routes

pytestmark = pytest.mark.xdist_group("security")

PAGES = [
    route
    for route in CALLS
    if route.startswith("GET /") and not route.startswith(("GET /api/", "GET /ready"))
]
ALL = sorted({*CALLS, *routes(create_app(MemoryStore()))})
ROLES = ("viewer", "contributor", "maintainer", "admin", "root")


class World(NamedTuple):
    """A server of a store that tests only read, who may ask it, and how another store takes its place."""

    app: Any
    client: httpx.Client
    store: Store
    tokens: dict[str, str]
    documents: Documents
    routes: Routes

    def ask(self, route: str, token: str | None, tokens: dict[str, str] | None = None, **more: Any) -> Any:
        """Send the request that a route takes, and check that its answer is one that is documented."""
        known = (tokens or self.tokens)["viewer"].split("_")[1]
        own = {"key": known} if call_of(route).path.get("key") == "TOKEN" else {}
        asked = request(route, call_of(route), self.documents, own)
        asked["headers"] = {"Authorization": f"Bearer {token}"} if token else {}
        asked["headers"].update(more)
        answer = self.client.request(**asked)
        self.client.cookies.clear()
        operation = self.documents.operation(route)
        if operation is not None:
            assert str(answer.status_code) in operation["responses"], f"{route}: {answer.text}"
        return answer

    def head(self) -> Any:
        return self.store.head()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    store = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        # The cost that passwords have is tested in test_users.py.
        patch.setattr(credentials, "_hasher", lambda: hasher)
        credentials._nobody.cache_clear()
        tokens = fill(store)
        app = create_app(store, authentication=True)
        documents = Documents(app.openapi())
        with running(app) as url, httpx.Client(base_url=url, timeout=SECONDS) as client:
            for token in (*ROLES, "ana", "stranger", "elsewhere", "weakened"):
                # Their first use is recorded, and so no change of a test.
                headers = {"Authorization": f"Bearer {tokens[token]}"}
                assert client.get("/api/v1/me", headers=headers).is_success, token
            yield World(app, client, store, tokens, documents, routes(app))
    credentials._nobody.cache_clear()


@pytest.fixture
def fresh(world: World) -> Iterator[dict[str, str]]:
    """The tokens of a store that a test may write to: the server serves it until the test ends."""
    store = MemoryStore()
    tokens = fill(store)
    world.app.state.gate.store = store
    yield tokens
    world.app.state.gate.store = world.store


def test_the_table_names_every_route(world: World) -> None:
    known = {route for route in world.routes if route in CALLS or route.removesuffix(".json") in CALLS}
    assert world.routes.keys() - known == set(), "add how they are called, and who may, to tests/surface.py"
    assert CALLS.keys() - world.routes.keys() == set()


@pytest.mark.parametrize("route", ALL)
def test_who_is_not_known_is_told_nothing(world: World, route: str) -> None:
    before = world.head()
    for name in (None, *UNKNOWN):
        answer = world.ask(route, name and world.tokens[name])
        if call_of(route).least == "anyone":
            assert answer.status_code == call_of(route).status, answer.text
            return
        assert answer.status_code == 401, f"{name}: {answer.text}"
        assert answer.headers["www-authenticate"] == 'Bearer realm="arangopipe"'
        assert answer.json().keys() == {"type", "title", "status", "detail"}
    assert world.head() == before


@pytest.mark.parametrize("route", ALL)
def test_who_may_not_is_told_so(world: World, route: str) -> None:
    call, before = call_of(route), world.head()
    if call.least == "anyone":
        return
    for name in _too_weak(call):
        answer = world.ask(route, world.tokens[name])
        assert answer.status_code in (call.weak, 403), f"{name}: {answer.text}"
        if "html" not in answer.headers["content-type"]:
            assert answer.json()["title"] in ("PermissionDenied", "NotFound")
    changes = call.stranger < 300 and not route.startswith("GET ")
    if not changes or "/store/" in route:
        answer = world.ask(route, world.tokens["stranger"])
        assert answer.status_code == call.stranger, answer.text
        assert OKAPI not in answer.text
        answer = world.ask(route, world.tokens["elsewhere"])
        assert answer.status_code in (call.stranger, 403), answer.text
        assert OKAPI not in answer.text
    assert world.head() == before


@pytest.mark.parametrize("route", ALL)
def test_who_may_is_let_in(world: World, fresh: dict[str, str], route: str) -> None:
    call = call_of(route)
    least = "stranger" if call.least == "anyone" else call.least
    answer = world.ask(route, fresh[least], fresh)
    assert answer.status_code == call.status, answer.text
    if "gzip" not in answer.headers.get("content-type", ""):
        assert (OKAPI in answer.text) is call.shows


def _too_weak(call: Call) -> list[str]:
    found = [*ROLES[: ROLES.index(call.least)], *(["weakened"] if call.least != "viewer" else [])]
    return found[-3:]


@pytest.mark.parametrize("page", PAGES)
def test_a_browser_that_is_not_known_is_led_to_the_login(world: World, page: str) -> None:
    if call_of(page).least == "anyone":
        return
    for headers in ({}, {"Cookie": f"arangopipe_session={world.tokens['root']}"}):
        answer = world.ask(page, None, accept="text/html", **headers)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login?next=%2F")
        assert answer.content == b""


@pytest.mark.parametrize("route", ALL)
def test_every_answer_keeps_browsers_safe(world: World, route: str) -> None:
    answer = world.ask(route, world.tokens["viewer"])
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "script-src" not in headers["content-security-policy"], "scripts are this server's files alone"
    assert headers["referrer-policy"] == "same-origin"
    assert not any(name.startswith("access-control-") for name in headers)
    assert "server" not in headers


@pytest.mark.parametrize("route", [route for route in ALL if not route.startswith(("GET", "MOUNT"))])
def test_a_session_must_prove_that_its_page_asks(world: World, route: str) -> None:
    before = world.head()
    cookie = {"Cookie": f"arangopipe_session={world.tokens['session']}"}
    foreign = world.ask(route, world.tokens["root"], Origin="http://evil.example")
    assert foreign.status_code == 403, foreign.text
    if call_of(route).least != "anyone":
        assert world.ask(route, None, **cookie).status_code == 403
        assert world.ask(route, None, **cookie, **{"X-CSRF-Token": "x"}).status_code == 403
    assert world.head() == before


def test_other_methods_tell_nothing_either(world: World) -> None:
    for method in ("OPTIONS", "TRACE", "PUT", "DELETE", "PROPFIND"):
        for path in ("/", "/ready", "/api/v1/runs", "/api/v1/nothing", "/static/../ready"):
            answer = world.client.request(method, path)
            assert answer.status_code == 401, f"{method} {path}"
            assert not any(name.startswith("access-control-") for name in answer.headers)
