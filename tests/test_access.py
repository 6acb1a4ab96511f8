"""Who a server lets in: tokens, sessions, passwords, what a browser must prove, and what is said to whom."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher

from arangopipe import ArangoPipeAdmin, credentials
from arangopipe.errors import StoreUnavailable
from arangopipe.model import times
from arangopipe.model.graph import Batch, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.server import access, door
from arangopipe.server.access import Gate, Principal
from arangopipe.server.attempts import Attempts, Seen, network
from arangopipe.server.door import OPEN
from arangopipe.server.guard import GuardedStore
from arangopipe.store import open_store
from arangopipe.store.memory import MemoryStore
from served import program

PASSWORD = "correct horse battery"

Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in a millisecond; the cost that passwords have is tested in test_users.py."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(credentials, "_hasher", lambda: hasher)
    credentials._nobody.cache_clear()


@pytest.fixture
def admin() -> Iterator[ArangoPipeAdmin]:
    with ArangoPipeAdmin(MemoryStore(), actor="root") as found:
        found.register_project("diabetes")
        found.register_project("asthma")
        found.register_user("root", password=PASSWORD, admin=True)
        found.register_user("ana", password=PASSWORD, roles={"diabetes": "admin", "asthma": "viewer"})
        found.register_user("bob", password=PASSWORD, roles={"diabetes": "viewer"})
        yield found


class Client(httpx.Client):
    """A client of the API, with a token or, once it has logged in, with a session."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=f"{url}/api/v1", headers=headers)

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.post("/session", json={"name": name, "password": password})
        if answer.is_success:
            self.headers["X-CSRF-Token"] = answer.json()["csrf"]
        return answer


def token_of(admin: ArangoPipeAdmin, user: str, **limits: Any) -> str:
    return admin.create_token(user, **limits).text


