"""Secrets of a journey through everything: none of them is in a log, an answer, an error or the store."""

from __future__ import annotations

import ast
import json
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

import arangopipe
from arangopipe import credentials
from arangopipe.errors import ArangopipeError
from arangopipe.server import create_app
from arangopipe.server.attempts import Attempts
from arangopipe.store import open_store
from arangopipe.store.memory import MemoryStore
from commands import shell
from served import SECONDS, Program, program

FIRST, SECOND, GUESSED = "First-Sekret-1a2b", "Second-Sekret-3c4d", "Guessed-Sekret-5e6f"
DSN = "Sekret-of-the-database-7g8h"


class Journey:
    """What was said on the way, and what must not have been."""

    def __init__(self, url: str) -> None:
        self.said: list[str] = []
        self.secrets: dict[str, str] = {"first": FIRST, "second": SECOND, "guess": GUESSED, "dsn": DSN}
        self.client = httpx.Client(base_url=url, timeout=SECONDS)

    def ask(self, method: str, path: str, status: int, body: Any = None, **headers: str) -> httpx.Response:
        self.client.cookies.clear()
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        self.said.append(f"{answer.text}\n{answer.headers}")
        return answer

    def learn(self, name: str, text: str) -> str:
        """Remember a token or a cookie: its secret part is none that anybody may say again."""
        self.secrets[name] = text[-43:]
        return text


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def travel(server: Program) -> Journey:
    """Set a server up, log in and out, make tokens, use them rightly and wrongly, change passwords."""
    found = Journey(server.url)
    setup = found.learn("setup", server.said["setup_token"])
    body = {"name": "root", "password": FIRST, "token": setup}
    found.ask("POST", "/api/v1/setup", 401, {**body, "token": setup[:-1] + "!"})
    found.ask("POST", "/api/v1/setup", 204, body)
    found.ask("POST", "/api/v1/session", 401, {"name": "root", "password": GUESSED})
    found.ask("POST", "/api/v1/session", 422, {"name": "root", "password": [GUESSED]})
    found.ask("POST", "/api/v1/session", 422, {"name": "root", "pass": GUESSED})
    answer = found.client.post("/api/v1/session", json={"name": "root", "password": FIRST})
    session, csrf = answer.cookies["arangopipe_session"], answer.json()["csrf"]
    found.learn("session", session)
    found.secrets["csrf"] = csrf
    cookie = {"Cookie": f"arangopipe_session={session}", "X-CSRF-Token": csrf}
    made = found.client.post("/api/v1/tokens", json={"name": "ci"}, headers=cookie)
    token = found.learn("token", made.json()["text"])
    known = bearer(token)
    found.ask("POST", "/api/v1/users", 201, {"name": "ana", "password": SECOND}, **known)
    found.ask("POST", "/api/v1/users", 409, {"name": "ana", "password": GUESSED}, **known)
    found.ask("POST", "/api/v1/users", 422, {"name": "bob", "password": "short", "x": GUESSED}, **known)
    found.ask("PUT", "/api/v1/users/ana/password", 204, {"password": SECOND}, **known)
    found.ask("PUT", "/api/v1/me/password", 401, {"old": GUESSED, "new": SECOND}, **known)
    found.ask("PUT", "/api/v1/me/password", 204, {"old": FIRST, "new": SECOND}, **known)
    found.ask("POST", "/api/v1/projects", 201, {"name": "diabetes"}, **known)
    found.ask("PUT", "/api/v1/users/ana/roles/diabetes", 200, {"role": "admin"}, **known)
    theirs = found.learn(
        "theirs", found.client.post("/api/v1/tokens", json={"user": "ana"}, headers=known).json()["text"]
    )
    for path in ("users", "tokens", "me", "audit/changes", "store", "server", "things/users/root"):
        for who in (known, bearer(theirs)):
            answer = found.client.get(f"/api/v1/{path}", headers=who)
            found.said.append(answer.text)
    for body in ({"entries": True}, {"kind": "tokens"}, {"kind": "users"}):
        path = "changes" if "entries" in body else "search"
        found.said.append(found.client.post(f"/api/v1/store/{path}", json=body, headers=bearer(theirs)).text)
    for page in ("/", "/search?kind=run", "/find?text=root", f"/find?text={token[:10]}"):
        found.ask("GET", page, 200, **known, Accept="text/html")
    found.ask("GET", "/api/v1/me", 401, **bearer(token[:-1]))
    found.ask("GET", "/api/v1/nothing", 404, **known)
    found.ask("GET", "/openapi.json", 200)
    found.ask("DELETE", f"/api/v1/tokens/{theirs.split('_')[1]}", 204, **known)
    found.client.close()
    return found


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Journey, Path]:
    path = tmp_path_factory.mktemp("secrets") / "runs.db"
    with program("--store", f"sqlite:///{path}", "--auth", "--log-level", "debug") as server:
        found = travel(server)
        found.said.append(json.dumps(server.stop()))
    return found, path


