"""A store whose own kinds are called users and tokens: an older version let it, before there were any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import arangopipe
import released
from arangopipe import ArangoPipe
from arangopipe.audit import verify
from arangopipe.errors import AlreadyExists, Conflict
from arangopipe.server.access import Gate
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.users import any_users
from commands import call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file, with things of own kinds: two users, a token, and what links them."""
    return released.unpack(released.DATA / "own-users.db.gz", tmp_path / "runs.db")


@pytest.fixture
def pipe(path: Path) -> Iterator[ArangoPipe]:
    with arangopipe.connect(f"sqlite:///{path}", capture=False) as found:
        yield found


def test_it_opens_and_what_was_recorded_is_there(pipe: ArangoPipe) -> None:
    assert pipe.store.vocabulary().passed_over == ("tokens", "user_project", "users")
    assert [thing.name for thing in pipe.search("users").items] == ["ann"]
    assert pipe.lookup("token", "t2")["worth"] == 3
    assert [edge.kind for edge in pipe.store.edges([pipe.lookup("users", "ann").id], ["member"])] == [
        "member"
    ]
    assert isinstance(pipe.store, Maintenance)
    assert list(pipe.store.check()) == []
    assert verify(pipe.store).ok


def test_what_is_registered_from_now_on_keeps_off_the_names(pipe: ArangoPipe) -> None:
    pipe.admin.register_node_kind("patient")
    for name in ("users", "tokens", "user"):
        with pytest.raises(Conflict, match="already the name of a kind"):
            pipe.admin.register_node_kind(name)


def test_its_things_are_nobody(pipe: ArangoPipe, served: Callable[..., str]) -> None:
    assert not any_users(pipe.store)
    assert pipe.admin.users() == pipe.admin.tokens() == ()
    with pytest.raises(AlreadyExists, match="own kind 'users'"):
        pipe.admin.register_user("ann")
    url = served(pipe.store)
    assert httpx.get(f"{url}/api/v1/me").json()["admin"] is True, "it has no users, and asks nobody"
    assert httpx.get(f"{url}/api/v1/users").json() == {"items": []}
    pipe.admin.register_user("root", admin=True)
    pipe.admin.register_user("bob", roles={"diabetes": "viewer"})
    assert [user.name for user in pipe.admin.users()] == ["bob", "root"]
    assert Gate(pipe.store, False).admit(pipe.admin.create_token("bob").text) is not None
    assert httpx.get(f"{url}/api/v1/me").status_code == 401


def test_it_moves_into_another_store(pipe: ArangoPipe, tmp_path: Path) -> None:
    pipe.admin.export(tmp_path / "all.bundle")
    with arangopipe.connect("memory://", capture=False) as other:
        other.admin.import_bundle(tmp_path / "all.bundle")
        assert other.store.vocabulary().passed_over == ("tokens", "user_project", "users")
        assert verify(other.store).ok


def test_the_doctor_says_so(path: Path) -> None:
    open_store(f"sqlite:///{path}").close()  # it is upgraded
    said = call("doctor", "--store", str(path)).stdout
    assert "own kinds that are now reserved: tokens, user_project, users" in said