def refused(answer: httpx.Response) -> str:
    """Check that a request was answered with a 401, and return what it says."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    found: str = answer.json()["detail"]
    return found


# --- tokens --------------------------------------------------------------------------------------


def test_without_users_everybody_is_an_administrator(served: Serve) -> None:
    store = MemoryStore()
    with Client(served(store)) as client:
        assert client.get("/me").json() == {
            "user": "",
            "admin": True,
            "roles": {},
            "limited": False,
            "csrf": None,
        }
        ArangoPipeAdmin(store).register_user("ana")
        refused(client.get("/me"))


def test_only_what_is_named_is_answered_without_a_token(admin: ArangoPipeAdmin, served: Serve) -> None:
    with httpx.Client(base_url=served(admin.store), timeout=60) as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert client.get("/health").json() == {"status": "ok"}
        for path, operations in paths.items():
            for method in operations:
                if method.upper() not in OPEN.get(path, ()):
                    refused(client.request(method, path.replace("{", "").replace("}", "")))
        for path in ("/", "/ready", "/nothing", "/health/", "/Health", "/static/../api/v1/me"):
            refused(client.get(path))
        assert client.get("/static/%2e%2e/api/v1/me").status_code in (401, 404)


def test_a_token_lets_in_until_it_ends(
    admin: ArangoPipeAdmin, served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = admin.create_token("ana", expires=timedelta(days=1))
    with Client(served(admin.store), made.text) as client:
        me = client.get("/me").json()
        assert (me["user"], me["admin"], me["limited"]) == ("ana", False, False)
        assert me["roles"] == {"asthma": "viewer", "diabetes": "admin"}
        admin.revoke("ana", "asthma")
        assert client.get("/me").json()["roles"] == {"diabetes": "admin"}
        now = times.now()
        monkeypatch.setattr(times, "now", lambda: now + timedelta(days=2))
        refused(client.get("/me"))
        monkeypatch.setattr(times, "now", lambda: now)
        assert client.get("/me").is_success
        admin.revoke_token(made.token.key)
        refused(client.get("/me"))


def test_all_who_are_not_known_are_told_the_same(admin: ArangoPipeAdmin, served: Serve) -> None:
    good = token_of(admin, "ana")
    of_bob = token_of(admin, "bob")
    session = admin.open_session("ana").text
    mixed = of_bob[:25] + good[25:]
    admin.disable_user("bob")
    kept = admin.user("ana").id.partition("/")[2]
    url = served(admin.store)
    wrong = (
        *("x", "apt_", good[:-1], good + "x", good.upper(), "apt_" + "0" * 20 + "_" + "A" * 43),
        *(mixed, of_bob, session, f"apt_{kept}_{'A' * 43}", "A" * 10_000),
    )
    said = {
        refused(httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"Bearer {one}"})) for one in wrong
    }
    said.add(refused(httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"Basic {good}"})))
    said.add(refused(httpx.get(f"{url}/api/v1/me", params={"token": good})))
    assert len(said) == 1
    assert httpx.get(f"{url}/api/v1/me", headers={"Authorization": f"bearer {good}"}).is_success


def test_another_server_of_the_store_sees_a_revocation_within_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = itertools.count()
    monkeypatch.setattr(access, "monotonic", lambda: next(passed) * access.FRESH)
    url = f"sqlite:///{tmp_path}/runs.db"
    with ArangoPipeAdmin(url) as admin, open_store(url) as store:
        admin.register_project("diabetes")
        admin.register_user("ana", roles={"diabetes": "viewer"})
        made = admin.create_token("ana")
        gate = Gate(store, False)
        found = gate.admit(made.text)
        assert found is not None
        assert found.roles == {"diabetes": "viewer"}
        assert gate.admit(made.text) == found
        admin.register_project("asthma")
        assert gate.admit(made.text) == found
        admin.grant("ana", "asthma", "admin")
        again = gate.admit(made.text)
        assert again is not None
        assert again.roles == {"asthma": "admin", "diabetes": "viewer"}
        admin.disable_user("ana")
        assert gate.admit(made.text) is None
        admin.enable_user("ana")
        assert gate.admit(made.text) is None


def test_what_the_process_itself_writes_counts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is looked for: the clock stands still."""
    monkeypatch.setattr(access, "monotonic", lambda: 1.0)
    url = f"sqlite:///{tmp_path}/runs.db"
    with open_store(url) as store, ArangoPipeAdmin(store, actor="root") as admin:
        gate = Gate(store, False)
        assert gate.recall(None) is None
        assert gate.admit(None) == gate.recall(None) == Principal("", admin=True)
        admin.register_project("diabetes")
        assert gate.recall(None) is None
        assert gate.admit(None) == gate.recall(None)
        admin.register_user("ana", roles={"diabetes": "viewer"})
        assert gate.recall(None) is None
        assert gate.admit(None) is None
        made = admin.create_token("ana")
        assert gate.recall(made.text) is None
        found = gate.admit(made.text)
        assert found is not None
        assert gate.admit(made.text) == gate.recall(made.text) == found
        for wrong in (None, "", "x", made.text[:-1], made.text[:-1] + "-", made.text.upper()):
            assert gate.recall(wrong) is None
        assert gate.recall(made.text, "session") is None
        batch = Batch(uuid7(), (Put(Node("datasets", "d", "d", "1")),))
        store.write(batch)
        assert gate.recall(made.text) == found
        changes: list[Callable[[], object]] = [
            lambda: admin.grant("ana", "diabetes", "maintainer"),
            lambda: admin.revoke("ana", "diabetes"),
            lambda: admin.register_project("asthma"),
            lambda: admin.disable_user("ana"),
        ]
        for change in changes:
            assert gate.admit(made.text) == gate.recall(made.text) is not None
            change()
            assert gate.recall(made.text) is None
        assert gate.admit(made.text) is None
        admin.enable_user("ana")
        again = admin.create_token("ana")
        assert gate.admit(again.text) is not None
        assert gate.admit(again.text) == gate.recall(again.text) is not None
        now = times.now()
        monkeypatch.setattr(times, "now", lambda: now + timedelta(days=100))
        assert gate.recall(again.text) is gate.admit(again.text) is None
        monkeypatch.setattr(times, "now", lambda: now)
        assert gate.recall(again.text) is not None
        admin.revoke_token(again.token.key)
        assert gate.recall(again.text) is gate.admit(again.text) is None


def test_others_make_the_first_user_of_an_open_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = 1.0
    monkeypatch.setattr(access, "monotonic", lambda: moment)
    url = f"sqlite:///{tmp_path}/runs.db"
    with ArangoPipeAdmin(url) as other, open_store(url) as store:
        gate = Gate(store, False)
        assert gate.admit(None) == gate.recall(None) == Principal("", admin=True)
        other.register_user("root", password=PASSWORD, admin=True)
        assert gate.recall(None) is not None
        moment += access.FRESH
        assert gate.recall(None) is None
        assert gate.admit(None) is None
        assert gate.authentication


