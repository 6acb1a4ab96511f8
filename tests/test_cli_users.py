"""Users and tokens on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import arangopipe
from arangopipe import credentials, users
from commands import ENTRY, call, given, shell
from test_users import PASSWORD, cheap

__all__ = ["cheap"]


def right(store: Path, name: str, password: str) -> bool:
    with arangopipe.connect(f"sqlite:///{store}") as pipe:
        return credentials.verify_password(password, users.password_of(pipe.store, name))


def test_users(store: Path) -> None:
    lines = call("user", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["user", "ana", "boss", "chief"]
    assert "contributor of diabetes" in lines[1]
    made = call("user", "add", "eve", "--role", "diabetes=viewer", "--email", "eve@example.org")
    assert made.stdout == "Registered user eve.\n"
    assert "maintainer of diabetes" in call("user", "grant", "eve", "diabetes", "maintainer").stdout
    shown = call("user", "show", "eve").stdout
    assert "eve@example.org" in shown
    assert "maintainer of diabetes" in shown
    assert call("user", "revoke", "eve", "diabetes").stdout == "eve is now without a role.\n"
    assert given("user", "grant", "eve", "--admin")["admin"] is True
    assert given("user", "disable", "eve", "--reason", "left")["disabled"] is True
    assert "disabled" in call("user", "list").stdout
    assert call("user", "enable", "eve").stdout == "eve is enabled, and is administrator of the store.\n"
    assert call("user", "list", "--csv").stdout.startswith("name,admin,disabled,roles")
    with arangopipe.connect(f"sqlite:///{store}") as pipe:
        last = list(pipe.store.changes())[-3:]
    assert [change.action for change in last] == ["grant admin", "disable user", "enable user"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("user", "show", "anna"), 3, "did you mean 'ana'"),
        (("user", "add", "ana"), 1, "'ana' already"),
        (("user", "add", "eve", "--role", "diabetes=boss"), 2, "is not PROJECT=ROLE"),
        (("user", "add", "eve", "--role", "diabets=viewer"), 3, "diabetes"),
        (("user", "add", "eve", "--password"), 2, "--password-stdin"),
        (("user", "grant", "ana", "diabetes"), 2, "a PROJECT and a ROLE"),
        (("user", "grant", "ana", "diabetes", "viewer", "--admin"), 2, "or say --admin"),
        (("user", "grant", "ana", "diabetes", "reader"), 2, "viewer"),
        (("user", "revoke", "ana"), 2, "name a PROJECT"),
        (
            (
                "user",
                "lsit",
            ),
            2,
            "did you mean 'list'",
        ),
        (("token", "create", "anna"), 3, "did you mean 'ana'"),
        (("token", "create", "ana", "--expires", "soon"), 1, "90d"),
        (("token", "create", "ana", "--expires", "2020-01-01"), 1, "ahead"),
        (("token", "revoke", "0123456789abcdef0124"), 3, "did you mean '0123456789abcdef0123'"),
        (("init", "--password-stdin"), 2, "--admin"),
        (("init", "--admin", "ana"), 1, "user grant ana --admin"),
    ],
)
def test_errors(store: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in call(*arguments, code=code).stderr


def test_passwords_come_from_standard_input(store: Path) -> None:
    call("user", "passwd", "ana", "--password-stdin", input=f"{PASSWORD}\n")
    assert right(store, "ana", PASSWORD)
    call("user", "add", "eve", "--password-stdin", input=PASSWORD)
    assert right(store, "eve", PASSWORD)
    assert "8 to 1,000" in call("user", "passwd", "eve", "--password-stdin", input="no\n", code=1).stderr


def test_tokens(store: Path) -> None:
    made = call("token", "create", "ana", "--name", "ci", "--role", "viewer", "--project", "diabetes")
    text = made.stdout.strip()
    assert credentials.read(text) is not None
    assert "shown this once" in made.stderr
    lines = call("token", "list").stdout
    assert "diabetes, at most viewer" in lines
    assert text not in lines
    assert text not in call("user", "show", "ana").stdout
    as_json = given("token", "create", "ana", "--expires", "never")
    assert as_json["expires"] is None
    assert as_json["text"].startswith(f"apt_{as_json['key']}_")
    assert given("token", "create", "ana", "--expires", "2099-01-01")["expires"] is not None
    assert "is ended" in call("token", "revoke", text).stdout
    assert len(given("token", "list", "--user", "ana")["items"]) == 3
    assert call("token", "list", "--csv").stdout.startswith("key,user")


def test_empty_lists_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_URL", f"sqlite:///{tmp_path}/new.db")
    call("init")
    assert "arangopipe init --admin NAME" in call("user", "list").stderr
    assert "arangopipe token create USER" in call("token", "list").stderr
    assert given("user", "list") == given("token", "list") == {"items": []}


def test_the_first_administrator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_URL", f"sqlite:///{tmp_path}/new.db")
    assert "--password-stdin" in call("init", "--admin", "root", code=2).stderr
    monkeypatch.setenv("ARANGOPIPE_ADMIN_PASSWORD", PASSWORD)
    assert "root administers it." in call("init", "--admin", "root").stdout
    assert right(tmp_path / "new.db", "root", PASSWORD)
    monkeypatch.setenv("ARANGOPIPE_ADMIN_PASSWORD", "another one")
    again = call("init", "--admin", "root").stdout
    assert "already, with the password as it was: arangopipe user passwd root sets another" in again
    assert right(tmp_path / "new.db", "root", PASSWORD)


@pytest.mark.slow
def test_a_password_is_typed_twice_and_not_shown(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    url = f"sqlite:///{tmp_path}/new.db"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(ENTRY[0], [*ENTRY, "init", "--store", url, "--admin", "root"], {**os.environ})
    said = b""
    for asked in (b"Password:", b"confirmation:"):
        while not said.rstrip().endswith(asked):
            said += os.read(terminal, 1_000)
        os.write(terminal, PASSWORD.encode() + b"\n")
    while True:
        try:
            said += os.read(terminal, 1_000)
        except OSError:
            break
    assert os.waitpid(pid, 0)[1] == 0, said
    assert PASSWORD.encode() not in said
    assert right(tmp_path / "new.db", "root", PASSWORD)
    found = json.loads(shell("user", "list", "--json", "--store", url).stdout)
    assert [user["admin"] for user in found["items"]] == [True]