@pytest.mark.slow
@pytest.mark.xdist_group("secrets")
def test_no_secret_is_said(journey: tuple[Journey, Path]) -> None:
    found, path = journey
    token = found.secrets["token"]
    for arguments in (
        ("user", "list"),
        ("token", "list"),
        ("log",),
        ("doctor",),
        ("audit", "verify"),
        ("token", "revoke", f"apt_{'0' * 20}_{token}"),
    ):
        done = shell(*arguments, "--store", str(path))
        found.said.append(done.stdout + done.stderr)
    for name, secret in found.secrets.items():
        for said in found.said:
            if name != "csrf":
                assert secret not in said, name


@pytest.mark.slow
@pytest.mark.xdist_group("secrets")
def test_no_secret_is_kept(journey: tuple[Journey, Path]) -> None:
    """Not in any row, nor anywhere in the file: hashes stand there, and they are shown to nobody."""
    found, path = journey
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        hashes = [
            json.loads(text)["secret"]
            for (text,) in connection.execute("SELECT document FROM node WHERE document LIKE '%\"secret\"%'")
        ]
    connection.close()
    whole = path.read_bytes()
    for name, secret in found.secrets.items():
        assert secret.encode() not in whole, name
    kept = [value for each in hashes for value in each.values()]
    assert len(kept) >= 3
    for said in found.said:
        assert not any(value in said for value in kept)


def test_a_token_and_an_address_show_nothing_of_themselves(tmp_path: Path) -> None:
    made = credentials.issue()
    assert made.text[-43:] not in repr(made)
    assert made.digest not in repr(made)
    with arangopipe.connect("memory://", capture=False) as pipe:
        pipe.admin.register_user("ana", password=FIRST)
        token = pipe.admin.create_token("ana")
        shown = f"{token!r}{token}{token.token!r}{pipe.admin.users()!r}{pipe.admin.tokens()!r}{pipe!r}"
        assert token.text[-43:] not in shown
        assert FIRST not in shown
    for url in (
        f"postgresql://ana:{DSN}@127.0.0.1:1/runs?connect_timeout=1",
        f"postgresql://ana@127.0.0.1:1/runs?password={DSN}&connect_timeout=1",
        f"https://ana:{DSN}@127.0.0.1:1/",
        f"http://127.0.0.1:1/?token={DSN}",
        f"nothing://ana:{DSN}@host/x",
    ):
        with pytest.raises(ArangopipeError) as caught:
            open_store(url).head()
        assert DSN not in f"{caught.value}{caught.value!r}", url
        done = shell("info", "--store", url)
        assert DSN not in done.stdout + done.stderr, url


def test_the_document_names_no_real_secret() -> None:
    store = MemoryStore()
    with arangopipe.connect("memory://", capture=False) as pipe:
        token = pipe.admin.register_user("ana", password=FIRST, admin=True) and pipe.admin.create_token("ana")
        app = create_app(pipe.store)
        assert token.text[-43:] not in json.dumps(app.openapi())
    assert "argon2" not in json.dumps(create_app(store).openapi())


# --- comparing, and guessing ---------------------------------------------------------------------


def test_what_proves_something_is_compared_in_a_time_that_tells_nothing() -> None:
    """No `==` stands beside a secret: digests, tokens and CSRF tokens go through `hmac.compare_digest`."""
    folder = Path(arangopipe.__file__).parent
    words = {"secret", "digest", "token", "csrf", "expected", "password", "kept"}
    for path in (
        folder / "credentials.py",
        *(folder / "server" / f"{name}.py" for name in ("door", "access", "login")),
    ):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
                names = {each.id for each in (node.left, *node.comparators) if isinstance(each, ast.Name)}
                names |= {
                    each.attr for each in (node.left, *node.comparators) if isinstance(each, ast.Attribute)
                }
                assert not names & words, f"{path.name}:{node.lineno}"
    assert "compare_digest" in (folder / "credentials.py").read_text("utf-8")
    assert "compare_digest" in (folder / "server" / "door.py").read_text("utf-8")


def test_guessing_a_hundred_thousand_names_takes_no_more_memory_than_ten_thousand() -> None:
    attempts = Attempts()
    for number in range(100_000):
        assert attempts.begin(f"name {number}") == 0
    assert len(attempts) == attempts.known == 10_000