def test_of_a_store_that_announces_nothing_nothing_is_remembered(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with ArangoPipeAdmin(url) as admin, open_store(url) as other:
        admin.register_user("ana")
        made = admin.create_token("ana")
        gate = Gate(GuardedStore(other, Principal("root", admin=True)), False)
        assert gate.admit(made.text) is not None
        assert gate.recall(made.text) is None
        admin.revoke_token(made.token.key)
        assert gate.admit(made.text) is None


def test_a_limited_token_of_an_administrator_follows_the_projects(admin: ArangoPipeAdmin) -> None:
    gate = Gate(admin.store, False)
    text = token_of(admin, "root", role="viewer")
    first = gate.admit(text)
    assert first is not None
    assert (first.admin, set(first.roles)) == (False, {"diabetes", "asthma"})
    admin.register_project("heart")
    second = gate.admit(text)
    assert second is not None
    assert second.roles["heart"] == "viewer"


def test_last_use_is_recorded_once_an_hour(
    admin: ArangoPipeAdmin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate(admin.store, False)
    made = admin.create_token("ana")
    for _ in range(3):
        assert gate.admit(made.text)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(gate.admit, [made.text] * 50))
    uses = [change for change in admin.store.changes() if change.action == "use token"]
    assert [change.actor for change in uses] == ["ana"]
    used = admin.token(made.token.key).used
    assert used is not None
    monkeypatch.setattr(times, "now", lambda: used + timedelta(minutes=61))
    assert gate.admit(made.text)
    assert admin.token(made.token.key).used == used + timedelta(minutes=61)
    monkeypatch.setattr(times, "now", lambda: used + timedelta(hours=3))

    def away(*_: Any) -> Any:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(admin.store, "write", away)
    with caplog.at_level(logging.WARNING):
        assert gate.admit(made.text), "who cannot be recorded is let in"
    assert "the disk is full" in caplog.text
    assert made.text[-43:] not in caplog.text


# --- passwords and sessions ----------------------------------------------------------------------


def test_log_in_and_out(admin: ArangoPipeAdmin, served: Serve) -> None:
    with Client(served(admin.store)) as client:
        answer = client.log_in("ana")
        assert answer.json()["user"] == "ana"
        assert answer.headers["cache-control"] == "no-store"
        (cookie,) = answer.headers.get_list("set-cookie")
        assert {"HttpOnly", "SameSite=lax", "Max-Age=43200"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        me = client.get("/me")
        assert me.json()["csrf"] == answer.json()["csrf"]
        assert me.headers["cache-control"] == "no-store"
        first = client.cookies["arangopipe_session"]
        client.log_in("ana")
        assert client.cookies["arangopipe_session"] != first
        assert len(admin.tokens("ana", sessions=True)) == 1, "the session before it is ended"
        kept = dict(client.cookies)
        assert client.delete("/session").status_code == 204
        assert "arangopipe_session" not in client.cookies
        refused(client.get("/me", headers={"Cookie": f"arangopipe_session={kept['arangopipe_session']}"}))
    assert [change.action for change in admin.store.changes()][-3:] == [
        "revoke token",
        "log in",
        "revoke token",
    ]


def test_behind_tls_the_cookie_is_secure(admin: ArangoPipeAdmin, served: Serve) -> None:
    with Client(served(admin.store)) as client:
        client.headers["X-Forwarded-Proto"] = "https"
        assert "Secure" in client.log_in("ana").headers["set-cookie"]


def test_a_session_is_no_token_and_ends(
    admin: ArangoPipeAdmin, served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = served(admin.store)
    with Client(url) as client:
        client.log_in("ana")
        session = client.cookies["arangopipe_session"]
        with Client(url, session) as other:
            refused(other.get("/me"))
        with Client(url) as other:
            other.cookies["arangopipe_session"] = token_of(admin, "ana")
            refused(other.get("/me"))
        now = times.now()
        monkeypatch.setattr(times, "now", lambda: now + timedelta(hours=12, minutes=1))
        refused(client.get("/me"))


def test_wrong_names_and_passwords_are_told_the_same(admin: ArangoPipeAdmin, served: Serve) -> None:
    admin.register_user("carl")
    admin.register_user("dora", password=PASSWORD)
    admin.disable_user("dora")
    with Client(served(admin.store)) as client:
        wrong = [("ana", "wrong"), ("nobody", PASSWORD), ("carl", PASSWORD), ("dora", PASSWORD), ("ana", "")]
        assert len({refused(client.log_in(*pair)) for pair in wrong}) == 1
        assert client.log_in("ana").is_success
        too_long = client.post("/session", json={"name": "ana", "password": "secret" * 1_000})
        assert too_long.status_code == 422
        assert "secret" not in too_long.text


def test_who_guesses_is_slowed_down(admin: ArangoPipeAdmin, served: Serve) -> None:
    with Client(served(admin.store)) as client:
        answers = [client.log_in("ana", f"guess {number}") for number in range(7)]
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert client.log_in("ana").status_code == 429, "the right password too"
        assert client.log_in("bob").is_success
        client.headers["X-Forwarded-For"] = "10.0.0.2"
        assert client.log_in("ana").is_success, "who guesses elsewhere keeps nobody out"


@pytest.mark.parametrize(
    ("guess", "free", "longest"),
    [
        # One name from many addresses, and many names from one address.
        (lambda number: ("ana", f"10.0.{number}.1"), 100, 60),
        (lambda number: (f"name-{number}", "10.1.0.1"), 20, 300),
    ],
)
def test_guesses_count_together(
    admin: ArangoPipeAdmin, served: Serve, guess: Callable[[int], tuple[str, str]], free: int, longest: int
) -> None:
    with Client(served(admin.store)) as client:

        def log_in(name: str, address: str, password: str = PASSWORD) -> httpx.Response:
            client.headers["X-Forwarded-For"] = address
            client.cookies.clear()
            return client.log_in(name, password)

        assert log_in("ana", "10.1.0.1").is_success
        answers = [log_in(*guess(number), "wrong") for number in range(free + 1)]
        assert [answer.status_code for answer in answers] == [401] * free + [429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= longest
        assert log_in(*guess(free + 2)).status_code == 429, "the right password too"
        assert log_in("ana", "10.1.0.1").is_success, "she has come in from there before"
        assert log_in("bob", "10.2.0.1").is_success


def test_attempts_wait_longer_and_longer_and_are_forgotten() -> None:
    now = [0.0]
    attempts = Attempts(free=2, longest=10, known=3, clock=lambda: now[0])
    assert [attempts.begin("a"), attempts.begin("a"), attempts.begin("a")] == [0, 0, 1]
    waited = []
    for _ in range(6):
        wait = attempts.begin("a")
        waited.append(wait)
        now[0] += wait
        assert attempts.begin("a") == 0
    assert waited == [1, 2, 4, 8, 10, 10]
    attempts.succeeded("a")
    assert attempts.begin("a") == 0
    now[0] += 3_601
    assert [attempts.begin("a"), attempts.begin("a")] == [0, 0]
    for key in "bcdefg":
        attempts.begin(key)
    assert len(attempts) == 3
    seen = Seen(2)
    for key in "abac":
        seen.add(key)
    assert [key in seen for key in "abc"] == [True, False, True]
    assert network("2001:db8::1") == network("2001:db8::2") != network("2001:db8:1::1")
    assert (network("10.0.0.1"), network("testclient")) == ("10.0.0.1", "testclient")


def test_what_changes_anything_must_come_from_a_page_of_the_session(
    admin: ArangoPipeAdmin, served: Serve
) -> None:
    url = served(admin.store)
    host = url.partition("//")[2]
    with Client(url) as client, Client(url) as other:
        right = client.log_in("ana").json()["csrf"]
        theirs = other.log_in("bob").json()["csrf"]
        body = {"json": {"name": "x"}}
        del client.headers["X-CSRF-Token"]
        for token in (None, "", "x", "é", theirs, right[:-1]):
            headers = {} if token is None else {"X-CSRF-Token": token.encode()}
            answer = client.post("/tokens", headers=headers, **body)
            assert answer.status_code == 403, token
            assert answer.json()["title"] == "PermissionDenied"
        own = {"X-CSRF-Token": right}
        assert client.post("/tokens", headers=own, **body).status_code == 201
        assert client.post("/tokens", headers={**own, "Origin": f"http://{host}"}, **body).is_success
        for origin in ("http://evil.example", "null", f"http://{host}.evil.example"):
            answer = client.post("/tokens", headers={**own, "Origin": origin}, **body)
            assert answer.status_code == 403
            assert client.post("/session", headers={"Origin": origin}, json={}).status_code == 403
        form = client.post("/tokens", data={"csrf_token": right, "name": "x"})
        assert form.status_code == 415, "the form is let in, and is then no JSON"
        assert client.post("/tokens", data={"csrf_token": theirs, "name": "x"}).status_code == 403
        assert client.post("/tokens", data={"csrf_token": right, "x": "y" * 100_000}).status_code in (
            403,
            415,
        )
    with Client(url, token_of(admin, "ana")) as client:
        assert client.post("/tokens", **body).status_code == 201, "a token needs no such proof"


def test_a_slow_form_is_given_up(
    admin: ArangoPipeAdmin, served: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "FORM_SECONDS", 0.2)

    def slowly() -> Iterator[bytes]:
        yield b"csrf_token="
        time.sleep(1.0)
        yield b"x"

    with Client(served(admin.store)) as client:
        client.log_in("ana")
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        del client.headers["X-CSRF-Token"]
        assert client.post("/tokens", content=slowly(), headers=kind).status_code == 408


def test_headers_that_keep_browsers_safe(admin: ArangoPipeAdmin, served: Serve) -> None:
    url = served(admin.store)
    for path in ("/health", "/api/v1/me", "/nothing"):
        headers = httpx.get(url + path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert {"private", "no-store"} & {*headers["cache-control"].split(", ")}
        assert headers["referrer-policy"]
    page = httpx.get(f"{url}/runs?q=x%20y", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fruns%3Fq%3Dx%2520y")


# --- the routes ----------------------------------------------------------------------------------


def test_an_administrator_without_roles_sees_each_user(admin: ArangoPipeAdmin, served: Serve) -> None:
    with Client(served(admin.store), token_of(admin, "root")) as client:
        assert client.get("/users/ana").json()["name"] == "ana"
        assert client.get("/users/nobody").status_code == 404


def test_own_tokens(admin: ArangoPipeAdmin, served: Serve) -> None:
    url = served(admin.store)
    of_bob = admin.create_token("bob").token
    with Client(url, token_of(admin, "ana")) as client:
        made = client.post(
            "/tokens", json={"name": "ci", "projects": ["diabetes"], "role": "viewer", "days": None}
        )
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        token = made.json()["token"]
        assert (token["user"], token["projects"], token["expires"]) == ("ana", ["diabetes"], None)
        assert token in client.get("/tokens").json()["items"]
        assert "secret" not in client.get("/tokens").text
        assert client.post("/tokens", json={"projects": ["heart"]}).status_code == 404
        assert client.post("/tokens", json={"user": "bob"}).status_code == 403
        with Client(url, made.json()["text"]) as limited:
            assert limited.get("/me").json()["roles"] == {"diabetes": "viewer"}
            assert [one["key"] for one in limited.get("/tokens").json()["items"]] == [token["key"]]
            assert limited.get("/users/ana").json()["roles"] == {"diabetes": "viewer"}
            assert limited.post("/tokens", json={}).status_code == 403
            passwords = {"old": PASSWORD, "new": PASSWORD + "!"}
            assert limited.put("/me/password", json=passwords).status_code == 403
            assert limited.delete(f"/tokens/{token['key']}").status_code == 204
            refused(limited.get("/me"))
        for key in (of_bob.key, "0" * 20):
            answer = client.delete(f"/tokens/{key}")
            assert answer.status_code == 404
            assert answer.json()["detail"].replace(key, "") == "no token that is yours to end has the key ''"


def test_who_administers_a_project_governs_it_alone(admin: ArangoPipeAdmin, served: Serve) -> None:
    theirs = admin.create_token("bob", projects=["diabetes"]).token
    wider = admin.create_token("bob").token
    with Client(served(admin.store), token_of(admin, "ana")) as client:
        put = client.put("/users/bob/roles/diabetes", json={"role": "maintainer", "reason": "on duty"})
        assert put.json() == {
            "name": "bob",
            "admin": False,
            "disabled": False,
            "roles": {"diabetes": "maintainer"},
            "attributes": {},
        }
        last = admin.store.head()
        assert last is not None
        assert (last.actor, last.reason) == ("ana", "on duty")
        admin.grant("bob", "asthma", "admin")
        assert client.get("/users/bob").json()["roles"] == {"diabetes": "maintainer"}
        assert client.delete("/users/bob/roles/diabetes").json()["roles"] == {}
        for answer in (
            client.put("/users/bob/roles/asthma", json={"role": "viewer"}),
            client.put("/users/bob/roles/none", json={"role": "viewer"}),
            client.delete("/users/bob/roles/asthma"),
            client.patch("/users/bob", json={"admin": True}),
            client.put("/users/bob/password", json={"password": PASSWORD}),
            client.post("/users", json={"name": "eve", "admin": True}),
        ):
            assert answer.status_code == 403, answer.text
        keys = {token["key"] for token in client.get("/tokens").json()["items"]}
        assert theirs.key in keys
        assert wider.key not in keys
        assert client.delete(f"/tokens/{wider.key}").status_code == 404
        assert client.delete(f"/tokens/{theirs.key}").status_code == 204
        assert [user["name"] for user in client.get("/users").json()["items"]] == ["ana", "bob", "root"]
    admin.revoke("bob", "asthma")
    with Client(served(admin.store), token_of(admin, "bob")) as client:
        assert [user["name"] for user in client.get("/users").json()["items"]] == ["bob"]
        assert client.get("/users/ana").status_code == client.get("/users/nobody").status_code == 404


def test_who_administers_the_store(admin: ArangoPipeAdmin, served: Serve) -> None:
    url = served(admin.store)
    with Client(url, token_of(admin, "root")) as client, Client(url) as eve:
        known = {"name": "eve", "password": PASSWORD, "attributes": {"email": "eve@example.org"}}
        made = client.post("/users", json={**known, "roles": {"asthma": "viewer"}})
        assert made.status_code == 201
        assert made.json()["roles"] == {"asthma": "viewer"}
        assert client.post("/users", json={"name": "eve"}).status_code == 409
        assert client.post("/users", json={"name": "fay", "attributes": {"roles": 1}}).status_code == 422
        assert client.get("/users/eve").json()["attributes"] == {"email": "eve@example.org"}
        assert client.get("/users/nobody").status_code == 404
        assert client.patch("/users/eve", json={"admin": True}).json()["admin"] is True
        assert client.patch("/users/eve", json={}).status_code == 422
        assert eve.log_in("eve").json()["admin"] is True
        changed = eve.put("/me/password", json={"old": PASSWORD, "new": "another password"})
        assert changed.status_code == 204, changed.text
        refused(eve.get("/me"))
        refused(eve.log_in("eve"))
        assert eve.log_in("eve", "another password").is_success
        assert client.put("/users/eve/password", json={"password": PASSWORD}).status_code == 204
        refused(eve.get("/me"))
        assert eve.log_in("eve").is_success
        assert client.patch("/users/eve", json={"disabled": True, "reason": "left"}).json()["disabled"]
        refused(eve.get("/me"))
        refused(eve.log_in("eve"))
        assert client.patch("/users/root", json={"disabled": True}).status_code == 409
        assert client.post("/tokens", json={"user": "ana"}).json()["token"]["user"] == "ana"
        assert {token["user"] for token in client.get("/tokens", params={"user": "ana"}).json()["items"]} == {
            "ana"
        }
        assert client.put("/users/nobody/password", json={"password": PASSWORD}).status_code == 404
        assert client.delete("/session").status_code == 422


# --- the first administrator ---------------------------------------------------------------------


def test_the_first_administrator_is_made_once(served: Serve) -> None:
    store = MemoryStore()
    gate = Gate(store, True)
    text = gate.setup_token()
    assert text is not None
    assert gate.admit(text) is None, "it is for nothing else"
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda name: gate.set_up(text, name, PASSWORD), ["a", "b", "c", "d"]))
    assert sorted(made) == [False, False, False, True]
    assert [user.admin for user in ArangoPipeAdmin(store).users()] == [True]
    assert gate.setup_token() is None
    assert not gate.set_up(text, "e", PASSWORD)


@pytest.mark.slow
def test_the_program_says_the_token_of_its_first_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with program("--store", url, "--auth") as server:
        text = server.said["setup_token"]
        refused(httpx.get(f"{server.url}/ready"))
        body = {"token": text, "name": "root", "password": "x"}
        assert httpx.post(f"{server.url}/api/v1/setup", json=body).status_code == 422, "and may be used again"
        body["password"] = PASSWORD
        assert httpx.post(f"{server.url}/api/v1/setup", json=body).status_code == 204
        refused(httpx.post(f"{server.url}/api/v1/setup", json={**body, "name": "eve"}))
        with Client(server.url) as client:
            assert client.log_in("root").json()["admin"] is True
        log = server.stop()
    assert text[-43:] not in str(log)
    assert PASSWORD not in str(log)
