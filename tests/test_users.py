"""Users, roles, tokens and passwords as data of a store: what is kept, who may what, and what ends when."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from hypothesis import given, settings
from hypothesis import strategies as st

from arangopipe import ArangoPipeAdmin, credentials, roles, users
from arangopipe.audit import verify
from arangopipe.errors import (
    AlreadyExists,
    ArangopipeError,
    Conflict,
    InvalidInput,
    MissingExtra,
    NotFound,
    PermissionDenied,
)
from arangopipe.model import times
from arangopipe.model.attributes import indexed
from arangopipe.roles import ROLES, STORE_ADMIN, Principal, may, require, scoped
from arangopipe.tokens import token_of
from arangopipe.users import principal_of, user_id
from places import ENGINES, empty_store

PASSWORD = "correct horse battery"
HASHER = credentials._hasher


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in a millisecond; `test_a_hash_is_costly` has the real cost."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(credentials, "_hasher", lambda: hasher)


@pytest.fixture(params=ENGINES)
def admin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipeAdmin]:
    with empty_store(request, request.param, tmp_path) as url, ArangoPipeAdmin(url, actor="root") as found:
        found.register_project("diabetes")
        found.register_project("asthma")
        yield found


@pytest.fixture
def small() -> Iterator[ArangoPipeAdmin]:
    with ArangoPipeAdmin("memory://", actor="root") as found:
        found.register_project("diabetes")
        found.register_project("asthma")
        yield found


def everything(admin: ArangoPipeAdmin) -> str:
    """All that a store says of itself, the past included."""
    return json.dumps([str(change) for change in admin.store.changes(entries=True)])


def test_a_user_has_a_name_attributes_and_roles(admin: ArangoPipeAdmin) -> None:
    made = admin.register_user("ana", roles={"diabetes": "viewer"}, full_name="Ana Lima")
    assert (made.name, made.admin, made.disabled) == ("ana", False, False)
    assert made.roles == {"diabetes": "viewer"}
    assert made.attributes == {"full_name": "Ana Lima"}
    assert made == admin.user("ana") == admin.users()[0]
    assert json.dumps(made.to_dict())
    assert admin.grant("ana", "asthma", "admin").roles == {"asthma": "admin", "diabetes": "viewer"}
    assert admin.grant("ana", "asthma", "contributor").roles["asthma"] == "contributor"
    assert admin.revoke("ana", "asthma").roles == {"diabetes": "viewer"}
    last = list(admin.store.changes())[-4:]
    assert [change.action for change in last] == ["register user", "grant", "grant", "revoke"]
    assert {change.actor for change in last} == {"root"}


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        (lambda admin: admin.register_user("ana"), AlreadyExists, "'ana' already"),
        (lambda admin: admin.register_user("a b"), InvalidInput, "no blank"),
        (lambda admin: admin.register_user(""), InvalidInput, "empty"),
        (lambda admin: admin.register_user("bob", secret="x"), InvalidInput, "'secret' is no attribute"),
        (lambda admin: admin.register_user("bob", password="short"), InvalidInput, "8 to 1,000"),
        (lambda admin: admin.register_user("bob", password=b"12345678"), InvalidInput, "must be a text"),
        (
            lambda admin: admin.register_user("bob", roles={"diabetes": "owner"}),
            InvalidInput,
            "known: viewer",
        ),
        (lambda admin: admin.register_user("bob", roles={"diabets": "viewer"}), NotFound, "diabetes"),
        (lambda admin: admin.user("anna"), NotFound, "did you mean 'ana'"),
        (lambda admin: admin.grant("ana", "diabetes", "veiwer"), InvalidInput, "did you mean 'viewer'"),
        (lambda admin: admin.grant("ana", "none", "viewer"), NotFound, "none"),
        (lambda admin: admin.revoke("ana", "asthma"), NotFound, "roles in: diabetes"),
        (lambda admin: admin.create_token("nobody"), NotFound, "nobody"),
        (lambda admin: admin.create_token("ana", projects=[]), InvalidInput, "opens nothing"),
        (lambda admin: admin.create_token("ana", projects=["none"]), NotFound, "none"),
        (lambda admin: admin.create_token("ana", expires=timedelta(0)), InvalidInput, "ahead"),
        (lambda admin: admin.create_token("ana", expires=timedelta.max), InvalidInput, "out of range"),
        (lambda admin: admin.create_token("ana", role="boss"), InvalidInput, "boss"),
        (lambda admin: admin.tokens("nobody"), NotFound, "nobody"),
        (lambda admin: admin.revoke_token("0" * 20), NotFound, "token list"),
        (lambda admin: admin.register("user", "eve"), InvalidInput, "built-in"),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    small: ArangoPipeAdmin, act: Any, error: type[ArangopipeError], said: str
) -> None:
    small.register_user("ana", roles={"diabetes": "viewer"})
    before = small.store.head()
    with pytest.raises(error, match=said):
        act(small)
    assert small.store.head() == before


def test_nothing_that_lets_in_is_kept_or_said(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", password=PASSWORD)
    made = admin.create_token("ana", name="laptop")
    session = admin.open_session("ana")
    admin.set_password("ana", PASSWORD + "!")
    said = everything(admin) + repr(made) + repr(made.token) + str(admin.tokens()) + repr(admin.users())
    for secret in (PASSWORD, made.text[-43:], session.text[-43:]):
        assert secret not in said
    assert "$argon2id$" in said
    with pytest.raises(NotFound) as caught:
        admin.revoke_token(made.text[:-2].replace(made.token.key, "0" * 20))
    assert made.text[-20:-2] not in str(caught.value)
    for token in admin.store.search("tokens").items:
        assert not any("secret" in path for path, _ in indexed("tokens", token.document)[0])


def test_passwords(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana")
    assert users.password_of(admin.store, "ana") is None
    admin.set_password("ana", PASSWORD)
    kept = users.password_of(admin.store, "ana")
    assert credentials.verify_password(PASSWORD, kept)
    assert not credentials.verify_password(PASSWORD + " ", kept)
    assert not credentials.verify_password("half \ud800", kept)
    assert not credentials.verify_password(PASSWORD, None)
    admin.set_password("ana", "another password")
    assert not credentials.verify_password(PASSWORD, users.password_of(admin.store, "ana"))
    admin.disable_user("ana")
    assert users.password_of(admin.store, "ana") is None
    assert users.password_of(admin.store, "nobody") is None


def test_an_old_hash_is_erased(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", password=PASSWORD)
    kept = []
    for number in range(3):
        kept.append(users.password_of(admin.store, "ana"))
        admin.set_password("ana", f"{PASSWORD} {number}")
    last = users.password_of(admin.store, "ana")
    assert credentials.verify_password(f"{PASSWORD} 2", last)
    said = everything(admin)
    assert last in said
    assert len({*kept, last}) == 4
    assert not [old for old in kept if old in said]
    assert verify(admin.store).ok


def test_of_two_new_passwords_one_stays(small: ArangoPipeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another password is set between one's taking the place of the old one and its erasing."""
    small.register_user("ana", password=PASSWORD)
    erase, store = users.Users._erase_closed, small.store

    def late(self: users.Users, *given: Any) -> None:
        monkeypatch.setattr(users.Users, "_erase_closed", erase)
        users.Users(store, actor="root").set_password("ana", "the second one")
        erase(self, *given)

    monkeypatch.setattr(users.Users, "_erase_closed", late)
    small.set_password("ana", "the first one")
    assert credentials.verify_password("the second one", users.password_of(store, "ana"))


def test_a_hash_is_costly(small: ArangoPipeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "_hasher", HASHER)
    small.register_user("ana", password=PASSWORD)
    kept = users.password_of(small.store, "ana") or ""
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert credentials.verify_password(PASSWORD, kept)


def test_passwords_need_the_extra(small: ArangoPipeAdmin, monkeypatch: pytest.MonkeyPatch) -> None:
    HASHER.cache_clear()
    monkeypatch.setattr(credentials, "_hasher", HASHER)
    monkeypatch.setitem(sys.modules, "argon2", None)
    with pytest.raises(MissingExtra, match=r"arangopipe\[server\]"):
        small.register_user("ana", password=PASSWORD)
    small.register_user("ana")
    assert small.create_token("ana").text


def test_tokens(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", roles={"diabetes": "maintainer", "asthma": "viewer"})
    made = admin.create_token("ana", name="laptop", projects=["diabetes"], role="contributor")
    token = made.token
    assert credentials.read(made.text) == (token.key, made.text.rpartition(f"{token.key}_")[2])
    assert token.expires is not None
    assert timedelta(days=89) < token.expires - times.now() < timedelta(days=90, minutes=1)
    assert admin.tokens() == (token,) == admin.tokens("ana")
    (node,) = admin.store.get([token.id])
    assert node is not None
    assert credentials.matches(credentials.read(made.text)[1], node.document["secret"]["sha256"])  # type: ignore[index]
    forever = admin.create_token("ana", expires=None)
    assert forever.token.expires is None
    assert not forever.token.expired(datetime.max.replace(tzinfo=timezone.utc))
    assert admin.revoke_token(made.text) == token
    assert admin.tokens() == (forever.token,)
    with pytest.raises(NotFound):
        admin.revoke_token(token.key)
    with pytest.raises(NotFound):
        admin.token(admin.user("ana").id.partition("/")[2])
    assert pickle.loads(pickle.dumps(forever)) == forever


def test_disabling_ends_tokens_and_sessions(admin: ArangoPipeAdmin) -> None:
    for name in ("ana", "bob"):
        admin.register_user(name, password=PASSWORD)
        admin.create_token(name)
        admin.open_session(name)
    admin.disable_user("ana", reason="has left")
    assert [token.user for token in admin.tokens()] == ["bob"]
    assert [token.user for token in admin.tokens(sessions=True)] == ["bob"]
    assert admin.store.head().reason == "has left"  # type: ignore[union-attr]
    with pytest.raises(Conflict, match="enable them first"):
        admin.create_token("ana")
    assert not admin.enable_user("ana").disabled
    assert admin.tokens("ana") == ()
    assert credentials.verify_password(PASSWORD, users.password_of(admin.store, "ana"))


def test_a_new_password_ends_sessions_only(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", password=PASSWORD)
    token, _ = admin.create_token("ana"), admin.open_session("ana")
    admin.set_password("ana", PASSWORD + "!")
    assert admin.tokens() == (token.token,)
    assert admin.tokens(sessions=True) == ()


def test_sessions_that_ended_are_cleared_away(
    admin: ArangoPipeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.register_user("ana")
    admin.open_session("ana")
    later = times.now() + timedelta(hours=13)
    monkeypatch.setattr(times, "now", lambda: later)
    kept = admin.open_session("ana")
    assert admin.tokens(sessions=True) == (kept.token,)


def test_the_last_administrator_stays(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", admin=True)
    admin.register_user("bob")
    for act in (admin.disable_user, admin.revoke_admin):
        with pytest.raises(Conflict, match="last administrator"):
            act("ana")
    admin.grant_admin("bob")
    assert not admin.revoke_admin("ana").admin
    with pytest.raises(Conflict, match="last administrator"):
        admin.disable_user("bob")


def test_who_comes_again_under_a_name_gets_nothing_old(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", password=PASSWORD, roles={"diabetes": "admin"})
    admin.create_token("ana")
    admin.delete(user_id("ana"))
    assert admin.users() == ()
    again = admin.register_user("ana")
    assert again.roles == {}
    assert admin.tokens() == ()
    assert users.password_of(admin.store, "ana") is None


def test_roles_go_with_their_project(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", roles={"diabetes": "admin", "asthma": "viewer"})
    admin.delete("project:diabetes")
    assert admin.user("ana").roles == {"asthma": "viewer"}
    admin.register_project("diabetes")
    assert admin.user("ana").roles == {"asthma": "viewer"}


def test_nobody_searches_projects_by_users(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", roles={"diabetes": "admin"})
    assert not {"user", "token", "users"} & admin.store.vocabulary().hops("project").keys()
    assert (
        len(admin.store.traverse(["project/" + admin.references().project_node("diabetes").key], "upstream"))
        == 1
    )


def test_a_project_is_exported_without_users(admin: ArangoPipeAdmin, tmp_path: Path) -> None:
    admin.register_user("ana", password=PASSWORD, roles={"diabetes": "admin"})
    admin.create_token("ana")
    admin.export(tmp_path / "cut.bundle", project="diabetes")
    with ArangoPipeAdmin("memory://") as other:
        other.import_bundle(tmp_path / "cut.bundle")
        assert other.users() == ()
        assert other.tokens() == ()


def test_merging_makes_no_users_and_an_empty_store_takes_them_over(tmp_path: Path) -> None:
    bundle = tmp_path / "whole.bundle"
    with ArangoPipeAdmin(f"sqlite:///{tmp_path}/one.db") as one:
        one.register_project("diabetes")
        one.register_user("eve", admin=True, roles={"diabetes": "admin"})
        one.create_token("eve")
        one.grant("eve", "diabetes", "viewer")
        one.revoke_token(one.create_token("eve").token.key)
        one.disable_user(one.register_user("fay").name)
        one.export(bundle)
    with ArangoPipeAdmin(f"sqlite:///{tmp_path}/other.db") as other:
        other.register_project("asthma")
        other.register_user("ana", admin=True)
        other.import_bundle(bundle)
        other.import_bundle(bundle)
        assert [user.name for user in other.users()] == ["ana"]
        assert other.tokens() == ()
        assert {node.name for node in other.store.search("project").items} == {"asthma", "diabetes"}
    with ArangoPipeAdmin(f"sqlite:///{tmp_path}/empty.db") as empty:
        empty.import_bundle(bundle)
        assert [user.name for user in empty.users()] == ["eve", "fay"]


def test_of_two_who_disable_the_last_two_administrators_one_fails(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    with ArangoPipeAdmin(url) as one, ArangoPipeAdmin(url) as other:
        one.register_user("ana", admin=True)
        one.register_user("bob", admin=True)
        write, done = one.store.write, []

        def late(batch: Any, patience: float | None = None) -> Any:
            if not done:
                done.append(other.disable_user("bob"))
            return write(batch, patience)

        one.store.write = late  # type: ignore[method-assign]
        with pytest.raises(Conflict, match="last administrator"):
            one.disable_user("ana")
    assert done


# --- roles ---------------------------------------------------------------------------------------

ACTIONS = [*(action for actions in ROLES.values() for action in actions), *STORE_ADMIN]

MAY = {
    "viewer": {"read"},
    "contributor": {"read", "register", "log"},
    "maintainer": {"read", "register", "log", "deploy", "delete", "export"},
    "admin": {"read", "register", "log", "deploy", "delete", "export", "grant", "tokens"},
}


@pytest.mark.parametrize("role", MAY)
def test_what_each_role_may(role: Any) -> None:
    someone = Principal("ana", roles={"diabetes": role})
    assert {action for action in ACTIONS if may(someone, action, "diabetes")} == MAY[role]
    assert {action for action in ACTIONS if may(someone, action, "asthma")} == set()
    shared = MAY[role] - {"grant", "tokens"}
    assert {action for action in ACTIONS if may(someone, action)} == shared
    assert {action for action in ACTIONS if may(someone, action, creator="ana")} == shared
    assert {action for action in ACTIONS if may(someone, action, creator="bob")} == {"read"}


def test_what_others_may() -> None:
    nobody, root = Principal("ana"), Principal("root", admin=True)
    assert {action for action in ACTIONS if may(nobody, action)} == {"read"}
    assert all(may(root, action, project) for action in ACTIONS for project in ("", "diabetes"))
    with pytest.raises(InvalidInput, match="did you mean 'deploy'"):
        may(nobody, "deplay")


@pytest.mark.parametrize(
    ("action", "project", "creator", "said"),
    [
        ("deploy", "diabetes", None, "is viewer of project 'diabetes': maintainer or more may deploy"),
        ("read", "asthma", None, "has no role in project 'asthma'"),
        ("users", "", None, "an administrator of the store"),
        ("register", "", None, "contributor or more of no project"),
        ("register", "", "bob", "'bob' shares"),
    ],
)
def test_who_may_not_is_told_who_may(action: str, project: str, creator: str | None, said: str) -> None:
    someone = Principal("ana", roles={"diabetes": "viewer"})
    with pytest.raises(PermissionDenied, match=said):
        require(someone, action, project, creator)
    require(Principal("root", admin=True), action, project, creator)


names = st.sampled_from(["diabetes", "asthma", "heart"])
some_roles = st.sampled_from(list(ROLES))


@settings(max_examples=200, deadline=None)
@given(
    st.booleans(),
    st.dictionaries(names, some_roles),
    st.none() | st.lists(names, min_size=1),
    st.none() | some_roles,
)
def test_a_token_is_never_for_more_than_its_user(
    administers: bool, held: dict[str, Any], projects: list[str] | None, role: Any
) -> None:
    whole = Principal("ana", administers, held)
    part = scoped(whole, projects, role, ["diabetes", "asthma", "heart"])
    for project in ("diabetes", "asthma", "heart"):
        for action in ACTIONS:
            if may(part, action, project):
                assert may(whole, action, project)
                assert projects is None or project in projects
                assert role is None or roles.allows(role, part.roles[project])
    assert part.admin is (administers and projects is None and role is None)
    assert part.limited is not (projects is None and role is None)


def test_who_asks_by_a_token(admin: ArangoPipeAdmin) -> None:
    admin.register_user("ana", admin=True, roles={"diabetes": "viewer"})
    (user,) = admin.store.get([user_id("ana")])
    assert user is not None
    made = admin.create_token("ana", role="maintainer")
    (node,) = admin.store.get([made.token.id])
    assert node is not None
    assert token_of(node) == made.token
    found = principal_of(admin.store, user, made.token)
    assert found.roles == {"diabetes": "maintainer", "asthma": "maintainer"}
    assert (found.user, found.admin, found.token, found.limited) == ("ana", False, made.token.key, True)
    assert principal_of(admin.store, user).admin


def test_the_documents_say_what_roles_may() -> None:
    text = (Path(__file__).parent.parent / "docs" / "users.md").read_text("utf-8")
    rows = [f"| {role} | {name} | {what} |" for role, its in ROLES.items() for name, what in its.items()]
    rows += [f"| {name} | {what} |" for name, what in STORE_ADMIN.items()]
    assert [line for line in text.splitlines() if line in rows] == rows
